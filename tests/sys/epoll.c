/* epoll: what may be asked for, and what a wait reports: level, edge, one-shot. */
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <tests/sys/epoll.h>

TEST(create)
{
	SHOW(syscall(SYS_epoll_create, 0));
	SHOW(syscall(SYS_epoll_create, -1));
	SHOW_OK(epoll_create(1));
	SHOW(epoll_create1(1));
	SHOW(fcntl(make_epoll(), F_GETFD));
	SHOW(fcntl(MUST(epoll_create1(EPOLL_CLOEXEC)), F_GETFD));
	SHOW(fcntl(make_epoll(), F_GETFL));
}

TEST(descriptor)
{
	int epfd = make_epoll();
	struct stat st;
	char c, link[64] = "";

	SHOW(read(epfd, &c, 1));
	SHOW(write(epfd, &c, 1));
	SHOW(lseek(epfd, 0, SEEK_SET));
	SHOW(fstat(epfd, &st));
	say("mode %o", st.st_mode);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", epfd);
	readlink(strdup(link), link, sizeof(link));
	say("%s", link);
}

/* Nothing is shared with the program: events are copied. */
TEST(cannot_be_mapped)
{
	int epfd = make_epoll();

	SHOW(mmap(NULL, 4096, PROT_READ, MAP_SHARED, epfd, 0) == MAP_FAILED ? -1L : 0L);
	SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, epfd, 0) == MAP_FAILED ? -1L : 0L);
}

TEST(emfile)
{
	struct rlimit limit = { 3, 3 };

	setrlimit(RLIMIT_NOFILE, &limit);
	SHOW(epoll_create1(0));
}

TEST(ctl_errors)
{
	int epfd = make_epoll(), event = make_event(0), ends[2];
	int file = MUST(open("file", O_CREAT | O_RDWR, 0600)), dir = MUST(open(".", O_RDONLY));
	int path = MUST(open(".", O_PATH));
	struct epoll_event wanted = { .events = EPOLLIN };

	make_pipe(ends);
	SHOW(ctl(epfd, EPOLL_CTL_ADD, file, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, dir, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_DEL, file, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, path, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, epfd, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, -1, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, 99, EPOLLIN, 0));
	SHOW(ctl(-1, EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(ctl(99, EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(ctl(ends[0], EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(ctl(file, EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(ctl(file, EPOLL_CTL_ADD, file, EPOLLIN, 0));
	SHOW(ctl(epfd, 0, event, EPOLLIN, 0));
	SHOW(ctl(epfd, 4, event, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_DEL, event, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN, 0));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_MOD, event, NULL));
	SHOW(epoll_ctl(epfd, 77, event, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], (void *)1));
	SHOW(epoll_ctl(-1, EPOLL_CTL_ADD, -1, (void *)-8));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, event, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, event, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, event, &wanted));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, event, (void *)1));
}

TEST(wait_errors)
{
	struct epoll_event events[4];
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 }, zero = { 0 };
	int epfd = make_epoll(), event = make_event(1);
	sigset_t set;

	sigemptyset(&set);
	SHOW(epoll_wait(epfd, events, 0, 0));
	SHOW(epoll_wait(epfd, events, -1, 0));
	SHOW(epoll_wait(epfd, events, INT_MAX / 12 + 1, 0));
	SHOW(epoll_wait(-1, events, 1, 0));
	SHOW(epoll_wait(99, events, 1, 0));
	SHOW(epoll_wait(event, events, 1, 0));
	SHOW(epoll_wait(epfd, NULL, 1, 0));
	SHOW(epoll_wait(epfd, (void *)0xffff800000000000, 1, 0));
	SHOW(epoll_wait(event, (void *)0xffff800000000000, 1, 0));
	SHOW(epoll_wait(epfd, events, 10128, 0));
	SHOW(syscall(SYS_epoll_pwait, epfd, events, 1, 0, &set, 7));
	SHOW(syscall(SYS_epoll_pwait, epfd, events, 1, 0, NULL, 7));
	SHOW(syscall(SYS_epoll_pwait, epfd, events, 1, 0, (void *)8, 8));
	SHOW(syscall(SYS_epoll_pwait2, epfd, events, 1, &bad, NULL, 8));
	SHOW(syscall(SYS_epoll_pwait2, epfd, events, 1, &negative, NULL, 8));
	SHOW(syscall(SYS_epoll_pwait2, epfd, events, 1, &zero, NULL, 8));
	SHOW(syscall(SYS_epoll_pwait2, epfd, events, 1, (void *)8, NULL, 8));
	watch(epfd, event, EPOLLIN);
	SHOW(epoll_wait(epfd, NULL, 1, 0));
	SHOW(epoll_wait(epfd, (void *)8, 1, 0));
	SHOW(epoll_wait(epfd, events, 1, -1));
}

