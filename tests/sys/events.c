/* Descriptors that are events: eventfd, timerfd, signalfd, pidfd. */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <tests/sys/test.h>

static uint64_t value;

static void say_ready(const char *what, int fd)
{
	struct pollfd pfd = { fd, POLLIN | POLLOUT, 0 };

	poll(&pfd, 1, 0);
	say("%s: revents %x", what, pfd.revents);
}

static long put(int fd, uint64_t number)
{
	return write(fd, &number, 8);
}

TEST(eventfd)
{
	int fd = eventfd(3, EFD_NONBLOCK);

	SHOW(read(fd, &value, 8));
	say("%lu", value);
	SHOW(read(fd, &value, 8));
	SHOW(put(fd, 2));
	SHOW(put(fd, 5));
	SHOW(read(fd, &value, 100));
	say("%lu", value);
	SHOW(read(fd, &value, 7));
	SHOW(write(fd, &value, 7));
	SHOW(put(fd, UINT64_MAX));
	SHOW(put(fd, UINT64_MAX - 1));
	say_ready("full", fd);
	SHOW(put(fd, 1));
	SHOW(put(fd, 0));
	SHOW(read(fd, &value, 8));
	say_ready("empty", fd);
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(pread(fd, &value, 8, 0));
	SHOW(syscall(SYS_eventfd2, 0, 0x1000));
	SHOW(fcntl(eventfd(0, EFD_CLOEXEC), F_GETFD));
}

TEST(eventfd_semaphore)
{
	int fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);

	for (int i = 0; i < 4; i++)
		SHOW(read(fd, &value, 8));
	say("%lu", value);
}

TEST(eventfd_blocks)
{
	int fd = eventfd(0, 0);

	if (MUST(fork()) == 0) {
		sleep_ms(5);
		put(fd, 9);
		_exit(0);
	}
	SHOW(read(fd, &value, 8));
	say("%lu", value);
	wait(NULL);
	MUST(put(fd, UINT64_MAX - 1));
	if (MUST(fork()) == 0) {
		sleep_ms(5);
		MUST(read(fd, &value, 8));
		_exit(0);
	}
	SHOW(put(fd, 5));
	wait(NULL);
	SHOW(read(fd, &value, 8));
	say("%lu", value);
}

TEST(timerfd)
{
	struct itimerspec once = { .it_value = { 1000, 0 } }, now;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	int64_t start;

	SHOW(timerfd_settime(fd, 0, &once, NULL));
	SHOW(timerfd_gettime(fd, &now));
	say("armed: %s", yes_no(now.it_value.tv_sec > 500 && now.it_value.tv_sec <= 1000));
	say_ready("armed", fd);
	once.it_value = (struct timespec){ 0, 10 * MSEC };
	start = now_ns();
	SHOW(timerfd_settime(fd, 0, &once, NULL));
	SHOW(read(fd, &value, 8));
	say("%lu, not early: %s", value, yes_no(now_ns() - start >= 10 * MSEC));
	SHOW(timerfd_gettime(fd, &now));
	say("%ld", now.it_value.tv_nsec);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	SHOW(read(fd, &value, 8));
	SHOW(read(fd, &value, 4));
	SHOW(write(fd, &value, 8));
	once.it_value.tv_nsec = 1000000000;
	SHOW(timerfd_settime(fd, 0, &once, NULL));
	SHOW(timerfd_settime(fd, 0x100, &now, NULL));
	SHOW(timerfd_settime(eventfd(0, 0), 0, &now, NULL));
	SHOW(timerfd_settime(99, 0, &now, NULL));
	SHOW(syscall(SYS_timerfd_settime, fd, 0, 16, NULL));
	SHOW(timerfd_create(99, 0));
	SHOW(timerfd_create(CLOCK_MONOTONIC, 0x100));
}

