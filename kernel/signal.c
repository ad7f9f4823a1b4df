/*
 * Sending signals: is it wanted, where is it queued, who is woken for it, and what it does to the
 * process at once: a fatal one ends all threads, SIGCONT continues them, whoever takes it in the
 * end.
 *
 * Context: softirq or process. Locks: tree_lock, then sighand->lock; see kernel/signal.h.
 */
#include <kernel/cpu/smp.h>
#include <kernel/lib/errno.h>
#include <kernel/sched.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_watch.h>

/* init gets only what it asked for, unless it is its own fault. */
static bool init_may_die;

static bool is_unkillable(const struct process *process)
{
	return process == init_process && !init_may_die;
}

/* ---- waking -------------------------------------------------------------------------------- */

/*
 * A task that sleeps is woken; one that runs a program on another CPU is interrupted, so that it
 * comes by the way back to user mode:
 *
 *	sender				its CPU
 *	pending_flag = true		current = task
 *	wake: a locked instruction	...
 *	current of that CPU == task?	pending_flag set? no -> user mode
 *
 * One of the two sees the other; the interrupt is taken no earlier than in user mode.
 */
void signal_wake_up(struct task *task, bool fatal)
{
	u32 states = BIT(TASK_INTERRUPTIBLE), cpu;

	if (fatal)
		states |= BIT(TASK_KILLABLE) | BIT(TASK_STOPPED);
	WRITE_ONCE(task->signals.pending_flag, true);
	if (wake_up_state(task, states))
		return;
	cpu = READ_ONCE(task->cpu);
	if (cpu != smp_processor_id() && per_cpu(current_task, cpu) == task)
		smp_send_reschedule(cpu);
}

bool signal_pending(void)
{
	return READ_ONCE(current->signals.pending_flag);
}

bool fatal_signal_pending(void)
{
	return READ_ONCE(current->signals.pending.set) & sigmask_of(SIGKILL);
}

void recalc_sigpending(struct task *task)
{
	struct task_signals *signals = &task->signals;
	sigset_t set = signals->pending.set | task->process->shared_pending.set;

	WRITE_ONCE(signals->pending_flag, signals->stop_pending || (set & ~signals->blocked));
}

/* ---- what a signal meets ------------------------------------------------------------------- */

bool action_ignores(const struct task *task, int sig)
{
	u64 handler = task->sighand->actions[sig - 1].handler;

	if (handler == SIG_DFL && is_unkillable(task->process))
		return true;
	return handler == SIG_IGN || (handler == SIG_DFL && sigmask_of(sig) & SIGNALS_IGNORED);
}

bool signal_ignored(struct task *task, int sig)
{
	bool ignored;

	spin_lock_bh(&task->sighand->lock);
	ignored = task->signals.blocked & sigmask_of(sig) || action_ignores(task, sig);
	spin_unlock_bh(&task->sighand->lock);
	return ignored;
}

bool ignores_children(struct process *process)
{
	struct task *task = list_first_entry_or_null(&process->threads, struct task, thread_link);
	const struct sigaction *action;

	if (!task)
		return false;
	action = &task->sighand->actions[SIGCHLD - 1];
	return READ_ONCE(action->handler) == SIG_IGN || action->flags & SA_NOCLDWAIT;
}

/* A blocked signal is kept whatever its action says now: that may change before it is let in. */
static bool is_dropped(const struct task *task, int sig)
{
	if ((task->signals.blocked | task->signals.awaited) & sigmask_of(sig))
		return false;
	return action_ignores(task, sig);
}

static bool is_fatal(const struct task *task, int sig)
{
	sigset_t harmless = SIGNALS_CORE | SIGNALS_IGNORED | SIGNALS_STOP;

	return task->sighand->actions[sig - 1].handler == SIG_DFL &&
	       !is_unkillable(task->process) && !(sigmask_of(sig) & harmless) &&
	       !(task->signals.awaited & sigmask_of(sig));
}

void discard_everywhere(struct process *process, sigset_t set)
{
	struct task *task;

	sigpending_discard(&process->shared_pending, set);
	list_for_each_entry(task, &process->threads, thread_link)
		sigpending_discard(&task->signals.pending, set);
}

