// SPDX-License-Identifier: MIT
/*
 * A crowd of clients: asks an echo or web server as fast as it answers, and tells the rate and how long answers took.
 *
 *	load 127.0.0.1 7			echo, one connection, 64 bytes, for a second
 *	load -c 100 -s 1000 -t 10 10.0.2.15 7	100 connections, 1,000 bytes, ten seconds
 *	load -n 5000 -r 10.0.2.15 7		5,000 times: connect, echo, close
 *	load -u 10.0.2.15 7			datagrams; one that has no answer after a second is sent again
 *	load -g /index.html 10.0.2.15 80	HTTP, connections kept
 *	load -i 1000 10.0.2.15 7		with 1,000 more connections that say nothing
 *
 * Every connection has one question under way. Every answer is compared with what was sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ll

struct client {
	int sock;
	bool waits_to_write;
	size_t sent, received,
		expected; /* of the question, of the answer; expected 0: an HTTP head that goes on */
	int64_t asked;
};

static struct sockaddr_in server = { .sin_family = AF_INET };
static int connections = 1, idle, under_way, type = SOCK_STREAM, epfd;
static size_t size = 64;
static int64_t seconds = 1, wanted;
static bool reconnect;
static const char *page;

static char *question, *answer;
static int64_t started, now, asked, answered, again;

static _Noreturn void stop(const char *form, ...)
{
	va_list args;

	va_start(args, form);
	fprintf(stderr, "load: ");
	vfprintf(stderr, form, args);
	fprintf(stderr, "\n");
	exit(1);
}

static int64_t clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- how long the answers took: 32 counters for each power of two of nanoseconds ------------------- */

#define FINE 32
static uint64_t took[64 * FINE];
static int64_t longest;

static void count_answer(int64_t time)
{
	int power = time < FINE ? 0 : 63 - __builtin_clzll(time) - 5;

	took[power * FINE + (time >> power)]++;
	if (time > longest)
		longest = time;
}

/* The time within which `share` of the answers came, in microseconds. */
static double percentile(double share)
{
	uint64_t left = share * answered;

	for (int i = 0; i < 64 * FINE; i++) {
		int power = i < 2 * FINE ? 0 : i / FINE - 1;

		if (took[i] > left)
			return (double)((int64_t)(i - power * FINE) << power) / 1000;
		left -= took[i];
	}
	return longest / 1000.0;
}

/* ---- one client ----------------------------------------------------------------------------------- */

static bool done(void)
{
	return wanted ? asked >= wanted : now - started >= seconds * SECOND;
}

static void watch(int op, struct client *client)
{
	struct epoll_event event = { .events = client->waits_to_write ? EPOLLOUT : EPOLLIN,
				     .data.ptr = client };

	if (epoll_ctl(epfd, op, client->sock, &event))
		stop("epoll_ctl: %s", strerror(errno));
}

static int connect_once(void)
{
	int sock = socket(AF_INET, type, 0), on = 1;

	if (sock < 0)
		stop("socket: %s", strerror(errno));
	if (connect(sock, (struct sockaddr *)&server, sizeof(server)))
		stop("connect: %s", strerror(errno));
	if (type == SOCK_STREAM)
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return sock;
}

static void send_more(struct client *client)
{
	ssize_t n = send(client->sock, question + client->sent, size - client->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	bool waited = client->waits_to_write;

	if (n < 0 && errno != EAGAIN && !(type == SOCK_DGRAM && errno == ECONNREFUSED))
		stop("send: %s", strerror(errno));
	if (n > 0)
		client->sent += n;
	client->waits_to_write = type == SOCK_STREAM && client->sent < size;
	if (client->waits_to_write != waited)
		watch(EPOLL_CTL_MOD, client);
}

static void ask(struct client *client)
{
	client->sent = client->received = 0;
	client->expected = page ? 0 : size;
	client->asked = now;
	asked++;
	under_way++;
	send_more(client);
}

static void start(struct client *client)
{
	client->sock = connect_once();
	client->waits_to_write = false;
	watch(EPOLL_CTL_ADD, client);
	ask(client);
}

static void take_answer(struct client *client)
{
	count_answer(now - client->asked);
	answered++;
	under_way--;
	if (reconnect)
		close(client->sock);
	client->asked = 0;
	if (done())
		return;
	if (reconnect)
		start(client);
	else
		ask(client);
}

/* The length that an HTTP head announces, head and all; 0 while it has not ended. Of a page only its length is held. */
static size_t announced(const char *head, size_t length)
{
	const char *end = memmem(head, length, "\r\n\r\n", 4), *field;

	if (!end)
		return 0;
	if (strncmp(head, "HTTP/1.1 200", 12))
		stop("the server says %.*s", (int)strcspn(head, "\r"), head);
	field = strcasestr(head, "\r\nContent-Length:");
	if (!field || field > end)
		stop("an answer without its length");
	return end + 4 - head + strtoul(field + 17, NULL, 10);
}

#define ROOM 65536

static void receive(struct client *client)
{
	/* A head is kept until it is whole; then, and of an echo, what has been compared is not kept. */
	size_t kept = page && !client->expected ? client->received : 0;
	ssize_t n = recv(client->sock, answer + kept, ROOM - kept, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || (type == SOCK_DGRAM && errno == ECONNREFUSED)))
		return;
	if (n < 0)
		stop("recv: %s", strerror(errno));
	if (n == 0)
		stop("the server has closed a connection");
	if (!page &&
	    (client->received + n > size || memcmp(answer, question + client->received, n)))
		stop("an answer that is not the question");
	client->received += n;
	if (!client->expected) {
		answer[kept + n] = 0;
		client->expected = announced(answer, client->received);
	}
	if (client->expected && client->received == client->expected)
		take_answer(client);
}

