/*
 * Sockets as files: what read, write, poll and close do with them, and the system calls that make and join them.
 * What moves messages is in net/socket_msg.c. Steps 13 and 14 of the journey begin here.
 *
 * Context: process. No lock of its own: each kind of socket takes its own.
 */
#include <net/socket.h>

#include <fs/ioctl.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>
#include <net/sock_options.h>

#define NR_FAMILIES 46 /* beyond are no families, but mistakes; so are types beyond: */
#define NR_TYPES    11

static const struct sock_family *const families[] = { &unix_family, &inet_family };

/* ---- files --------------------------------------------------------------------------------------------- */

static ssize_t socket_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct msg msg;

	if (!to->count)
		return 0;
	msg_init(&msg, file, to, 0);
	return sock_receive(file->private_data, &msg);
}

/* What is written in one call is one record, where there are records. */
static ssize_t socket_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	struct sock *sk = file->private_data;
	struct msg msg;

	msg_init(&msg, file, from, sk->type == SOCK_SEQPACKET ? MSG_EOR : 0);
	return sock_send(sk, &msg);
}

/* sendfile, splice. Kinds that do not keep the page copy it. */
static ssize_t socket_write_page(struct file *file, struct page *page, u32 offset, u32 size,
				 bool more)
{
	struct iov_iter data;
	struct iovec iov;
	struct msg msg;

	iov_iter_kernel(&data, &iov, (u8 *)page_address(page) + offset, size);
	msg_init(&msg, file, &data, more ? MSG_MORE : 0);
	msg.page = page;
	return sock_send(file->private_data, &msg);
}

static u32 socket_poll(struct file *file, struct poll_table *table)
{
	struct sock *sk = file->private_data;

	poll_wait(file, &sk->wq, table);
	return sk->ops->poll(sk);
}

static long socket_ioctl(struct file *file, u32 command, u64 arg)
{
	struct sock *sk = file->private_data;
	long result = -ENOTTY;

	for (u32 i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i]->family == sk->family && families[i]->ioctl)
			result = families[i]->ioctl(sk, command, arg);
	if (result == -ENOTTY && sk->ops->ioctl)
		result = sk->ops->ioctl(sk, command, arg);
	return result;
}

static int socket_flush(struct file *file, const struct files *files)
{
	const struct sock *sk = file->private_data;

	if (sk->ops->flush)
		sk->ops->flush(file);
	return 0;
}

static void socket_release(struct file *file)
{
	struct sock *sk = file->private_data;

	spin_lock_bh(&sk->lock);
	sk->file = NULL;
	sk->ino = 0;
	spin_unlock_bh(&sk->lock);
	sk->ops->close(sk);
}

const struct file_ops socket_file_ops = {
	.anon_name = "socket:",
	.read = socket_read,
	.write = socket_write,
	.write_page = socket_write_page,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.flush = socket_flush,
	.release = socket_release,
};

struct file *sock_create_file(struct sock *sk, u32 flags)
{
	struct file *file = file_create_anon(&socket_file_ops, sk, O_RDWR | (flags & O_NONBLOCK));

	if (!file) {
		sk->ops->close(sk);
		return ERR_PTR(-ENFILE);
	}
	spin_lock_bh(&sk->lock);
	sk->file = file;
	sk->ino = file->anon_ino;
	spin_unlock_bh(&sk->lock);
	return file;
}

struct sock *sock_borrow_failed(struct fd fd)
{
	if (!fd.file)
		return ERR_PTR(-EBADF);
	fd_return(fd);
	return ERR_PTR(-ENOTSOCK);
}

/* ---- addresses ----------------------------------------------------------------------------------------- */

/* Mostly it is an IPv4 address, and there is room for it. */
static inline int copy_name(const struct sockaddr_storage *addr, u32 size, void __user *user)
{
	u64 __user *words = (u64 __user *)user;

	if (likely(size == sizeof(addr->in)))
		return put_user(addr->in_words[0], words) ?: put_user(addr->in_words[1], words + 1);
	return copy_to_user(user, addr, size) ? -EFAULT : 0;
}

/* As much as there is room for; *user_length becomes what there would be. */
int addr_to_user(const struct sockaddr_storage *addr, u32 length, void __user *user,
		 int __user *user_length)
{
	int room, error;

	if (get_user(room, user_length))
		return -EFAULT;
	if (unlikely(room < 0))
		return -EINVAL;
	error = copy_name(addr, min((u32)room, length), user);
	return error ?: put_user((int)length, user_length);
}

/* ---- making them --------------------------------------------------------------------------------------- */

static struct sock *create_of(const struct sock_family *family, int type, int protocol)
{
	const struct sock_ops *ops = family->select(type, &protocol);
	struct sock *sk;
	int error;

