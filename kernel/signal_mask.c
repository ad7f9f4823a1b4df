/*
 * Masks: which signals a thread lets in. And the life of what threads share, the actions.
 *
 * Locks: sighand->lock; tree_lock outside of it where other threads are looked at.
 */
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_syscalls.h>
#include <kernel/signal_watch.h>

/* What waits for the whole process, and we no longer take, somebody else may. */
static void retarget_shared(sigset_t set)
{
	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	wake_for_shared(current_process, set);
	spin_unlock(&current->sighand->lock);
	spin_unlock_bh(&tree_lock);
}

void set_blocked(sigset_t blocked)
{
	struct task_signals *signals = &current->signals;
	struct process *process = current_process;
	sigset_t retarget;

	blocked &= ~SIGNALS_UNSTOPPABLE;
	if (blocked == signals->blocked)
		return;
	spin_lock_bh(&current->sighand->lock);
	retarget = process->shared_pending.set & blocked & ~signals->blocked;
	signals->blocked = blocked;
	recalc_sigpending(current);
	spin_unlock_bh(&current->sighand->lock);
	if (unlikely(retarget) && process->nr_threads > 1)
		retarget_shared(retarget);
}

int set_user_sigmask(const sigset_t __user *user_set, size_t size)
{
	struct task_signals *signals = &current->signals;
	sigset_t set;

	if (!user_set)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user_set, sizeof(set)))
		return -EFAULT;
	signals->saved_blocked = signals->blocked;
	signals->restore_saved = true;
	set_blocked(set);
	return 0;
}

/* After an interruption the signal is still to be delivered under the new mask: deliver_signals()
 * puts the old one back. */
void restore_user_sigmask(bool interrupted)
{
	struct task_signals *signals = &current->signals;

	if (!signals->restore_saved || (interrupted && signal_pending()))
		return;
	signals->restore_saved = false;
	set_blocked(signals->saved_blocked);
}

/* ---- actions ------------------------------------------------------------------------------- */

struct sighand *sighand_create(void)
{
	struct sighand *sighand = kzalloc(sizeof(*sighand), GFP_KERNEL);

	if (!sighand)
		return NULL;
	spin_lock_init(&sighand->lock);
	sighand->refcount = 1;
	return sighand;
}

struct sighand *sighand_clone(struct sighand *old)
{
	struct sighand *sighand = sighand_create();

	if (!sighand)
		return NULL;
	spin_lock_bh(&old->lock);
	memcpy(sighand->actions, old->actions, sizeof(sighand->actions));
	spin_unlock_bh(&old->lock);
	return sighand;
}

void sighand_put(struct sighand *sighand)
{
	if (__atomic_sub_fetch(&sighand->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	signal_watch_put(sighand->watch);
	kfree(sighand);
}

void task_signals_init(struct task *task)
{
	struct task_signals *signals = &task->signals;

	memset(signals, 0, sizeof(*signals));
	sigpending_init(&signals->pending);
	disable_altstack(signals);
}

void signals_flush_task(struct task *task)
{
	spin_lock_bh(&task->sighand->lock);
	sigpending_discard(&task->signals.pending, ~0ULL);
	spin_unlock_bh(&task->sighand->lock);
}

/* Nobody is left who could look at it, so no lock is needed, nor would there be one. */
void signals_flush_process(struct process *process)
{
	sigpending_discard(&process->shared_pending, ~0ULL);
}

/* A handler's address means nothing in another program; what is ignored stays so. */
void signals_on_exec(struct task *task)
{
	struct sighand *sighand = task->sighand;
	struct task_signals *signals = &task->signals;

	spin_lock_bh(&sighand->lock);
	for (int i = 0; i < NSIG; i++) {
		u64 handler = sighand->actions[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		sighand->actions[i] = (struct sigaction){ .handler = handler };
	}
	spin_unlock_bh(&sighand->lock);
	disable_altstack(signals);
}
