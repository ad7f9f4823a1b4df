/*
 * May an eventpoll watch another one? Not if that closes a circle, for a wake-up would go round it for ever; nor if more
 * than EP_MAX_NESTS then hang below one, for asking it asks them all.
 *
 * What is nested is a program's to choose, so there is no recursion: a queue of eventpolls to visit, each with its
 * distance from the start. One that is met again farther away is moved to the end with the greater distance, so each is
 * visited once a distance at most.
 *
 * Context: process. Locks: epnested_mutex (the caller's) keeps new edges away; inside it each ep->mtx in turn (down),
 * or watchers_lock (up).
 */
#include <fs/eventpoll_impl.h>

struct walk {
	struct list_head queue;	     /* by visit_link, nearest first; referenced */
	struct eventpoll *forbidden; /* to meet it is a circle */
	u32 depth;
	bool failed;
};

static void meet(struct walk *walk, struct eventpoll *ep, u32 depth)
{
	if (ep == walk->forbidden || depth > EP_MAX_NESTS) {
		walk->failed = true;
		return;
	}
	ep->visit_depth = depth;
	if (list_empty(&ep->visit_link))
		ep_get(ep);
	list_move_tail(&ep->visit_link, &walk->queue);
}

static void meet_watched(struct walk *walk, struct eventpoll *ep)
{
	mutex_lock(&ep->mtx);
	for (struct rb_node *node = rb_first(&ep->rbr); node; node = rb_next(node)) {
		struct file *file = rb_entry(node, struct epitem, rbn)->file;

		if (is_file_epoll(file))
			meet(walk, file->private_data, ep->visit_depth + 1);
	}
	mutex_unlock(&ep->mtx);
}

static void meet_watchers(struct walk *walk, struct eventpoll *ep)
{
	struct epitem *epi;

	spin_lock(&watchers_lock);
	if (ep->file) {
		list_for_each_entry(epi, &ep->file->watchers, fllink)
			meet(walk, epi->ep, ep->visit_depth + 1);
	}
	spin_unlock(&watchers_lock);
}

static void visit_all(struct walk *walk, struct eventpoll *start,
		      void (*meet_next)(struct walk *walk, struct eventpoll *ep))
{
	INIT_LIST_HEAD(&walk->queue);
	meet(walk, start, 0);
	while (!list_empty(&walk->queue)) {
		struct eventpoll *ep = list_first_entry(&walk->queue, struct eventpoll, visit_link);

		list_del_init(&ep->visit_link);
		walk->depth = ep->visit_depth;
		if (!walk->failed)
			meet_next(walk, ep);
		ep_put(ep);
	}
}

int ep_check_nesting(struct eventpoll *ep, struct eventpoll *target)
{
	struct walk down = { .forbidden = ep }, up = { 0 };

	visit_all(&down, target, meet_watched);
	if (down.failed)
		return -ELOOP;
	visit_all(&up, ep, meet_watchers);
	return up.failed || down.depth + 1 + up.depth > EP_MAX_NESTS ? -ELOOP : 0;
}
