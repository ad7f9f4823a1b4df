/*
 * alarm(), setitimer(), getitimer(): ITIMER_REAL runs on the monotonic clock and sends SIGALRM; the
 * other two count CPU time (kernel/cpu_timer.c).
 *
 * Locks: process->lock. The callback is a softirq's, and sends without it.
 */
#include <kernel/lib/errno.h>
#include <kernel/process/itimer.h>
#include <kernel/process/time_syscalls.h>
#include <kernel/time.h>

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

/* How often at most a periodic timer fires; faster ones skip. */
#define PERIOD_MIN_NS (100 * NSEC_PER_USEC)

/* Softirq. */
static void real_timer_expired(struct timer *timer)
{
	struct process *process = container_of(timer, struct process, real_timer);
	u64 due = timer->expires;

	send_signal_process(process, SIGALRM, NULL);
	spin_lock_bh(&process->lock);
	if (process->real_interval && !timer_pending(timer)) {
		u64 earliest = clock_ns() + PERIOD_MIN_NS;

		due += process->real_interval;
		if (due < earliest)
			due += DIV_ROUND_UP(earliest - due, process->real_interval) *
			       process->real_interval;
		timer_start(timer, due);
	}
	spin_unlock_bh(&process->lock);
}

/* process->lock held. Never 0 for a timer that runs. */
static u64 real_timer_left(const struct process *process)
{
	u64 now = clock_ns();

	if (!timer_pending(&process->real_timer))
		return 0;
	return process->real_timer.expires > now ? process->real_timer.expires - now
						 : NSEC_PER_USEC;
}

static void real_timer_get(struct process *process, u64 *interval, u64 *left)
{
	spin_lock_bh(&process->lock);
	*interval = process->real_interval;
	*left = real_timer_left(process);
	spin_unlock_bh(&process->lock);
}

/* The callback may be about to start it again: it is waited for first, without the lock that it
 * takes. */
static void real_timer_set(struct process *process, u64 interval, u64 left)
{
	spin_lock_bh(&process->lock);
	process->real_interval = 0;
	spin_unlock_bh(&process->lock);
	timer_cancel_sync(&process->real_timer);
	spin_lock_bh(&process->lock);
	process->real_interval = interval;
	if (left)
		timer_start(&process->real_timer, clock_ns_after(left));
	spin_unlock_bh(&process->lock);
}

static void get_timer(int which, u64 *interval, u64 *left)
{
	if (which == ITIMER_REAL)
		real_timer_get(current_process, interval, left);
	else
		cpu_timer_get(current_process,
			      which == ITIMER_VIRTUAL ? CPU_TIMER_VIRTUAL : CPU_TIMER_PROF,
			      interval, left);
}

static void set_timer(int which, u64 interval, u64 left)
{
	if (which == ITIMER_REAL)
		real_timer_set(current_process, interval, left);
	else
		cpu_timer_set(current_process,
			      which == ITIMER_VIRTUAL ? CPU_TIMER_VIRTUAL : CPU_TIMER_PROF,
			      interval, left);
}

static int put_itimerval(struct itimerval __user *user, u64 interval, u64 left)
{
	struct itimerval value = { ns_to_timeval(interval), ns_to_timeval(left) };

	return copy_to_user(user, &value, sizeof(value)) ? -EFAULT : 0;
}

long sys_getitimer(int which, struct itimerval __user *value)
{
	u64 interval, left;

	if ((u32)which > ITIMER_PROF)
		return -EINVAL;
	get_timer(which, &interval, &left);
	return put_itimerval(value, interval, left);
}

/* Without a new value: stops the timer, as on Linux. */
long sys_setitimer(int which, const struct itimerval __user *value, struct itimerval __user *old)
{
	struct itimerval wanted = { 0 };
	u64 interval, left;

	if (value && copy_from_user(&wanted, value, sizeof(wanted)))
		return -EFAULT;
	if (!timeval_valid(&wanted.value) || !timeval_valid(&wanted.interval) ||
	    (u32)which > ITIMER_PROF)
		return -EINVAL;
	get_timer(which, &interval, &left);
	set_timer(which, timeval_to_ns(&wanted.interval), timeval_to_ns(&wanted.value));
	return old ? put_itimerval(old, interval, left) : 0;
}

/* In whole seconds: what is left is rounded, but never to nothing. */
long sys_alarm(u32 seconds)
{
	u64 interval, left;

	real_timer_get(current_process, &interval, &left);
	real_timer_set(current_process, 0, seconds * NSEC_PER_SEC);
	if (left && left < NSEC_PER_SEC)
		return 1;
	return (left + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
}

void itimers_init(struct process *process)
{
	timer_init(&process->real_timer, real_timer_expired);
	cpu_timers_init(process);
}

void itimers_exit(struct process *process)
{
	real_timer_set(process, 0, 0);
	cpu_timers_stop(process);
	posix_timers_delete_all(process);
}
