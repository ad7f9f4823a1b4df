/*
 * What programs may say about their scheduling: nice values, and on which CPUs they may run. There is one
 * policy, SCHED_OTHER; BATCH and IDLE are accepted as names for it, the real-time ones refused.
 *
 * Locks: tree_lock, to find tasks.
 */
#include <kernel/cpu/smp.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/pid.h>
#include <kernel/process/syscalls_misc.h>
#include <kernel/sched.h>

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

#define SCHED_OTHER	    0
#define SCHED_FIFO	    1
#define SCHED_RR	    2
#define SCHED_BATCH	    3
#define SCHED_IDLE	    5
#define SCHED_RESET_ON_FORK 0x40000000

struct sched_param {
	int priority;
};

/* The share of CPU time by nice value, -20 .. 19: each step is about 10 % of a CPU between two tasks, that
 * is a factor of 1.25, as on Linux. */
static const u32 nice_to_weight[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, /* -20 */
	9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,  /* -10 */
	1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,   /* 0 */
	110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,    /* 10 */
};

int task_nice(const struct task *task)
{
	int nice = -20;

	while (nice < 19 && nice_to_weight[nice + 20] > task->weight)
		nice++;
	return nice;
}

static bool is_selected(const struct task *task, int which, u32 who)
{
	if (!task->process)
		return false;
	switch (which) {
	case PRIO_PROCESS:
		return task->pid == (who ? who : current->pid);
	case PRIO_PGRP:
		return task->process->pgrp == (who ? who : current_process->pgrp);
	default:
		return task->cred.uid == (who ? who : current->cred.uid);
	}
}

/* The best (lowest) nice value among them, as 20 - nice, so that no result looks like an error. */
long sys_getpriority(int which, u32 who)
{
	struct task *task;
	long best = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	spin_lock_bh(&tree_lock);
	list_for_each_entry(task, &task_list, all_tasks)
		if (is_selected(task, which, who))
			best = max(best, 20L - task_nice(task));
	spin_unlock_bh(&tree_lock);
	return best;
}

static int set_nice(struct task *task, int nice)
{
	const struct cred *us = &current->cred;

	if (us->euid && us->euid != task->cred.uid && us->euid != task->cred.euid)
		return -EPERM;
	if (us->euid && nice < task_nice(task))
		return -EACCES;
	sched_set_weight(task, nice_to_weight[nice + 20]);
	return 0;
}

