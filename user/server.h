/* SPDX-License-Identifier: MIT */
/*
 * What the echo servers share, so that each of them shows only its own way to wait: a listening socket, a way to
 * accept that cannot get stuck, and a connection that never blocks.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline int port_of(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 0;

	if (port > 0 && port < 65536)
		return port;
	fprintf(stderr, "usage: %s PORT\n", argv[0]);
	exit(2);
}

/* As many clients as the system lets us have. */
static inline void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int reserve; /* a descriptor for accept_client to give away */

#define BACKLOG 4096 /* clients that come faster than they are taken; the system may allow fewer */

/* A socket that listens on `port`. `flags`: SOCK_NONBLOCK, or 0; `option`: SO_REUSEADDR or SO_REUSEPORT. */
static inline int listen_with(int port, int flags, int option)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;

	raise_limit();
	/* A client that has gone is seen by write's error, not by a signal. */
	signal(SIGPIPE, SIG_IGN);
	if (sock < 0)
		fail("socket");
	setsockopt(sock, SOL_SOCKET, option, &on, sizeof(on));
	/* Clients' sockets inherit it. An answer that takes two writes must not wait for the first one's ACK. */
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	if (listen(sock, BACKLOG))
		fail("listen");
	reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return sock;
}

static inline int listen_on(int port, int flags)
{
	return listen_with(port, flags, SO_REUSEADDR);
}

/*
 * accept4() that does not get stuck when descriptors run out: a listening socket stays readable until the connection
 * is taken, so a server that cannot take it would spin. One descriptor is kept for this: with it the client is taken
 * and told to go. Returns -1 when there is no client to serve now.
 */
static inline int accept_client(int listener, int flags)
{
	int client;

	for (;;) {
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
		if (client >= 0)
			return client;
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if ((errno != EMFILE && errno != ENFILE) || reserve < 0)
			return -1;
		close(reserve);
		client = accept(listener, NULL, NULL);
		close(client);
		reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (client < 0)
			return -1;
	}
}

/* Serves one client on a socket that blocks, until it has said all. */
static inline void echo_blocking(int client)
{
	char buffer[16384];
	ssize_t size, sent = 0;

	while (sent >= 0 && (size = read(client, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; size > 0 && (sent = write(client, at, size)) > 0;
		     at += sent)
			size -= sent;
	close(client);
}

/* A connection on a socket that does not block. An idle one has no buffer, so that very many of them fit. */
struct echo {
	int sock;
	char *rest;	 /* what was read and cannot be written back yet; NULL: nothing */
	size_t from, to; /* of it: what waits still */
};

static inline struct echo *new_echo(int sock)
{
	struct echo *echo = malloc(sizeof(*echo));

	if (!echo) {
		close(sock);
		return NULL;
	}
	*echo = (struct echo){ .sock = sock };
	return echo;
}

static inline void end_echo(struct echo *echo)
{
	close(echo->sock);
	free(echo->rest);
	free(echo);
}

static inline short echo_rest(struct echo *echo, bool *blocked)
{
	ssize_t sent = write(echo->sock, echo->rest + echo->from, echo->to - echo->from);

	*blocked = sent < 0;
	if (sent < 0)
		return errno == EAGAIN ? POLLOUT : 0;
	echo->from += sent;
	if (echo->from < echo->to)
		return POLLOUT;
	free(echo->rest);
	echo->rest = NULL;
	return POLLIN;
}

static inline short keep_rest(struct echo *echo, const char *data, size_t size)
{
	echo->rest = malloc(size);
	if (!echo->rest)
		return 0;
	memcpy(echo->rest, data, size);
	echo->from = 0;
	echo->to = size;
	return POLLOUT;
}

static inline short echo_new(struct echo *echo, bool *blocked)
{
	static char buffer[1 << 16];
	ssize_t size = read(echo->sock, buffer, sizeof(buffer)), sent;

	*blocked = true;
	if (size <= 0)
		return size < 0 && errno == EAGAIN ? POLLIN : 0;
	sent = write(echo->sock, buffer, size);
	if (sent < 0 && errno != EAGAIN)
		return 0;
	*blocked = sent < 0;
	if (sent < 0)
		sent = 0;
	return sent == size ? POLLIN : keep_rest(echo, buffer + sent, size - sent);
}

/*
 * Writes what waits, or else reads once and writes that. Returns what to wait for: POLLIN, POLLOUT while something
 * cannot be written (more is not read then: the client has to take first), 0 when the connection is over.
 * `*blocked`: the socket has nothing to give or takes nothing, so the next call is of no use before poll says so.
 */
static inline short echo_once(struct echo *echo, bool *blocked)
{
	return echo->rest ? echo_rest(echo, blocked) : echo_new(echo, blocked);
}
