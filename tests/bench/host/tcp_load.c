/*
 * The client of tools/bench_tcp.py, on the host. Prints one line of NAME=NUMBER words; busy= is how much of a processor it
 * needed itself: near 1, it is the client that was measured.
 *
 *	tcp_load echo ADDRESS PORT SECONDS CONNECTIONS SIZE
 *		on each connection a request of SIZE bytes, and the next one when it has come back
 *	tcp_load connect ADDRESS PORT SECONDS PARALLEL SIZE
 *		connect, one request, close; so many at a time
 *	tcp_load give ADDRESS PORT SECONDS CONNECTIONS
 *	tcp_load take ADDRESS PORT SECONDS CONNECTIONS
 *		sends (to a discard service), receives (from a chargen service) as much as it can
 *	tcp_load idle ADDRESS ECHO_PORT SYSTAT_PORT CONNECTIONS SIZE
 *		what the guest's free memory is less by with so many connections open, on each of which was one request
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "times.h"

#define MAX_CONNECTIONS 60000
#define EVENTS		256
#define SETTLE_S	3 /* until delayed acknowledgements have gone, and freed memory is free */

static struct sockaddr_in peer = { .sin_family = AF_INET };
static char data[256 << 10];
static uint64_t done; /* requests, or bytes */
static int ep, request_size;

static struct connection {
	int fd;
	int missing; /* bytes of the answer */
	uint64_t sent;
} connections[MAX_CONNECTIONS];

/* ---- connections ------------------------------------------------------------------------------- */

static void set_peer(const char *address, const char *port)
{
	inet_pton(AF_INET, address, &peer.sin_addr);
	peer.sin_port = htons(atoi(port));
}

static void open_connection(struct connection *connection, int flags)
{
	struct linger at_once = { 1, 0 };
	int on = 1, fd = must("socket", socket(AF_INET, SOCK_STREAM | flags, 0));

	connection->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* What is under way at the end is not waited for. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) && errno != EINPROGRESS)
		must("connect", -1);
}

static void watch(struct connection *connection, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = connection };

	must("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, connection->fd, &event));
}

static void open_all(int number, uint32_t events)
{
	if (number > MAX_CONNECTIONS)
		exit(1);
	ep = must("epoll_create1", epoll_create1(0));
	for (int i = 0; i < number; i++) {
		open_connection(&connections[i], 0);
		if (events)
			watch(&connections[i], events);
	}
}

static void close_all(int number)
{
	for (int i = 0; i < number; i++)
		close(connections[i].fd);
}

static void ask(struct connection *connection)
{
	connection->sent = now_ns();
	connection->missing = request_size;
	must("send", send(connection->fd, data, request_size, MSG_NOSIGNAL));
}

/* Whether the answer is complete. */
static int take_answer(struct connection *connection)
{
	connection->missing -= must("recv", recv(connection->fd, data, sizeof(data), 0));
	if (connection->missing)
		return 0;
	note_time(now_ns() - connection->sent);
	done++;
	return 1;
}

/* ---- for a while ---------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Until the time is over; prints how much of it there was. */
static void serve(double seconds, void (*ready)(struct connection *connection, uint32_t events))
{
	uint64_t start = now_ns(), end = start + seconds * 1e9, now;
	struct epoll_event events[EVENTS];
	double cpu = cpu_seconds();

	while ((now = now_ns()) < end) {
		int number = epoll_wait(ep, events, EVENTS, 100);

		for (int i = 0; i < number; i++)
			ready(events[i].data.ptr, events[i].events);
	}
	seconds = (now - start) / 1e9;
	printf("seconds=%.3f busy=%.2f", seconds, (cpu_seconds() - cpu) / seconds);
}

/* ---- the loads --------------------------------------------------------------------------------------- */

static void next_request(struct connection *connection, uint32_t events)
{
	if (take_answer(connection))
		ask(connection);
}

static void echo(double seconds, int number)
{
	open_all(number, EPOLLIN);
	for (int i = 0; i < number; i++)
		ask(&connections[i]);
	serve(seconds, next_request);
	printf(" done=%lu", done);
	print_times();
	close_all(number);
}

