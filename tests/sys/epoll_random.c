/*
 * epoll_random SEED STEPS [log]: a random graph of eventpolls and of what they watch, the same for the same seed: pipes,
 * eventfds, unix, UDP and TCP sockets, listeners, and eventpolls. Random things happen to it: descriptors are made,
 * duplicated and closed, watched (level, edge, one-shot, exclusive), written to, read from, shut, and waited for by
 * epoll_wait, poll and select.
 *
 *	t0 -> e0 -lt-> p0		one thread; any number of eventpolls; any edge may be level-triggered or
 *	       \--et-> e1 -et-> s0	edge-triggered
 *
 * What the calls answer, event by event, goes into a hash that is printed every so often; with "log", each call is
 * printed too. Linux and Pollux must print the same, so an event too many, too few, or in another order is seen.
 *
 * Half of the eventpolls watch no others. If they did, a wake-up could come to one by ways of different length, and in
 * which order it does is each kernel's own affair. (Chains and circles: epoll_nested.c.)
 *
 * Nothing may depend on time: after whatever sends a packet, let_arrive() waits until all of them have arrived. How much a
 * socket's buffer takes is each kernel's own affair, so no socket is ever full.
 */
#define OWN_MAIN
#include <poll.h>
#include <sys/select.h>
#include <tests/sys/epoll.h>
#include <tests/sys/random.h>
#include <tests/sys/tcp.h>

#define HASH_EVERY 100
#define FIRST_FD   4 /* 3: `barrier` */
#define FDS	   40
#define MAX_SENT   3000 /* bytes through one socket */
#define BACKLOG	   3

enum kind { NONE, PIPE, EVENT, EPOLL, UNIX, UDP, TCP, LISTENER };

static struct {
	enum kind kind;
	int *sent; /* by the socket, whatever its number; connections that wait; whether it watches eventpolls */
} table[FIRST_FD + FDS];

static int barrier;
static char data[1 << 16];

/* ---- which descriptor? ---- */

/* One of this kind, if there is one; else any number. */
static int pick(enum kind kind)
{
	int start = below(FDS);

	for (int i = 0; i < FDS; i++) {
		int fd = FIRST_FD + (start + i) % FDS;

		if (table[fd].kind == kind)
			return fd;
	}
	return FIRST_FD + start;
}

static int pick_any(void)
{
	int start = below(FDS), fd = FIRST_FD + start;

	if (!below(30))
		return fd;
	for (int i = 0; i < FDS && table[fd].kind == NONE; i++)
		fd = FIRST_FD + (start + i) % FDS;
	return fd;
}

static int remember(long fd, enum kind kind, int *sent)
{
	if (fd < FIRST_FD || fd >= FIRST_FD + FDS)
		return fd;
	table[fd].kind = kind;
	table[fd].sent = sent ?: calloc(1, sizeof(*sent));
	return fd;
}

/* ---- until every packet has arrived ---- */

#define MOST_HOPS 3

static bool is_closing(int fd)
{
	const char *state = tcp_state_of(fd);

	return !strcmp(state, "FIN_WAIT1") || !strcmp(state, "LAST_ACK") ||
	       !strcmp(state, "CLOSING");
}

/*
 * All runs on one CPU, whose queue of packets is worked off in order: when a datagram of ours comes, all before it have
 * come. (Without memory it may not; then another one is sent.) What is answered comes behind it, and so on: three times
 * make a connection. But a FIN may be acknowledged later.
 */
static void let_arrive(void)
{
	static unsigned char number, got;

	for (int round = 0; round < MOST_HOPS; round++) {
		number++;
		for (int tries = 0; tries < 100 && got != number; tries++) {
			send(barrier, &number, 1, 0);
			while (got != number &&
			       poll(&(struct pollfd){ barrier, POLLIN, 0 }, 1, 20) == 1)
				recv(barrier, &got, 1, 0);
		}
	}
	for (int fd = FIRST_FD; fd < FIRST_FD + FDS; fd++)
		for (int i = 0; i < 1000 && table[fd].kind == TCP && is_closing(fd); i++)
			usleep(1000);
}

/* ---- making ---- */

static void remember_two(const char *what, long result, const int ends[2], enum kind kind)
{
	if (note(what, result))
		return;
	remember(note("one", ends[0]), kind, NULL);
	remember(note("other", ends[1]), kind, NULL);
}

