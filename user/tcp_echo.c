// SPDX-License-Identifier: MIT
/*
 * A TCP echo server: one process, epoll, level-triggered, no blocking.
 *
 *	tcp_echo 7		echoes on port 7, for ever
 *
 * What cannot be written back at once waits in a buffer of the connection's own; until it has gone, nothing more is
 * read. An idle connection has none, so that a hundred thousand of them fit.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	int fd;
	char *rest; /* NULL: nothing waits */
	ssize_t from, to;
};

static int epfd;
static char buffer[1 << 16];

static void watch(int op, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	epoll_ctl(epfd, op, fd, &event);
}

static void take_connections(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct connection *connection = malloc(sizeof(*connection));

		if (!connection) {
			close(fd);
			continue;
		}
		*connection = (struct connection){ .fd = fd };
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
	}
}

static void end(struct connection *connection)
{
	close(connection->fd);
	free(connection->rest);
	free(connection);
}

static void read_on(struct connection *c)
{
	free(c->rest);
	c->rest = NULL;
	watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

static void write_rest(struct connection *c)
{
	ssize_t n = write(c->fd, c->rest + c->from, c->to - c->from);

	if (n > 0)
		c->from += n;
	if (c->from == c->to)
		read_on(c);
}

static void keep_rest(struct connection *c, const char *from, size_t size)
{
	c->rest = malloc(size);
	if (!c->rest) {
		end(c);
		return;
	}
	memcpy(c->rest, from, size);
	c->from = 0;
	c->to = size;
	watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
}

static void echo(struct connection *c)
{
	ssize_t size = read(c->fd, buffer, sizeof(buffer)), n;

	if (size <= 0) {
		end(c);
		return;
	}
	n = write(c->fd, buffer, size);
	if (n < 0)
		n = 0;
	if (n < size)
		keep_rest(c, buffer + n, size - n);
}

static void serve(struct connection *c, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		end(c);
	else if (c->rest)
		write_rest(c);
	else
		echo(c);
}

static int listen_on(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4096)) {
		perror("tcp_echo");
		exit(1);
	}
	return fd;
}

/* As many connections as the system lets us have. */
static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	int listener;

	raise_limit();
	listener = listen_on(argc > 1 ? atoi(argv[1]) : 7);
	epfd = epoll_create1(0);
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		int count = epoll_wait(epfd, events, 256, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr, events[i].events);
			else
				take_connections(listener);
		}
	}
}
