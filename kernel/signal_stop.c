/*
 * Job control: a stopping signal stops every thread of the process, SIGCONT continues them. Whoever
 * takes the stopping signal asks the others to stop; the last to do so tells the parent.
 *
 * Locks: tree_lock, then sighand->lock. A stopped thread sleeps in TASK_STOPPED until `stopped` is
 * cleared, under sighand->lock, by a SIGCONT or by its death.
 */
#include <kernel/cpu/tsc.h>
#include <kernel/sched.h>
#include <kernel/signal_impl.h>
#include <kernel/user_mode.h>

#define TICK_NS (NSEC_PER_SEC / 100) /* clock_t of siginfo */

int continue_group(struct process *process)
{
	struct task *task;
	int told = 0;

	list_for_each_entry(task, &process->threads, thread_link) {
		struct task_signals *signals = &task->signals;

		signals->stop_dequeued = false;
		signals->stop_pending = false;
		if (signals->stopped) {
			WRITE_ONCE(signals->stopped, false);
			wake_up_state(task, BIT(TASK_STOPPED));
		}
	}
	if (process->group_stopped) {
		told = process->stopping ? CLD_STOPPED : CLD_CONTINUED;
		process->wait_events = WAIT_CONTINUED;
	}
	process->group_stopped = false;
	process->stopping = 0;
	return told;
}

/* Every thread is to stop, the current one too. */
static void begin_group_stop(struct process *process, int sig)
{
	struct task *task;

	if (!process->group_stopped)
		process->stop_signal = sig;
	process->group_stopped = true;
	list_for_each_entry(task, &process->threads, thread_link) {
		struct task_signals *signals = &task->signals;

		if (signals->stop_pending || signals->stopped)
			continue;
		signals->stop_pending = true;
		process->stopping++;
		signal_wake_up(task, false);
	}
}

/* A terminal's stop is not for a group that nobody could continue. Meanwhile a SIGCONT may have
 * come: the signal that we took from the queue is one of those that it cancels. */
void stop_group(int sig)
{
	struct process *process = current_process;

	spin_lock_bh(&tree_lock);
	if (sig == SIGSTOP || !pgrp_orphaned(process->pgrp, NULL)) {
		spin_lock(&current->sighand->lock);
		if (current->signals.stop_dequeued && !process->group_exiting)
			begin_group_stop(process, sig);
		spin_unlock(&current->sighand->lock);
	}
	spin_unlock_bh(&tree_lock);
}

bool leave_group_stop(struct process *process, struct task *task)
{
	if (!task->signals.stop_pending)
		return false;
	task->signals.stop_pending = false;
	if (--process->stopping)
		return false;
	process->wait_events = WAIT_STOPPED;
	return true;
}

void join_group_stop(void)
{
	struct task_signals *signals = &current->signals;
	struct process *process = current_process;

	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	if (signals->stop_pending) {
		bool last = leave_group_stop(process, current);

		signals->stopped = true;
		set_current_state(TASK_STOPPED);
		spin_unlock(&current->sighand->lock);
		if (last)
			notify_parent_stop(process, CLD_STOPPED, process->stop_signal);
	} else {
		spin_unlock(&current->sighand->lock);
	}
	spin_unlock_bh(&tree_lock);

	while (READ_ONCE(signals->stopped)) {
		schedule();
		set_current_state(TASK_STOPPED);
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
}

static void fill_times(struct siginfo *info, const struct process *process)
{
	u64 utime = process->dead_utime, stime = process->dead_stime, user, kernel;
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link) {
		task_times(task, &user, &kernel);
		utime += user;
		stime += kernel;
	}
	info->child.utime = utime / TICK_NS;
	info->child.stime = stime / TICK_NS;
}

void notify_parent_stop(struct process *process, int code, int status)
{
	struct siginfo info = { .signo = SIGCHLD, .code = code };
	struct process *parent = process->parent;
	struct task *child = list_first_entry_or_null(&process->threads, struct task, thread_link);
	struct task *task;

	if (!parent || !child)
		return;
	info.child.pid = process->tgid;
	info.child.uid = child->cred.uid;
	info.child.status = status;
	fill_times(&info, process);
	task = list_first_entry_or_null(&parent->threads, struct task, thread_link);
	if (task && !(task->sighand->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP) &&
	    task->sighand->actions[SIGCHLD - 1].handler != SIG_IGN)
		send_signal_process_locked(parent, SIGCHLD, &info);
	wake_up_all(&parent->wait_children);
}
