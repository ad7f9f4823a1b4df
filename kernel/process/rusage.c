/* Adding up what threads, processes and their reaped children have used. Locks: tree_lock. */
#include <kernel/cpu/tsc.h>
#include <kernel/mm/vm.h>
#include <kernel/process/rusage.h>
#include <kernel/user_mode.h>

s64 ns_to_ticks(u64 ns)
{
	return ns / (NSEC_PER_SEC / USER_HZ);
}

static void times_locked(struct process *process, u64 *utime, u64 *stime)
{
	struct task *task;

	*utime = process->dead_utime;
	*stime = process->dead_stime;
	list_for_each_entry(task, &process->threads, thread_link) {
		u64 user, kernel;

		task_times(task, &user, &kernel);
		*utime += user;
		*stime += kernel;
	}
}

void process_times(struct process *process, u64 *utime, u64 *stime)
{
	spin_lock_bh(&tree_lock);
	times_locked(process, utime, stime);
	spin_unlock_bh(&tree_lock);
}

void rusage_locked(struct process *process, struct rusage *usage)
{
	u64 utime, stime, faults = process->dead_minor_faults;
	u64 nvcsw = process->dead_nvcsw, nivcsw = process->dead_nivcsw;
	struct task *task;

	times_locked(process, &utime, &stime);
	list_for_each_entry(task, &process->threads, thread_link) {
		faults += task->min_faults;
		nvcsw += task->nvcsw;
		nivcsw += task->nivcsw;
	}
	*usage = (struct rusage){
		.utime = ns_to_timeval(utime),
		.stime = ns_to_timeval(stime),
		.maxrss = process->peak_rss_pages * (PAGE_SIZE / KiB),
		.minflt = faults,
		.nvcsw = nvcsw,
		.nivcsw = nivcsw,
	};
}

void process_rusage(struct process *process, struct rusage *usage)
{
	spin_lock_bh(&tree_lock);
	rusage_locked(process, usage);
	spin_unlock_bh(&tree_lock);
}

void thread_rusage(struct task *task, struct rusage *usage)
{
	u64 utime, stime;

	task_times(task, &utime, &stime);
	*usage = (struct rusage){
		.utime = ns_to_timeval(utime),
		.stime = ns_to_timeval(stime),
		.maxrss = task->process->peak_rss_pages * (PAGE_SIZE / KiB),
		.minflt = task->min_faults,
		.nvcsw = task->nvcsw,
		.nivcsw = task->nivcsw,
	};
}

void account_dead_thread(struct process *process, struct task *task)
{
	u64 user, kernel;

	task_times(task, &user, &kernel);
	process->dead_utime += user;
	process->dead_stime += kernel;
	process->dead_minor_faults += task->min_faults;
	process->dead_nvcsw += task->nvcsw;
	process->dead_nivcsw += task->nivcsw;
}

void account_reaped_child(struct process *parent, const struct process *child)
{
	parent->children_utime += child->dead_utime + child->children_utime;
	parent->children_stime += child->dead_stime + child->children_stime;
	parent->children_minor_faults += child->dead_minor_faults + child->children_minor_faults;
	parent->children_peak_rss = max(parent->children_peak_rss,
					max(child->peak_rss_pages, child->children_peak_rss));
}
