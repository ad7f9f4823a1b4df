/* The system calls of sockets, with every kind of argument that they must refuse. */
#include <sys/sendfile.h>
#include <tests/sys/sockets.h>

static int fds[2];

TEST(making)
{
	SHOW(socket(-1, SOCK_STREAM, 0));
	SHOW(socket(0, SOCK_STREAM, 0));
	SHOW(socket(99, SOCK_STREAM, 0));
	SHOW(socket(45, SOCK_STREAM, 0));
	SHOW(socket(99, 99, 99));
	SHOW(socket(AF_UNIX, 0, 0));
	SHOW(socket(AF_UNIX, -1, 0));
	SHOW(socket(AF_UNIX, 4, 0));
	SHOW(socket(AF_UNIX, 6, 0));
	SHOW(socket(AF_UNIX, 10, 0));
	SHOW(socket(AF_UNIX, 11, 0));
	SHOW(socket(AF_UNIX, 15, 0));
	SHOW(socket(AF_UNIX, 16, 0));
	SHOW(socket(AF_UNIX, SOCK_STREAM | 0x1000, 0));
	SHOW(socket(AF_UNIX, SOCK_STREAM, 1));
	SHOW(socket(AF_UNIX, SOCK_STREAM, 2));
	SHOW(socket(AF_UNIX, SOCK_STREAM, -1));
	SHOW(socket(AF_UNIX, SOCK_RAW, 0));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (void *)8));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM | 0x1000, 0, fds));
	SHOW(socketpair(99, SOCK_STREAM, 0, fds));
	SHOW(socketpair(99, SOCK_STREAM, 0, NULL));
	SHOW(socketpair(AF_UNIX, 4, 0, fds));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 3, fds));
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 6, 6 }));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	SHOW(socket(AF_UNIX, SOCK_STREAM, 0));
	SHOW(socket(AF_UNIX, SOCK_STREAM, 0));
	SHOW(socket(99, SOCK_STREAM, 0));
}

static void try_all(int fd)
{
	struct sockaddr_un address;
	struct iovec iov = { buf, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr many = { msg, 0 };
	socklen_t length = sizeof(address);
	int value = 0;

	unix_address(&address, "@name");
	SHOW(bind(fd, (void *)&address, 7));
	SHOW(connect(fd, (void *)&address, 7));
	SHOW(listen(fd, 1));
	SHOW(accept(fd, NULL, NULL));
	SHOW(accept4(fd, NULL, NULL, SOCK_NONBLOCK));
	SHOW(accept4(fd, NULL, NULL, 1));
	SHOW(getsockname(fd, (void *)&address, &length));
	SHOW(getpeername(fd, (void *)&address, &length));
	SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
	SHOW(recv(fd, buf, 1, MSG_DONTWAIT));
	SHOW(sendmsg(fd, &msg, MSG_NOSIGNAL));
	SHOW(recvmsg(fd, &msg, MSG_DONTWAIT));
	SHOW(sendmmsg(fd, &many, 1, MSG_NOSIGNAL));
	SHOW(recvmmsg(fd, &many, 1, MSG_DONTWAIT, NULL));
	SHOW(shutdown(fd, SHUT_RDWR));
	SHOW(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, 4));
	SHOW(getsockopt(fd, SOL_SOCKET, SO_BROADCAST, &value, &length));
}

TEST(not_sockets)
{
	int ends[2];

	MUST(pipe(ends));
	say("closed");
	try_all(99);
	say("negative");
	try_all(-1);
	say("a pipe");
	try_all(ends[1]);
	say("a file");
	put_file("f", "");
	try_all(MUST(open("f", O_RDWR)));
	say("a path");
	try_all(MUST(open("f", O_PATH)));
	SHOW(send(99, (void *)8, 1, 0));
	SHOW(send(99, (void *)-1, 1, 0));
	SHOW(sendto(99, "x", 1, 0, (void *)8, 10));
	SHOW(accept4(99, NULL, NULL, 1));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	SHOW(shutdown(99, 7));
}

TEST(addresses)
{
	struct sockaddr_un address;
	socklen_t length;
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), server = listener("@s", SOCK_STREAM, 5);

	SHOW(bind(fd, NULL, 0));
	SHOW(bind(fd, NULL, 10));
	SHOW(bind(fd, (void *)&address, -1));
	SHOW(bind(fd, (void *)&address, 129));
	SHOW(connect(fd, NULL, 0));
	SHOW(connect(fd, NULL, 10));
	SHOW(connect(fd, (void *)&address, -1));
	SHOW(connect(fd, (void *)&address, 129));
	length = -1;
	SHOW(getsockname(fd, (void *)&address, &length));
	length = 0;
	SHOW(getsockname(fd, (void *)&address, &length));
	say("length %d", length);
	length = 0;
	SHOW(getsockname(fd, NULL, &length));
	length = 1;
	SHOW(getsockname(fd, NULL, &length));
	SHOW(getsockname(fd, (void *)&address, NULL));
	length = -1;
	SHOW(getpeername(fd, (void *)&address, &length));
	length = 3;
	SHOW(getsockname(server, (void *)&address, &length));
	say("length %d", length);
	connected("@s", SOCK_STREAM);
	connected("@s", SOCK_STREAM);
	connected("@s", SOCK_STREAM);
	SHOW(fcntl(server, F_SETFL, O_NONBLOCK));
	length = -1;
	SHOW(accept(server, (void *)&address, &length));
	SHOW(accept(server, (void *)&address, NULL));
	SHOW(accept(server, (void *)&address, (void *)8));
	SHOW(accept(server, NULL, NULL));
	SHOW(accept(server, (void *)8, (void *)16));
}

