/* What a signal does to each call that can block: EINTR or a restart, with and without SA_RESTART. */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <tests/sys/test.h>

static int fds[2], full[2], event, timer;
static char buf[65536];

static pid_t child;

/* The handler makes what is waited for come true, so that a restarted call can end. */
static void handler(int sig)
{
	struct itimerspec soon = { .it_value = { 0, MSEC } };
	uint64_t one = 1;
	int saved = errno;

	write(fds[1], "x", 1);
	write(event, &one, 8);
	read(full[0], buf, sizeof(buf));
	timerfd_settime(timer, 0, &soon, NULL);
	if (child > 0)
		kill(child, SIGKILL);
	errno = saved;
}

static long do_read(void)
{
	return read(fds[0], buf, 1);
}

static long do_readv(void)
{
	struct iovec iov = { buf, 1 };

	return readv(fds[0], &iov, 1);
}

static long do_write(void)
{
	return write(full[1], "x", 1);
}

static long do_event(void)
{
	return read(event, buf, 8);
}

static long do_timer(void)
{
	return read(timer, buf, 8);
}

static long do_poll(void)
{
	struct pollfd pfd = { fds[0], POLLIN, 0 };

	return poll(&pfd, 1, 100000);
}

static long do_ppoll(void)
{
	struct pollfd pfd = { fds[0], POLLIN, 0 };

	return ppoll(&pfd, 1, NULL, NULL);
}

static long do_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, NULL);
}

static long do_nanosleep(void)
{
	struct timespec time = { 100, 0 }, left = { 777, 7 };
	long result = nanosleep(&time, &left);

	say("time is left: %s", yes_no(left.tv_sec > 10 && left.tv_sec <= 100));
	return result;
}

static long do_clock_nanosleep(void)
{
	struct timespec until, left = { 7, 7 };
	int error;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 100;
	error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left);
	say("left untouched: %s", yes_no(left.tv_sec == 7));
	errno = error;
	return error ? -1 : 0;
}

static long do_wait(void)
{
	return waitpid(child, NULL, 0) == -1 ? -1 : 0;
}

static long do_waitid(void)
{
	siginfo_t info;

	return waitid(P_PID, child, &info, WEXITED);
}

static long do_pause(void)
{
	return pause();
}

static long do_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}

static long do_sigtimedwait(void)
{
	sigset_t none;

	sigemptyset(&none);
	/* musl's own would not let an EINTR out */
	return syscall(SYS_rt_sigtimedwait, &none, NULL, NULL, 8);
}

static long do_fifo(void)
{
	return open("fifo", O_RDONLY) >= 0;
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{ "read", do_read },
	{ "readv", do_readv },
	{ "write", do_write },
	{ "eventfd read", do_event },
	{ "timerfd read", do_timer },
	{ "poll", do_poll },
	{ "ppoll", do_ppoll },
	{ "select", do_select },
	{ "nanosleep", do_nanosleep },
	{ "clock_nanosleep absolute", do_clock_nanosleep },
	{ "wait4", do_wait },
	{ "waitid", do_waitid },
	{ "pause", do_pause },
	{ "sigsuspend", do_sigsuspend },
	{ "sigtimedwait", do_sigtimedwait },
};

static void try_call(size_t index, int flags)
{
	MUST(pipe(fds));
	MUST(pipe(full));
	MUST(write(full[1], buf, 65536));
	event = eventfd(0, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	child = MUST(fork());
	if (child == 0)
		for (;;)
			pause();
	set_handler(SIGALRM, handler, flags);
	signal_when_asleep(SIGALRM);
	SHOW_AS(calls[index].name, calls[index].call());
	kill(child, SIGKILL);
}

TEST(without_restart)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		IN_CHILD(calls[i].name)
	try_call(i, 0);
}

TEST(with_restart)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		IN_CHILD(calls[i].name)
	try_call(i, SA_RESTART);
}

TEST(fifo_open)
{
	MUST(mkfifo("fifo", 0644));
	event = fds[1] = full[0] = timer = -1;
	set_handler(SIGALRM, handler, 0);
	signal_when_asleep(SIGALRM);
	SHOW(do_fifo());
	if (MUST(fork()) == 0) {
		sleep_ms(30);
		_exit(open("fifo", O_WRONLY) < 0);
	}
	set_handler(SIGALRM, handler, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(do_fifo());
	wait(NULL);
}

/* A signal without a handler that does not end the process disturbs nobody. */
TEST(stop_and_continue)
{
	static const int which[] = { 0, 5, 8, 12 };

	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			struct timespec time = { 0, 30 * MSEC };
			struct pollfd pfd = { 0, 0, 0 };

			MUST(pipe(fds));
			switch (which[i]) {
			case 0:
				alarm(1);
				signal(SIGALRM, exit);
				_exit(read(fds[0], buf, 1));
			case 5:
				pfd.fd = fds[0];
				pfd.events = POLLIN;
				_exit(poll(&pfd, 1, 30) == 0 ? 0 : errno);
			case 8:
				_exit(nanosleep(&time, NULL) == 0 ? 0 : errno);
			case 12:
				alarm(1);
				signal(SIGALRM, exit);
				pause();
				_exit(99);
			}
		}
		sleep_ms(5);
		kill(pid, SIGSTOP);
		waitpid(pid, NULL, WUNTRACED);
		kill(pid, SIGCONT);
		reap(calls[which[i]].name, pid);
	}
}

static void by_info(int sig, siginfo_t *info, void *context)
{
}

/* A partial transfer is reported, not EINTR. */
TEST(partial_transfer)
{
	struct sigaction action = { .sa_sigaction = by_info, .sa_flags = SA_SIGINFO | SA_RESTART };

	MUST(pipe(fds));
	MUST(sigaction(SIGALRM, &action, NULL));
	signal_when_asleep(SIGALRM);
	SHOW(write(fds[1], malloc(200000), 200000));
}
