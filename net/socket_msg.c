/*
 * Moving messages: sendto, sendmsg, sendmmsg and their counterparts. Each fills in a struct msg and hands it to the
 * socket's kind.
 *
 * Context: process; no lock. Step 14 of the journey.
 */
#include <net/socket.h>

#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <net/netdev.h>

#define MSG_CMSG_COMPAT 0x80000000U /* 32-bit programs: there are none */
#define CONTROL_MAX	(128 * KiB) /* net.core.optmem_max */
#define CONTROL_FAST	64	    /* on the stack: a few descriptors, credentials, IP_PKTINFO */

/* What a program may say to send(); the others are the kernel's. */
#define MSG_INTERNAL 0xb80b0000U

/* ---- one buffer ---------------------------------------------------------------------------------------- */

long sys_sendto(int number, const void __user *buffer, size_t size, u32 flags,
		const void __user *addr, int addr_length)
{
	struct iov_iter data;
	struct iovec iov;
	struct msg msg;
	struct fd fd;
	struct sock *sk;
	long result = 0;

	if (!user_range_ok((u64)buffer, size))
		return -EFAULT;
	iov_iter_user(&data, &iov, (void __user *)buffer, min(size, MAX_RW_COUNT));
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	msg_init(&msg, fd.file, &data, flags & ~MSG_INTERNAL);
	if (addr) {
		result = addr_from_user(&msg.name, addr, addr_length);
		msg.name_length = addr_length;
		msg.name_wanted = true;
	}
	if (!result)
		result = sock_send(sk, &msg);
	fd_return(fd);
	return result;
}

long sys_recvfrom(int number, void __user *buffer, size_t size, u32 flags, void __user *addr,
		  int __user *addr_length)
{
	struct iov_iter data;
	struct iovec iov;
	struct msg msg;
	struct fd fd;
	struct sock *sk;
	long result, error;

	if (!user_range_ok((u64)buffer, size))
		return -EFAULT;
	iov_iter_user(&data, &iov, buffer, min(size, MAX_RW_COUNT));
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	msg_init(&msg, fd.file, &data, flags);
	msg.name_wanted = addr;
	result = sock_receive(sk, &msg);
	if (addr && result >= 0) {
		error = addr_to_user(&msg.name, msg.name_length, addr, addr_length);
		result = error ?: result;
	}
	fd_return(fd);
	return result;
}

/* ---- a header ------------------------------------------------------------------------------------------ */

/* A message as a program describes it, in the kernel. */
struct import {
	struct msghdr header;
	struct msg msg;
	struct iov_iter data;
	struct iovec fast[IOV_FAST], *allocated;
	struct msg_control control;
};

static int import_header(struct import *in, const struct file *file,
			 const struct msghdr __user *user, u32 flags)
{
	if (copy_from_user(&in->header, user, sizeof(in->header)))
		return -EFAULT;
	if (!in->header.name)
		in->header.name_length = 0;
	if (in->header.name_length < 0)
		return -EINVAL;
	in->header.name_length =
		min_t(u32, in->header.name_length, sizeof(struct sockaddr_storage));
	msg_init(&in->msg, file, &in->data, flags);
	return 0;
}

static int import_data(struct import *in)
{
	if (in->header.iov_length > IOV_MAX)
		return -EMSGSIZE;
	return iov_iter_import(&in->data, in->header.iov, in->header.iov_length, in->fast,
			       &in->allocated);
}

/* ---- sendmsg ------------------------------------------------------------------------------------------- */

static int import_name(struct import *in)
{
	in->msg.name_length = in->header.name_length;
	if (!in->msg.name_length)
		return 0;
	return addr_from_user(&in->msg.name, in->header.name, in->msg.name_length);
}

/* `fast` is the caller's. What is not there afterwards is to be freed. */
static int import_control(struct import *in, void *fast)
{
	struct msg_control *control = &in->control;

	*control = (struct msg_control){ .data = fast, .length = in->header.control_length };
	if (!control->length)
		return 0;
	if (control->length > CONTROL_MAX)
		return -ENOBUFS;
	if (control->length > CONTROL_FAST)
		control->data = kmalloc(control->length, GFP_KERNEL);
	if (!control->data)
		return -ENOBUFS;
	in->msg.control = control;
	return copy_from_user(control->data, in->header.control, control->length) ? -EFAULT : 0;
}

static long send_imported(struct sock *sk, struct import *in)
{
	u8 fast[CONTROL_FAST] __aligned(8);
	long result = import_control(in, fast);

	if (!result)
		result = sock_send(sk, &in->msg);
	if (in->control.data != fast)
		kfree(in->control.data);
	return result;
}

