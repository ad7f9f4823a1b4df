/*
 * Reading and setting clocks. There is no vDSO, so a program's clock_gettime() always comes here:
 * the usual clocks first, and no lock. Beside the named clocks there is one for the CPU time of
 * each process and thread.
 */
#include <kernel/cpu/rtc.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>
#include <kernel/process/time_syscalls.h>
#include <kernel/wall_clock.h>

struct timezone {
	s32 minutes_west, dst;
};

/* A negative clock is a process's or thread's: the complement of its number, and three bits. */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_WHAT	 3 /* enum cpu_clock; 3: no CPU clock */
/* All time, user time, or what the scheduler counts, which is all again. */
enum cpu_clock { CPU_CLOCK_PROF, CPU_CLOCK_VIRTUAL, CPU_CLOCK_SCHED };

#define COARSE_NS (4 * NSEC_PER_MSEC) /* what the coarse clocks promise at least */

/* ---- CPU time ------------------------------------------------------------------------------ */

/* A thread's clock is for its own process; a process's for everybody. */
static int thread_clock(u32 tid, u64 *user, u64 *total)
{
	struct task *task = tid ? task_find(tid) : current;
	bool ours;

	if (!task)
		return -EINVAL;
	ours = task->process == current_process;
	if (ours)
		task_cpu_time(task, user, total);
	if (tid)
		put_task(task);
	return ours ? 0 : -EINVAL;
}

static int process_clock(u32 pid, u64 *user, u64 *total)
{
	struct process *process = pid ? process_find(pid) : current_process;

	if (!process)
		return -EINVAL;
	process_cpu_time(process, user, total);
	if (pid)
		process_put(process);
	return 0;
}

static int cpu_clock(int clock, u64 *ns)
{
	u32 number = ~(clock >> 3), what = clock & CPU_CLOCK_WHAT;
	u64 user, total;
	int error;

	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
		number = 0;
		what = CPU_CLOCK_SCHED;
	} else if (clock >= 0 || what > CPU_CLOCK_SCHED) {
		return -EINVAL;
	}
	if (clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && clock & CPU_CLOCK_THREAD))
		error = thread_clock(number, &user, &total);
	else
		error = process_clock(number, &user, &total);
	*ns = what == CPU_CLOCK_VIRTUAL ? user : total;
	return error;
}

/* ---- the system calls ---------------------------------------------------------------------- */

long sys_clock_gettime(int clock, struct timespec __user *time)
{
	u64 ns;
	int error;

	if (likely(clock == CLOCK_MONOTONIC)) {
		ns = clock_ns();
	} else if (likely(clock_is_timeline(clock))) {
		ns = clock_now(clock);
	} else {
		error = cpu_clock(clock, &ns);
		if (error)
			return error;
	}
	return put_user_timespec(ns, time);
}

long sys_clock_getres(int clock, struct timespec __user *resolution)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	u64 ns;

	if (!clock_is_timeline(clock)) {
		int error = cpu_clock(clock, &ns);

		if (error)
			return error;
	}
	return resolution ? put_user_timespec(coarse ? COARSE_NS : 1, resolution) : 0;
}

long sys_clock_settime(int clock, const struct timespec __user *time)
{
	int error;
	u64 ns;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	error = get_user_timespec(&ns, time);
	if (error)
		return error;
	return current->cred.euid ? -EPERM : wall_clock_set(ns);
}

long sys_gettimeofday(struct timeval __user *time, struct timezone __user *zone)
{
	struct timeval now = ns_to_timeval(wall_ns());
	struct timezone utc = { 0 };

	if (time && copy_to_user(time, &now, sizeof(now)))
		return -EFAULT;
	return zone && copy_to_user(zone, &utc, sizeof(utc)) ? -EFAULT : 0;
}

/* The time zone is the C library's business; it is checked and forgotten. */
long sys_settimeofday(const struct timeval __user *time, const struct timezone __user *zone)
{
	struct timezone ignored;
	struct timeval wanted;

	if (time && copy_from_user(&wanted, time, sizeof(wanted)))
		return -EFAULT;
	if (time && !timeval_valid(&wanted))
		return -EINVAL;
	if (zone && copy_from_user(&ignored, zone, sizeof(ignored)))
		return -EFAULT;
	if (current->cred.euid)
		return -EPERM;
	return time ? wall_clock_set(timeval_to_ns(&wanted)) : 0;
}

long sys_time(s64 __user *seconds)
{
	s64 now = wall_ns() / NSEC_PER_SEC;

	if (seconds && put_user(now, seconds))
		return -EFAULT;
	return now;
}
