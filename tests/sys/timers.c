/* Interval timers, alarms, POSIX timers: never early, and what they say. */
#include <sys/time.h>
#include <tests/sys/test.h>

static volatile int fired, overruns;
static siginfo_t last;

static void on_timer(int sig, siginfo_t *info, void *context)
{
	fired++;
	overruns += info->si_overrun;
	last = *info;
}

static void catch (int sig)
{
	struct sigaction action = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO };

	MUST(sigaction(sig, &action, NULL));
}

/* Sleeps until a timer has fired: a signal that is blocked meanwhile is not missed. */
static long wait_fired(int sig)
{
	sigset_t all_but_sig;
	int before = fired;
	long result = 0;

	sigfillset(&all_but_sig);
	sigdelset(&all_but_sig, sig);
	while (fired == before)
		result = sigsuspend(&all_but_sig);
	return result;
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void say_left(unsigned seconds)
{
	say("left: %s", yes_no(seconds > 500 && seconds <= 1000));
}

TEST(alarm)
{
	SHOW(alarm(0));
	SHOW(alarm(1000));
	say_left(alarm(10000));
	SHOW(alarm(1000) > 5000);
	say_left(alarm(0));
	SHOW(alarm(0));
	IN_CHILD("killed")
	{
		ualarm(1000, 0);
		pause();
	}
}

TEST(setitimer_real)
{
	struct itimerval value = { .it_value = { 0, 10000 } }, old;
	int64_t start;

	catch (SIGALRM);
	block(SIGALRM);
	start = now_ns();
	SHOW(setitimer(ITIMER_REAL, &value, NULL));
	SHOW(wait_fired(SIGALRM));
	say("not early: %s", yes_no(now_ns() - start >= 10 * MSEC));
	say("code %d fired %d", last.si_code, fired);
	SHOW(getitimer(ITIMER_REAL, &old));
	say("%ld.%06ld interval %ld.%06ld", old.it_value.tv_sec, old.it_value.tv_usec,
	    old.it_interval.tv_sec, old.it_interval.tv_usec);
	value.it_interval.tv_usec = 3000;
	SHOW(setitimer(ITIMER_REAL, &value, NULL));
	while (fired < 6)
		wait_fired(SIGALRM);
	value.it_value.tv_usec = value.it_interval.tv_usec = 0;
	SHOW(setitimer(ITIMER_REAL, &value, &old));
	say("interval %ld", old.it_interval.tv_usec);
	value.it_value.tv_usec = 1000000;
	SHOW(setitimer(ITIMER_REAL, &value, NULL));
	value.it_value.tv_usec = -1;
	SHOW(setitimer(ITIMER_REAL, &value, NULL));
	SHOW(setitimer(9, &value, NULL));
	SHOW(getitimer(9, &old));
	SHOW(syscall(SYS_setitimer, ITIMER_REAL, 16, NULL));
	SHOW(syscall(SYS_getitimer, ITIMER_REAL, 16));
}

static void spin(void)
{
	int64_t end = now_ns() + 5000 * MSEC;

	while (!fired && now_ns() < end)
		;
}

TEST(cpu_timers)
{
	struct itimerval value = { .it_value = { 0, 20000 } };

	catch (SIGPROF);
	catch (SIGVTALRM);
	SHOW(setitimer(ITIMER_PROF, &value, NULL));
	spin();
	say("%d, signal %s", fired, signal_text(last.si_signo));
	fired = 0;
	SHOW(setitimer(ITIMER_VIRTUAL, &value, NULL));
	spin();
	say("%d, signal %s", fired, signal_text(last.si_signo));
}

TEST(posix_timer)
{
	struct itimerspec value = { .it_value = { 1000, 0 } }, old;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = 40,
				  .sigev_value.sival_int = 77 };
	int64_t start;
	timer_t timer;

	catch (40);
	block(40);
	SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
	SHOW(timer_settime(timer, 0, &value, NULL));
	SHOW(timer_gettime(timer, &old));
	say("armed: %s", yes_no(old.it_value.tv_sec > 500 && old.it_value.tv_sec <= 1000));
	value.it_value = (struct timespec){ 0, 10 * MSEC };
	start = now_ns();
	SHOW(timer_settime(timer, 0, &value, NULL));
	SHOW(wait_fired(40));
	say("not early: %s", yes_no(now_ns() - start >= 10 * MSEC));
	say("code %d value %d overrun %d", last.si_code, last.si_value.sival_int, last.si_overrun);
	SHOW(timer_gettime(timer, &old));
	say("disarmed: %s", yes_no(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0));
	SHOW(timer_getoverrun(timer));
	value.it_value.tv_nsec = 1000000000;
	SHOW(timer_settime(timer, 0, &value, NULL));
	SHOW(timer_delete(timer));
	SHOW(syscall(SYS_timer_delete, 12345));
	SHOW(syscall(SYS_timer_gettime, 12345, &old));
	SHOW(syscall(SYS_timer_settime, 12345, 0, &value, NULL));
	SHOW(syscall(SYS_timer_getoverrun, 12345));
	event.sigev_signo = 99;
	SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
	SHOW(timer_create(99, NULL, &timer));
}

