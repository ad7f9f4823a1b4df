/*
 * Processes: what the threads of a program share. A task is a thread; its `process` is the thread group, with
 * the family (parent, children), the job-control identity (group, session, terminal) and the
 * signals, limits and times that belong to all of its threads.
 *
 * Locks: tree_lock (softirq-safe spinlock): the family, groups, sessions, thread lists, the pid table, exit
 * states. Inside it: sighand->lock.
 */
#pragma once

#include <kernel/cpu_timer.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <kernel/wait.h>

struct tty;

struct rlimit {
	u64 cur, max;
};
enum {
	RLIMIT_CPU,
	RLIMIT_FSIZE,
	RLIMIT_DATA,
	RLIMIT_STACK,
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE,
	RLIMIT_MEMLOCK,
	RLIMIT_AS,
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME,
	RLIM_NLIMITS
};
#define RLIM_INFINITY (~0ULL)
#define NOFILE_MAX    1048576 /* fs.nr_open */

struct process {
	u32 tgid;	  /* constant: the pid that getpid() returns */
	u32 refcount;	  /* atomic */
	u32 live_threads; /* atomic: those that have not begun to end */

	/* under tree_lock */
	struct list_head threads; /* task->thread_link */
	u32 nr_threads;		  /* on that list */
	struct task *leader;	  /* may be dead while others live; then NULL ... */
	char name[TASK_NAME];	  /* ... and what it was called */
	struct process *parent;
	struct list_head children, sibling; /* children, and my link in the parent's */
	u32 pgrp, session;
	struct tty *tty;	 /* controlling terminal, or NULL */
	bool did_exec;		 /* setpgid's rule */
	int parent_death_signal; /* prctl: what it wants to be told by when its parent ends; 0: nothing */
	u32 exit_code;		 /* wait status, valid when zombie */
	enum { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED } exit_state;
	int exit_signal; /* to the parent at the end; SIGCHLD for fork */
	bool autoreap;
	u32 uid;	 /* the real uid, for those who ask when it is gone */
	u32 wait_events; /* stopped, continued, and not reported yet: WAIT_* */
	u32 stop_signal;
	/* waitpid() sleeps here; woken when a child changes state */
	struct wait_queue wait_children;
	struct wait_queue exit_wait; /* pidfd pollers */

	/* under sighand->lock */
	struct sigpending shared_pending;
	bool group_exiting; /* every thread is to end, with group_exit_code */
	u32 group_exit_code;
	bool group_stopped; /* job control: every thread is to stop */
	u32 stopping;	    /* threads that have not stopped yet */

	/* under lock */
	spinlock_t lock;
	struct rlimit rlimits[RLIM_NLIMITS];
	/* itimers, alarm, POSIX timers: kernel/process/itimer.c */
	struct timer real_timer;
	u64 real_interval;
	struct list_head posix_timers;
	u32 nr_posix_timers;
	struct cpu_timers cpu_timers;
	/* what dead threads and reaped children used, in ns */
	u64 dead_utime, dead_stime, children_utime, children_stime;
	u64 dead_minor_faults, children_minor_faults, dead_nvcsw, dead_nivcsw;
	u64 peak_rss_pages, children_peak_rss;

	u64 start_ns; /* clock_ns() at fork */
	bool dumpable, no_new_privs, child_subreaper;
	int oom_score_adj;
	struct list_head all; /* under tree_lock: process_list */
};

/* A session leader ends: its terminal hangs up. Set by the tty. */
extern void (*tty_session_exit_hook)(struct process *leader);

extern spinlock_t tree_lock;
extern struct list_head process_list;
extern struct process *init_process; /* pid 1 */

/* By number; the result is referenced (process_put / put_task), or NULL. */
struct process *process_find(u32 tgid);
struct task *task_find(u32 tid);
void process_get(struct process *process);
void process_put(struct process *process);

#define current_process (current->process)
static inline u64 rlimit(u32 which)
{
	return READ_ONCE(current_process->rlimits[which].cur);
}

/* May `current` send a signal to / look into that process? */
bool may_signal(const struct process *target, int sig);

/* The end of the current thread; of the whole process. `code` is a wait status (exit code << 8, or signal). */
__noreturn void do_exit(u32 code);
__noreturn void do_group_exit(u32 code);
/* tree_lock held: nobody could continue this group if it stopped. `ignored` is treated as gone. */
bool pgrp_orphaned(u32 pgrp, const struct process *ignored);

/* Its nice value, -20 .. 19. */
int task_nice(const struct task *task);