/* SIGCONT and the stopping signals cancel each other. What the parent is to be told, or 0. */
static int cancel_opposites(struct process *process, int sig)
{
	if (sigmask_of(sig) & SIGNALS_STOP)
		discard_everywhere(process, sigmask_of(SIGCONT));
	if (sig != SIGCONT)
		return 0;
	discard_everywhere(process, SIGNALS_STOP);
	return continue_group(process);
}

/* ---- who takes it -------------------------------------------------------------------------- */

/* One that has stopped takes nothing until it is continued. */
static bool can_take(const struct task *task, int sig)
{
	if (sig == SIGKILL)
		return true;
	return !(task->signals.blocked & sigmask_of(sig)) && !task->signals.stopped;
}

/* `first` if it can. A signal to the process may go to any other thread: best to one that runs, so
 * that no sleep is interrupted; or to one that has not been woken for a signal already. */
static struct task *choose_thread(struct task *first, bool group, int sig)
{
	struct task *task, *idle = NULL, *busy = NULL;

	if (can_take(first, sig) && (!group || first->on_run_queue || !first->signals.pending_flag))
		return first;
	if (!group)
		return NULL;
	list_for_each_entry(task, &first->process->threads, thread_link) {
		if (!can_take(task, sig))
			continue;
		if (task->on_run_queue)
			return task;
		if (task->signals.pending_flag)
			busy = task;
		else
			idle = task;
	}
	return idle ?: busy;
}

void kill_group(struct process *process, u32 code)
{
	struct task *task;

	process->group_exiting = true;
	process->group_exit_code = code;
	process->stopping = 0;
	list_for_each_entry(task, &process->threads, thread_link) {
		task->signals.stop_pending = false;
		task->signals.stopped = false;
		task->signals.pending.set |= sigmask_of(SIGKILL);
		signal_wake_up(task, true);
	}
}

/* The signal is on a queue. */
static void wake_receiver(struct task *task, bool group, int sig)
{
	struct process *process = task->process;

	if (task->sighand->watch)
		wake_up_all(&task->sighand->watch->wq);
	task = choose_thread(task, group, sig);
	if (!task)
		return;
	if (!process->group_exiting && is_fatal(task, sig))
		kill_group(process, sig);
	else
		signal_wake_up(task, false);
}

/* Wake one thread for each signal of `set`, among those that are running or those that are not.
 * What nobody takes. */
static sigset_t wake_takers(struct process *process, sigset_t set, bool running)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link) {
		if (task->on_run_queue != running || !(set & ~task->signals.blocked))
			continue;
		signal_wake_up(task, false);
		set &= task->signals.blocked;
	}
	return set;
}

