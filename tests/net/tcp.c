/*
 * The TCP of tests/net in the guest, to be talked to by real peers and by enemies.
 *
 *	tcp serve			for ever, at these ports:
 *		7	echo
 *		9	reads and forgets
 *		19	sends the pattern, for as long as somebody takes it
 *		20	reads the pattern; answers "N good" at the end, or says where it was wrong
 *		21	is deaf: never reads; closes when the peer has
 *		22	answers the first thing it reads with the same, and closes first
 *		23	never accepts; its backlog is 4
 *	tcp connect ADDRESS PORT	says hello; prints what comes, or why nothing does
 *	tcp talk ADDRESS PORT BYTES	to an echo server: sends the pattern, and looks whether it comes back
 *	tcp short ADDRESS PORT COUNT	so many connections, one after the other: 64 bytes there and back
 *	tcp late ADDRESS PORT COUNT	the same, but the peer closes first
 *
 * The pattern is the same 999,983 bytes again and again: a prime, so that nothing that is moved fits by chance.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PERIOD 999983
#define PIECE  (1 << 16)

static unsigned char pattern[PERIOD + PIECE];

static void make_pattern(void)
{
	uint32_t x = 1;

	for (int i = 0; i < PERIOD; i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = x >> 24;
	}
	memcpy(pattern + PERIOD, pattern, PIECE);
}

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

/* ---- the server: epoll, level-triggered, nothing blocks ------------------------------------------------------ */

struct connection;
struct service {
	int port, backlog;
	uint32_t interest;
	bool (*serve)(struct connection *c); /* false: the connection has ended */
	int listener;
};

struct connection {
	const struct service *service;
	int fd, from, to; /* of buffer: what waits to be sent */
	uint64_t count;
	int64_t wrong_at;
	char buffer[PIECE];
};

static int epfd;

static void watch(int op, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	must("epoll_ctl", epoll_ctl(epfd, op, fd, &event));
}

/* What waits; then the interest is in more. */
static bool flush(struct connection *c)
{
	ssize_t n = send(c->fd, c->buffer + c->from, c->to - c->from, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	c->from += n > 0 ? n : 0;
	if (c->from == c->to)
		c->from = c->to = 0;
	watch(EPOLL_CTL_MOD, c->fd, c->to ? EPOLLOUT : EPOLLIN, c);
	return true;
}

static bool serve_echo(struct connection *c)
{
	if (!c->to) {
		c->to = recv(c->fd, c->buffer, PIECE, 0);
		if (c->to <= 0)
			return c->to < 0 && errno == EAGAIN && !(c->to = 0);
	}
	return flush(c);
}

static bool serve_discard(struct connection *c)
{
	ssize_t n = recv(c->fd, c->buffer, PIECE, 0);

	return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool serve_source(struct connection *c)
{
	ssize_t n = send(c->fd, pattern + c->count % PERIOD, PIECE, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	c->count += n;
	return true;
}

static bool serve_check(struct connection *c)
{
	ssize_t n = recv(c->fd, c->buffer, PIECE, 0);
	char text[64];

	if (n < 0)
		return errno == EAGAIN;
	if (n > 0) {
		if (c->wrong_at < 0 && memcmp(c->buffer, pattern + c->count % PERIOD, n))
			c->wrong_at = c->count;
		c->count += n;
		return true;
	}
	if (c->wrong_at < 0)
		snprintf(text, sizeof(text), "%llu good", (unsigned long long)c->count);
	else
		snprintf(text, sizeof(text), "wrong behind %lld", (long long)c->wrong_at);
	send(c->fd, text, strlen(text), MSG_NOSIGNAL);
	return false;
}

static bool serve_one_answer(struct connection *c)
{
	ssize_t n = recv(c->fd, c->buffer, PIECE, 0);

	if (n < 0)
		return errno == EAGAIN;
	send(c->fd, c->buffer, n, MSG_NOSIGNAL);
	return false;
}

/* Never asked to read: it hears of the connection's end only. */
static bool serve_deaf(struct connection *c)
{
	return false;
}

static struct service services[] = {
	{ 7, 4096, EPOLLIN, serve_echo, -1 },
	{ 9, 128, EPOLLIN, serve_discard, -1 },
	{ 19, 128, EPOLLOUT, serve_source, -1 },
	{ 20, 128, EPOLLIN, serve_check, -1 },
	{ 21, 128, EPOLLRDHUP, serve_deaf, -1 },
	{ 22, 4096, EPOLLIN, serve_one_answer, -1 },
	{ 23, 4, 0, NULL, -1 },
};
#define NR_SERVICES (int)(sizeof(services) / sizeof(services[0]))

static void take_connections(const struct service *service)
{
	struct connection *c;
	int fd;

	while ((fd = accept4(service->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		c = malloc(sizeof(*c));
		if (!c) {
			close(fd);
			continue;
		}
		c->service = service;
		c->fd = fd;
		c->from = c->to = 0;
		c->count = 0;
		c->wrong_at = -1;
		watch(EPOLL_CTL_ADD, fd, service->interest, c);
	}
}

static void listen_at(struct service *service)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(service->port) };
	int fd = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	must("listen", listen(fd, service->backlog));
	service->listener = fd;
	if (service->serve)
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, service);
}

static bool is_service(const void *data)
{
	return data >= (void *)services && data < (void *)(services + NR_SERVICES);
}

static void serve(struct connection *c, uint32_t events)
{
	if (events & EPOLLERR || !c->service->serve(c)) {
		close(c->fd);
		free(c);
	}
}

static int __attribute__((noreturn)) run_server(char **words)
{
	struct rlimit files = { 20000, 20000 };
	struct epoll_event events[256];

	setrlimit(RLIMIT_NOFILE, &files);
	epfd = must("epoll_create1", epoll_create1(0));
	for (int i = 0; i < NR_SERVICES; i++)
		listen_at(&services[i]);
	printf("tcp: ready\n");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epfd, events, 256, -1);

		for (int i = 0; i < count; i++) {
			if (is_service(events[i].data.ptr))
				take_connections(events[i].data.ptr);
			else
				serve(events[i].data.ptr, events[i].events);
		}
	}
}