TEST(posix_timer_absolute_and_interval)
{
	struct itimerspec value = { .it_interval = { 0, 2 * MSEC } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	catch (SIGUSR1);
	MUST(timer_create(CLOCK_REALTIME, &event, &timer));
	value.it_value = (struct timespec){ 1, 0 };
	SHOW(timer_settime(timer, TIMER_ABSTIME, &value, NULL));
	while (fired < 5)
		pause();
	say("fired");
	SHOW(timer_delete(timer));
}

TEST(overrun)
{
	struct itimerspec value = { .it_value = { 0, MSEC }, .it_interval = { 0, MSEC } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;
	sigset_t set;

	catch (SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	MUST(timer_settime(timer, 0, &value, NULL));
	sleep_ms(30);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("fired %s, overrun: %s", yes_no(fired >= 1),
	    yes_no(timer_getoverrun(timer) >= 0 && overruns >= 10));
}

static void notify(union sigval value)
{
	say("thread: value %d", value.sival_int);
	fired = 1;
}

TEST(timer_thread)
{
	struct itimerspec value = { .it_value = { 0, 5 * MSEC } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = notify,
				  .sigev_value.sival_int = 3 };
	timer_t timer;

	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	MUST(timer_settime(timer, 0, &value, NULL));
	while (!fired)
		sleep_ms(1);
}

TEST(none)
{
	struct itimerspec value = { .it_value = { 0, 5 * MSEC } }, now;
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	MUST(timer_settime(timer, 0, &value, NULL));
	sleep_ms(10);
	MUST(timer_gettime(timer, &now));
	say("run out: %s", yes_no(now.it_value.tv_nsec == 0));
}

/* Nor is its signal pending, should it have come before. */
TEST(gone_after_exec)
{
	struct itimerspec value = { .it_value = { 0, 5 * MSEC } };
	timer_t timer;

	block(SIGALRM);
	MUST(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	MUST(timer_settime(timer, 0, &value, NULL));
	execl("/tests/show_state", "zero", "-alarm", NULL);
}

TEST(many)
{
	struct itimerspec value = { .it_value = { 0, MSEC } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 41 };
	timer_t timers[200];

	catch (41);
	for (int i = 0; i < 200; i++)
		MUST(timer_create(CLOCK_MONOTONIC, &event, &timers[i]));
	for (int i = 0; i < 200; i++)
		MUST(timer_settime(timers[i], 0, &value, NULL));
	while (fired < 200)
		sleep_ms(1);
	for (int i = 0; i < 200; i += 2)
		MUST(timer_delete(timers[i]));
	say("%d fired", fired);
}
