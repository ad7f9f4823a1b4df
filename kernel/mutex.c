/*
 * Mutexes, where they are contended. A waiter puts an entry on the mutex's wait queue; its function,
 * hand_over(), makes the waiter the owner and wakes it. So between an unlock and the waiter's return
 * the mutex is never free, and nobody can overtake.
 *
 * Context: process. Lock: wq.lock, and inside it a run queue's.
 */
#include <kernel/mutex.h>

#define SPINS 200 /* of about 0.1 us */

struct mutex_waiter {
	struct wait_entry entry;
	bool owner; /* under wq.lock: the mutex was handed to us */
};

/* Under wq.lock. The waiter takes that lock before it looks at `owner`, so it is still there. */
static bool hand_over(struct wait_entry *entry, u32 key)
{
	container_of(entry, struct mutex_waiter, entry)->owner = true;
	list_del_init(&entry->link);
	return default_wake_function(entry, key);
}

/* Sleeps, under wq.lock but for the sleep itself, until owner or interrupted. */
static int wait_for_hand_over(struct mutex *mutex, struct mutex_waiter *waiter, u32 task_state)
{
	int error = 0;

	list_add_tail(&waiter->entry.link, &mutex->wq.entries);
	current->waits_on = &mutex->wq;
	for (;;) {
		set_current_state(task_state);
		if (waiter->owner)
			break;
		if (task_state == TASK_INTERRUPTIBLE && signal_pending()) {
			list_del_init(&waiter->entry.link);
			error = -EINTR;
			break;
		}
		spin_unlock_bh(&mutex->wq.lock);
		schedule();
		spin_lock_bh(&mutex->wq.lock);
	}
	current->waits_on = NULL;
	set_current_state(TASK_RUNNING);
	return error;
}

/* On several CPUs the holder mostly runs, and is done sooner than we could sleep and be woken. */
static bool spin_for(struct mutex *mutex)
{
	for (u32 i = 0; i < SPINS && nr_cpus > 1; i++) {
		if (READ_ONCE(mutex->state) == MUTEX_FREE &&
		    mutex_change_state(mutex, MUTEX_FREE, MUTEX_LOCKED))
			return true;
		cpu_relax();
	}
	return false;
}

int mutex_lock_slow(struct mutex *mutex, u32 task_state)
{
	struct mutex_waiter waiter = {
		.entry = { .func = hand_over, .private = current, .flags = WQ_FLAG_EXCLUSIVE },
	};
	int error = 0;

	might_sleep();
	if (spin_for(mutex))
		return 0;
	spin_lock_bh(&mutex->wq.lock);
	/* From here on an unlock has to come through wq.lock, and finds our entry. */
	if (__atomic_exchange_n(&mutex->state, MUTEX_CONTENDED, __ATOMIC_ACQ_REL) != MUTEX_FREE)
		error = wait_for_hand_over(mutex, &waiter, task_state);
	spin_unlock_bh(&mutex->wq.lock);
	return error;
}

void mutex_unlock_slow(struct mutex *mutex)
{
	struct list_head *waiters = &mutex->wq.entries;
	struct wait_entry *first;

	spin_lock_bh(&mutex->wq.lock);
	first = list_first_entry_or_null(waiters, struct wait_entry, link);
	if (first)
		first->func(first, 0);
	else
		__atomic_store_n(&mutex->state, MUTEX_FREE, __ATOMIC_RELEASE);
	spin_unlock_bh(&mutex->wq.lock);
}