TEST(data_comes_back)
{
	struct epoll_event events[2];
	int epfd = make_epoll(), event = make_event(1);

	say("%zu bytes", sizeof(events[0]));
	MUST(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN, 0x123456789abcdef0));
	memset(events, 0x55, sizeof(events));
	SHOW(epoll_wait(epfd, events, 2, 0));
	say("%x %lx %x", events[0].events, events[0].data.u64, events[1].events);
	MUST(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN, -2));
	SHOW(epoll_wait(epfd, events, 2, 0));
	say("%lx", events[0].data.u64);
}

/* t0 -> e0 -lt-> s0, s1: the ends of two pipes */
TEST(level)
{
	int epfd = make_epoll(), a[2], b[2];

	make_pipe(a);
	make_pipe(b);
	watch(epfd, a[0], EPOLLIN);
	WAIT("empty", epfd, a[0], b[0]);
	MUST(write(a[1], "xy", 2));
	WAIT("two bytes", epfd, a[0], b[0]);
	WAIT("still", epfd, a[0], b[0]);
	read(a[0], (char[1]){ 0 }, 1);
	WAIT("one byte", epfd, a[0], b[0]);
	drain(a[0]);
	WAIT("drained", epfd, a[0], b[0]);
	MUST(write(b[1], "x", 1));
	watch(epfd, b[0], EPOLLIN);
	WAIT("ready when added", epfd, a[0], b[0]);
	watch(epfd, b[1], EPOLLOUT);
	WAIT("writable too", epfd, a[0], b[0], b[1]);
	close(a[1]);
	WAIT("writer gone", epfd, a[0], b[0], b[1]);
	close(b[0]);
	WAIT("reader gone", epfd, a[0], b[0], b[1]);
}

/* t0 -> e0 -et-> s0, a pipe to read */
TEST(edge)
{
	int epfd = make_epoll(), a[2];
	char c;

	make_pipe(a);
	watch(epfd, a[0], EPOLLIN | EPOLLET);
	WAIT("empty", epfd, a[0]);
	MUST(write(a[1], "abc", 3));
	WAIT("three bytes", epfd, a[0]);
	WAIT("no new edge", epfd, a[0]);
	read(a[0], &c, 1);
	WAIT("partly read", epfd, a[0]);
	MUST(write(a[1], "d", 1));
	WAIT("more over unread data", epfd, a[0]);
	WAIT("quiet", epfd, a[0]);
	MUST(write(a[1], "d", 1));
	MUST(write(a[1], "e", 1));
	WAIT("two writes are one event", epfd, a[0]);
	MUST(ctl(epfd, EPOLL_CTL_MOD, a[0], EPOLLIN | EPOLLET, a[0]));
	WAIT("MOD looks again", epfd, a[0]);
	close(a[1]);
	WAIT("hang-up", epfd, a[0]);
	WAIT("once", epfd, a[0]);
}

/* t0 -> e0 -et-> s0, an eventfd, in and out */
TEST(edge_of_eventfd)
{
	int epfd = make_epoll(), event = make_event(0);

	watch(epfd, event, EPOLLIN | EPOLLOUT | EPOLLET);
	WAIT("writable at first", epfd, event);
	for (int i = 0; i < 3; i++) {
		post(event);
		WAIT("each write is an edge", epfd, event);
	}
	drain(event);
	WAIT("read: writable", epfd, event);
	WAIT("quiet", epfd, event);
}

/* t0 -> e0 -et-> s0, a pipe to write */
TEST(edge_of_writer)
{
	static char page[65536];
	int epfd = make_epoll(), a[2];

	make_pipe(a);
	watch(epfd, a[1], EPOLLOUT | EPOLLET);
	WAIT("empty pipe", epfd, a[1]);
	MUST(write(a[1], page, sizeof(page)));
	WAIT("full", epfd, a[1]);
	MUST(read(a[0], page, 4096));
	WAIT("a page was read", epfd, a[1]);
	WAIT("quiet", epfd, a[1]);
}

