/*
 * Sends every datagram back to where it came from: udp_echo [PORT [epoll]] (default: 7). Sleeps in recvfrom, or in
 * epoll_wait before it, so the kernel's whole way is in it and nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* An eventpoll that watches for datagrams. */
static int watch(int sock)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(0);

	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, sock, &event))
		fail("epoll");
	return epfd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7) };
	int sock = socket(AF_INET, SOCK_DGRAM, 0), epfd = -1;

	if (sock < 0)
		fail("socket");
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	if (argc > 2)
		epfd = watch(sock);
	for (;;) {
		static char datagram[65536];
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		struct epoll_event event;
		ssize_t size;

		if (epfd >= 0)
			epoll_wait(epfd, &event, 1, -1);
		size = recvfrom(sock, datagram, sizeof(datagram), 0, (struct sockaddr *)&from,
				&length);
		/* A peer that has gone, a full queue: the next one may do better. */
		if (size < 0 && errno != EINTR)
			perror("recvfrom");
		else if (size >= 0)
			sendto(sock, datagram, size, 0, (struct sockaddr *)&from, length);
	}
}
