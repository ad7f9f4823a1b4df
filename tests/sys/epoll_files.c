/* What an eventpoll says of the files it watches, in /proc/PID/fdinfo; files in messages; and who waits for RDHUP. */
#include <sys/sysmacros.h>
#include <tests/sys/epoll.h>
#include <tests/sys/tcp.h>

/* The inode and the device are those of fstat, the device as the kernel writes it: 12 bits and 20. */
static void say_item(int epfd, const char *what, int fd, uint32_t events, uint64_t data)
{
	char path[64], line[200], wanted[200];
	struct stat st;

	MUST(ctl(epfd, EPOLL_CTL_ADD, fd, events, data));
	MUST(fstat(fd, &st));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
	snprintf(line, sizeof(line), "%s", strstr(get_file(path), "tfd:") ?: "nothing");
	snprintf(wanted, sizeof(wanted), "pos:0 ino:%lx sdev:", (long)st.st_ino);
	say("%s: %.*s%s", what, (int)strcspn(line, "p"), line,
	    strstr(line, wanted) ? "inode as fstat says" : strstr(line, "pos:"));
	say("device as fstat says: %s", yes_no(strtoul(strstr(line, "sdev:") + 5, NULL, 16) ==
					       (major(st.st_dev) << 20 | minor(st.st_dev))));
	MUST(ctl(epfd, EPOLL_CTL_DEL, fd, 0, 0));
}

TEST(fdinfo)
{
	int epfd = make_epoll(), ends[2];

	make_pipe(ends);
	MUST(mkfifo("f", 0600));
	say_item(epfd, "pipe", ends[1], EPOLLOUT | EPOLLET, 0xabcdef);
	say_item(epfd, "fifo", MUST(open("f", O_RDWR)), EPOLLIN | EPOLLONESHOT, UINT64_MAX);
	say_item(epfd, "socket", MUST(socket(AF_UNIX, SOCK_STREAM, 0)), EPOLLEXCLUSIVE, 0);
	say_item(epfd, "epoll", make_epoll(), EPOLLIN | EPOLLRDHUP, 1);
	say("%s", strchr(get_file("/proc/self/fdinfo/3"), 't') ? "more" : "nothing left");
}

/*
 * t0 -> e0 -et-> s0 (RDHUP only)
 * t1: shuts s0 down, or its peer
 */
static int told_of(int port, int ends[2], int how, bool peer)
{
	struct epoll_event event = { 0 };
	int epfd = make_epoll();

	tcp_pair(ends, port);
	watch(epfd, ends[0], EPOLLRDHUP | EPOLLET);
	if (MUST(fork()) == 0) {
		sleep_ms(3);
		shutdown(ends[peer], how);
		_exit(0);
	}
	MUST(epoll_wait(epfd, &event, 1, 5000));
	wait(NULL);
	return event.events;
}

TEST(waits_for_rdhup)
{
	int ends[2];

	say("own SHUT_RD: %x", told_of(6100, ends, SHUT_RD, false));
	say("own SHUT_RDWR: %x", told_of(6101, ends, SHUT_RDWR, false));
	say("peer's SHUT_WR: %x", told_of(6102, ends, SHUT_WR, true));
}

/* t0 -> e0 -lt-> s0; s0 is also in a message that nobody has received: it lives on, and e0 tells of it. */
TEST(watched_in_a_message)
{
	int epfd = make_epoll(), carrier[2], pair[2];
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, carrier));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	watch(epfd, pair[0], EPOLLIN);
	*cmsg = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(cmsg), &pair[0], sizeof(int));
	MUST(sendmsg(carrier[0], &msg, 0));
	close(pair[0]);
	MUST(write(pair[1], "abc", 3));
	WAIT("in a message", epfd, pair[0]);
	close(carrier[0]);
	WAIT("still", epfd, pair[0]);
	close(carrier[1]);
	WAIT("gone", epfd, pair[0]);
}
