/*
 * epoll: steps 10 and 13 of the journey.
 *
 *	ep_insert()		hangs an entry on the file's wait queue, with ep_poll_callback as its function
 *	ep_poll_callback()	is called by wake_up(): puts the epitem on rdllist and wakes ep->wq. That is why the cost
 *				of an event does not depend on how many files are watched
 *	ep_poll()		is epoll_wait: sleeps on ep->wq until rdllist is not empty
 *	ep_send_events()	walks rdllist, asks each file what holds now, copies that out
 *
 * This file has never heard of sockets: it meets them on the wait queue and in file_ops.poll.
 *
 * Context: process; ep_poll_callback() wherever wake_up() is called, softirq mostly. Locks: fs/eventpoll_impl.h.
 */
#include <fs/eventpoll_impl.h>

#include <fs/eventpoll.h>
#include <fs/inode.h>
#include <fs/poll_wait.h>
#include <fs/seq_buf.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/trace.h>

DEFINE_SPINLOCK(watchers_lock);
static struct kmem_cache *epitem_cache; /* constant after start-up */

void eventpoll_init(void)
{
	struct page_stats stats;

	page_stats_read(&stats);
	epoll_max_user_watches = stats.total * (PAGE_SIZE / KiB);
	epitem_cache = kmem_cache_create("epitem", sizeof(struct epitem), sizeof(u64));
	if (!epitem_cache)
		panic("no memory for the cache of epitems");
}