TEST(timerfd_interval)
{
	struct itimerspec value_of = { { 0, 2 * MSEC }, { 0, 2 * MSEC } }, old, stop = { 0 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	MUST(timerfd_settime(fd, 0, &value_of, NULL));
	sleep_ms(21);
	say_ready("after 21 ms", fd);
	SHOW(read(fd, &value, 8));
	say("ten or more: %s", yes_no(value >= 10));
	SHOW(timerfd_settime(fd, 0, &stop, &old));
	say("interval %ld", old.it_interval.tv_nsec);
	SHOW(read(fd, &value, 8));
}

TEST(timerfd_absolute)
{
	struct itimerspec when = { .it_value = { 1, 0 } };
	int fd = timerfd_create(CLOCK_REALTIME, 0);

	SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
	SHOW(read(fd, &value, 8));
	say("%lu", value);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

TEST(signalfd)
{
	struct signalfd_siginfo info[3];
	union sigval number = { .sival_int = 42 };
	sigset_t set;
	int fd;

	block(SIGUSR1);
	block(40);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 40);
	fd = MUST(signalfd(-1, &set, SFD_NONBLOCK));
	SHOW(read(fd, info, sizeof(info)));
	say_ready("nothing", fd);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), 40, number);
	sigqueue(getpid(), 40, number);
	say_ready("pending", fd);
	SHOW(read(fd, info, 100));
	SHOW(read(fd, info, sizeof(info)));
	for (int i = 0; i < 3; i++)
		say("%d code %d own %s uid %d int %d", info[i].ssi_signo, info[i].ssi_code,
		    yes_no(info[i].ssi_pid == (uint32_t)getpid()), info[i].ssi_uid,
		    info[i].ssi_int);
	SHOW(read(fd, info, sizeof(info)));
	SHOW(write(fd, info, sizeof(info)));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	block(SIGUSR2);
	SHOW(signalfd(fd, &set, 0) == fd);
	raise(SIGUSR1);
	say_ready("no longer wanted", fd);
	raise(SIGUSR2);
	say_ready("wanted", fd);
	SHOW(signalfd(1, &set, 0));
	SHOW(signalfd(99, &set, 0));
	SHOW(syscall(SYS_signalfd4, -1, &set, 7, 0));
	SHOW(syscall(SYS_signalfd4, -1, &set, 8, 0x1000));
}

TEST(signalfd_blocks)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	block(SIGCHLD);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	fd = MUST(signalfd(-1, &set, SFD_CLOEXEC));
	if (MUST(fork()) == 0) {
		sleep_ms(5);
		_exit(6);
	}
	SHOW(read(fd, &info, sizeof(info)));
	say("%d code %d status %d", info.ssi_signo, info.ssi_code, info.ssi_status);
}

TEST(pidfd)
{
	siginfo_t info;
	pid_t pid = MUST(fork());
	int fd;

	if (pid == 0)
		for (;;)
			pause();
	fd = SHOW_OK(syscall(SYS_pidfd_open, pid, 0)) == 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;
	SHOW(fcntl(fd, F_GETFD));
	say_ready("alive", fd);
	SHOW(waitid(3 /* P_PIDFD */, fd, &info, WEXITED | WNOHANG));
	SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, 99, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	SHOW(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1));
	say_ready("dead", fd);
	SHOW(waitid(3, fd, &info, WEXITED));
	say("status %d", info.si_status);
	SHOW(waitid(3, fd, &info, WEXITED));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	SHOW(syscall(SYS_pidfd_open, 99999, 0));
	SHOW(syscall(SYS_pidfd_open, 0, 0));
	SHOW(syscall(SYS_pidfd_open, -1, 0));
	SHOW(syscall(SYS_pidfd_open, getpid(), 0x1000000));
	SHOW(syscall(SYS_pidfd_send_signal, 1, SIGTERM, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, 99, SIGTERM, NULL, 0));
	SHOW(read(fd, &value, 8));
}
