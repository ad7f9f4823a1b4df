/*
 * poll_wqueues: a task's entries on the wait queues of all the files it waits for. Step 9 of the journey for
 * poll and select: wake_up() calls pollwake().
 *
 * Context: process; pollwake() wherever wake_up() is called. Locks: none of its own. The entries are the
 * task's; `triggered` is written by wakers and ordered by the task's state:
 *
 *	sleeper				waker (under wq->lock)
 *	state = INTERRUPTIBLE
 *					triggered = true
 *	triggered? no -> may be old
 *					wake_up: state = RUNNING
 *	schedule(): still running
 */
#include <fs/poll_wait.h>

#include <kernel/mm/slab.h>

#define INLINE_ENTRIES 8

struct poll_wqueues;

struct poll_entry {
	struct wait_entry wait;
	struct poll_wqueues *owner;
	struct wait_queue *wq;
	struct file *file; /* a reference: the queue lives as long as the file */
	u32 key;	   /* the events that count */
};

struct poll_page {
	struct poll_page *next;
	struct poll_entry entries[];
};
#define PAGE_ENTRIES ((PAGE_SIZE - sizeof(struct poll_page)) / sizeof(struct poll_entry))

struct poll_wqueues {
	struct poll_table table;
	struct task *task;
	bool triggered;
	int error;		/* no memory for an entry */
	u32 nr_inline, nr_last; /* entries used: here, and in the first of the pages */
	struct poll_page *pages;
	struct poll_entry entries[INLINE_ENTRIES];
};

static bool pollwake(struct wait_entry *wait, u32 key)
{
	struct poll_entry *entry = container_of(wait, struct poll_entry, wait);

	if (key && !(key & entry->key))
		return false;
	WRITE_ONCE(entry->owner->triggered, true);
	return wake_up_interruptible(entry->owner->task);
}

static struct poll_entry *new_entry(struct poll_wqueues *waits)
{
	struct poll_page *page;

	if (waits->nr_inline < INLINE_ENTRIES)
		return &waits->entries[waits->nr_inline++];
	if (!waits->pages || waits->nr_last == PAGE_ENTRIES) {
		page = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!page)
			return NULL;
		page->next = waits->pages;
		waits->pages = page;
		waits->nr_last = 0;
	}
	return &waits->pages->entries[waits->nr_last++];
}

/* What a file's poll comes to through poll_wait(). */
static void register_entry(struct file *file, struct wait_queue *wq, struct poll_table *table)
{
	struct poll_wqueues *waits = container_of(table, struct poll_wqueues, table);
	struct poll_entry *entry = new_entry(waits);

	if (!entry) {
		waits->error = -ENOMEM;
		return;
	}
	*entry = (struct poll_entry){
		.wait = { .func = pollwake },
		.owner = waits,
		.wq = wq,
		.file = file,
		.key = table->key,
	};
	file_get(file);
	add_wait_queue(wq, &entry->wait);
}

static void unregister(struct poll_entry *entries, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		remove_wait_queue(entries[i].wq, &entries[i].wait);
		file_put(entries[i].file);
	}
}

static void poll_initwait(struct poll_wqueues *waits)
{
	waits->table = (struct poll_table){ .queue = register_entry };
	waits->task = current;
	waits->triggered = false;
	waits->error = 0;
	waits->nr_inline = 0;
	waits->nr_last = 0;
	waits->pages = NULL;
}

static void poll_freewait(struct poll_wqueues *waits)
{
	struct poll_page *page;

	unregister(waits->entries, waits->nr_inline);
	while ((page = waits->pages)) {
		unregister(page->entries, waits->nr_last);
		waits->pages = page->next;
		waits->nr_last = PAGE_ENTRIES;
		kfree(page);
	}
}

/* False: the time is over. */
static bool poll_sleep(struct poll_wqueues *waits, u64 deadline)
{
	bool time_left = true;

	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(waits->triggered) && !signal_pending())
		time_left = schedule_timeout(deadline);
	set_current_state(TASK_RUNNING);
	/* Before the next look at the files: what happens after it triggers again. */
	WRITE_ONCE(waits->triggered, false);
	smp_mb();
	return time_left;
}

static int register_and_sleep(poll_scan_t scan, void *arg, u64 deadline)
{
	bool time_left = true;
	struct poll_wqueues waits;
	int ready;

	poll_initwait(&waits);
	ready = scan(arg, &waits.table);
	if (!ready)
		ready = waits.error;
	while (!ready && time_left) {
		time_left = poll_sleep(&waits, deadline);
		ready = scan(arg, NULL);
		if (!ready && signal_pending())
			ready = -EINTR;
	}
	poll_freewait(&waits);
	return ready;
}

int poll_until_ready(poll_scan_t scan, void *arg, u64 deadline)
{
	int ready = scan(arg, NULL);

	if (ready)
		return ready;
	if (signal_pending())
		return -EINTR;
	if (deadline == POLL_ONCE)
		return 0;
	return register_and_sleep(scan, arg, deadline >= TIME_MAX_NS ? NO_TIMEOUT : deadline);
}

/* ---- timeouts -------------------------------------------------------------------------------- */

static int put_timespec(u64 ns, void __user *user)
{
	return put_user_timespec(ns, user);
}

int poll_timeout_timespec(struct poll_timeout *timeout, struct timespec __user *user)
{
	u64 ns;
	int error;

	*timeout = (struct poll_timeout){ POLL_NEVER, user, put_timespec };
	if (!user)
		return 0;
	error = get_user_timespec(&ns, user);
	timeout->deadline = error ? 0 : poll_deadline(ns);
	return error;
}

long poll_finish(const struct poll_timeout *timeout, long result)
{
	u64 now;

	restore_user_sigmask(result == -ERESTARTNOHAND);
	if (!timeout->user || timeout->deadline == POLL_ONCE)
		return result;
	now = clock_ns();
	if (timeout->put(timeout->deadline - min(now, timeout->deadline), timeout->user) &&
	    result == -ERESTARTNOHAND)
		result = -EINTR;
	return result;
}
