/* select and pselect6: rules 13 to 20 of what libc and servers lean on. */
#include <sys/select.h>
#include <tests/sys/test.h>

static int fds[2];
static char buf[65536];

static void say_select(const char *what, int fd)
{
	struct timeval zero = { 0, 0 };
	fd_set in, out, except;
	int result;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	FD_SET(fd, &except);
	result = select(fd + 1, &in, &out, &except, &zero);
	say("%s: %d, read %s write %s except %s", what, result, yes_no(FD_ISSET(fd, &in)),
	    yes_no(FD_ISSET(fd, &out)), yes_no(FD_ISSET(fd, &except)));
}

TEST(pipe_states)
{
	MUST(pipe(fds));
	say_select("reader, empty", fds[0]);
	say_select("writer, empty", fds[1]);
	MUST(write(fds[1], buf, 65536));
	say_select("reader, full", fds[0]);
	say_select("writer, full", fds[1]);
	close(fds[1]);
	MUST(read(fds[0], buf, 65536));
	say_select("writer gone", fds[0]);
	MUST(pipe(fds));
	close(fds[0]);
	say_select("reader gone", fds[1]);
	say_select("file", MUST(open("f", O_CREAT | O_RDWR, 0644)));
}

TEST(counts_bits)
{
	struct timeval zero = { 0, 0 };
	fd_set in, out;

	MUST(pipe(fds));
	MUST(write(fds[1], "x", 1));
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(0, &in);
	FD_SET(fds[1], &out);
	FD_SET(0, &out);
	SHOW(select(100, &in, &out, NULL, &zero));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	FD_SET(200, &in);
	SHOW(select(100, &in, NULL, NULL, &zero));
	say("bit above nfds: %s", yes_no(FD_ISSET(200, &in)));
}

TEST(errors)
{
	struct timeval zero = { 0, 0 }, negative = { -1, 0 }, odd = { 0, -1 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(99, &in);
	SHOW(select(100, &in, NULL, NULL, &zero));
	say("untouched: %s", yes_no(FD_ISSET(99, &in)));
	SHOW(select(99, &in, NULL, NULL, &zero));
	SHOW(select(-1, NULL, NULL, NULL, &zero));
	SHOW(select(0, NULL, NULL, NULL, &zero));
	SHOW(select(1 << 20, NULL, NULL, NULL, &zero));
	SHOW(syscall(SYS_select, 10, 16, NULL, NULL, &zero));
	SHOW(syscall(SYS_select, 10, NULL, NULL, NULL, 16));
	SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &negative));
	SHOW(syscall(SYS_select, 0, NULL, NULL, NULL, &odd));
}

TEST(time_left)
{
	struct timeval time = { 0, 10000 };
	int64_t start = now_ns();
	fd_set in;

	MUST(pipe(fds));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	SHOW(syscall(SYS_select, fds[0] + 1, &in, NULL, NULL, &time));
	say("not early: %s, left %ld.%06ld", yes_no(now_ns() - start >= 10 * MSEC),
	    (long)time.tv_sec, (long)time.tv_usec);
	say("cleared: %s", yes_no(!FD_ISSET(fds[0], &in)));
	MUST(write(fds[1], "x", 1));
	FD_SET(fds[0], &in);
	time = (struct timeval){ 98, 2500000 };
	SHOW(syscall(SYS_select, fds[0] + 1, &in, NULL, NULL, &time));
	say("most of it is left: %s", yes_no(time.tv_sec > 50 && time.tv_sec <= 100));
}

TEST(after_the_limit_is_lowered)
{
	struct timeval zero = { 0, 0 };
	fd_set out;

	MUST(dup2(1, 80));
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 10, 10 }));
	FD_ZERO(&out);
	FD_SET(80, &out);
	SHOW(select(81, NULL, &out, NULL, &zero));
}

static void on_signal(int sig)
{
	say("handler %s", signal_text(sig));
}

struct mask_argument {
	const sigset_t *mask;
	size_t size;
};

TEST(pselect)
{
	struct timespec soon = { 0, 5 * MSEC }, bad = { 0, 1000000000 };
	sigset_t block, none, now;
	struct mask_argument argument = { &none, 8 };

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	set_handler(SIGUSR1, on_signal, SA_RESTART);
	raise(SIGUSR1);
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &argument));
	sigprocmask(SIG_BLOCK, NULL, &now);
	say("blocked again: %s", yes_no(sigismember(&now, SIGUSR1)));
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, NULL));
	say("left %ld.%09ld", (long)soon.tv_sec, soon.tv_nsec);
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &bad, NULL));
	argument = (struct mask_argument){ NULL, 7 };
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, &argument));
	argument = (struct mask_argument){ &none, 7 };
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, &argument));
	SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, 16));
}

TEST(interrupted)
{
	fd_set in;

	MUST(pipe(fds));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	set_handler(SIGALRM, on_signal, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(select(fds[0] + 1, &in, NULL, NULL, NULL));
	say("untouched: %s", yes_no(FD_ISSET(fds[0], &in)));
}

TEST(wakes)
{
	fd_set in;

	MUST(pipe(fds));
	if (MUST(fork()) == 0) {
		sleep_ms(5);
		write(fds[1], "x", 1);
		_exit(0);
	}
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	SHOW(select(fds[0] + 1, &in, NULL, NULL, NULL));
	wait(NULL);
}

/* Sets are as long as nfds says, not as long as an fd_set. */
TEST(descriptor_above_1023)
{
	static unsigned long set[64];
	struct timeval zero = { 0, 0 };

	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 }));
	MUST(dup2(1, 3000));
	set[3000 / 64] = 1UL << (3000 % 64);
	SHOW(syscall(SYS_select, 3001, NULL, set, NULL, &zero));
	say("%s", yes_no(set[3000 / 64] == 1UL << (3000 % 64)));
}
