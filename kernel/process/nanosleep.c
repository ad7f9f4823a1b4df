/*
 * Sleeping for a time or until a date. After a signal without a handler a relative sleep goes on to
 * the moment that was its end from the beginning (restart_syscall); with a handler it answers EINTR
 * and what is left.
 */
#include <kernel/lib/errno.h>
#include <kernel/process.h>
#include <kernel/process/time_syscalls.h>
#include <kernel/sched.h>
#include <kernel/wall_clock.h>

/* 0 or -EINTR. */
static int sleep_until(int clock, u64 time)
{
	bool time_left = clock_now(clock) < time;

	while (time_left) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending()) {
			set_current_state(TASK_RUNNING);
			return -EINTR;
		}
		time_left = schedule_until(clock, time);
	}
	return 0;
}

static long sleep_restart(struct task *task);

/* restart_data: the end, on the monotonic clock; where what is left is to be written. */
static long sleep_relative(u64 deadline, struct timespec __user *left)
{
	u64 now;

	if (sleep_until(CLOCK_MONOTONIC, deadline) == 0)
		return 0;
	now = clock_ns();
	if (now >= deadline)
		return 0;
	if (left && put_user_timespec(deadline - now, left))
		return -EFAULT;
	current->restart = sleep_restart;
	current->restart_data[0] = deadline;
	current->restart_data[1] = (u64)left;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct task *task)
{
	return sleep_relative(task->restart_data[0],
			      (struct timespec __user *)task->restart_data[1]);
}

long sys_nanosleep(const struct timespec __user *time, struct timespec __user *left)
{
	u64 ns;
	int error = get_user_timespec(&ns, time);

	return error ?: sleep_relative(clock_ns_after(ns), left);
}

static int check_sleep_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return 0;
	default:
		return clock_is_timeline(clock) || clock == CLOCK_PROCESS_CPUTIME_ID ||
				       clock == CLOCK_THREAD_CPUTIME_ID || clock < 0
			       ? -EOPNOTSUPP
			       : -EINVAL;
	}
}

long sys_clock_nanosleep(int clock, int flags, const struct timespec __user *time,
			 struct timespec __user *left)
{
	int error = check_sleep_clock(clock);
	u64 ns;

	if (!error)
		error = get_user_timespec(&ns, time);
	if (error)
		return error;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(clock_ns_after(ns), left);
	return sleep_until(clock, ns) ? -ERESTARTNOHAND : 0;
}