/* ---- all of them ---------------------------------------------------------------------------------- */

/* Datagrams get lost. */
static void ask_again(struct client *clients)
{
	for (int i = 0; i < connections && type == SOCK_DGRAM; i++) {
		if (!clients[i].asked || now - clients[i].asked < SECOND)
			continue;
		clients[i].sent = 0;
		clients[i].asked = now;
		again++;
		send_more(&clients[i]);
	}
}

static void run(struct client *clients)
{
	struct epoll_event ready[256];
	int64_t looked;

	started = looked = now = clock_now();
	for (int i = 0; i < connections && !(wanted && done()); i++)
		start(&clients[i]);
	while (under_way) {
		int count = epoll_wait(epfd, ready, 256, 100);

		now = clock_now();
		for (int i = 0; i < count; i++) {
			struct client *client = ready[i].data.ptr;

			if (client->waits_to_write)
				send_more(client);
			else
				receive(client);
		}
		if (now - looked > SECOND / 10) {
			ask_again(clients);
			looked = now;
		}
	}
}

static void report(void)
{
	double time = (now - started) / 1e9;

	printf("%lld answers in %.2f s: %.0f a second\n", (long long)answered, time,
	       answered / time);
	printf("half came within %.0f us, 90 %% within %.0f, 99 %% within %.0f, 99.9 %% within "
	       "%.0f, all within %.0f\n",
	       percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
	       longest / 1000.0);
	if (again)
		printf("%lld had to be asked again\n", (long long)again);
}

static _Noreturn void usage(void)
{
	fprintf(stderr,
		"usage: load [-c CONNECTIONS] [-i IDLE CONNECTIONS] [-s SIZE] [-t SECONDS | -n "
		"QUESTIONS]\n"
		"            [-r (a connection each)] [-u (UDP) | -g PATH (HTTP)] ADDRESS PORT\n");
	exit(2);
}

static void read_arguments(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:i:s:t:n:rug:")) != -1) {
		switch (option) {
		case 'c':
			connections = atoi(optarg);
			break;
		case 'i':
			idle = atoi(optarg);
			break;
		case 's':
			size = atoi(optarg);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'n':
			wanted = atoll(optarg);
			break;
		case 'r':
			reconnect = true;
			break;
		case 'u':
			type = SOCK_DGRAM;
			break;
		case 'g':
			page = optarg;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2 || inet_pton(AF_INET, argv[optind], &server.sin_addr) != 1)
		usage();
	server.sin_port = htons(atoi(argv[optind + 1]));
	if (!server.sin_port || connections < 1 || idle < 0 || seconds < 1 || !size ||
	    size > ROOM - 1000 || (page && type == SOCK_DGRAM))
		usage();
}

static void make_question(void)
{
	if (page) {
		size = asprintf(&question, "GET %s HTTP/1.1\r\nHost: pollux\r\n\r\n", page);
	} else {
		question = malloc(size);
		for (size_t i = 0; question && i < size; i++)
			question[i] = 'a' + i % 26;
	}
	answer = malloc(ROOM + 1);
	if (!question || !answer)
		stop("out of memory");
}

int main(int argc, char **argv)
{
	struct client *clients;

	read_arguments(argc, argv);
	make_question();
	clients = calloc(connections, sizeof(*clients));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || epfd < 0)
		stop("out of memory");
	for (int i = 0; i < idle; i++)
		connect_once();
	run(clients);
	report();
	return 0;
}