TEST(headers)
{
	struct iovec iov[2] = { { "abc", 3 }, { buf, 2 } };
	struct sockaddr_un address;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	socklen_t length = unix_address(&address, "@other");

	pair(fds, SOCK_DGRAM);
	SHOW(sendmsg(fds[0], NULL, 0));
	SHOW(sendmsg(fds[0], (void *)8, 0));
	SHOW(sendmsg(fds[0], &msg, 0x80000000));
	SHOW(recvmsg(fds[0], &msg, 0x80000000));
	msg.msg_iovlen = 1025;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_iovlen = 0;
	SHOW(sendmsg(fds[0], &msg, 0));
	SHOW(recvmsg(fds[1], &msg, MSG_DONTWAIT));
	msg.msg_iovlen = 1;
	msg.msg_iov = (void *)8;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_iov = iov;
	iov[0].iov_base = (void *)8;
	SHOW(sendmsg(fds[0], &msg, 0));
	iov[0] = (struct iovec){ "abc", -1 };
	SHOW(sendmsg(fds[0], &msg, 0));
	iov[0].iov_len = 3;
	msg.msg_name = (void *)8;
	msg.msg_namelen = 10;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_name = &address;
	msg.msg_namelen = -1;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_namelen = 1000;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_namelen = length;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_namelen = 0;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_namelen = 0;
	SHOW(recvmsg(fds[1], &msg, 0));
	say("name %d, flags %x", msg.msg_namelen, msg.msg_flags);
	msg.msg_name = NULL;
	msg.msg_namelen = -1;
	SHOW(sendmsg(fds[0], &msg, 0));
	SHOW(read(fds[1], buf, 10));
	SHOW(send(fds[0], "abc", 3, 0));
	iov[0].iov_base = (void *)8;
	SHOW(recvmsg(fds[1], &msg, 0));
	SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
	SHOW(send(fds[0], (void *)8, 10, 0));
	SHOW(send(fds[0], (void *)-1, 10, 0));
	SHOW(recv(fds[0], (void *)-1, 10, MSG_DONTWAIT));
	SHOW(sendto(fds[0], "x", 1, 0, (void *)&address, -1));
	SHOW(sendto(fds[0], "x", 1, 0, (void *)&address, 129));
	SHOW(sendto(fds[0], "x", 1, 0, (void *)&address, 0));
	SHOW(sendto(fds[0], "x", 1, 0, NULL, 10));
	length = -1;
	SHOW(recvfrom(fds[1], buf, 1, 0, (void *)&address, &length));
	SHOW(recvfrom(fds[1], buf, 1, 0, (void *)&address, (void *)8));
	SHOW(recvfrom(fds[1], buf, 1, MSG_DONTWAIT, NULL, (void *)8));
}

/* A fault in the middle of a stream's bytes. */
TEST(faults)
{
	char *page =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(munmap(page + PAGE, PAGE));
	pair(fds, SOCK_STREAM);
	SHOW(write(fds[0], page + PAGE - 10, 20));
	SHOW(recv(fds[1], buf, 20, MSG_DONTWAIT));
	MUST(write(fds[0], "0123456789", 10));
	SHOW(read(fds[1], page + PAGE - 4, 10));
	SHOW(recv(fds[1], buf, 20, MSG_DONTWAIT));
	MUST(write(fds[0], "0123456789", 10));
	MUST(write(fds[0], "abcdefghij", 10));
	SHOW(read(fds[1], page + PAGE - 14, 20));
	SHOW(recv(fds[1], buf, 20, MSG_DONTWAIT));
	say("%.10s", buf);
}

TEST(other_calls)
{
	pair(fds, SOCK_STREAM);
	SHOW(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fds[0], 0));
	SHOW(fchmod(fds[0], 0600));
	SHOW(fchdir(fds[0]));
	SHOW(fdatasync(fds[0]));
	SHOW(fallocate(fds[0], 0, 0, 10));
	SHOW(posix_fadvise(fds[0], 0, 10, 0));
	SHOW(readahead(fds[0], 0, 10));
	SHOW(sendfile(fds[1], fds[0], NULL, 10));
	SHOW(syscall(SYS_getdents64, fds[0], buf, 100));
	SHOW(isatty(fds[0]));
	SHOW(fcntl(fds[0], F_GETPIPE_SZ));
	SHOW(fcntl(fds[0], F_SETFL, O_APPEND | O_NONBLOCK));
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(ioctl(fds[0], FIONBIO, &(int){ 0 }));
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(fcntl(fds[0], F_SETOWN, getpid()));
	SHOW(fcntl(fds[0], F_GETOWN) == getpid());
	SHOW(ioctl(fds[0], FIONREAD, (void *)8));
	SHOW(preadv(fds[0], &(struct iovec){ buf, 1 }, 1, 0));
	SHOW(copy_file_range(fds[0], NULL, fds[1], NULL, 1, 0));
}
