/*
 * The guest's side of tools/bench_tcp.py: one process, one epoll, and RFC 347's services of old.
 *
 *	tcp_server ECHO DISCARD CHARGEN		the ports of
 *
 *	echo	sends back what it reads
 *	discard	reads, and forgets it
 *	chargen	writes for ever
 *
 * The sockets block, but nobody is asked before epoll has said that he is ready; so there is one system call to read, one
 * to write, and nothing to remember of a connection but what is in epoll_event.data.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS	  256
#define BACKLOG	  4096
#define MAX_FILES 65536

static char buffer[128 << 10];
static int ep;

/* Each says whether the connection is still wanted. */
static int echo(int fd)
{
	ssize_t size = recv(fd, buffer, sizeof(buffer), 0);

	return size > 0 && send(fd, buffer, size, MSG_NOSIGNAL) == size;
}

static int discard(int fd)
{
	return recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0;
}

static int generate(int fd)
{
	return send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static const struct service {
	int (*serve)(int fd);
	uint32_t events;
} SERVICES[] = {
	{ echo, EPOLLIN },
	{ discard, EPOLLIN },
	{ generate, EPOLLOUT },
};
#define N_SERVICES (sizeof(SERVICES) / sizeof(*SERVICES))

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

/* data: the descriptor, above it the service, and above that whether it listens. */
#define LISTENS (1ull << 40)

static void watch(int fd, uint32_t events, uint64_t what)
{
	struct epoll_event event = { .events = events, .data.u64 = what | (uint32_t)fd };

	must("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static void take_connections(int listener, uint64_t service)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		watch(fd, SERVICES[service].events, service << 32);
	}
}

static void listen_on(int port, uint64_t service)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	must("listen", listen(fd, BACKLOG));
	watch(fd, EPOLLIN, LISTENS | service << 32);
}

static void handle(uint64_t what)
{
	int fd = (uint32_t)what, service = what >> 32 & 0xff;

	if (what & LISTENS)
		take_connections(fd, service);
	else if (!SERVICES[service].serve(fd))
		close(fd);
}

int main(int argc, char **argv)
{
	struct rlimit files = { MAX_FILES, MAX_FILES };
	struct epoll_event events[EVENTS];

	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	ep = must("epoll_create1", epoll_create1(0));
	for (unsigned int i = 0; i < N_SERVICES; i++)
		listen_on(atoi(argv[1 + i]), i);
	for (;;) {
		int number = epoll_wait(ep, events, EVENTS, -1);

		for (int i = 0; i < number; i++)
			handle(events[i].data.u64);
	}
}
