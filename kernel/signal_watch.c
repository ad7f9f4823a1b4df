/* Where signalfds wait for signals to a process. An object of its own because an eventpoll may
 * hold on to the wait queue for longer than the process lives. Locks: `watch` of a sighand, under
 * its lock. */
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <kernel/signal_watch.h>

struct signal_watch *signal_watch_of_current(void)
{
	struct sighand *sighand = current->sighand;
	struct signal_watch *watch = READ_ONCE(sighand->watch), *fresh;

	if (watch)
		return watch;
	fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	fresh->refcount = 1;
	wait_queue_init(&fresh->wq);
	spin_lock_bh(&sighand->lock);
	watch = sighand->watch;
	if (!watch)
		WRITE_ONCE(sighand->watch, fresh);
	spin_unlock_bh(&sighand->lock);
	if (watch)
		kfree(fresh);
	return sighand->watch;
}

void signal_watch_get(struct signal_watch *watch)
{
	__atomic_add_fetch(&watch->refcount, 1, __ATOMIC_RELAXED);
}

void signal_watch_put(struct signal_watch *watch)
{
	if (watch && __atomic_sub_fetch(&watch->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(watch);
}