/* t0 -> e0 -oneshot-> s0 */
TEST(oneshot)
{
	int epfd = make_epoll(), a[2];

	make_pipe(a);
	watch(epfd, a[0], EPOLLIN | EPOLLONESHOT);
	MUST(write(a[1], "x", 1));
	WAIT("fires", epfd, a[0]);
	WAIT("once", epfd, a[0]);
	MUST(write(a[1], "x", 1));
	WAIT("new data", epfd, a[0]);
	SHOW(ctl(epfd, EPOLL_CTL_ADD, a[0], EPOLLIN, 0));
	MUST(ctl(epfd, EPOLL_CTL_MOD, a[0], EPOLLIN | EPOLLONESHOT, a[0]));
	WAIT("armed again", epfd, a[0]);
	close(a[1]);
	WAIT("even hang-up is silent", epfd, a[0]);
	MUST(ctl(epfd, EPOLL_CTL_MOD, a[0], EPOLLONESHOT, a[0]));
	WAIT("armed for nothing: hang-up", epfd, a[0]);
}

/* t0 -> e0 -lt, no events-> s0, s1: hang-up and error are told all the same */
TEST(always_watched)
{
	int epfd = make_epoll(), a[2], b[2];

	make_pipe(a);
	make_pipe(b);
	watch(epfd, a[0], 0);
	watch(epfd, b[1], 0);
	MUST(write(a[1], "x", 1));
	WAIT("nothing asked", epfd, a[0], b[1]);
	close(b[0]);
	WAIT("error", epfd, a[0], b[1]);
	close(a[1]);
	WAIT("hang-up", epfd, a[0], b[1]);
}

/* t0 -> e0 -lt-> s0, with one mask after another */
TEST(modify)
{
	int epfd = make_epoll(), event = make_event(1);

	watch(epfd, event, EPOLLOUT);
	WAIT("OUT", epfd, event);
	MUST(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN, event));
	WAIT("IN", epfd, event);
	MUST(ctl(epfd, EPOLL_CTL_MOD, event, 0, event));
	WAIT("nothing", epfd, event);
	MUST(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM,
		 event));
	WAIT("all", epfd, event);
}

/* t0 -> e0 -lt-> s0 ... s4: what does not fit stays, in turn. */
TEST(round_robin)
{
	int epfd = make_epoll(), fds[5], counts[5] = { 0 };
	struct epoll_event event;

	for (int i = 0; i < 5; i++) {
		fds[i] = make_event(1);
		MUST(ctl(epfd, EPOLL_CTL_ADD, fds[i], EPOLLIN, fds[i]));
	}
	for (int round = 0; round < 4; round++)
		say_wait("two of five", epfd, fds, 5, 2, 0);
	for (int i = 0; i < 500; i++) {
		MUST(epoll_wait(epfd, &event, 1, 0));
		for (int k = 0; k < 5; k++)
			counts[k] += event.data.u64 == (uint64_t)fds[k];
	}
	say("%d %d %d %d %d", counts[0], counts[1], counts[2], counts[3], counts[4]);
}

/* t0 -> e0 -et-> s0, s1, s2, s3 */
TEST(order_of_events)
{
	int epfd = make_epoll(), fds[4];

	for (int i = 0; i < 4; i++) {
		fds[i] = make_event(0);
		watch(epfd, fds[i], EPOLLIN | EPOLLET);
	}
	post(fds[2]);
	post(fds[0]);
	post(fds[3]);
	post(fds[2]);
	say_wait("first come", epfd, fds, 4, 2, 0);
	post(fds[1]);
	say_wait("first served", epfd, fds, 4, 4, 0);
	say_wait("nothing", epfd, fds, 4, 4, 0);
}

/* t0 -> e0 -lt-> s0 ... s3: a fault half-way keeps what was not copied. */
TEST(fault_half_way)
{
	int epfd = make_epoll(), fds[4];
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event *edge = (void *)(pages + PAGE - 2 * sizeof(*edge));

	MUST(mprotect(pages + PAGE, PAGE, PROT_NONE));
	for (int i = 0; i < 4; i++) {
		fds[i] = make_event(1);
		watch(epfd, fds[i], EPOLLIN | EPOLLET);
	}
	SHOW(epoll_wait(epfd, edge, 4, 0));
	say_wait("the others", epfd, fds, 4, 4, 0);
	for (int i = 0; i < 4; i++)
		post(fds[i]);
	SHOW(epoll_wait(epfd, (void *)(pages + PAGE), 4, 0));
	say_wait("all", epfd, fds, 4, 4, 0);
}

