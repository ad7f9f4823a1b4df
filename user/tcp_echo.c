// SPDX-License-Identifier: MIT
/*
 * A TCP echo server: one process, epoll, level-triggered, no blocking.
 *
 *	tcp_echo 7		echoes on port 7, for ever
 *
 * What cannot be written back at once waits in the connection's own buffer; until it has gone, nothing more is read.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	int fd;
	ssize_t from, to; /* of buffer: what waits */
	char buffer[1 << 16];
};

static int epfd;

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
		connection->fd = fd;
		connection->from = connection->to = 0;
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
	}
}

static void end(struct connection *connection)
{
	close(connection->fd);
	free(connection);
}

/* Reads again only when all has gone. */
static void flush(struct connection *c, uint32_t interest)
{
	ssize_t n = write(c->fd, c->buffer + c->from, c->to - c->from);

	if (n > 0)
		c->from += n;
	if (c->from == c->to)
		c->from = c->to = 0;
	if (c->to ? interest == EPOLLIN : interest == EPOLLOUT)
		watch(EPOLL_CTL_MOD, c->fd, c->to ? EPOLLOUT : EPOLLIN, c);
}

static void serve(struct connection *c, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		end(c);
		return;
	}
	if (c->to) {
		flush(c, EPOLLOUT);
		return;
	}
	c->to = read(c->fd, c->buffer, sizeof(c->buffer));
	if (c->to <= 0)
		end(c);
	else
		flush(c, EPOLLIN);
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

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	int listener = listen_on(argc > 1 ? atoi(argv[1]) : 7);

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