void wake_for_shared(struct process *process, sigset_t set)
{
	set = wake_takers(process, set & process->shared_pending.set, true);
	wake_takers(process, set, false);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* sighand->lock held. `group`: to the process of `task`, else to `task` alone. `*told` as
 * continue_group(). */
static int queue_signal(struct task *task, bool group, int sig, const struct siginfo *info,
			int *told)
{
	struct process *process = task->process;
	struct sigpending *pending = group ? &process->shared_pending : &task->signals.pending;
	u64 limit = process->rlimits[RLIMIT_SIGPENDING].cur;
	int error;

	if (process->group_exiting && sig != SIGKILL)
		return 0;
	*told = cancel_opposites(process, sig);
	if (is_dropped(task, sig) || (sig < SIGRTMIN && pending->set & sigmask_of(sig)))
		return 0;
	error = sig == SIGKILL ? 0 : sigpending_add(pending, sig, info, limit);
	if (!error)
		wake_receiver(task, group, sig);
	return error;
}

static int send_locked(struct task *task, bool group, int sig, const struct siginfo *info)
{
	struct siginfo from_kernel = { .signo = sig, .code = SI_KERNEL };
	int told = 0, error;

	spin_lock(&task->sighand->lock);
	error = queue_signal(task, group, sig, info ?: &from_kernel, &told);
	spin_unlock(&task->sighand->lock);
	if (told)
		notify_parent_stop(task->process, told,
				   told == CLD_CONTINUED ? SIGCONT
							 : (int)task->process->stop_signal);
	return error;
}

int send_signal_task_locked(struct task *task, int sig, const struct siginfo *info)
{
	return task->process && task->sighand ? send_locked(task, false, sig, info) : -ESRCH;
}

/* The leader is asked first. A zombie takes everything and notices nothing. */
int send_signal_process_locked(struct process *process, int sig, const struct siginfo *info)
{
	struct task *task = process->leader;

	if (!task)
		task = list_first_entry_or_null(&process->threads, struct task, thread_link);
	return task ? send_locked(task, true, sig, info) : 0;
}

int send_signal_to_running(struct task *first, int sig)
{
	return send_locked(first, true, sig, NULL);
}

int send_signal_pgrp_locked(u32 pgrp, int sig, const struct siginfo *info)
{
	struct process *process;
	int result = -ESRCH;

	list_for_each_entry(process, &process_list, all) {
		if (process->pgrp != pgrp)
			continue;
		if (send_signal_process_locked(process, sig, info) == 0)
			result = 0;
	}
	return result;
}

int send_signal_task(struct task *task, int sig, const struct siginfo *info)
{
	int error;

	spin_lock_bh(&tree_lock);
	error = send_signal_task_locked(task, sig, info);
	spin_unlock_bh(&tree_lock);
	return error;
}

int send_signal_process(struct process *process, int sig, const struct siginfo *info)
{
	int error;

	spin_lock_bh(&tree_lock);
	error = send_signal_process_locked(process, sig, info);
	spin_unlock_bh(&tree_lock);
	return error;
}

int send_signal_pgrp(u32 pgrp, int sig, const struct siginfo *info)
{
	int error;

	spin_lock_bh(&tree_lock);
	error = send_signal_pgrp_locked(pgrp, sig, info);
	spin_unlock_bh(&tree_lock);
	return error;
}

/* ---- timers: the sigqueue is theirs -------------------------------------------------------- */

/* sighand->lock held. */
static void queue_owned(struct task *task, bool group, struct sigqueue *signal, u32 overrun)
{
	struct process *process = task->process;
	int sig = signal->info.signo;

	if (!list_empty(&signal->link)) {
		signal->info.timer.overrun += overrun + 1;
		return;
	}
	if (process->group_exiting || is_dropped(task, sig))
		return;
	signal->info.timer.overrun = overrun;
	sigpending_add_owned(group ? &process->shared_pending : &task->signals.pending, signal);
	wake_receiver(task, group, sig);
}

void send_sigqueue(struct task *task, struct process *process, struct sigqueue *signal, u32 overrun)
{
	struct task *receiver = task;

	spin_lock_bh(&tree_lock);
	if (!receiver)
		receiver = list_first_entry_or_null(&process->threads, struct task, thread_link);
	if (receiver) {
		spin_lock(&receiver->sighand->lock);
		queue_owned(receiver, !task, signal, overrun);
		spin_unlock(&receiver->sighand->lock);
	}
	spin_unlock_bh(&tree_lock);
}

void cancel_sigqueue(struct task *task, struct process *process, struct sigqueue *signal)
{
	spin_lock_bh(&current->sighand->lock);
	if (!list_empty(&signal->link))
		sigpending_remove_owned(task ? &task->signals.pending : &process->shared_pending,
					signal);
	spin_unlock_bh(&current->sighand->lock);
}

/* ---- faults -------------------------------------------------------------------------------- */

/* A thread that cannot go on must take the signal now: if it is blocked or ignored, the default
 * action, which ends the process, init too. */
void force_signal_info(const struct siginfo *info)
{
	int sig = info->signo;
	struct sigaction *action = &current->sighand->actions[sig - 1];
	struct task_signals *signals = &current->signals;

	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	if (signals->blocked & sigmask_of(sig) || action->handler == SIG_IGN) {
		action->handler = SIG_DFL;
		signals->blocked &= ~sigmask_of(sig);
	}
	if (action->handler == SIG_DFL && current_process == init_process)
		init_may_die = true;
	spin_unlock(&current->sighand->lock);
	send_locked(current, false, sig, info);
	spin_unlock_bh(&tree_lock);
	WRITE_ONCE(signals->pending_flag, true);
}

void force_signal(int sig, int code, u64 address)
{
	struct siginfo info = { .signo = sig, .code = code };

	info.fault.address = address;
	force_signal_info(&info);
}

/* Another thread may have relied on this one to take what waits for all; and the others may have
 * stopped already, waiting for it. */
void thread_left_group(struct process *process)
{
	bool all_stopped;

	spin_lock(&current->sighand->lock);
	all_stopped = leave_group_stop(process, current);
	wake_for_shared(process, ~0ULL);
	spin_unlock(&current->sighand->lock);
	if (all_stopped)
		notify_parent_stop(process, CLD_STOPPED, process->stop_signal);
}
