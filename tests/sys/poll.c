/* poll and ppoll: rules 1 to 12 of what libc and servers lean on. */
#include <poll.h>
#include <sys/eventfd.h>
#include <tests/sys/test.h>

static int fds[2];
static char buf[65536];

static void say_poll(const char *what, int fd, short events)
{
	struct pollfd pfd = { fd, events, 0x7fff };
	int result = poll(&pfd, 1, 0);

	say("%s: %d, revents %x", what, result, pfd.revents);
}

TEST(nval_and_negative)
{
	struct pollfd pfd[3] = { { 99, POLLIN, 7 }, { -1, POLLIN, 7 }, { -99, POLLIN, 7 } };

	SHOW(poll(pfd, 3, -1));
	for (int i = 0; i < 3; i++)
		say("fd %d events %x revents %x", pfd[i].fd, pfd[i].events, pfd[i].revents);
	SHOW(poll(pfd + 1, 2, 10));
}

TEST(counts)
{
	struct pollfd pfd;

	SHOW(poll(NULL, 0, 5));
	SHOW(poll(NULL, 1, 0));
	SHOW(poll((void *)16, 1, 0));
	SHOW(poll(&pfd, 1025, 0));
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 5, 100 }));
	SHOW(poll(&pfd, 6, 0));
	SHOW(syscall(SYS_poll, &pfd, -1, 0));
}

TEST(always_ready)
{
	say_poll("file", MUST(open("f", O_CREAT | O_RDWR, 0644)),
		 POLLIN | POLLOUT | POLLPRI | POLLRDHUP);
	say_poll("directory", MUST(open(".", O_RDONLY)), POLLIN | POLLOUT);
	say_poll("null", MUST(open("/dev/null", O_RDWR)), POLLIN | POLLOUT);
	say_poll("zero", MUST(open("/dev/zero", O_RDWR)), POLLIN | POLLOUT);
	say_poll("urandom", MUST(open("/dev/urandom", O_RDWR)), POLLIN | POLLOUT);
	say_poll("path", MUST(open("f", O_PATH)), POLLIN | POLLOUT);
	say_poll("no events", MUST(open("f", O_RDWR)), 0);
	say_poll("norm", MUST(open("f", O_RDWR)), POLLRDNORM | POLLWRNORM);
	say_poll("band", MUST(open("f", O_RDWR)), POLLRDBAND | POLLWRBAND);
}

TEST(pipe_states)
{
	MUST(pipe2(fds, O_NONBLOCK));
	say_poll("empty, reader", fds[0], POLLIN | POLLOUT);
	say_poll("empty, writer", fds[1], POLLIN | POLLOUT);
	say_poll("writer, norm", fds[1], POLLWRNORM);
	say_poll("writer, both", fds[1], POLLOUT | POLLWRNORM);
	MUST(write(fds[1], "x", 1));
	say_poll("data", fds[0], POLLIN);
	say_poll("data, norm", fds[0], POLLRDNORM);
	say_poll("data, both", fds[0], POLLIN | POLLRDNORM);
	say_poll("data, no events", fds[0], 0);
	while (write(fds[1], buf, 4096) > 0)
		;
	say_poll("full, writer", fds[1], POLLOUT);
	MUST(read(fds[0], buf, 1));
	say_poll("first page drained", fds[1], POLLOUT);
	close(fds[1]);
	say_poll("writer gone, data", fds[0], POLLIN);
	say_poll("writer gone, data, no events", fds[0], 0);
	while (read(fds[0], buf, sizeof(buf)) > 0)
		;
	say_poll("drained", fds[0], POLLIN);
	MUST(pipe2(fds, O_NONBLOCK));
	close(fds[0]);
	say_poll("reader gone", fds[1], POLLOUT);
	say_poll("reader gone, no events", fds[1], 0);
}

TEST(timeouts)
{
	int64_t start = now_ns();

	MUST(pipe(fds));
	SHOW(poll(&(struct pollfd){ fds[0], POLLIN, 0 }, 1, 15));
	say("not early: %s", yes_no(now_ns() - start >= 15 * MSEC));
	start = now_ns();
	SHOW(poll(NULL, 0, 1));
	say("not early: %s", yes_no(now_ns() - start >= MSEC));
}

static void later(long ms, void (*action)(void))
{
	if (MUST(fork()) == 0) {
		sleep_ms(ms);
		action();
		_exit(0);
	}
}

static void write_one(void)
{
	write(fds[1], "x", 1);
}