long sys_setpriority(int which, u32 who, int nice)
{
	struct task *task;
	long result = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = max(-20, min(nice, 19));
	spin_lock_bh(&tree_lock);
	list_for_each_entry(task, &task_list, all_tasks) {
		if (!is_selected(task, which, who))
			continue;
		int error = set_nice(task, nice);

		result = error ? error : result == -ESRCH ? 0 : result;
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

long sys_sched_yield(void)
{
	yield();
	return 0;
}

/* ---- affinity ------------------------------------------------------------------------------------------- */

/* Referenced; 0 is the caller. NULL: no such task. */
static struct task *find_target(int pid)
{
	return pid < 0 ? NULL : task_find(pid ? (u32)pid : current->pid);
}

static bool may_schedule(const struct task *task)
{
	const struct cred *us = &current->cred;

	return !us->euid || us->euid == task->cred.euid || us->euid == task->cred.uid;
}

long sys_sched_setaffinity(int pid, u32 size, const u64 __user *user)
{
	u64 mask = 0, online = BIT(nr_cpus) - 1;
	struct task *task;
	long result;

	if (copy_from_user(&mask, user, min_t(size_t, size, sizeof(mask))))
		return -EFAULT;
	task = find_target(pid);
	if (!task)
		return -ESRCH;
	if (!may_schedule(task))
		result = -EPERM;
	else if (!(mask & online))
		result = -EINVAL;
	else
		result = sched_set_affinity(task, mask);
	put_task(task);
	return result;
}

/* How many bytes were written: Linux copies its own mask's size, we ours. */
long sys_sched_getaffinity(int pid, u32 size, u64 __user *user)
{
	struct task *task;
	u64 mask;

	if (size < sizeof(mask) || size % sizeof(u64))
		return -EINVAL;
	task = find_target(pid);
	if (!task)
		return -ESRCH;
	mask = task->allowed_cpus & (BIT(nr_cpus) - 1);
	put_task(task);
	return put_user(mask, user) ? -EFAULT : (long)sizeof(mask);
}

long sys_getcpu(u32 __user *cpu, u32 __user *node, void __user *unused)
{
	u32 here = smp_processor_id(), only_node = 0;

	if ((cpu && put_user(here, cpu)) || (node && put_user(only_node, node)))
		return -EFAULT;
	return 0;
}

/* ---- policies --------------------------------------------------------------------------------------------- */

long sys_sched_getscheduler(int pid)
{
	if (pid < 0)
		return -EINVAL;
	return pid && !pid_exists(pid) ? -ESRCH : SCHED_OTHER;
}

long sys_sched_setscheduler(int pid, int policy, const struct sched_param __user *user)
{
	struct sched_param param;

	if (pid < 0 || !user)
		return -EINVAL;
	if (copy_from_user(&param, user, sizeof(param)))
		return -EFAULT;
	if (pid && !pid_exists(pid))
		return -ESRCH;
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return param.priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return param.priority < 1 || param.priority > 99 ? -EINVAL : -EPERM;
	default:
		return -EINVAL;
	}
}

long sys_sched_getparam(int pid, struct sched_param __user *user)
{
	struct sched_param param = { 0 };

	if (pid < 0 || !user)
		return -EINVAL;
	if (pid && !pid_exists(pid))
		return -ESRCH;
	return copy_to_user(user, &param, sizeof(param)) ? -EFAULT : 0;
}

long sys_sched_setparam(int pid, const struct sched_param __user *user)
{
	return sys_sched_setscheduler(pid, SCHED_OTHER, user);
}

static long priority_bound(int policy, long realtime)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return realtime;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_sched_get_priority_max(int policy)
{
	return priority_bound(policy, 99);
}

long sys_sched_get_priority_min(int policy)
{
	return priority_bound(policy, 1);
}

long sys_sched_rr_get_interval(int pid, s64 __user *user)
{
	const s64 interval[2] = { 0, SLICE_NS };

	if (pid < 0)
		return -EINVAL;
	if (pid && !pid_exists(pid))
		return -ESRCH;
	return copy_to_user(user, interval, sizeof(interval)) ? -EFAULT : 0;
}

/* ---- membarrier --------------------------------------------------------------------------------------------- */

#define MEMBARRIER_QUERY	     0
#define MEMBARRIER_GLOBAL	     BIT(0)
#define MEMBARRIER_GLOBAL_EXPEDITED  BIT(1)
#define MEMBARRIER_REGISTER_GLOBAL   BIT(2)
#define MEMBARRIER_PRIVATE_EXPEDITED BIT(3)
#define MEMBARRIER_REGISTER_PRIVATE  BIT(4)

static void barrier_here(void *arg)
{
	smp_mb();
}

/* An interrupt is a barrier on the CPU that it reaches: so all forms are one. */
long sys_membarrier(int command, u32 flags, int cpu)
{
	if (flags)
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_QUERY:
		return MEMBARRIER_GLOBAL | MEMBARRIER_GLOBAL_EXPEDITED |
		       MEMBARRIER_REGISTER_GLOBAL | MEMBARRIER_PRIVATE_EXPEDITED |
		       MEMBARRIER_REGISTER_PRIVATE;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
	case MEMBARRIER_PRIVATE_EXPEDITED:
		smp_mb();
		smp_call_others(barrier_here, NULL);
		return 0;
	case MEMBARRIER_REGISTER_GLOBAL:
	case MEMBARRIER_REGISTER_PRIVATE:
		return 0;
	default:
		return -EINVAL;
	}
}