/* ---- clients --------------------------------------------------------------------------------------------------- */

/* A descriptor, or -1 with errno. */
static int connect_to(char **words)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(words[1])) };
	int fd = must("socket", socket(AF_INET, SOCK_STREAM, 0)), error;

	inet_aton(words[0], &to.sin_addr);
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int run_connect(char **words)
{
	char text[256];
	int fd = connect_to(words);
	ssize_t n;

	if (fd < 0) {
		printf("tcp: %s\n", strerror(errno));
		return 1;
	}
	send(fd, "hello", 5, MSG_NOSIGNAL);
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (n < 0) {
		printf("tcp: connected, %s\n", strerror(errno));
		return 1;
	}
	text[n] = '\0';
	printf("tcp: connected, got '%s'\n", text);
	return 0;
}

static int send_pattern(int fd, uint64_t size)
{
	for (uint64_t count = 0; count < size;) {
		uint64_t want = size - count < PIECE ? size - count : PIECE;
		ssize_t n = send(fd, pattern + count % PERIOD, want, MSG_NOSIGNAL);

		if (n < 0)
			return 1;
		count += n;
	}
	return shutdown(fd, SHUT_WR) < 0;
}

/* How many bytes came right until the end or the first wrong one; which of the two it was. */
static uint64_t receive_pattern(int fd, bool *wrong)
{
	static char buffer[PIECE];
	uint64_t count = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, PIECE, 0)) > 0) {
		*wrong = memcmp(buffer, pattern + count % PERIOD, n);
		if (*wrong)
			break;
		count += n;
	}
	return count;
}

static int run_talk(char **words)
{
	uint64_t size = strtoull(words[2], NULL, 10), count;
	int fd = connect_to(words), status;
	bool wrong = false;

	if (fd < 0) {
		printf("tcp: %s\n", strerror(errno));
		return 1;
	}
	if (!fork())
		exit(send_pattern(fd, size));
	count = receive_pattern(fd, &wrong);
	wait(&status);
	printf("tcp: talked %llu, %s\n", (unsigned long long)count,
	       wrong			  ? "wrong"
	       : count == size && !status ? "good"
					  : "broken off");
	return count != size || status;
}

static bool short_connection(char **words, int size, bool late)
{
	char buffer[256];
	int fd = connect_to(words), got = 0;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	send(fd, pattern, size, MSG_NOSIGNAL);
	while (got < size && (n = recv(fd, buffer + got, size - got, 0)) > 0)
		got += n;
	while (late && n > 0)
		n = recv(fd, buffer + got, sizeof(buffer) - got, 0);
	close(fd);
	return got == size && !memcmp(buffer, pattern, size);
}

static int run_many(char **words, bool late)
{
	int count = atoi(words[2]), good = 0, error = 0;

	for (int i = 0; i < count; i++) {
		if (short_connection(words, 64, late))
			good++;
		else
			error = errno;
	}
	printf("tcp: %d of %d%s%s\n", good, count, error ? ", " : "", error ? strerror(error) : "");
	return good != count;
}

static int run_short(char **words)
{
	return run_many(words, false);
}

static int run_late(char **words)
{
	return run_many(words, true);
}

static const struct {
	const char *name;
	int words;
	int (*run)(char **words);
} modes[] = {
	{ "serve", 0, run_server }, { "connect", 2, run_connect }, { "talk", 3, run_talk },
	{ "short", 3, run_short },  { "late", 3, run_late },
};

int main(int argc, char **argv)
{
	make_pattern();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (argc == modes[i].words + 2 && !strcmp(argv[1], modes[i].name))
			return modes[i].run(argv + 2);
	fprintf(stderr, "tcp: how?\n");
	return 2;
}
