/*
 * /proc/epoll: every eventpoll there is, with the tree of what it watches and what of that is on its ready list. The
 * address of `wq` is that under which /proc/wait shows the tasks that sleep in epoll_wait().
 *
 * Context: process. Locks: watchers_lock, ep->mtx, ep->lock.
 */
#include <fs/eventpoll_impl.h>
#include <fs/proc/pid.h>
#include <fs/proc/tree.h>
#include <kernel/sched.h>

#define NAME_SIZE 256

/*
 * The next one, referenced, for the one that the caller held; NULL: that was the last. When it was closed meanwhile
 * nothing leads on from it, and the list ends there.
 */
static struct eventpoll *next_eventpoll(struct eventpoll *ep)
{
	struct list_head *next = NULL;
	struct eventpoll *found = NULL;

	spin_lock(&watchers_lock);
	if (!ep)
		next = eventpolls.next;
	else if (!list_empty(&ep->all_link))
		next = ep->all_link.next;
	if (next && next != &eventpolls) {
		found = list_entry(next, struct eventpoll, all_link);
		ep_get(found);
	}
	spin_unlock(&watchers_lock);
	if (ep)
		ep_put(ep);
	return found;
}

static void print_item(struct seq_buf *out, struct eventpoll *ep, const struct epitem *epi)
{
	char name[NAME_SIZE];
	ssize_t length = file_name(epi->file, name, sizeof(name));
	bool ready;

	spin_lock_bh(&ep->lock);
	ready = !list_empty(&epi->rdllink);
	spin_unlock_bh(&ep->lock);
	seq_printf(out, "    fd %d events %#x %.*s%s\n", epi->fd, epi->events, (int)max(length, 0l),
		   name, ready ? " ready" : "");
}

static void show_epoll(struct seq_buf *out, const struct proc_entry *entry)
{
	for (struct eventpoll *ep = NULL; (ep = next_eventpoll(ep));) {
		mutex_lock(&ep->mtx);
		seq_printf(out, "%p wq %p\n", ep, &ep->wq);
		for (struct rb_node *node = rb_first(&ep->rbr); node; node = rb_next(node))
			print_item(out, ep, rb_entry(node, struct epitem, rbn));
		mutex_unlock(&ep->mtx);
		cond_resched();
	}
}

static const struct proc_entry files[] = {
	{ "epoll", 0400, .show = show_epoll },
};

void proc_epoll_init(void)
{
	PROC_REGISTER("", files);
}
