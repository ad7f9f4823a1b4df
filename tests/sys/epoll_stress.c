/*
 * Several threads and processes on eventpolls that watch sockets and pipes, with a checker that knows every event that must
 * arrive: whoever is told empties the file, so if one were lost, bytes would stay for ever, and a wait would end by its
 * time. Who gets what depends on who comes first; so what is printed are sums.
 */
#include <tests/sys/epoll.h>
#include <tests/sys/tcp.h>

#define FILES	  8
#define BYTES	  600 /* into each file */
#define CONSUMERS 3
#define ALL_BYTES (FILES * BYTES)

static int epfd, outer, stop_event; /* `outer`: -1, or watches epfd */
static int from[FILES], to[FILES];
static uint64_t taken; /* atomic */

static void make_pipes(int ends[2])
{
	make_pipe(ends);
	fcntl(ends[1], F_SETFL, 0);
}

static void make_streams(int ends[2])
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	no_wait(ends[0]);
}

static void make_connections(int ends[2])
{
	static int port = 6200;

	tcp_pair(ends, port++);
	no_wait(ends[0]);
}

static void *produce(void *arg)
{
	for (int i = 0; i < ALL_BYTES / 2; i++)
		if (write(to[(i + (long)arg) % FILES], "x", 1) != 1)
			return "a write failed";
	return NULL;
}

static void take(int file)
{
	char buffer[16];
	ssize_t n;

	while ((n = read(from[file], buffer, sizeof(buffer))) > 0)
		if (__atomic_add_fetch(&taken, n, __ATOMIC_SEQ_CST) == ALL_BYTES)
			post(stop_event);
}

/* One-shot items are armed again when they are empty: that looks at once. */
static void *consume(void *arg)
{
	uint32_t flags = *(uint32_t *)arg;
	struct epoll_event events[4], told;

	for (;;) {
		int count;

		if (outer >= 0 && epoll_wait(outer, &told, 1, 10000) != 1)
			return "the outer one was not told";
		count = epoll_wait(epfd, events, 4, outer >= 0 ? 0 : 10000);
		if (count < 0 || (count == 0 && outer < 0))
			return "an event was lost";
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == FILES)
				return NULL;
			take(events[i].data.u64);
			if (flags & EPOLLONESHOT)
				ctl(epfd, EPOLL_CTL_MOD, from[events[i].data.u64], EPOLLIN | flags,
				    events[i].data.u64);
		}
	}
}