static void read_all(void)
{
	read(fds[0], buf, sizeof(buf));
}

static void nothing(void)
{
}

TEST(wakes)
{
	struct pollfd pfd = { 0 };

	MUST(pipe(fds));
	later(5, write_one);
	pfd = (struct pollfd){ fds[0], POLLIN, 0 };
	SHOW(poll(&pfd, 1, -1));
	MUST(read(fds[0], buf, 1));
	MUST(write(fds[1], buf, 65536));
	later(5, read_all);
	pfd = (struct pollfd){ fds[1], POLLOUT, 0 };
	SHOW(poll(&pfd, 1, -1));
	later(5, nothing);
	close(fds[1]);
	pfd = (struct pollfd){ fds[0], 0, 0 };
	SHOW(poll(&pfd, 1, -1));
	say("revents %x", pfd.revents);
	while (wait(NULL) > 0)
		;
}

TEST(same_descriptor_twice)
{
	struct pollfd pfd[2];

	MUST(pipe(fds));
	pfd[0] = pfd[1] = (struct pollfd){ fds[1], POLLOUT, 0 };
	SHOW(poll(pfd, 2, -1));
}

TEST(many)
{
	static struct pollfd pfd[1000];
	int ready;

	MUST(pipe(fds));
	for (int i = 0; i < 1000; i++)
		pfd[i] = (struct pollfd){ i % 2 ? fds[0] : -1, POLLIN, 0 };
	SHOW(poll(pfd, 1000, 0));
	write_one();
	ready = poll(pfd, 1000, -1);
	say("%d", ready);
	MUST(read(fds[0], buf, 1));
	later(5, write_one);
	SHOW(poll(pfd, 1000, -1));
	wait(NULL);
}

static void on_signal(int sig)
{
	say("handler %s", signal_text(sig));
}

TEST(ppoll_mask)
{
	struct pollfd pfd;
	sigset_t block, none, now;

	MUST(pipe(fds));
	pfd = (struct pollfd){ fds[0], POLLIN, 0 };
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	set_handler(SIGUSR1, on_signal, SA_RESTART);
	raise(SIGUSR1);
	SHOW(ppoll(&pfd, 1, NULL, &none));
	sigprocmask(SIG_BLOCK, NULL, &now);
	say("blocked again: %s", yes_no(sigismember(&now, SIGUSR1)));
	raise(SIGUSR1);
	write_one();
	SHOW(ppoll(&pfd, 1, NULL, &none));
	sigpending(&now);
	say("still pending: %s", yes_no(sigismember(&now, SIGUSR1)));
}

TEST(ppoll_raw)
{
	struct timespec time = { 0, 20 * MSEC }, bad = { 0, 1000000000 }, negative = { -1, 0 };
	struct pollfd pfd;
	sigset_t none;

	sigemptyset(&none);
	MUST(pipe(fds));
	pfd = (struct pollfd){ fds[0], POLLIN, 0 };
	SHOW(syscall(SYS_ppoll, &pfd, 1, &time, NULL, 8));
	say("left %ld.%09ld", (long)time.tv_sec, time.tv_nsec);
	SHOW(syscall(SYS_ppoll, &pfd, 1, &bad, NULL, 8));
	SHOW(syscall(SYS_ppoll, &pfd, 1, &negative, NULL, 8));
	SHOW(syscall(SYS_ppoll, &pfd, 1, &time, &none, 7));
	SHOW(syscall(SYS_ppoll, &pfd, 1, &time, NULL, 7));
	SHOW(syscall(SYS_ppoll, &pfd, 1, 16, NULL, 8));
	SHOW(syscall(SYS_ppoll, &pfd, 1, &time, 16, 8));
	write_one();
	time = (struct timespec){ 100, 0 };
	SHOW(syscall(SYS_ppoll, &pfd, 1, &time, NULL, 8));
	say("most of it is left: %s", yes_no(time.tv_sec > 50 && time.tv_sec <= 100));
}

TEST(interrupted)
{
	struct pollfd pfd;

	MUST(pipe(fds));
	pfd = (struct pollfd){ fds[0], POLLIN, 0x55 };
	set_handler(SIGALRM, on_signal, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(poll(&pfd, 1, -1));
	say("revents %x", pfd.revents);
}

TEST(event_descriptor)
{
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t big = UINT64_MAX - 1;

	say_poll("zero", event, POLLIN | POLLOUT);
	MUST(write(event, &big, 8));
	say_poll("full", event, POLLIN | POLLOUT);
}