static long send_one(struct sock *sk, const struct file *file, struct msghdr __user *user,
		     u32 flags, bool more)
{
	struct import in;
	long result = import_header(&in, file, user, flags & ~MSG_INTERNAL);

	in.msg.more = more;
	if (!result)
		result = import_name(&in);
	if (!result)
		result = import_data(&in);
	if (result)
		return result;
	result = send_imported(sk, &in);
	kfree(in.allocated);
	return result;
}

long sys_sendmsg(int number, struct msghdr __user *header, u32 flags)
{
	struct fd fd;
	struct sock *sk;
	long result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = send_one(sk, fd.file, header, flags, false);
	fd_return(fd);
	return result;
}

/* As many as go; the first one's error is the call's. The devices are told of all together. */
static long send_many(struct sock *sk, const struct file *file, struct mmsghdr __user *headers,
		      u32 count, u32 flags)
{
	long result = 0;
	u32 sent;

	for (sent = 0; sent < count; sent++) {
		result = send_one(sk, file, &headers[sent].header, flags, sent + 1 < count);
		if (result >= 0 && put_user((u32)result, &headers[sent].length))
			result = -EFAULT;
		if (result < 0)
			break;
		cond_resched();
	}
	net_flush();
	return sent ?: min(result, 0L);
}

long sys_sendmmsg(int number, struct mmsghdr __user *headers, u32 count, u32 flags)
{
	struct fd fd;
	struct sock *sk;
	long result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = send_many(sk, fd.file, headers, min(count, (u32)IOV_MAX), flags);
	fd_return(fd);
	return result;
}

/* ---- recvmsg ------------------------------------------------------------------------------------------- */

static u64 control_used(const struct import *in)
{
	return (u64)in->control.user - (u64)in->header.control;
}

/* Lengths and flags back into the program's header. 0 or -errno. */
static int export_header(const struct import *in, struct msghdr __user *user)
{
	int error = 0;

	if (in->header.name)
		error = addr_to_user(&in->msg.name, in->msg.name_length, in->header.name,
				     (int __user *)&user->name_length);
	if (error)
		return error;
	if (put_user(in->msg.out_flags, &user->flags) ||
	    put_user(control_used(in), &user->control_length))
		return -EFAULT;
	return 0;
}

static long receive_one(struct sock *sk, const struct file *file, struct msghdr __user *user,
			u32 flags)
{
	struct import in;
	long result = import_header(&in, file, user, flags) ?: import_data(&in);
	int error;

	if (result)
		return result;
	in.msg.name_wanted = in.header.name;
	in.msg.control = &in.control;
	in.msg.out_flags = flags & MSG_CMSG_CLOEXEC;
	in.control =
		(struct msg_control){ .user = in.header.control,
				      .room = in.header.control ? in.header.control_length : 0 };
	result = sock_receive(sk, &in.msg);
	if (result >= 0) {
		error = export_header(&in, user);
		result = error ?: result;
	}
	kfree(in.allocated);
	return result;
}

long sys_recvmsg(int number, struct msghdr __user *header, u32 flags)
{
	struct fd fd;
	struct sock *sk;
	long result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = receive_one(sk, fd.file, header, flags);
	fd_return(fd);
	return result;
}

/* The deadline is looked at after each message: the call does not end by it while none comes, as on Linux. */
static long receive_many(struct sock *sk, const struct file *file, struct mmsghdr __user *headers,
			 u32 count, u32 flags, u64 deadline)
{
	u32 received = 0;
	long result = 0;

	while (received < count) {
		result = receive_one(sk, file, &headers[received].header, flags & ~MSG_WAITFORONE);
		if (result >= 0 && put_user((u32)result, &headers[received].length))
			result = -EFAULT;
		if (result < 0)
			break;
		received++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_ns() >= deadline)
			break;
		cond_resched();
	}
	if (!received)
		return min(result, 0L);
	if (result < 0 && result != -EAGAIN)
		WRITE_ONCE(sk->error, -result); /* the next call tells */
	return received;
}

long sys_recvmmsg(int number, struct mmsghdr __user *headers, u32 count, u32 flags,
		  struct timespec __user *timeout)
{
	u64 deadline = NO_TIMEOUT, ns, now;
	struct fd fd;
	struct sock *sk;
	long result;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (timeout) {
		result = get_user_timespec(&ns, timeout);
		if (result)
			return result;
		deadline = clock_ns_after(ns);
	}
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = flags & MSG_ERRQUEUE ? 0 : sock_error(sk);
	if (!result)
		result = receive_many(sk, fd.file, headers, count, flags, deadline);
	fd_return(fd);
	now = clock_ns();
	if (timeout && result >= 0 &&
	    put_user_timespec(deadline > now ? deadline - now : 0, timeout))
		result = -EFAULT;
	return result;
}