TEST(exclusive_rules)
{
	int epfd = make_epoll(), other = make_epoll(), event = make_event(1),
	    second = make_event(1);

	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLPRI, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLRDNORM | EPOLLEXCLUSIVE, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLEXCLUSIVE, 0));
	SHOW(ctl(epfd, EPOLL_CTL_ADD, event,
		 EPOLLIN | EPOLLOUT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE, event));
	SHOW(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLEXCLUSIVE, 0));
	SHOW(ctl(epfd, EPOLL_CTL_MOD, event, EPOLLIN, 0));
	WAIT("reports", epfd, event);
	SHOW(ctl(epfd, EPOLL_CTL_DEL, event, 0, 0));
	MUST(ctl(epfd, EPOLL_CTL_ADD, second, EPOLLIN, 0));
	SHOW(ctl(epfd, EPOLL_CTL_MOD, second, EPOLLIN | EPOLLEXCLUSIVE, 0));
	SHOW(ctl(epfd, EPOLL_CTL_DEL, second, EPOLLEXCLUSIVE, 0));
}

/* ---- descriptors that come and go ---- */

/* t0 -> e0 -lt-> s0 under two numbers */
TEST(dup_is_another_item)
{
	int epfd = make_epoll(), event = make_event(1), copy = dup(event);

	watch(epfd, event, EPOLLIN);
	SHOW(ctl(epfd, EPOLL_CTL_ADD, copy, EPOLLIN, copy));
	WAIT("both", epfd, event, copy);
	close(event);
	WAIT("closed, and still there", epfd, event, copy);
	SHOW(ctl(epfd, EPOLL_CTL_DEL, event, 0, 0));
	SHOW(ctl(epfd, EPOLL_CTL_DEL, copy, 0, 0));
	WAIT("the closed one", epfd, event, copy);
	close(copy);
	WAIT("gone", epfd, event, copy);
}

/* t0 -> e0 -lt-> s0, s1; s0 is closed while it is on the ready list */
TEST(close_while_ready)
{
	int epfd = make_epoll(), a = make_event(1), b = make_event(1);

	watch(epfd, a, EPOLLIN);
	watch(epfd, b, EPOLLIN);
	close(a);
	WAIT("one left", epfd, a, b);
	SHOW(MUST(eventfd(0, 0)) == a);
	SHOW(ctl(epfd, EPOLL_CTL_ADD, a, EPOLLIN, a));
	WAIT("the new one is not ready", epfd, a, b);
}

/* t0 -> e0 -lt-> s0, e0 under two numbers */
TEST(dup_of_epoll)
{
	int epfd = make_epoll(), copy = dup(epfd), event = make_event(1);

	watch(copy, event, EPOLLIN);
	WAIT("through the other", epfd, event);
	close(epfd);
	WAIT("after close", copy, event);
}

/* t0, a child -> e0 -lt-> s0; the child adds s1 */
TEST(fork_shares)
{
	int epfd = make_epoll(), event = make_event(0), other = make_event(1);

	watch(epfd, event, EPOLLIN);
	if (MUST(fork()) == 0) {
		WAIT("child", epfd, event, other);
		watch(epfd, other, EPOLLIN);
		WAIT("child added", epfd, event, other);
		_exit(0);
	}
	wait(NULL);
	WAIT("parent", epfd, event, other);
	post(event);
	WAIT("parent", epfd, event, other);
}

/* t0 -> e0 -lt-> s0; a child that shares both writes and is gone */
TEST(inherited_after_exit)
{
	int epfd = make_epoll(), a[2];

	make_pipe(a);
	watch(epfd, a[0], EPOLLIN);
	if (MUST(fork()) == 0) {
		MUST(write(a[1], "x", 1));
		_exit(0);
	}
	wait(NULL);
	WAIT("child's write", epfd, a[0]);
}

/* ---- time and signals ---- */

static void on_signal(int sig)
{
	say("handler");
}

/* t0 -> e0 -lt-> s0, which is not ready */
TEST(timeouts)
{
	struct epoll_event event;
	struct timespec ts = { 0, 3 * MSEC };
	int epfd = make_epoll();
	int64_t start = now_ns();

	SHOW(epoll_wait(epfd, &event, 1, 5));
	say("not early: %s", yes_no(now_ns() - start >= 5 * MSEC));
	start = now_ns();
	SHOW(syscall(SYS_epoll_pwait2, epfd, &event, 1, &ts, NULL, 8));
	say("not early: %s", yes_no(now_ns() - start >= 3 * MSEC));
	SHOW(epoll_wait(epfd, &event, 1, 0));
}

