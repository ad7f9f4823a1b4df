/* Clocks and sleeps. */
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <tests/sys/test.h>

TEST(clocks)
{
	static const int
		clocks[] = { CLOCK_REALTIME,	       CLOCK_MONOTONIC,	 CLOCK_PROCESS_CPUTIME_ID,
			     CLOCK_THREAD_CPUTIME_ID,  4 /* RAW */,	 5 /* REALTIME_COARSE */,
			     6 /* MONOTONIC_COARSE */, 7 /* BOOTTIME */, 11 /* TAI */ };
	struct timespec a, b;

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		long first = syscall(SYS_clock_gettime, clocks[i], &a), second;

		second = syscall(SYS_clock_gettime, clocks[i], &b);
		say("clock %d: %ld %ld, forward: %s, valid: %s", clocks[i], first, second,
		    yes_no(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec)),
		    yes_no(a.tv_nsec >= 0 && a.tv_nsec < 1000000000));
	}
	SHOW(syscall(SYS_clock_gettime, 99, &a));
	SHOW(syscall(SYS_clock_gettime, -1, &a));
	SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 16));
	SHOW(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &a));
	say("%ld.%09ld", (long)a.tv_sec, a.tv_nsec);
	SHOW(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
	SHOW(syscall(SYS_clock_getres, 99, &a));
}

TEST(wall_clock)
{
	struct timespec spec;
	struct timeval val, later;
	time_t now;

	SHOW(syscall(SYS_gettimeofday, &val, NULL));
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &spec);
	now = syscall(SYS_time, NULL); /* of the last tick */
	syscall(SYS_gettimeofday, &later, NULL);
	say("they agree: %s", yes_no(val.tv_sec <= spec.tv_sec && spec.tv_sec <= later.tv_sec &&
				     val.tv_sec - 1 <= now && now <= later.tv_sec));
	say("after 2020: %s", yes_no(now > 1577836800));
	SHOW(syscall(SYS_gettimeofday, NULL, NULL));
	SHOW(syscall(SYS_gettimeofday, 16, NULL));
	SHOW(syscall(SYS_time, 16));
	become_nobody();
	SHOW(syscall(SYS_settimeofday, &val, NULL));
	SHOW(syscall(SYS_clock_settime, CLOCK_REALTIME, &spec));
	SHOW(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &spec));
}

static void slept(const char *what, int64_t start, long ms)
{
	say("%s: not early %s", what, yes_no(now_ns() - start >= ms * MSEC));
}

TEST(sleeps)
{
	struct timespec time = { 0, 10 * MSEC }, left = { 5, 5 }, until;
	int64_t start = now_ns();

	SHOW(syscall(SYS_nanosleep, &time, &left));
	slept("nanosleep", start, 10);
	say("left untouched: %s", yes_no(left.tv_sec == 5));
	start = now_ns();
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL));
	slept("clock_nanosleep", start, 10);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (until.tv_nsec += 10 * MSEC) / 1000000000;
	until.tv_nsec %= 1000000000;
	start = now_ns();
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	say("absolute: not early %s",
	    yes_no(now_ns() >= until.tv_sec * 1000000000LL + until.tv_nsec));
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME,
		     &(struct timespec){ 0, 0 }, NULL));
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){ 1, 0 },
		     NULL));
	time.tv_nsec = 0;
	SHOW(syscall(SYS_nanosleep, &time, NULL));
}

TEST(sleep_arguments)
{
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 }, odd = { 0, -1 };

	SHOW(syscall(SYS_nanosleep, &bad, NULL));
	SHOW(syscall(SYS_nanosleep, &negative, NULL));
	SHOW(syscall(SYS_nanosleep, &odd, NULL));
	SHOW(syscall(SYS_nanosleep, NULL, NULL));
	SHOW(syscall(SYS_clock_nanosleep, 99, 0, &bad, NULL));
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &bad, NULL));
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){ 0, 1 },
		     NULL));
	SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, 16, NULL));
}

