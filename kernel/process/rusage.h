/* What a process has used: struct rusage, and adding it up. */
#pragma once

#include <kernel/process.h>
#include <kernel/time.h>

struct rusage { /* Linux's layout; what Pollux does not count is 0 */
	struct timeval utime, stime;
	s64 maxrss; /* KiB */
	s64 ixrss, idrss, isrss;
	s64 minflt, majflt;
	s64 nswap, inblock, oublock, msgsnd, msgrcv, nsignals;
	s64 nvcsw, nivcsw;
};

#define USER_HZ 100 /* the tick of times(2), siginfo and /proc */

s64 ns_to_ticks(u64 ns);

/* User and kernel time of all threads of a process, dead ones too, in ns. */
void process_times(struct process *process, u64 *utime, u64 *stime);
/* The same and more; the second with tree_lock held. */
void process_rusage(struct process *process, struct rusage *usage);
void rusage_locked(struct process *process, struct rusage *usage);
void thread_rusage(struct task *task, struct rusage *usage);
/* tree_lock held: a thread ends, a child is reaped; what it used is added to the process's. */
void account_dead_thread(struct process *process, struct task *task);
void account_reaped_child(struct process *parent, const struct process *child);