/* t0 -> e0 -lt-> s0, which a child posts */
TEST(long_timeouts)
{
	int epfd = make_epoll(), event = make_event(0);
	struct timespec longest = { INT64_MAX, 999999999 };
	struct epoll_event out;

	watch(epfd, event, EPOLLIN);
	for (int i = 0; i < 4; i++) {
		if (MUST(fork()) == 0) {
			sleep_ms(3);
			post(event);
			_exit(0);
		}
		if (i < 3)
			SHOW(epoll_wait(epfd, &out, 1, (int[]){ -2, INT_MAX, INT_MIN }[i]));
		else
			SHOW(syscall(SYS_epoll_pwait2, epfd, &out, 1, &longest, NULL, 8));
		drain(event);
		wait(NULL);
	}
}

/* t0 -> e0; a signal while it sleeps */
TEST(interrupted)
{
	struct epoll_event event;
	int epfd = make_epoll();

	set_handler(SIGALRM, on_signal, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(epoll_wait(epfd, &event, 1, -1));
}

/* t0 -> e0, with a signal waiting; then e0 -lt-> s0, which is ready */
TEST(pwait_mask)
{
	struct epoll_event event;
	int epfd = make_epoll(), ready = make_event(1);
	sigset_t blocked, open, now;

	set_handler(SIGUSR1, on_signal, 0);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	raise(SIGUSR1);
	SHOW(epoll_wait(epfd, &event, 1, 3));
	SHOW(epoll_pwait(epfd, &event, 1, -1, &open));
	sigprocmask(SIG_BLOCK, NULL, &now);
	say("mask is back: %s", yes_no(sigismember(&now, SIGUSR1)));
	raise(SIGUSR1);
	watch(epfd, ready, EPOLLIN);
	SHOW(epoll_pwait(epfd, &event, 1, -1, &open));
	sigpending(&now);
	say("ready wins, still pending: %s", yes_no(sigismember(&now, SIGUSR1)));
}

/* ---- polled itself ---- */

static void say_polled(const char *what, int epfd)
{
	struct pollfd pfd = { epfd, POLLIN | POLLOUT, 0 };
	fd_set set;
	struct timeval zero = { 0 };

	FD_ZERO(&set);
	FD_SET(epfd, &set);
	poll(&pfd, 1, 0);
	say("%s: poll %x, select %d", what, pfd.revents, select(epfd + 1, &set, NULL, NULL, &zero));
}

/* t0, by poll and select -> e0 -lt-> s0 */
TEST(polled)
{
	int epfd = make_epoll(), event = make_event(0);
	struct pollfd pfd = { epfd, POLLIN, 0 };

	watch(epfd, event, EPOLLIN);
	say_polled("idle", epfd);
	post(event);
	say_polled("ready", epfd);
	say_polled("still", epfd);
	WAIT("and not eaten", epfd, event);
	drain(event);
	say_polled("drained", epfd);
	if (MUST(fork()) == 0) {
		sleep_ms(3);
		post(event);
		_exit(0);
	}
	SHOW(poll(&pfd, 1, -1));
	wait(NULL);
}

TEST(fdinfo)
{
	int epfd = make_epoll(), event = make_event(0);
	char path[64], *line;

	MUST(ctl(epfd, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET, 0xabcdef));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
	line = strstr(get_file(path), "tfd:");
	*strstr(line, "ino:") = 0;
	say("%s", line);
}

/* t0 -> e0 -lt or et-> s0: the socket of our reading, aabbcc through a buffer of two bytes. */
TEST(two_bytes_at_a_time)
{
	for (int edge = 0; edge < 2; edge++) {
		int epfd = make_epoll(), a[2], wakes = 0;
		struct epoll_event event;
		char buffer[2];

		make_pipe(a);
		watch(epfd, a[0], EPOLLIN | (edge ? EPOLLET : 0));
		MUST(write(a[1], "aabbcc", 6));
		while (epoll_wait(epfd, &event, 1, 0) == 1) {
			wakes++;
			read(a[0], buffer, 2);
		}
		say("%s: %d", edge ? "edge" : "level", wakes);
	}
}
