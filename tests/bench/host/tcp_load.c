/*
 * The client of tools/bench_tcp.py, on the host. It opens its connections, warms up, and says "ready"; then each line that it
 * reads asks it to work for SECONDS, and it answers with a line of NAME=NUMBER words. busy= is how much of a processor it
 * needed itself: near 1, it is the client that was measured. When there is no more to read, it closes.
 *
 *	tcp_load echo ADDRESS PORT SECONDS CONNECTIONS SIZE
 *		on each connection a request of SIZE bytes, and the next one when it has come back
 *	tcp_load calm ADDRESS PORT SECONDS CONNECTIONS SIZE
 *		the same after a pause, so that each request finds the server asleep
 *	tcp_load http ADDRESS PORT SECONDS CONNECTIONS PATH
 *		as echo, with a web server
 *	tcp_load connect ADDRESS PORT SECONDS PARALLEL SIZE
 *		connect, one request, close; so many at a time
 *	tcp_load give ADDRESS PORT SECONDS CONNECTIONS
 *	tcp_load take ADDRESS PORT SECONDS CONNECTIONS
 *		sends (to a discard service), receives (from a chargen service) as much as it can
 *	tcp_load hold ADDRESS PORT SECONDS CONNECTIONS SIZE SOURCE
 *		one request on each connection if SIZE is not 0, and then nothing more: they are idle. They come from the
 *		address SOURCE, for with many from one address connect() looks long for a free port
 *
 * All requests that begin in these seconds are answered in them: between two lines the server has nothing to do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "times.h"

#define MAX_CONNECTIONS 20000
#define EVENTS		256
#define BATCH		1024 /* opened at once, fewer than a server's backlog */
#define BATCH_TO_ASK	16   /* asked at once, so that what that takes does not count as theirs */
#define PAUSE_US	2000
#define AT_LEAST	50 /* requests, even if it takes longer */
#define WARM_UP_S	0.2
#define PATIENCE_S	120 /* for an answer */

static struct sockaddr_in peer = { .sin_family = AF_INET }, source = { .sin_family = AF_INET };
static char data[256 << 10];
static uint64_t done; /* requests, or bytes */
static char *request = data;
static const char *path;
static int ep, request_size, answer_size;

static bool is_over;  /* no new request is begun */
static int under_way; /* requests; bytes are not waited for */

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
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	must("bind", bind(fd, (struct sockaddr *)&source, sizeof(source)));
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
	for (int i = 0; i < number; i++) {
		open_connection(&connections[i], 0);
		watch(&connections[i], events);
	}
}

static void open_to_read(int number)
{
	open_all(number, EPOLLIN);
}

static void open_to_write(int number)
{
	open_all(number, EPOLLOUT);
}

static void ask(struct connection *connection)
{
	connection->sent = now_ns();
	connection->missing = answer_size;
	must("send", send(connection->fd, request, request_size, MSG_NOSIGNAL));
}