static void handler(int sig)
{
}

TEST(time_left)
{
	struct timespec time = { 100, 0 }, left = { 0, 0 };

	set_handler(SIGALRM, handler, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(syscall(SYS_nanosleep, &time, &left));
	say("most of it is left: %s", yes_no(left.tv_sec > 50 && left.tv_sec <= 100));
	signal_when_asleep(SIGALRM);
	SHOW(syscall(SYS_nanosleep, &time, NULL));
	signal_when_asleep(SIGALRM);
	SHOW(syscall(SYS_nanosleep, &time, 16));
}

TEST(many_sleepers)
{
	int64_t start = now_ns();
	int status, woken = 0, early = 0;

	for (int i = 4; i >= 0; i--) {
		if (MUST(fork()) == 0) {
			sleep_ms(10 + 10 * i);
			_exit(now_ns() - start < (10 + 10 * i) * MSEC);
		}
	}
	for (; wait(&status) > 0; woken++)
		early += WEXITSTATUS(status);
	say("%d woken, %d of them early", woken, early);
}

TEST(cpu_time)
{
	int64_t cost = INT64_MAX;
	struct timespec cpu;
	struct rusage usage;
	struct tms tms;
	clockid_t clock;

	/* A machine that stands still with us on it is charged to us: once it will not. */
	for (int i = 0; i < 100 && cost >= 20 * MSEC; i++) {
		int64_t before = read_clock(CLOCK_PROCESS_CPUTIME_ID);

		sleep_ms(30);
		cost = read_clock(CLOCK_PROCESS_CPUTIME_ID) - before;
	}
	say("sleeping costs little: %s", yes_no(cost < 20 * MSEC));
	use_cpu(40);
	say("spinning counts: %s", yes_no(read_clock(CLOCK_THREAD_CPUTIME_ID) >= 40 * MSEC));
	getrusage(RUSAGE_SELF, &usage);
	say("in getrusage: %s", yes_no(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec > 0 ||
				       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 10000));
	say("times: %s", yes_no(times(&tms) != -1 && tms.tms_utime + tms.tms_stime >= 1));
	SHOW(syscall(SYS_times, 16));
	SHOW(clock_getcpuclockid(getpid(), &clock));
	SHOW(clock_gettime(clock, &cpu));
}

/* On one processor, with another program that never sleeps. */
TEST(switches)
{
	struct rusage before, after;
	unsigned long mask[16] = { 0 };
	int tries = 0, status;
	pid_t rival;

	MUST(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
	mask[0] &= -mask[0];
	memset(mask + 1, 0, sizeof(mask) - sizeof(mask[0]));
	MUST(syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 10; i++)
		usleep(1000);
	getrusage(RUSAGE_SELF, &after);
	say("sleeping counts as voluntary: %s", yes_no(after.ru_nvcsw - before.ru_nvcsw >= 10));
	rival = MUST(fork());
	if (rival == 0)
		for (;;)
			;
	do {
		before = after;
		use_cpu(20);
		getrusage(RUSAGE_SELF, &after);
	} while (after.ru_nivcsw == before.ru_nivcsw && tries++ < 500);
	say("to have to leave counts as involuntary: %s",
	    yes_no(after.ru_nivcsw > before.ru_nivcsw));
	say("and as nothing else: %s", yes_no(after.ru_nvcsw == before.ru_nvcsw));
	kill(rival, SIGKILL);
	MUST(waitpid(rival, &status, 0));
}

TEST(sysinfo)
{
	struct sysinfo info;

	SHOW(sysinfo(&info));
	say("total %s free %s processes %s unit %d", yes_no(info.totalram > 1 << 20),
	    yes_no(info.freeram <= info.totalram), yes_no(info.procs > 0), info.mem_unit);
	SHOW(syscall(SYS_sysinfo, 16));
}
