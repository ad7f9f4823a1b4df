/* For tests/gdb: two eventpolls, one with something ready, one in which this program sleeps; and their sockets. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void add(int epfd, int fd, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event))
		perror("epoll_ctl");
}

int main(void)
{
	int pair[2], ready = epoll_create1(0), quiet = epoll_create1(0);
	struct epoll_event event;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		perror("socketpair");
	add(ready, pair[0], EPOLLIN | EPOLLET);
	add(ready, pair[1], EPOLLIN);
	add(quiet, pair[1], EPOLLIN | EPOLLONESHOT);
	write(pair[1], "x", 1);
	printf("watching\n");
	fflush(stdout);
	epoll_wait(quiet, &event, 1, -1);
	return 0;
}
