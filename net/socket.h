/* What net/socket.c and net/socket_msg.c share, and the system calls of both. */
#pragma once

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <kernel/trace.h>
#include <net/sock.h>

/* Field by field: an address has 128 bytes, most calls give none. */
static inline void msg_init(struct msg *msg, const struct file *file, struct iov_iter *data,
			    u32 flags)
{
	msg->data = data;
	msg->flags = flags | (READ_ONCE(file->flags) & O_NONBLOCK ? MSG_DONTWAIT : 0);
	msg->name_length = 0;
	msg->name_wanted = false;
	msg->more = false;
	msg->control = NULL;
	msg->page = NULL;
	msg->out_flags = 0;
}

/* What every send and receive goes through. */
static inline ssize_t sock_send(struct sock *sk, struct msg *msg)
{
	ssize_t sent = sk->ops->sendmsg ? sk->ops->sendmsg(sk, msg) : -EOPNOTSUPP;

	trace(SOCK_SEND, sk->ino, sent);
	if (unlikely(sent == -EPIPE) && sk->type == SOCK_STREAM && !(msg->flags & MSG_NOSIGNAL))
		send_signal_task(current, SIGPIPE, NULL);
	return sent;
}

static inline ssize_t sock_receive(struct sock *sk, struct msg *msg)
{
	ssize_t received = sk->ops->recvmsg ? sk->ops->recvmsg(sk, msg) : -EOPNOTSUPP;

	trace(SOCK_RECV, sk->ino, received);
	return received;
}

/* The socket of a descriptor, for the length of a call: fd_return(*fd) afterwards. ERR_PTR: nothing to return. */
struct sock *sock_borrow_failed(struct fd fd);
static inline struct sock *sock_borrow(int number, struct fd *fd)
{
	struct sock *sk;

	*fd = fd_borrow(number);
	sk = likely(fd->file) ? file_sock(fd->file) : NULL;
	return likely(sk) ? sk : sock_borrow_failed(*fd);
}

static inline int addr_from_user(struct sockaddr_storage *addr, const void __user *user, int length)
{
	const u64 __user *words = (const u64 __user *)user;

	if (likely(length == sizeof(addr->in)))
		return get_user(addr->in_words[0], words) ?: get_user(addr->in_words[1], words + 1);
	if ((u32)length > sizeof(*addr))
		return -EINVAL;
	return likely(!copy_from_user(addr, user, length)) ? 0 : -EFAULT;
}
int addr_to_user(const struct sockaddr_storage *addr, u32 length, void __user *user,
		 int __user *user_length);

struct msghdr {
	void __user *name;
	s32 name_length;
	const struct iovec __user *iov;
	u64 iov_length;
	void __user *control;
	u64 control_length;
	u32 flags;
};
static_assert(sizeof(struct msghdr) == 56, "the ABI says so");
struct mmsghdr {
	struct msghdr header;
	u32 length;
};
static_assert(sizeof(struct mmsghdr) == 64, "the ABI says so");

long sys_socket(int family, int type, int protocol);
long sys_socketpair(int family, int type, int protocol, int __user *fds);
long sys_bind(int fd, const void __user *addr, int length);
long sys_connect(int fd, const void __user *addr, int length);
long sys_getsockname(int fd, void __user *addr, int __user *length);
long sys_getpeername(int fd, void __user *addr, int __user *length);
long sys_listen(int fd, int backlog);
long sys_accept(int fd, void __user *addr, int __user *length);
long sys_accept4(int fd, void __user *addr, int __user *length, int flags);
long sys_shutdown(int fd, int how);
long sys_setsockopt(int fd, int level, int option, const void __user *value, int length);
long sys_getsockopt(int fd, int level, int option, void __user *value, int __user *length);
long sys_sendto(int fd, const void __user *buffer, size_t size, u32 flags, const void __user *addr,
		int addr_length);
long sys_recvfrom(int fd, void __user *buffer, size_t size, u32 flags, void __user *addr,
		  int __user *addr_length);
long sys_sendmsg(int fd, struct msghdr __user *header, u32 flags);
long sys_recvmsg(int fd, struct msghdr __user *header, u32 flags);
long sys_sendmmsg(int fd, struct mmsghdr __user *headers, u32 count, u32 flags);
long sys_recvmmsg(int fd, struct mmsghdr __user *headers, u32 count, u32 flags,
		  struct timespec __user *timeout);