	if (IS_ERR(ops))
		return (void *)ops;
	sk = sock_alloc(ops, family->family, type, protocol, GFP_KERNEL);
	if (!sk)
		return ERR_PTR(-ENOBUFS);
	sk->uid = current->cred.fsuid;
	error = ops->init ? ops->init(sk) : 0;
	if (!error)
		return sk;
	sock_put(sk);
	return ERR_PTR(error);
}

static struct sock *create(int number, int type, int protocol)
{
	if ((u32)number >= NR_FAMILIES)
		return ERR_PTR(-EAFNOSUPPORT);
	if ((u32)type >= NR_TYPES)
		return ERR_PTR(-EINVAL);
	for (u32 i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i]->family == number)
			return create_of(families[i], type, protocol);
	return ERR_PTR(-EAFNOSUPPORT);
}

static struct file *create_file(int family, int type, int protocol)
{
	struct sock *sk = create(family, type & SOCK_TYPE_MASK, protocol);

	return IS_ERR(sk) ? (void *)sk : sock_create_file(sk, type);
}

static bool flags_known(int flags)
{
	return !(flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK));
}

long sys_socket(int family, int type, int protocol)
{
	struct file *file;

	if (!flags_known(type & ~SOCK_TYPE_MASK))
		return -EINVAL;
	file = create_file(family, type, protocol);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return fd_add(file, type & SOCK_CLOEXEC);
}

/* ---- a pair -------------------------------------------------------------------------------------------- */

static int join(struct file *ends[2])
{
	struct sock *a = file_sock(ends[0]), *b = file_sock(ends[1]);

	return a->ops->socketpair ? a->ops->socketpair(a, b) : -EOPNOTSUPP;
}

static int create_pair(struct file *ends[2], int family, int type, int protocol)
{
	int error;

	ends[0] = create_file(family, type, protocol);
	if (IS_ERR(ends[0]))
		return PTR_ERR(ends[0]);
	ends[1] = create_file(family, type, protocol);
	error = IS_ERR(ends[1]) ? PTR_ERR(ends[1]) : join(ends);
	if (!error)
		return 0;
	if (!IS_ERR(ends[1]))
		file_put(ends[1]);
	file_put(ends[0]);
	return error;
}

/* The program learns the numbers first: what it cannot be told is not made. */
long sys_socketpair(int family, int type, int protocol, int __user *user)
{
	struct file *ends[2] = { NULL };
	int fds[2], error;

	if (!flags_known(type & ~SOCK_TYPE_MASK))
		return -EINVAL;
	fds[0] = fd_reserve(0, type & SOCK_CLOEXEC);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve(0, type & SOCK_CLOEXEC);
	error = min(fds[1], 0);
	if (!error && copy_to_user(user, fds, sizeof(fds)))
		error = -EFAULT;
	if (!error)
		error = create_pair(ends, family, type, protocol);
	if (!error) {
		fd_install(fds[0], ends[0]);
		fd_install(fds[1], ends[1]);
		return 0;
	}
	if (fds[1] >= 0)
		fd_release(fds[1]);
	fd_release(fds[0]);
	return error;
}

/* ---- names --------------------------------------------------------------------------------------------- */

long sys_bind(int number, const void __user *user, int length)
{
	struct sockaddr_storage addr;
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = addr_from_user(&addr, user, length);
	if (!result)
		result = sk->ops->bind ? sk->ops->bind(sk, &addr, length) : -EOPNOTSUPP;
	fd_return(fd);
	return result;
}

long sys_connect(int number, const void __user *user, int length)
{
	struct sockaddr_storage addr;
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = addr_from_user(&addr, user, length);
	if (!result)
		result = sk->ops->connect
				 ? sk->ops->connect(sk, &addr, length, READ_ONCE(fd.file->flags))
				 : -EOPNOTSUPP;
	fd_return(fd);
	return result;
}

static long get_name(int number, void __user *user, int __user *user_length, bool peer)
{
	struct sockaddr_storage addr;
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = sk->ops->getname ? sk->ops->getname(sk, &addr, peer) : -EOPNOTSUPP;
	if (result >= 0)
		result = addr_to_user(&addr, result, user, user_length);
	fd_return(fd);
	return result;
}

long sys_getsockname(int fd, void __user *addr, int __user *length)
{
	return get_name(fd, addr, length, false);
}

long sys_getpeername(int fd, void __user *addr, int __user *length)
{
	return get_name(fd, addr, length, true);
}

/* ---- listening ----------------------------------------------------------------------------------------- */

