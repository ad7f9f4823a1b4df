/*
 * What a thread does about its signals, on its way back to user mode: it runs a handler, or does
 * the default: ends, stops, or nothing. And the system call that was interrupted is restarted or
 * answers EINTR.
 *
 * Context: process, interrupts on. Locks: sighand->lock while a signal is chosen.
 */
#include <kernel/cpu/syscall_entry.h>
#include <kernel/cpu/trap.h>
#include <kernel/lib/errno.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_syscalls.h>

#define NR_RESTART_SYSCALL	219
#define NR_RESTART_SYSCALL_I386 0
#define SYSCALL_SIZE		2 /* of `syscall` and of `int 0x80` */

struct delivery {
	int sig;
	struct siginfo info;
	struct sigaction action;
};

/* ---- which signal, and does it have a handler? --------------------------------------------- */

enum verdict { NOTHING_LEFT, RUN_HANDLER, SKIP, STOP, JOIN_STOP, END };

/* sighand->lock held. */
static enum verdict judge(struct delivery *next)
{
	struct task_signals *signals = &current->signals;
	struct sigaction *action;

	if (signals->pending.set & sigmask_of(SIGKILL))
		return END;
	if (signals->stop_pending)
		return JOIN_STOP;
	next->sig = dequeue_signal(signals->blocked, &next->info);
	if (!next->sig) {
		recalc_sigpending(current);
		return NOTHING_LEFT;
	}
	if (action_ignores(current, next->sig))
		return SKIP;
	action = &current->sighand->actions[next->sig - 1];
	if (action->handler == SIG_DFL)
		return sigmask_of(next->sig) & SIGNALS_STOP ? STOP : END;
	next->action = *action;
	if (action->flags & SA_RESETHAND)
		action->handler = SIG_DFL;
	return RUN_HANDLER;
}

/* By a SIGKILL on our queue, which says no more than that: either the whole process ends, for a
 * reason that is written down, or this thread alone, because another one calls exec. */
static __noreturn void end(int sig)
{
	if (current_process->group_exiting)
		do_group_exit(current_process->group_exit_code);
	if (sig)
		do_group_exit(sig);
	do_exit(SIGKILL);
}

/* The next signal with a handler; false: there is none (any more). */
static bool next_handler(struct delivery *next)
{
	for (;;) {
		enum verdict verdict;

		next->sig = 0;
		spin_lock_bh(&current->sighand->lock);
		verdict = judge(next);
		spin_unlock_bh(&current->sighand->lock);
		switch (verdict) {
		case RUN_HANDLER:
			return true;
		case NOTHING_LEFT:
			return false;
		case STOP:
			stop_group(next->sig);
			break;
		case JOIN_STOP:
			join_group_stop();
			break;
		case END:
			end(next->sig);
		case SKIP:
			break;
		}
	}
}

/* ---- the interrupted system call ----------------------------------------------------------- */

static bool in_syscall(const struct trap_frame *frame)
{
	return (frame->vector == VECTOR_SYSCALL || frame->vector == VECTOR_INT80) &&
	       (s64)frame->error >= 0;
}

static void restart_as(struct trap_frame *frame, u64 number)
{
	frame->rax = number;
	frame->rip -= SYSCALL_SIZE;
}

/* What becomes of the call, whose result says what it wants. `action`: of the handler that runs;
 * NULL: none. Done once: afterwards the frame no longer stands for a system call. */
static void settle_syscall(struct trap_frame *frame, const struct sigaction *action)
{
	bool is_i386 = frame->vector == VECTOR_INT80;

	if (!in_syscall(frame))
		return;
	switch (-(s64)frame->rax) {
	case ERESTARTSYS:
		if (action && !(action->flags & SA_RESTART))
			frame->rax = -EINTR;
		else
			restart_as(frame, frame->error);
		break;
	case ERESTARTNOINTR:
		restart_as(frame, frame->error);
		break;
	case ERESTARTNOHAND:
		if (action)
			frame->rax = -EINTR;
		else
			restart_as(frame, frame->error);
		break;
	case ERESTART_RESTARTBLOCK:
		if (action)
			frame->rax = -EINTR;
		else
			restart_as(frame, is_i386 ? NR_RESTART_SYSCALL_I386 : NR_RESTART_SYSCALL);
		break;
	}
	frame->error = -1;
}

/* What the interrupted call has left to be called again. */
long sys_restart_syscall(void)
{
	return current->restart ? current->restart(current) : -EINTR;
}

/* ---- the handler --------------------------------------------------------------------------- */

/* While it runs, the signal itself and those of its action's mask are kept out. */
static void block_for_handler(const struct delivery *delivery)
{
	sigset_t blocked = current->signals.blocked | delivery->action.mask;

	if (!(delivery->action.flags & SA_NODEFER))
		blocked |= sigmask_of(delivery->sig);
	set_blocked(blocked);
}

/* There was no room for the frame. If it is SIGSEGV's own handler that cannot run, that was the
 * last chance. */
static void frame_failed(int sig)
{
	if (sig == SIGSEGV) {
		spin_lock_bh(&current->sighand->lock);
		current->sighand->actions[SIGSEGV - 1].handler = SIG_DFL;
		spin_unlock_bh(&current->sighand->lock);
	}
	force_signal(SIGSEGV, SI_KERNEL, 0);
}

static void run_handler(struct trap_frame *frame, const struct delivery *delivery)
{
	struct task_signals *signals = &current->signals;
	sigset_t saved = signals->restore_saved ? signals->saved_blocked : signals->blocked;

	current->restart = NULL;
	settle_syscall(frame, &delivery->action);
	if (!setup_frame(frame, delivery->sig, &delivery->action, &delivery->info, saved)) {
		frame_failed(delivery->sig);
		return;
	}
	signals->restore_saved = false;
	block_for_handler(delivery);
}

void deliver_signals(struct trap_frame *frame)
{
	struct delivery delivery;

	if (next_handler(&delivery)) {
		run_handler(frame, &delivery);
		return;
	}
	settle_syscall(frame, NULL);
	restore_user_sigmask(false);
}
