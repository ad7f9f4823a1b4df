/* System calls of a thread about its own signals: actions, masks, waiting for them. */
#include <kernel/lib/errno.h>
#include <kernel/sched.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_syscalls.h>
#include <kernel/time.h>

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | \
	 SA_RESTART | SA_NODEFER | SA_RESETHAND)

/* A signal that is now ignored is dropped where it waits, even where it is blocked. */
static void discard_ignored(int sig)
{
	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	if (action_ignores(current, sig))
		discard_everywhere(current_process, sigmask_of(sig));
	spin_unlock(&current->sighand->lock);
	spin_unlock_bh(&tree_lock);
}

static void set_action(int sig, struct sigaction *new_action)
{
	bool ignored;

	new_action->flags &= SA_KNOWN;
	new_action->mask &= ~SIGNALS_UNSTOPPABLE;
	spin_lock_bh(&current->sighand->lock);
	current->sighand->actions[sig - 1] = *new_action;
	ignored = action_ignores(current, sig);
	spin_unlock_bh(&current->sighand->lock);
	if (ignored)
		discard_ignored(sig);
}

long sys_rt_sigaction(int sig, const struct sigaction __user *action, struct sigaction __user *old,
		      size_t size)
{
	struct sigaction new_action, old_action;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (action && copy_from_user(&new_action, action, sizeof(new_action)))
		return -EFAULT;
	if (sig < 1 || sig > NSIG || (action && sigmask_of(sig) & SIGNALS_UNSTOPPABLE))
		return -EINVAL;
	old_action = current->sighand->actions[sig - 1];
	if (action)
		set_action(sig, &new_action);
	return old && copy_to_user(old, &old_action, sizeof(old_action)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size)
{
	sigset_t before = current->signals.blocked, change;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (set) {
		if (copy_from_user(&change, set, sizeof(change)))
			return -EFAULT;
		if (how == SIG_BLOCK)
			set_blocked(before | change);
		else if (how == SIG_UNBLOCK)
			set_blocked(before & ~change);
		else if (how == SIG_SETMASK)
			set_blocked(change);
		else
			return -EINVAL;
	}
	return old && copy_to_user(old, &before, sizeof(before)) ? -EFAULT : 0;
}

long sys_rt_sigpending(sigset_t __user *user_set, size_t size)
{
	sigset_t set;

	if (size > sizeof(set))
		return -EINVAL;
	spin_lock_bh(&current->sighand->lock);
	set = current->signals.pending.set | current_process->shared_pending.set;
	spin_unlock_bh(&current->sighand->lock);
	set &= current->signals.blocked;
	return copy_to_user(user_set, &set, size) ? -EFAULT : 0;
}

static void sleep_until_signal(void)
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending())
			break;
		schedule();
	}
	set_current_state(TASK_RUNNING);
}

long sys_rt_sigsuspend(const sigset_t __user *set, size_t size)
{
	int error;

	if (!set)
		return size == sizeof(sigset_t) ? -EFAULT : -EINVAL;
	error = set_user_sigmask(set, size);
	if (error)
		return error;
	sleep_until_signal();
	restore_user_sigmask(true);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	sleep_until_signal();
	return -ERESTARTNOHAND;
}

/* ---- sigtimedwait -------------------------------------------------------------------------- */

/* Sleep with the awaited signals open, so that they wake; but nobody delivers them. `deadline` 0:
 * only look. */
static int wait_for_signals(sigset_t set, struct siginfo *info, u64 deadline)
{
	struct task_signals *signals = &current->signals;
	sigset_t blocked = signals->blocked;
	int sig = take_signal(set, info);

	if (sig || !deadline)
		return sig ?: -EAGAIN;
	signals->awaited = blocked;
	set_blocked(blocked & ~set);
	set_current_state(TASK_INTERRUPTIBLE);
	if (!signal_pending())
		schedule_timeout(deadline);
	set_current_state(TASK_RUNNING);
	set_blocked(blocked);
	signals->awaited = 0;
	sig = take_signal(set, info);
	if (sig)
		return sig;
	return signal_pending() || clock_ns() < deadline ? -EINTR : -EAGAIN;
}

long sys_rt_sigtimedwait(const sigset_t __user *user_set, struct siginfo __user *user_info,
			 const struct timespec __user *timeout, size_t size)
{
	u64 deadline = NO_TIMEOUT, ns;
	struct siginfo info;
	sigset_t set;
	int result;

	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user_set, sizeof(set)))
		return -EFAULT;
	if (timeout) {
		result = get_user_timespec(&ns, timeout);
		if (result)
			return result;
		deadline = ns ? clock_ns_after(ns) : 0;
	}
	result = wait_for_signals(set & ~SIGNALS_UNSTOPPABLE, &info, deadline);
	if (result > 0 && user_info && copy_to_user(user_info, &info, sizeof(info)))
		return -EFAULT;
	return result;
}