long sys_listen(int number, int backlog)
{
	u32 limit = READ_ONCE(sock_somaxconn);
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = sk->ops->listen ? sk->ops->listen(sk, min((u32)backlog, limit)) : -EOPNOTSUPP;
	if (!result)
		__atomic_or_fetch(&sk->options, SK_LISTENING, __ATOMIC_RELAXED);
	fd_return(fd);
	return result;
}

/* The accepted socket's file, after its peer's name was told. ERR_PTR. */
static struct file *accept_file(struct sock *sk, u32 file_flags, u32 flags, void __user *user,
				int __user *user_length)
{
	struct sock *child =
		sk->ops->accept ? sk->ops->accept(sk, file_flags) : ERR_PTR(-EOPNOTSUPP);
	struct sockaddr_storage addr;
	struct file *file;
	int length;

	if (IS_ERR(child))
		return (void *)child;
	child->uid = current->cred.fsuid;
	file = sock_create_file(child, flags);
	if (IS_ERR(file) || !user)
		return file;
	length = child->ops->getname(child, &addr, true);
	length = length < 0 ? -ECONNABORTED : addr_to_user(&addr, length, user, user_length);
	if (length >= 0)
		return file;
	file_put(file);
	return ERR_PTR(length);
}

long sys_accept4(int number, void __user *user, int __user *user_length, int flags)
{
	struct fd fd;
	struct file *file;
	struct sock *sk;
	int child;

	if (!flags_known(flags))
		return -EINVAL;
	sk = sock_borrow(number, &fd);
	if (IS_ERR(sk))
		return PTR_ERR(sk);
	child = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (child >= 0) {
		file = accept_file(sk, READ_ONCE(fd.file->flags), flags, user, user_length);
		if (IS_ERR(file)) {
			fd_release(child);
			child = PTR_ERR(file);
		} else {
			fd_install(child, file);
		}
	}
	fd_return(fd);
	return child;
}

long sys_accept(int fd, void __user *addr, int __user *length)
{
	return sys_accept4(fd, addr, length, 0);
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

/* SHUT_RD, SHUT_WR, SHUT_RDWR are one less than the bits. */
long sys_shutdown(int number, int how)
{
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result = -EINVAL;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	if (!sk->ops->shutdown)
		result = -EOPNOTSUPP;
	else if ((u32)how < SHUTDOWN_MASK)
		result = sk->ops->shutdown(sk, how + 1);
	fd_return(fd);
	return result;
}

static long set_option(struct sock *sk, int level, int option, const void __user *user, int length)
{
	u8 value[SOCKOPT_MAX] __aligned(8);
	u32 size = min((u32)length, (u32)sizeof(value));
	long result = -ENOPROTOOPT;

	if (length < 0)
		return -EINVAL;
	memset(value, 0, sizeof(u64));
	if (level == SOL_SOCKET && option != SO_BINDTODEVICE && size < sizeof(int))
		return -EINVAL;
	if (copy_from_user(value, user, size))
		return -EFAULT;
	if (level == SOL_SOCKET)
		result = sock_setsockopt(sk, option, value, size);
	if (result == -ENOPROTOOPT)
		result = sk->ops->setsockopt   ? sk->ops->setsockopt(sk, level, option, value, size)
			 : level == SOL_SOCKET ? -ENOPROTOOPT
					       : -EOPNOTSUPP;
	return result;
}

long sys_setsockopt(int number, int level, int option, const void __user *value, int length)
{
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = set_option(sk, level, option, value, length);
	fd_return(fd);
	return result;
}

static long get_option(struct sock *sk, int level, int option, void __user *user,
		       int __user *user_length)
{
	u8 value[SOCKOPT_MAX] __aligned(8);
	long result = -ENOPROTOOPT;
	int room;
	u32 size;

	if (get_user(room, user_length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	size = min((u32)room, (u32)sizeof(value));
	if (level == SOL_SOCKET)
		result = sock_getsockopt(sk, option, value, &size);
	if (result == -ENOPROTOOPT)
		result = sk->ops->getsockopt ? sk->ops->getsockopt(sk, level, option, value, &size)
			 : level == SOL_SOCKET ? -ENOPROTOOPT
					       : -EOPNOTSUPP;
	if (result)
		return result;
	if (copy_to_user(user, value, size))
		return -EFAULT;
	return put_user((int)size, user_length) ? -EFAULT : 0;
}

long sys_getsockopt(int number, int level, int option, void __user *value, int __user *length)
{
	struct fd fd;
	struct sock *sk = sock_borrow(number, &fd);
	long result;

	if (IS_ERR(sk))
		return PTR_ERR(sk);
	result = get_option(sk, level, option, value, length);
	fd_return(fd);
	return result;
}
