/* Resource limits, and what has been used of the resources. Locks: process->lock, tree_lock. */
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/pid.h>
#include <kernel/process/rusage.h>
#include <kernel/process/syscalls_misc.h>

#define RUSAGE_SELF	0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD	1

struct tms {
	s64 utime, stime, children_utime, children_stime;
};

/* ---- limits ------------------------------------------------------------------------------------- */

static int check_limit(u32 resource, const struct rlimit *old, const struct rlimit *new)
{
	if (new->cur > new->max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && new->max > NOFILE_MAX)
		return -EPERM;
	if (new->max > old->max && current->cred.euid)
		return -EPERM;
	return 0;
}

static int change_limit(struct process *process, u32 resource, const struct rlimit *new,
			struct rlimit *old)
{
	int error = 0;

	spin_lock_bh(&process->lock);
	*old = process->rlimits[resource];
	if (new)
		error = check_limit(resource, old, new);
	if (new && !error)
		process->rlimits[resource] = *new;
	spin_unlock_bh(&process->lock);
	return error;
}

/* Somebody else's limits: root's business, or one's own user's. */
static bool may_change_limits(const struct process *process)
{
	return process == current_process || !current->cred.euid ||
	       process->uid == current->cred.uid;
}

long sys_prlimit64(int pid, u32 resource, const struct rlimit __user *new_limit,
		   struct rlimit __user *old_limit)
{
	struct process *process;
	struct rlimit new, old;
	int error;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (new_limit && copy_from_user(&new, new_limit, sizeof(new)))
		return -EFAULT;
	process = process_find(pid ? (u32)pid : current_process->tgid);
	if (!process)
		return -ESRCH;
	error = may_change_limits(process) ? 0 : -EPERM;
	if (!error)
		error = change_limit(process, resource, new_limit ? &new : NULL, &old);
	if (!error && new_limit && resource == RLIMIT_CPU)
		cpu_timers_start(process);
	process_put(process);
	if (!error && old_limit && copy_to_user(old_limit, &old, sizeof(old)))
		error = -EFAULT;
	return error;
}

long sys_getrlimit(u32 resource, struct rlimit __user *limit)
{
	struct rlimit old;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	change_limit(current_process, resource, NULL, &old);
	return copy_to_user(limit, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_setrlimit(u32 resource, const struct rlimit __user *limit)
{
	return limit ? sys_prlimit64(0, resource, limit, NULL) : -EFAULT;
}

/* ---- usage ----------------------------------------------------------------------------------------- */

static void children_rusage(struct rusage *usage)
{
	const struct process *us = current_process;

	spin_lock_bh(&tree_lock);
	*usage = (struct rusage){
		.utime = ns_to_timeval(us->children_utime),
		.stime = ns_to_timeval(us->children_stime),
		.maxrss = us->children_peak_rss * (PAGE_SIZE / KiB),
		.minflt = us->children_minor_faults,
	};
	spin_unlock_bh(&tree_lock);
}

long sys_getrusage(int who, struct rusage __user *user)
{
	struct rusage usage;

	switch (who) {
	case RUSAGE_SELF:
		process_rusage(current_process, &usage);
		break;
	case RUSAGE_THREAD:
		thread_rusage(current, &usage);
		break;
	case RUSAGE_CHILDREN:
		children_rusage(&usage);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(user, &usage, sizeof(usage)) ? -EFAULT : 0;
}

long sys_times(struct tms __user *user)
{
	u64 utime, stime;
	struct tms times;

	process_times(current_process, &utime, &stime);
	spin_lock_bh(&tree_lock);
	times = (struct tms){
		.utime = ns_to_ticks(utime),
		.stime = ns_to_ticks(stime),
		.children_utime = ns_to_ticks(current_process->children_utime),
		.children_stime = ns_to_ticks(current_process->children_stime),
	};
	spin_unlock_bh(&tree_lock);
	if (user && copy_to_user(user, &times, sizeof(times)))
		return -EFAULT;
	return ns_to_ticks(clock_ns());
}
