/* What the files of kernel/signal*.c share. All under sighand->lock unless said otherwise. */
#pragma once

#include <kernel/process.h>
#include <kernel/signal.h>

/* ---- kernel/signal_queue.c ----------------------------------------------------------------- */

void sigpending_init(struct sigpending *pending);
/* Queue one. 0; -EAGAIN: it must carry its siginfo, and there is no room for that. */
int sigpending_add(struct sigpending *pending, int sig, const struct siginfo *info, u64 limit);
/* Queue a timer's, which has its own memory. */
void sigpending_add_owned(struct sigpending *pending, struct sigqueue *signal);
void sigpending_remove_owned(struct sigpending *pending, struct sigqueue *signal);
/* Drop all that are in `set`. */
void sigpending_discard(struct sigpending *pending, sigset_t set);
/* Take the most urgent signal that is not in `blocked` off the current thread's or its process's
 * queue; 0: there is none. */
int dequeue_signal(sigset_t blocked, struct siginfo *info);

/* ---- kernel/signal.c ----------------------------------------------------------------------- */

/* By its action, that is: would it be dropped if it were not blocked? */
bool action_ignores(const struct task *task, int sig);
/* Discard the signals from all queues of a process; tree_lock held. */
void discard_everywhere(struct process *process, sigset_t set);
/* End every thread of the process; tree_lock held. */
void kill_group(struct process *process, u32 code);
/* Wake threads that can take what of `set` waits in the shared queue. tree_lock held. */
void wake_for_shared(struct process *process, sigset_t set);

/* ---- kernel/signal_stop.c ------------------------------------------------------------------ */

/* A SIGCONT is being sent: forget stops, wake who has stopped. What the parent is to be told
 * (CLD_*), or 0. */
int continue_group(struct process *process);
/* The current thread took a stopping signal; no lock held. It returns when it was continued, or if
 * it was not to stop after all. */
void stop_group(int sig);
/* Its process stops: so does it, until it is continued. No lock held. */
void join_group_stop(void);
/* One thread less has yet to stop, since it has stopped or ended. Says whether it was the last. */
bool leave_group_stop(struct process *process, struct task *task);
/* Tell the parent that the process has stopped or goes on. tree_lock held, sighand->lock not. */
void notify_parent_stop(struct process *process, int code, int status);

/* ---- kernel/signal_frame.c ----------------------------------------------------------------- */

/* Build the handler's frame and point the registers at it. No lock held. False: there is no room
 * for it. */
bool setup_frame(struct trap_frame *frame, int sig, const struct sigaction *action,
		 const struct siginfo *info, sigset_t saved);