/* Takes files out, puts them back, changes what is asked: each time they are looked at anew. */
static void *disturb(void *arg)
{
	uint32_t flags = *(uint32_t *)arg;

	for (int i = 0; __atomic_load_n(&taken, __ATOMIC_SEQ_CST) < ALL_BYTES; i++) {
		int file = i % FILES;

		if (i & 8) {
			ctl(epfd, EPOLL_CTL_DEL, from[file], 0, 0);
			ctl(epfd, EPOLL_CTL_ADD, from[file], EPOLLIN | flags, file);
		} else {
			ctl(epfd, EPOLL_CTL_MOD, from[file], EPOLLIN | EPOLLPRI | flags, file);
		}
		if (i % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void watch_all(void (*make)(int ends[2]), uint32_t flags)
{
	int ends[2];

	taken = 0;
	epfd = make_epoll();
	stop_event = make_event(0);
	MUST(ctl(epfd, EPOLL_CTL_ADD, stop_event, EPOLLIN, FILES));
	for (int i = 0; i < FILES; i++) {
		make(ends);
		from[i] = ends[0];
		to[i] = ends[1];
		MUST(ctl(epfd, EPOLL_CTL_ADD, from[i], EPOLLIN | flags, i));
	}
}

static void start(pthread_t *thread, void *(*work)(void *), void *arg)
{
	MUST(-pthread_create(thread, NULL, work, arg));
}

static void join(const char *who, pthread_t thread)
{
	void *complaint = NULL;

	pthread_join(thread, &complaint);
	say("%s: %s", who, complaint ? (char *)complaint : "good");
}

/*
 * t0 \               / f0 <- t4, t5
 * t1 -- e0 -lt or et -- ...		t3 adds, deletes, modifies meanwhile
 * t2 /               \ f7
 */
static void stress(const char *what, void (*make)(int ends[2]), uint32_t flags)
{
	pthread_t producers[2], consumers[CONSUMERS], disturber;

	watch_all(make, flags);
	for (int i = 0; i < CONSUMERS; i++)
		start(&consumers[i], consume, &flags);
	start(&disturber, disturb, &flags);
	for (long i = 0; i < 2; i++)
		start(&producers[i], produce, (void *)i);
	for (int i = 0; i < 2; i++)
		join("producer", producers[i]);
	for (int i = 0; i < CONSUMERS; i++)
		join("consumer", consumers[i]);
	pthread_join(disturber, NULL);
	say("%s: %lu bytes", what, taken);
	for (int i = 0; i < FILES; i++) {
		close(from[i]);
		close(to[i]);
	}
	close(epfd);
	close(stop_event);
}

static void stress_each(void (*make)(int ends[2]))
{
	outer = -1;
	stress("level", make, 0);
	stress("edge", make, EPOLLET);
	stress("edge, one-shot", make, EPOLLET | EPOLLONESHOT);
}

TEST(pipes)
{
	stress_each(make_pipes);
}

TEST(streams)
{
	stress_each(make_streams);
}

TEST(connections)
{
	stress_each(make_connections);
}

/* t0, t1, t2 -> e0 -lt-> e1 -lt or et-> f0 ... f7 */
static void *make_outer(void *flags)
{
	outer = make_epoll();
	watch(outer, epfd, EPOLLIN);
	return consume(flags);
}

TEST(nested)
{
	for (int edge = 0; edge < 2; edge++) {
		uint32_t flags = edge ? EPOLLET : 0;
		pthread_t producers[2], consumer;

		watch_all(make_streams, flags);
		start(&consumer, make_outer, &flags);
		for (long i = 0; i < 2; i++)
			start(&producers[i], produce, (void *)i);
		for (int i = 0; i < 2; i++)
			join("producer", producers[i]);
		join("consumer", consumer);
		say("%s: %lu bytes", edge ? "edge" : "level", taken);
	}
}

/* ---- one listening socket, an eventpoll to each process ---- */

#define SERVERS	    3
#define CONNECTIONS 80

/* Takes what it can get, answers with a byte; ends when told. The exit status says whether that was in time. */
static void serve(int listener, uint32_t flags)
{
	int own = make_epoll();
	struct epoll_event event;

	watch(own, listener, EPOLLIN | flags);
	watch(own, stop_event, EPOLLIN);
	for (;;) {
		int fd;

		if (epoll_wait(own, &event, 1, 10000) != 1)
			_exit(1);
		if (event.data.u64 == (uint64_t)stop_event)
			_exit(0);
		while ((fd = accept(listener, NULL, NULL)) >= 0) {
			MUST(write(fd, "y", 1));
			close(fd);
		}
	}
}

/*
 * p0 -> e0 \
 * p1 -> e1 -- s0 (listening) <- 80 connections, 4 at a time
 * p2 -> e2 /
 */
static void one_listener(const char *what, int port, uint32_t flags)
{
	int listener = tcp_listener(port, 64), answered = 0;
	pid_t servers[SERVERS];
	char byte;

	no_wait(listener);
	stop_event = make_event(0);
	for (int i = 0; i < SERVERS; i++) {
		servers[i] = MUST(fork());
		if (servers[i] == 0)
			serve(listener, flags);
	}
	for (int i = 0; i < CONNECTIONS; i += 4) {
		int fds[4];

		for (int k = 0; k < 4; k++)
			fds[k] = tcp_client(port);
		for (int k = 0; k < 4; k++) {
			wait_for(fds[k], POLLIN);
			answered += recv(fds[k], &byte, 1, MSG_DONTWAIT) == 1;
			close(fds[k]);
		}
	}
	post(stop_event);
	for (int i = 0; i < SERVERS; i++)
		reap("server", servers[i]);
	say("%s: %d answered", what, answered);
}

TEST(one_listener_exclusive)
{
	one_listener("level", 6300, EPOLLEXCLUSIVE);
	one_listener("edge", 6301, EPOLLEXCLUSIVE | EPOLLET);
}

TEST(one_listener_for_all)
{
	one_listener("level", 6302, 0);
	one_listener("edge", 6303, EPOLLET);
}

/* ---- closed by another thread while it is watched and waited for ---- */

static bool over; /* atomic */

static void *make_and_close(void *arg)
{
	int ends[2];

	for (int i = 0; i < 400; i++) {
		if (i % 50 == 0)
			tcp_pair(ends, 6400 + (arg ? 1 : 0));
		else
			make_streams(ends);
		if (ctl(epfd, EPOLL_CTL_ADD, ends[0], EPOLLIN | (i & 1 ? EPOLLET : 0), ends[0]) ||
		    write(ends[1], "x", 1) != 1)
			return "failed";
		close(ends[i / 2 & 1]);
		close(ends[!(i / 2 & 1)]);
	}
	return NULL;
}

static void *wait_until_over(void *arg)
{
	struct epoll_event events[8];

	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		if (epoll_wait(epfd, events, 8, 1) < 0)
			return "a wait failed";
	return NULL;
}

/* t0, t1 -> e0 -> s0, s1 ...; t2, t3 make and close them */
TEST(closed_by_others)
{
	pthread_t waiters[2], makers[2];

	epfd = make_epoll();
	for (long i = 0; i < 2; i++) {
		start(&waiters[i], wait_until_over, NULL);
		start(&makers[i], make_and_close, (void *)i);
	}
	for (int i = 0; i < 2; i++)
		join("maker", makers[i]);
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2; i++)
		join("waiter", waiters[i]);
	SHOW(epoll_wait(epfd, &(struct epoll_event){ 0 }, 1, 0));
}

/* ---- a timeout and an event at the same time: neither is lost, and no wait ends early ---- */

#define RACES 100

static void *post_at_the_deadline(void *arg)
{
	for (int i = 0; i < RACES; i++) {
		/* an edge over what is there already is merged with it; so wait until it was taken */
		while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < (uint64_t)i)
			sched_yield();
		usleep(900 + i % 8 * 25);
		post(stop_event);
	}
	return NULL;
}

/* t0 -> e0 -et-> f0, by timeouts of 1 ms; t1 writes at about that time */
TEST(timeouts_race)
{
	pthread_t poster;
	struct epoll_event event;
	int early = 0, silent = 0;

	taken = 0;
	epfd = make_epoll();
	stop_event = make_event(0);
	watch(epfd, stop_event, EPOLLIN | EPOLLET);
	start(&poster, post_at_the_deadline, NULL);
	while (taken < RACES && silent < 20000) {
		int64_t begun = now_ns();

		if (epoll_wait(epfd, &event, 1, 1) == 1) {
			silent = 0;
			drain(stop_event);
			__atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
		} else {
			silent++;
			early += now_ns() - begun < MSEC;
		}
	}
	join("poster", poster);
	say("%lu events, %d early", taken, early);
}
