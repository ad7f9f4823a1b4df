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
	struct timeval val;
	time_t now;

	SHOW(syscall(SYS_gettimeofday, &val, NULL));
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &spec);
	now = syscall(SYS_time, NULL);
	say("they agree: %s", yes_no(spec.tv_sec - val.tv_sec <= 1 && now - val.tv_sec <= 1));
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
	struct timespec time = { 10, 0 }, left = { 0, 0 };

	set_handler(SIGALRM, handler, SA_RESTART);
	ualarm(10000, 0);
	SHOW(syscall(SYS_nanosleep, &time, &left));
	say("left %ld", (long)left.tv_sec);
	ualarm(10000, 0);
	SHOW(syscall(SYS_nanosleep, &time, NULL));
	ualarm(10000, 0);
	SHOW(syscall(SYS_nanosleep, &time, 16));
}

TEST(many_sleepers_wake_in_order)
{
	int fds[2];
	char order[10];

	MUST(pipe(fds));
	for (int i = 4; i >= 0; i--) {
		if (MUST(fork()) == 0) {
			sleep_ms(10 + 30 * i);
			order[0] = '0' + i;
			write(fds[1], order, 1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	MUST(read(fds[0], order, 5));
	say("%.5s", order);
}

TEST(cpu_time)
{
	struct timespec before, after, cpu;
	struct rusage usage;
	struct tms tms;
	clockid_t clock;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	sleep_ms(30);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	say("sleeping costs little: %s",
	    yes_no(after.tv_sec == before.tv_sec && after.tv_nsec - before.tv_nsec < 20 * MSEC));
	for (int64_t end = now_ns() + 40 * MSEC; now_ns() < end;)
		;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	say("spinning counts: %s", yes_no(cpu.tv_sec > 0 || cpu.tv_nsec >= 10 * MSEC));
	getrusage(RUSAGE_SELF, &usage);
	say("in getrusage: %s", yes_no(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 10000));
	say("times: %s", yes_no(times(&tms) != -1 && tms.tms_utime + tms.tms_stime >= 1));
	SHOW(syscall(SYS_times, 16));
	SHOW(clock_getcpuclockid(getpid(), &clock));
	SHOW(clock_gettime(clock, &cpu));
}

TEST(sysinfo)
{
	struct sysinfo info;

	SHOW(sysinfo(&info));
	say("total %s free %s processes %s unit %d", yes_no(info.totalram > 1 << 20),
	    yes_no(info.freeram <= info.totalram), yes_no(info.procs > 0), info.mem_unit);
	SHOW(syscall(SYS_sysinfo, 16));
}