static void connect_again(struct connection *connection)
{
	open_connection(connection, SOCK_NONBLOCK);
	connection->missing = 0;
	connection->sent = now_ns();
	watch(connection, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* An ordinary close: the guest shall see a FIN. */
static void close_connection(struct connection *connection)
{
	struct linger in_its_time = { 0, 0 };

	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &in_its_time, sizeof(in_its_time));
	close(connection->fd);
}

static void next_step(struct connection *connection, uint32_t events)
{
	uint64_t began = connection->sent;

	if (events & EPOLLIN) {
		connection->missing -= must("recv", recv(connection->fd, data, sizeof(data), 0));
		if (connection->missing)
			return;
		note_time(now_ns() - began);
		done++;
		close_connection(connection);
		connect_again(connection);
	} else if (events & EPOLLOUT && !connection->missing) {
		ask(connection);
		connection->sent = began;
	}
}

static void connect_echo_close(double seconds, int number)
{
	ep = must("epoll_create1", epoll_create1(0));
	for (int i = 0; i < number; i++)
		connect_again(&connections[i]);
	serve(seconds, next_step);
	printf(" done=%lu", done);
	print_times();
}

static void give_some(struct connection *connection, uint32_t events)
{
	done += must("send", send(connection->fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* Linux's TCP throws away what MSG_TRUNC asks for, without a copy. */
static void take_some(struct connection *connection, uint32_t events)
{
	done += must("recv", recv(connection->fd, NULL, 4 << 20, MSG_TRUNC | MSG_DONTWAIT));
}

static uint64_t not_acknowledged(int number)
{
	uint64_t sum = 0;

	for (int i = 0; i < number; i++) {
		int bytes = 0;

		ioctl(connections[i].fd, SIOCOUTQ, &bytes);
		sum += bytes;
	}
	return sum;
}

static void give(double seconds, int number)
{
	open_all(number, EPOLLOUT);
	serve(seconds, give_some);
	printf(" done=%lu\n", done - not_acknowledged(number));
	close_all(number);
}

static void take(double seconds, int number)
{
	open_all(number, EPOLLIN);
	serve(seconds, take_some);
	printf(" done=%lu\n", done);
	close_all(number);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

static long free_kib(const char *address, const char *port)
{
	char text[16384];
	struct connection systat;
	ssize_t size = 0, n;
	const char *found;

	set_peer(address, port);
	open_connection(&systat, 0);
	while ((n = recv(systat.fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
		size += n;
	close(systat.fd);
	text[size] = 0;
	found = strstr(text, "MemFree:");
	return must("MemFree", found ? atol(found + 8) : -1);
}

static void idle(const char *address, const char *echo_port, const char *systat_port, int number)
{
	long before = free_kib(address, systat_port);
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	set_peer(address, echo_port);
	open_all(number, 0);
	for (int i = 0; i < number; i++) {
		ask(&connections[i]);
		while (!take_answer(&connections[i]))
			;
	}
	sleep(SETTLE_S);
	printf("bytes=%.1f\n", (before - free_kib(address, systat_port)) * 1024.0 / number);
	close_all(number);
}

static const struct load {
	const char *name;
	void (*run)(double seconds, int number);
} LOADS[] = {
	{ "echo", echo },
	{ "connect", connect_echo_close },
	{ "give", give },
	{ "take", take },
};

int main(int argc, char **argv)
{
	if (argc < 6)
		return 1;
	request_size = argc > 6 ? atoi(argv[6]) : 0;
	if (!strcmp(argv[1], "idle")) {
		idle(argv[2], argv[3], argv[4], atoi(argv[5]));
		return 0;
	}
	set_peer(argv[2], argv[3]);
	for (const struct load *load = LOADS; load < LOADS + sizeof(LOADS) / sizeof(*LOADS); load++)
		if (!strcmp(argv[1], load->name)) {
			load->run(atof(argv[4]), atoi(argv[5]));
			return 0;
		}
	return 1;
}
