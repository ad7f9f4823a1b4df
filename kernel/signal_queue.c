/*
 * Queues of pending signals. A standard signal is pending once or not at all, so a bit says it, and
 * a sigqueue carries its siginfo if there was memory for one. Real-time signals queue up, each with
 * its own sigqueue, in the order in which they were sent.
 *
 * Locks: all under the sighand->lock of the threads that a queue belongs to.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <kernel/signal_impl.h>

void sigpending_init(struct sigpending *pending)
{
	pending->set = 0;
	pending->count = 0;
	INIT_LIST_HEAD(&pending->queue);
}

/* What a program sent through kill(), or the kernel, is never lost for want of memory or by a
 * limit; a signal that carries a value is refused instead. */
static bool must_carry_info(int sig, const struct siginfo *info)
{
	return sig >= SIGRTMIN && info->code != SI_USER && info->code != SI_KERNEL;
}

static bool obeys_limit(int sig, const struct siginfo *info)
{
	return sig >= SIGRTMIN || info->code < 0;
}

int sigpending_add(struct sigpending *pending, int sig, const struct siginfo *info, u64 limit)
{
	struct sigqueue *signal = NULL;

	if (!obeys_limit(sig, info) || pending->count < limit)
		signal = kmalloc(sizeof(*signal), GFP_ATOMIC);
	if (signal) {
		signal->info = *info;
		signal->owned = false;
		list_add_tail(&signal->link, &pending->queue);
		pending->count++;
	} else if (must_carry_info(sig, info)) {
		return -EAGAIN;
	}
	pending->set |= sigmask_of(sig);
	return 0;
}

void sigpending_add_owned(struct sigpending *pending, struct sigqueue *signal)
{
	list_add_tail(&signal->link, &pending->queue);
	pending->count++;
	pending->set |= sigmask_of(signal->info.signo);
}

static void unlink_signal(struct sigpending *pending, struct sigqueue *signal)
{
	list_del_init(&signal->link);
	pending->count--;
}

static struct sigqueue *find_queued(struct sigpending *pending, int sig)
{
	struct sigqueue *signal;

	list_for_each_entry(signal, &pending->queue, link)
		if (signal->info.signo == sig)
			return signal;
	return NULL;
}

void sigpending_remove_owned(struct sigpending *pending, struct sigqueue *signal)
{
	int sig = signal->info.signo;

	unlink_signal(pending, signal);
	if (!find_queued(pending, sig))
		pending->set &= ~sigmask_of(sig);
}

static void release_signal(struct sigqueue *signal)
{
	if (!signal->owned)
		kfree(signal);
}

void sigpending_discard(struct sigpending *pending, sigset_t set)
{
	struct sigqueue *signal, *next;

	if (!(pending->set & set))
		return;
	pending->set &= ~set;
	list_for_each_entry_safe(signal, next, &pending->queue, link) {
		if (!(sigmask_of(signal->info.signo) & set))
			continue;
		unlink_signal(pending, signal);
		release_signal(signal);
	}
}

static int most_urgent(sigset_t set)
{
	if (set & SIGNALS_SYNCHRONOUS)
		set &= SIGNALS_SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

static void collect(struct sigpending *pending, int sig, struct siginfo *info)
{
	struct sigqueue *signal = find_queued(pending, sig);

	if (signal) {
		unlink_signal(pending, signal);
		*info = signal->info;
		release_signal(signal);
	} else {
		*info = (struct siginfo){ .signo = sig, .code = SI_USER };
	}
	if (!find_queued(pending, sig))
		pending->set &= ~sigmask_of(sig);
}

int dequeue_signal(sigset_t blocked, struct siginfo *info)
{
	struct sigpending *pending = &current->signals.pending;
	int sig = most_urgent(pending->set & ~blocked);

	if (!sig) {
		pending = &current_process->shared_pending;
		sig = most_urgent(pending->set & ~blocked);
	}
	if (!sig)
		return 0;
	collect(pending, sig, info);
	current->signals.stop_dequeued |= (sigmask_of(sig) & SIGNALS_STOP) != 0;
	return sig;
}

int take_signal(sigset_t set, struct siginfo *info)
{
	int sig;

	spin_lock_bh(&current->sighand->lock);
	sig = dequeue_signal(~set, info);
	recalc_sigpending(current);
	spin_unlock_bh(&current->sighand->lock);
	return sig;
}

bool signals_queued(sigset_t set)
{
	return (READ_ONCE(current->signals.pending.set) |
		READ_ONCE(current_process->shared_pending.set)) &
	       set;
}
