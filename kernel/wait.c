/*
 * Step 9 of the journey: wake_up() walks a wait queue and calls each entry's function.
 *
 * Context: softirq or process, never hard IRQ. Locks: wq->lock (softirq-safe); an entry's function
 * runs under it and may take a run queue's lock, or (ep_poll_callback) the next eventpoll's.
 */
#include <kernel/lib/errno.h>
#include <kernel/trace.h>
#include <kernel/wait.h>

void add_wait_queue(struct wait_queue *wq, struct wait_entry *entry)
{
	spin_lock_bh(&wq->lock);
	if (entry->flags & WQ_FLAG_EXCLUSIVE)
		list_add_tail(&entry->link, &wq->entries);
	else
		list_add(&entry->link, &wq->entries);
	spin_unlock_bh(&wq->lock);
}

void remove_wait_queue(struct wait_queue *wq, struct wait_entry *entry)
{
	spin_lock_bh(&wq->lock);
	list_del_init(&entry->link);
	spin_unlock_bh(&wq->lock);
}

/* An entry's function may take its entry off the list, but no other; the entry may be gone when it
 * returns. */
static __always_inline void wake_locked(struct wait_queue *wq, u32 exclusive, u32 key)
{
	struct wait_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &wq->entries, link) {
		bool is_exclusive = entry->flags & WQ_FLAG_EXCLUSIVE;

		trace(WAKE_UP, wq, key, entry->func);
		if (entry->func(entry, key) && is_exclusive && --exclusive == 0)
			break;
	}
}

void wake_up_key(struct wait_queue *wq, u32 exclusive, u32 key)
{
	spin_lock_bh(&wq->lock);
	wake_locked(wq, exclusive, key);
	spin_unlock_bh(&wq->lock);
}

void wake_up_sync(struct wait_queue *wq, u32 key)
{
	spin_lock_bh(&wq->lock);
	this_cpu(sync_wakeup) = true;
	wake_locked(wq, 1, key);
	this_cpu(sync_wakeup) = false;
	spin_unlock_bh(&wq->lock);
}

bool default_wake_function(struct wait_entry *entry, u32 key)
{
	return wake_up_process(entry->private);
}

bool autoremove_wake_function(struct wait_entry *entry, u32 key)
{
	bool woken = default_wake_function(entry, key);

	if (woken)
		list_del_init(&entry->link);
	return woken;
}

void prepare_to_wait(struct wait_queue *wq, struct wait_entry *entry, u32 state)
{
	spin_lock_bh(&wq->lock);
	if (list_empty(&entry->link)) {
		if (entry->flags & WQ_FLAG_EXCLUSIVE)
			list_add_tail(&entry->link, &wq->entries);
		else
			list_add(&entry->link, &wq->entries);
	}
	current->waits_on = wq;
	set_current_state(state);
	spin_unlock_bh(&wq->lock);
}

/* The entry lives on the waiter's stack, so nobody may use it any more when this returns. A waker that
 * took it off the list did so last of all: both links pointing home is proof, one would not be. */
void finish_wait(struct wait_queue *wq, struct wait_entry *entry)
{
	struct list_head *link = &entry->link;

	WRITE_ONCE(current->state, TASK_RUNNING);
	current->waits_on = NULL;
	if (READ_ONCE(link->next) == link && READ_ONCE(link->prev) == link)
		return;
	spin_lock_bh(&wq->lock);
	list_del_init(link);
	spin_unlock_bh(&wq->lock);
}

void complete(struct completion *completion)
{
	spin_lock_bh(&completion->wq.lock);
	completion->done++;
	wake_locked(&completion->wq, 1, 0);
	spin_unlock_bh(&completion->wq.lock);
}

static bool try_wait(struct completion *completion)
{
	bool done;

	spin_lock_bh(&completion->wq.lock);
	done = completion->done > 0;
	if (done)
		completion->done--;
	spin_unlock_bh(&completion->wq.lock);
	return done;
}

void wait_for_completion(struct completion *completion)
{
	wait_event(&completion->wq, try_wait(completion));
}

int wait_for_completion_killable(struct completion *completion)
{
	return wait_event_full(&completion->wq, try_wait(completion), TASK_KILLABLE, 0, NO_TIMEOUT);
}