void ep_put(struct eventpoll *ep)
{
	if (__atomic_sub_fetch(&ep->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(ep);
}

/* ---- waking ------------------------------------------------------------------------------------ */

/*
 * Eventpolls watch eventpolls: a wake-up at the bottom goes up through all of them. Each callback only puts its
 * eventpoll on this CPU's list; the first of them, at the bottom of the stack, works the list off. So the stack does
 * not grow with what a program has nested, and no two poll_wait.locks are ever held together.
 */
struct pending_wakes {
	struct eventpoll *first, *last; /* referenced, by wake_next */
	bool running;
};
static DEFINE_PER_CPU(struct pending_wakes, pending_wakes);

static void queue_wake(struct pending_wakes *wakes, struct eventpoll *ep)
{
	bool queued;

	spin_lock(&ep->lock);
	queued = ep->wake_queued;
	ep->wake_queued = true;
	spin_unlock(&ep->lock);
	if (queued)
		return; /* somebody is about to: its wake-up comes after our epitem was linked */
	ep_get(ep);
	ep->wake_next = NULL;
	if (wakes->first)
		wakes->last->wake_next = ep;
	else
		wakes->first = ep;
	wakes->last = ep;
}

static void run_wakes(struct pending_wakes *wakes)
{
	struct eventpoll *ep;

	wakes->running = true;
	while ((ep = wakes->first)) {
		wakes->first = ep->wake_next;
		spin_lock(&ep->lock);
		ep->wake_queued = false;
		spin_unlock(&ep->lock);
		wake_up_poll(&ep->poll_wait, EPOLLIN); /* as on Linux, not EPOLLRDNORM */
		ep_put(ep);
	}
	wakes->running = false;
}

/* Whoever polls this eventpoll. Not under ep->lock. */
static void ep_wake_pollers(struct eventpoll *ep)
{
	struct pending_wakes *wakes;

	if (likely(!wait_queue_active(&ep->poll_wait)))
		return;
	local_bh_disable();
	wakes = this_cpu_ptr(pending_wakes);
	queue_wake(wakes, ep);
	if (!wakes->running)
		run_wakes(wakes);
	local_bh_enable();
}

/* Under ep->lock: on the ready list with it, and wake one that waits for that. Was there somebody? */
static bool ep_make_ready(struct eventpoll *ep, struct epitem *epi)
{
	if (list_empty(&epi->rdllink))
		list_add_tail(&epi->rdllink, &ep->rdllist);
	if (!wait_queue_active(&ep->wq))
		return false;
	wake_up(&ep->wq);
	return true;
}

/* Is one of these events what an EPOLLEXCLUSIVE item waits for, so that waking it is enough? */
static bool is_enough(u32 wanted, u32 key)
{
	switch (key & (EPOLLIN | EPOLLOUT)) {
	case EPOLLIN:
		return wanted & EPOLLIN;
	case EPOLLOUT:
		return wanted & EPOLLOUT;
	case 0:
		return true;
	default:
		return false;
	}
}

/* Step 10. The result counts for exclusive entries only: somebody will look after this event. */
static bool ep_poll_callback(struct wait_entry *wait, u32 key)
{
	struct epitem *epi = wait->private;
	struct eventpoll *ep = epi->ep;
	bool woken = false;

	trace(EP_POLL_CALLBACK, ep, epi->fd, key);
	spin_lock(&ep->lock); /* under the file's wq.lock: softirqs are off */
	/* Silent after EPOLLONESHOT; or an event that nobody asked for. */
	if (!(epi->events & ~EP_PRIVATE_BITS) || (key && !(key & epi->events))) {
		spin_unlock(&ep->lock);
		return false;
	}
	woken = ep_make_ready(ep, epi) && is_enough(epi->events, key);
	spin_unlock(&ep->lock);
	ep_wake_pollers(ep);
	return woken;
}

/* ---- the tree ------------------------------------------------------------------------------------ */

static int compare(const struct file *file, int fd, const struct epitem *epi)
{
	if (file != epi->file)
		return file < epi->file ? -1 : 1;
	return fd - epi->fd;
}

struct epitem *ep_find(struct eventpoll *ep, const struct file *file, int fd)
{
	struct rb_node *node = ep->rbr.rb_node;

	while (node) {
		struct epitem *epi = rb_entry(node, struct epitem, rbn);
		int order = compare(file, fd, epi);

		if (!order)
			return epi;
		node = order < 0 ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct epitem *epi = rb_entry(a, struct epitem, rbn);

	return compare(epi->file, epi->fd, rb_entry(b, struct epitem, rbn)) < 0;
}

/* ---- watching, and no longer --------------------------------------------------------------------- */

/* What the file says now, of what is asked for. */
static u32 ep_item_poll(const struct epitem *epi, struct poll_table *table)
{
	return epi->file->ops->poll(epi->file, table) & epi->events;
}

struct ep_pqueue {
	struct poll_table table;
	struct epitem *epi;
	bool no_memory;
};

static struct eppoll_entry *new_entry(struct epitem *epi)
{
	struct eppoll_entry *first = &epi->first_wait, *entry;

	if (!first->whead)
		return first;
	entry = kmalloc(sizeof(*entry), GFP_KERNEL);
	if (entry) {
		entry->next = first->next;
		first->next = entry;
	}
	return entry;
}

/* What a file's poll comes to through poll_wait(). */
static void ep_ptable_queue_proc(struct file *file, struct wait_queue *whead,
				 struct poll_table *table)
{
	struct ep_pqueue *queue = container_of(table, struct ep_pqueue, table);
	struct epitem *epi = queue->epi;
	struct eppoll_entry *entry = new_entry(epi);

	if (!entry) {
		queue->no_memory = true;
		return;
	}
	entry->whead = whead;
	entry->wait = (struct wait_entry){
		.func = ep_poll_callback,
		.private = epi,
		.flags = epi->events & EPOLLEXCLUSIVE ? WQ_FLAG_EXCLUSIVE : 0,
	};
	add_wait_queue(whead, &entry->wait);
}

/* Afterwards no callback comes any more: removing takes the lock under which they run. */
static void ep_unregister_pollwait(struct epitem *epi)
{
	struct eppoll_entry *entry = &epi->first_wait, *next;

	if (!entry->whead)
		return;
	remove_wait_queue(entry->whead, &entry->wait);
	for (entry = entry->next; entry; entry = next) {
		next = entry->next;
		remove_wait_queue(entry->whead, &entry->wait);
		kfree(entry);
	}
}

/* The file last: once it has no watchers it may go. */
void ep_remove(struct eventpoll *ep, struct epitem *epi)
{
	trace(EP_CTL, ep, epi->fd, EPOLL_CTL_DEL, 0);
	ep_unregister_pollwait(epi);
	spin_lock_bh(&ep->lock);
	list_del_init(&epi->rdllink);
	spin_unlock_bh(&ep->lock);
	rb_erase(&epi->rbn, &ep->rbr);
	spin_lock(&watchers_lock);
	list_del(&epi->fllink);
	spin_unlock(&watchers_lock);
	kmem_cache_free(epitem_cache, epi);
	ep_user_uncharge(ep->user);
}

static struct epitem *new_item(struct eventpoll *ep, struct file *file, int fd,
			       const struct epoll_event *event)
{
	struct epitem *epi = kmem_cache_alloc(epitem_cache, GFP_KERNEL);

	if (!epi)
		return NULL;
	*epi = (struct epitem){
		.file = file,
		.fd = fd,
		.events = event->events,
		.data = event->data,
		.ep = ep,
	};
	INIT_LIST_HEAD(&epi->rdllink);
	return epi;
}

/* It may be ready: then it is. If an event came first, that has put it on the list already, and told everybody. */
static void ep_look(struct eventpoll *ep, struct epitem *epi, u32 ready)
{
	bool fresh;

	if (!ready)
		return;
	spin_lock_bh(&ep->lock);
	fresh = list_empty(&epi->rdllink);
	if (fresh)
		ep_make_ready(ep, epi);
	spin_unlock_bh(&ep->lock);
	trace(EP_ITEM, ep, epi->fd, ready, true);
	if (fresh)
		ep_wake_pollers(ep);
}

int ep_insert(struct eventpoll *ep, struct file *file, int fd, const struct epoll_event *event)
{
	struct ep_pqueue queue = { .table = { ep_ptable_queue_proc, event->events } };
	struct epitem *epi;
	u32 ready;

	if (!ep_user_charge(ep->user))
		return -ENOSPC;
	epi = new_item(ep, file, fd, event);
	if (!epi) {
		ep_user_uncharge(ep->user);
		return -ENOMEM;
	}
	spin_lock(&watchers_lock);
	list_add_tail(&epi->fllink, &file->watchers);
	spin_unlock(&watchers_lock);
	rb_add(&epi->rbn, &ep->rbr, item_less);

	trace(EP_CTL, ep, fd, EPOLL_CTL_ADD, event->events);
	/* Register, then look: what comes between is on the list by ep_poll_callback(). */
	queue.epi = epi;
	ready = ep_item_poll(epi, &queue.table);
	if (queue.no_memory) {
		ep_remove(ep, epi);
		return -ENOMEM;
	}
	ep_look(ep, epi, ready);
	return 0;
}

/* The new mask first, under the lock that the callback looks at it with: what happens from here on is seen there,
 * what happened before is seen by asking the file. */
void ep_modify(struct eventpoll *ep, struct epitem *epi, const struct epoll_event *event)
{
	trace(EP_CTL, ep, epi->fd, EPOLL_CTL_MOD, event->events);
	spin_lock_bh(&ep->lock);
	epi->events = event->events;
	epi->data = event->data;
	spin_unlock_bh(&ep->lock);
	ep_look(ep, epi, ep_item_poll(epi, NULL));
}

/* ---- step 13: epoll_wait ---------------------------------------------------------------------------- */

/* Some may be: on the list, or with somebody who scans it. Then ep->mtx tells. */
static bool ep_events_available(struct eventpoll *ep)
{
	bool available = READ_ONCE(ep->rdllist.next) != &ep->rdllist;

	if (!available) {
		spin_lock_bh(&ep->lock);
		available = ep->scanning || !list_empty(&ep->rdllist);
		spin_unlock_bh(&ep->lock);
	}
	return available;
}

/*
 * A scan works through what is on the ready list at its beginning, up to `last`; what becomes ready meanwhile, or is
 * to be looked at again, comes behind that. An epitem is taken off the list before its file is asked: from then on
 * an event puts it on again, so that none is lost between the answer and now. Only whoever holds ep->mtx takes
 * epitems off, so `last` is met.
 *
 * The lock is taken once for each epitem: to say what becomes of it, and to take the next.
 */
enum ep_fate {
	EP_QUIET,  /* not ready, or edge-triggered: nothing before the next event */
	EP_AGAIN,  /* level-triggered: to the tail, for they take turns */
	EP_SILENT, /* one-shot: nothing before EPOLL_CTL_MOD */
	EP_KEEP,   /* back to where it was taken from: it is still to be reported */
};

/* Under ep->lock. */
static __always_inline struct epitem *ep_take_first(struct eventpoll *ep)
{
	struct epitem *epi = list_first_entry(&ep->rdllist, struct epitem, rdllink);

	list_del_init(&epi->rdllink);
	return epi;
}

/* The first one, and the last; NULL: there is none. */
static __always_inline struct epitem *ep_start_scan(struct eventpoll *ep, struct epitem **last)
{
	struct epitem *epi = NULL;

	spin_lock_bh(&ep->lock);
	if (!list_empty(&ep->rdllist)) {
		ep->scanning = true;
		*last = list_last_entry(&ep->rdllist, struct epitem, rdllink);
		epi = ep_take_first(ep);
	}
	spin_unlock_bh(&ep->lock);
	return epi;
}

/* The next one, if there are to be more. NULL: the scan is over, and what is left is for the others who wait. */
static __always_inline struct epitem *ep_next_scanned(struct eventpoll *ep, struct epitem *epi,
						      enum ep_fate fate, bool more)
{
	spin_lock_bh(&ep->lock);
	if (fate == EP_SILENT)
		epi->events &= EP_PRIVATE_BITS;
	else if (fate != EP_QUIET && list_empty(&epi->rdllink)) /* or an event was quicker */
		list_add(&epi->rdllink, fate == EP_AGAIN ? ep->rdllist.prev : &ep->rdllist);
	epi = NULL;
	if (more) {
		epi = ep_take_first(ep);
	} else {
		ep->scanning = false;
		if (!list_empty(&ep->rdllist) && wait_queue_active(&ep->wq))
			wake_up(&ep->wq);
	}
	spin_unlock_bh(&ep->lock);
	return epi;
}

static bool put_event(struct epoll_event __user *user, u32 events, u64 data)
{
	/* the structure is packed: its members have no address that every compiler likes */
	u64 at = (u64)user;

	return !put_user(events, (u32 __user *)at) &&
	       !put_user(data, (u64 __user *)(at + offsetof(struct epoll_event, data)));
}

static enum ep_fate ep_reported(const struct epitem *epi)
{
	if (epi->events & EPOLLONESHOT)
		return EP_SILENT;
	return epi->events & EPOLLET ? EP_QUIET : EP_AGAIN;
}

/* How many were copied out; 0: nobody was ready after all; -EFAULT: not one could be. */
static long ep_send_events(struct eventpoll *ep, struct epoll_event __user *events, u32 max)
{
	struct epitem *epi, *last = NULL;
	bool fault = false;
	long count = 0;

	mutex_lock(&ep->mtx);
	epi = ep_start_scan(ep, &last);
	while (epi) {
		u32 ready = ep_item_poll(epi, NULL);
		enum ep_fate fate = EP_QUIET;

		if (ready) {
			fault = !put_event(&events[count], ready, epi->data);
			fate = unlikely(fault) ? EP_KEEP : ep_reported(epi);
			count += !fault;
		}
		trace(EP_ITEM, ep, epi->fd, ready, fate == EP_AGAIN || fate == EP_KEEP);
		epi = ep_next_scanned(ep, epi, fate, epi != last && count < max && !fault);
	}
	mutex_unlock(&ep->mtx);
	trace(EP_SEND_EVENTS, ep, count);
	return unlikely(fault) && !count ? -EFAULT : count;
}

/* Until there may be something: 0; -ETIME, -EINTR. Exclusive: an event wakes one of several threads that wait here. */
static noinline int ep_wait(struct eventpoll *ep, u64 deadline)
{
	return wait_event_full(&ep->wq, ep_events_available(ep), TASK_INTERRUPTIBLE,
			       WQ_FLAG_EXCLUSIVE, deadline);
}

long ep_poll(struct eventpoll *ep, struct epoll_event __user *events, u32 max, u64 deadline)
{
	for (;;) {
		long result = 0;

		if (ep_events_available(ep))
			result = ep_send_events(ep, events, max);
		if (result || deadline == POLL_ONCE)
			return result;
		result = ep_wait(ep, deadline);
		if (result)
			return result == -ETIME ? 0 : result;
	}
}

/* ---- an eventpoll is a file ----------------------------------------------------------------------------- */

/* Is there one that is really ready? Those that are not leave the list. */
static bool ep_any_ready(struct eventpoll *ep)
{
	struct epitem *epi, *last = NULL;
	bool ready = false;

	epi = ep_start_scan(ep, &last);
	while (epi) {
		ready = ep_item_poll(epi, NULL);
		epi = ep_next_scanned(ep, epi, ready ? EP_KEEP : EP_QUIET, epi != last && !ready);
	}
	return ready;
}

/* Asks the files below, eventpolls among them: EP_MAX_NESTS deep at most. */
static u32 ep_eventpoll_poll(struct file *file, struct poll_table *table)
{
	struct eventpoll *ep = file->private_data;
	bool ready;

	poll_wait(file, &ep->poll_wait, table);
	if (!ep_events_available(ep))
		return 0;
	mutex_lock_nested(&ep->mtx);
	ready = ep_any_ready(ep);
	mutex_unlock(&ep->mtx);
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

static void ep_eventpoll_release(struct file *file)
{
	struct eventpoll *ep = file->private_data;
	struct rb_node *node;

	spin_lock(&watchers_lock);
	list_del_init(&ep->all_link);
	ep->file = NULL;
	spin_unlock(&watchers_lock);
	mutex_lock(&ep->mtx);
	while ((node = ep->rbr.rb_node)) {
		ep_remove(ep, rb_entry(node, struct epitem, rbn));
		cond_resched();
	}
	mutex_unlock(&ep->mtx);
	ep_user_put(ep->user);
	ep_put(ep);
}

/*
 * The last reference to a watched file has gone. The eventpoll may be closing on another CPU: whoever gets its mtx
 * first removes the epitem, and the other finds it gone.
 */
static struct eventpoll *first_watcher(struct file *file)
{
	struct eventpoll *ep = NULL;

	spin_lock(&watchers_lock);
	if (!list_empty(&file->watchers)) {
		ep = list_first_entry(&file->watchers, struct epitem, fllink)->ep;
		ep_get(ep);
	}
	spin_unlock(&watchers_lock);
	return ep;
}

static struct epitem *item_of(struct file *file, struct eventpoll *ep)
{
	struct epitem *epi, *found = NULL;

	spin_lock(&watchers_lock);
	list_for_each_entry(epi, &file->watchers, fllink) {
		if (epi->ep == ep) {
			found = epi;
			break;
		}
	}
	spin_unlock(&watchers_lock);
	return found;
}

void eventpoll_release_slow(struct file *file)
{
	struct eventpoll *ep;
	struct epitem *epi;

	while ((ep = first_watcher(file))) {
		mutex_lock(&ep->mtx);
		while ((epi = item_of(file, ep)))
			ep_remove(ep, epi);
		mutex_unlock(&ep->mtx);
		ep_put(ep);
	}
}

/* Linux's line, with its own number for a device: sockets, pipes and the like are on one without. */
static void ep_show_item(const struct epitem *epi, struct seq_buf *out)
{
	const struct file *file = epi->file;
	u64 ino = file->anon_ino, dev = 0;

	if (file->dentry) {
		ino = file->dentry->inode->ino;
		dev = file->dentry->super->dev;
	}
	seq_printf(out, "tfd: %8d events: %8x data: %16llx  pos:%lld ino:%llx sdev:%x\n", epi->fd,
		   epi->events, epi->data, file->pos, ino, dev_major(dev) << 20 | dev_minor(dev));
}

static void ep_show_fdinfo(struct file *file, struct seq_buf *out)
{
	struct eventpoll *ep = file->private_data;

	mutex_lock(&ep->mtx);
	for (struct rb_node *node = rb_first(&ep->rbr); node; node = rb_next(node))
		ep_show_item(rb_entry(node, struct epitem, rbn), out);
	mutex_unlock(&ep->mtx);
}

const struct file_ops eventpoll_file_ops = {
	.anon_name = "anon_inode:[eventpoll]",
	.llseek = llseek_nothing,
	.poll = ep_eventpoll_poll,
	.release = ep_eventpoll_release,
	.show_fdinfo = ep_show_fdinfo,
};