/* Whether the answer is complete. */
static int take_answer(struct connection *connection)
{
	ssize_t size = recv(connection->fd, data, sizeof(data), 0);

	connection->missing -= must("recv", size ? size : -1);
	if (connection->missing)
		return 0;
	note_time(now_ns() - connection->sent);
	done++;
	return 1;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static void ask_all(int number)
{
	for (int i = 0; i < number; i++)
		ask(&connections[i]);
	under_way = number;
}

static void next_request(struct connection *connection, uint32_t events)
{
	if (!take_answer(connection))
		return;
	if (is_over)
		under_way--;
	else
		ask(connection);
}

static void next_request_later(struct connection *connection, uint32_t events)
{
	usleep(PAUSE_US);
	next_request(connection, events);
}

static void connect_again(struct connection *connection)
{
	open_connection(connection, SOCK_NONBLOCK);
	connection->missing = 0;
	connection->sent = now_ns();
	watch(connection, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void connect_all(int number)
{
	for (int i = 0; i < number; i++)
		connect_again(&connections[i]);
	under_way = number;
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
		if (!take_answer(connection))
			return;
		close_connection(connection);
		if (is_over)
			under_way--;
		else
			connect_again(connection);
	} else if (events & EPOLLOUT && !connection->missing) {
		ask(connection);
		connection->sent = began;
	}
}

/* The request is for a page; the server tells how long its answer is, which is the same each time. */
static void open_for_pages(int number)
{
	static char question[512];
	struct connection first;
	const char *length;
	ssize_t size;

	request = question;
	request_size = snprintf(question, sizeof(question),
				"GET %s HTTP/1.1\r\nHost: guest\r\n\r\n", path);
	open_connection(&first, 0);
	ask(&first);
	size = must("recv", recv(first.fd, data, sizeof(data) - 1, 0));
	data[size] = 0;
	length = strstr(data, "Content-Length: ");
	if (!length || !strstr(data, "\r\n\r\n"))
		must("the page's length", -1);
	answer_size = strstr(data, "\r\n\r\n") + 4 - data + atoi(length + 16);
	close(first.fd);
	open_to_read(number);
}

/* ---- bytes --------------------------------------------------------------------------------------- */

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

static void give_some(struct connection *connection, uint32_t events)
{
	done += must("send", send(connection->fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* Linux's TCP throws away what MSG_TRUNC asks for, without a copy. */
static void take_some(struct connection *connection, uint32_t events)
{
	done += must("recv", recv(connection->fd, NULL, 4 << 20, MSG_TRUNC | MSG_DONTWAIT));
}

/* ---- idle ones ----------------------------------------------------------------------------------- */

static void wait_for(struct connection *connection, short events)
{
	struct pollfd wanted = { .fd = connection->fd, .events = events };

	if (poll(&wanted, 1, PATIENCE_S * 1000) <= 0 || !(wanted.revents & events))
		must("idle connection", -1);
}

static void hold_some(struct connection *first, struct connection *end)
{
	for (struct connection *connection = first; connection < end; connection++)
		open_connection(connection, SOCK_NONBLOCK);
	for (struct connection *connection = first; connection < end; connection++) {
		wait_for(connection, POLLOUT);
		if (request_size)
			ask(connection);
	}
	for (struct connection *connection = first; request_size && connection < end;
	     connection++) {
		do
			wait_for(connection, POLLIN);
		while (!take_answer(connection));
	}
}

static void hold_all(int number)
{
	int batch = request_size ? BATCH_TO_ASK : BATCH;

	for (int i = 0; i < number; i += batch)
		hold_some(&connections[i], &connections[i + batch < number ? i + batch : number]);
}

/* ---- for a while --------------------------------------------------------------------------------- */

static const struct load {
	const char *name;
	void (*open)(int number);
	void (*start)(int number);
	void (*ready)(struct connection *connection, uint32_t events);
} LOADS[] = {
	{ "echo", open_to_read, ask_all, next_request },
	{ "calm", open_to_read, ask_all, next_request_later },
	{ "http", open_for_pages, ask_all, next_request },
	{ "connect", NULL, connect_all, next_step },
	{ "give", open_to_write, NULL, give_some },
	{ "take", open_to_read, NULL, take_some },
	{ "hold", hold_all, NULL, NULL },
};

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* How many seconds it took until the time was over and all was answered. */
static double work(const struct load *load, double seconds, int number)
{
	uint64_t start = now_ns(), end = start + seconds * 1e9, now;
	struct epoll_event events[EVENTS];

	is_over = false;
	done = n_samples = 0;
	if (load->start)
		load->start(number);
	while ((now = now_ns()) < end || under_way) {
		int ready = epoll_wait(ep, events, EVENTS, 10);

		is_over = now >= end && done >= AT_LEAST;
		if (now > end + PATIENCE_S * 1000000000ull)
			must("answers", -1);
		for (int i = 0; i < ready; i++)
			load->ready(events[i].data.ptr, events[i].events);
	}
	return (now - start) / 1e9;
}

static void work_and_tell(const struct load *load, double seconds, int number)
{
	double cpu = cpu_seconds();
	uint64_t left = not_acknowledged(number);

	seconds = work(load, seconds, number);
	cpu = cpu_seconds() - cpu;
	if (load->ready == give_some)
		done += left - not_acknowledged(number);
	printf("seconds=%.6f busy=%.4f done=%lu", seconds, cpu / seconds, done);
	print_times();
}

static void raise_limit(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
}

int main(int argc, char **argv)
{
	const struct load *load = LOADS, *end = LOADS + sizeof(LOADS) / sizeof(*LOADS);
	int number = argc > 5 ? atoi(argv[5]) : 0;
	char line[16];

	while (load < end && strcmp(argv[1], load->name))
		load++;
	if (load == end || number < 1 || number > MAX_CONNECTIONS)
		return 1;
	if (argc > 6) {
		path = argv[6];
		request_size = answer_size = atoi(path);
	}
	if (argc > 7)
		inet_pton(AF_INET, argv[7], &source.sin_addr);
	raise_limit();
	set_peer(argv[2], argv[3]);
	ep = must("epoll_create1", epoll_create1(0));
	if (load->open)
		load->open(number);
	if (load->ready)
		work(load, WARM_UP_S, number);
	puts("ready");
	while (fflush(stdout), fgets(line, sizeof(line), stdin))
		work_and_tell(load, atof(argv[4]), number);
	return 0;
}