static void make_a_pipe(void)
{
	int ends[2];

	remember_two("pipe", pipe2(ends, O_NONBLOCK), ends, PIPE);
}

static void make_an_event(void)
{
	remember(NOTE(eventfd(below(3), EFD_NONBLOCK | (below(2) ? EFD_SEMAPHORE : 0))), EVENT,
		 NULL);
}

static void make_an_epoll(void)
{
	int fd = remember(NOTE(epoll_create1(0)), EPOLL, NULL);

	if (fd >= 0)
		*table[fd].sent = below(2);
}

static void make_unix(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int ends[2];

	remember_two("socketpair", socketpair(AF_UNIX, types[below(3)] | SOCK_NONBLOCK, 0, ends),
		     ends, UNIX);
}

/* Where a bound socket is reached. */
static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in addr = LO(0);
	socklen_t length = sizeof(addr);

	getsockname(fd, (struct sockaddr *)&addr, &length);
	return addr;
}

static int inet_socket(int type)
{
	struct sockaddr_in addr = LO(0);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, SA(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void make_udp(void)
{
	int one = NOTE(inet_socket(SOCK_DGRAM)), other = NOTE(inet_socket(SOCK_DGRAM));
	struct sockaddr_in addr = name_of(other);

	note("connect", connect(one, SA(addr)));
	addr = name_of(one);
	note("connect", connect(other, SA(addr)));
	remember(one, UDP, NULL);
	remember(other, UDP, NULL);
}

static void make_listener(void)
{
	int fd = NOTE(inet_socket(SOCK_STREAM));

	NOTE(listen(fd, 5));
	remember(fd, LISTENER, NULL);
}

/* Without TCP_NODELAY it would depend on time how many segments carry what was written. */
static void remember_tcp(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	remember(fd, TCP, NULL);
}

static void do_connect(void)
{
	int listener = pick(LISTENER), fd;
	struct sockaddr_in addr = name_of(listener);

	if (table[listener].kind != LISTENER || *table[listener].sent == BACKLOG)
		return;
	fd = NOTE(inet_socket(SOCK_STREAM));
	if (fd < 0)
		return;
	(*table[listener].sent)++;
	note("connect", connect(fd, SA(addr)));
	remember_tcp(fd);
	let_arrive();
}

static void do_accept(void)
{
	int listener = pick(LISTENER), fd;

	if (table[listener].kind != LISTENER)
		return;
	fd = NOTE(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	if (fd < 0)
		return;
	(*table[listener].sent)--;
	remember_tcp(fd);
}

static void do_dup(void)
{
	int fd = pick_any(), copy;

	note("of", fd);
	copy = NOTE(dup(fd));
	remember(copy, table[fd].kind, table[fd].sent);
}

static void do_close(void)
{
	int fd = pick_any();

	note("closed", fd);
	table[fd].kind = NONE;
	NOTE(close(fd));
	let_arrive();
}

/* ---- what happens to them ---- */

static void do_write(void)
{
	static const int sizes[] = { 1, 100, 4096, 5000, 65536 };
	int fd = pick_any();
	size_t size = 1 + below(200);

	note("to", fd);
	switch (table[fd].kind) {
	case PIPE:
		/* Not if it is full: Linux tells its readers even of a write that fails. */
		size = sizes[below(5)];
		if (poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, 0))
			NOTE(write(fd, data, size));
		return;
	case EVENT:
		NOTE(write(fd, (uint64_t[]){ below(5) ? below(3) : UINT64_MAX - 1 }, 8));
		return;
	case UNIX:
	case UDP:
	case TCP:
		*table[fd].sent += size;
		if (*table[fd].sent < MAX_SENT)
			NOTE(write(fd, data, size));
		let_arrive();
		return;
	default:
		NOTE(write(fd, data, 0));
	}
}

static void do_read(void)
{
	static const int sizes[] = { 1, 8, 100, 4096, 65536 };
	int fd = pick_any(), size = sizes[below(5)];

	note("from", fd);
	if (table[fd].kind != LISTENER)
		NOTE(read(fd, data, size));
}

static void do_shutdown(void)
{
	int fd = pick(UNIX + below(3));

	note("shut", fd);
	NOTE(shutdown(fd, below(3)));
	let_arrive();
}

/* ---- watching ---- */

static void do_ctl(void)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	static const uint32_t flags[] = {
		0, 0, EPOLLET, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT
	};
	static const uint32_t wanted[] = { EPOLLIN,
					   EPOLLOUT,
					   EPOLLIN | EPOLLOUT | EPOLLRDHUP,
					   EPOLLIN | EPOLLRDHUP | EPOLLPRI,
					   EPOLLRDHUP,
					   EPOLLRDNORM | EPOLLWRNORM,
					   0 };
	int epfd = below(20) ? pick(EPOLL) : pick_any(), fd = below(4) ? pick_any() : pick(EPOLL);
	int op = ops[below(4)];
	uint32_t events = wanted[below(7)] | flags[below(6)];
	uint64_t data = next();

	if (table[fd].kind == EPOLL && table[epfd].kind == EPOLL &&
	    (*table[fd].sent || !*table[epfd].sent))
		return;
	/* Linux tells who waits to send of each buffer that has left, though there was room before. */
	if (table[fd].kind == UDP || table[fd].kind == UNIX)
		events &= ~(EPOLLOUT | EPOLLWRNORM);
	if (!below(6))
		events |= EPOLLEXCLUSIVE;
	note("epoll", epfd);
	note("op", op);
	note("events", events);
	note("of", fd);
	note("data", data);
	NOTE(ctl(epfd, op, fd, events, data));
}

static void do_epoll_wait(void)
{
	struct epoll_event events[FDS];
	int epfd = pick(EPOLL), count;

	note("epoll", epfd);
	count = NOTE(epoll_wait(epfd, events, 1 + below(below(3) ? FDS : 3), 0));
	for (int i = 0; i < count; i++) {
		note("  events", events[i].events);
		note("  data", events[i].data.u64);
	}
}

static void do_poll(void)
{
	struct pollfd pfd[5];

	for (int i = 0; i < 5; i++)
		pfd[i] = (struct pollfd){ pick_any(), next(), 0 };
	NOTE(poll(pfd, 5, 0));
	for (int i = 0; i < 5; i++) {
		note("fd", pfd[i].fd);
		note("  revents", pfd[i].revents);
	}
}

static void do_select(void)
{
	struct timeval now = { 0 };
	fd_set sets[3];

	for (int set = 0; set < 3; set++) {
		FD_ZERO(&sets[set]);
		for (int i = 0; i < 4; i++)
			FD_SET(pick_any(), &sets[set]);
	}
	NOTE(select(FIRST_FD + FDS, &sets[0], &sets[1], &sets[2], &now));
	for (int set = 0; set < 3; set++)
		note("  set", *(long *)&sets[set]);
}

static void (*const calls[])(void) = {
	make_a_pipe,   make_an_event, make_an_epoll, make_an_epoll, make_unix,	   make_udp,
	make_listener, do_connect,    do_connect,    do_accept,	    do_accept,	   do_dup,
	do_close,      do_close,      do_close,	     do_write,	    do_write,	   do_write,
	do_write,      do_read,	      do_read,	     do_read,	    do_shutdown,   do_ctl,
	do_ctl,	       do_ctl,	      do_ctl,	     do_ctl,	    do_ctl,	   do_ctl,
	do_ctl,	       do_epoll_wait, do_epoll_wait, do_epoll_wait, do_epoll_wait, do_epoll_wait,
	do_poll,       do_select,
};

static void make_barrier(void)
{
	struct sockaddr_in addr;
	cpu_set_t cpus;

	for (int fd = 3; fd < 1000; fd++)
		close(fd);
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	barrier = MUST(inet_socket(SOCK_DGRAM));
	addr = name_of(barrier);
	MUST(connect(barrier, SA(addr)));
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FIRST_FD + FDS, FIRST_FD + FDS }));
}

int main(int argc, char **argv)
{
	unsigned count = read_arguments(argc, argv);

	signal(SIGPIPE, SIG_IGN);
	make_barrier();
	for (unsigned i = 1; i <= count; i++) {
		unsigned call = below(ARRAY_SIZE(calls));

		if (logging)
			say("step %u, call %u", i, call);
		calls[call]();
		if (i % HASH_EVERY == 0)
			say("step %u: %016lx", i, hash);
	}
	return 0;
}
