/*
 * Sockets in flight. A unix socket can be sent through a unix socket, and so two of them can end up in each other's
 * queues with nobody else knowing them: they keep each other alive for ever. Here such circles are found.
 *
 *	suspects	sockets whose every reference is from a message in some queue
 *	subtract	what comes from queues of suspects; who still has references then is in a queue that a
 *			program can read
 *	mark		and so is everything in the queues of those, and in theirs
 *	the rest	can never be read: their queues are emptied, and so they close
 *
 * Context: process. Lock: unix_gc_mutex; inside it sk->lock, of a listener and then of those that wait to be accepted.
 * A circle is closed by a socket that is sent to one that is in flight itself (or that waits to be accepted: then its
 * listener may be); both are in flight before either is on a queue, so one of the two senders sees it. Until that has
 * happened there is nothing to look for.
 *
 * Nothing of this can change under our hands: a message with sockets in it leaves its queue under unix_gc_mutex only,
 * and a suspect's file can only get another reference by that.
 */
#include <net/unix.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>

#define MANY_SOCKETS 2024 /* in flight: a send looks for circles first */

DEFINE_MUTEX(unix_gc_mutex);
/* under unix_gc_mutex */
static LIST_HEAD(flying); /* sockets, by gc_link */
bool unix_maybe_circles;
static u32 nr_sockets; /* references to such; looked at without the mutex */
static u32 nr_limited; /* files that are in flight by those who have a limit */

/* ---- taking off and landing ---------------------------------------------------------------------------- */

static struct unix_sock *socket_in(const struct file *file)
{
	struct sock *sk = file_sock(file);

	return sk && sk->family == AF_UNIX ? unix_sk(sk) : NULL;
}

static void count_sockets(const struct scm_fds *fds)
{
	for (u32 i = 0; i < fds->count; i++) {
		struct unix_sock *u = socket_in(fds->files[i]);

		if (u && u->in_flight++ == 0)
			list_add_tail(&u->gc_link, &flying);
	}
	nr_sockets += fds->sockets;
}

static void uncount_sockets(const struct scm_fds *fds)
{
	for (u32 i = 0; i < fds->count; i++) {
		struct unix_sock *u = socket_in(fds->files[i]);

		if (u && --u->in_flight == 0)
			list_del_init(&u->gc_link);
	}
	nr_sockets -= fds->sockets;
	if (!nr_sockets)
		unix_maybe_circles = false;
}

int unix_take_off(struct scm_fds *fds)
{
	int error = 0;

	if (READ_ONCE(nr_sockets) > MANY_SOCKETS)
		unix_gc(NULL);
	fds->limited = current->cred.euid != 0;
	mutex_lock(&unix_gc_mutex);
	if (fds->limited && nr_limited > rlimit(RLIMIT_NOFILE))
		error = -ETOOMANYREFS;
	if (!error) {
		nr_limited += fds->limited ? fds->count : 0;
		count_sockets(fds);
	}
	mutex_unlock(&unix_gc_mutex);
	fds->flying = !error;
	return error;
}

void unix_landed(struct scm_fds *fds)
{
	mutex_assert_held(&unix_gc_mutex);
	nr_limited -= fds->limited ? fds->count : 0;
	uncount_sockets(fds);
	fds->flying = false;
}

void unix_scm_abort(struct scm *scm)
{
	if (scm->fds->flying) {
		mutex_lock(&unix_gc_mutex);
		unix_landed(scm->fds);
		mutex_unlock(&unix_gc_mutex);
	}
	scm_fds_drop(scm->fds);
	scm->fds = NULL;
}

/* ---- looking into queues ------------------------------------------------------------------------------- */

typedef void (*visit_t)(struct unix_sock *child, struct list_head *list);

static void visit_queue(struct unix_sock *u, visit_t visit, struct list_head *list)
{
	struct sk_buff *skb;

	list_for_each_entry(skb, &u->sk.receive_queue.list, link) {
		const struct scm_fds *fds = unix_cb(skb)->fds;

		for (u32 i = 0; fds && i < fds->count; i++) {
			struct unix_sock *child = socket_in(fds->files[i]);

			if (child && child->gc_suspect)
				visit(child, list);
		}
	}
}

/* Every suspect in u's queue; a listener's is those of its connections to be accepted. */
static void visit_children(struct unix_sock *u, visit_t visit, struct list_head *list)
{
	struct unix_sock *child;

	spin_lock_bh(&u->sk.lock);
	visit_queue(u, visit, list);
	if (u->state == UNIX_LISTENING) {
		list_for_each_entry(child, &u->pending, pending) {
			spin_lock_nested(&child->sk.lock);
			visit_queue(child, visit, list);
			spin_unlock(&child->sk.lock);
		}
	}
	spin_unlock_bh(&u->sk.lock);
	cond_resched();
}

/* ---- the search ---------------------------------------------------------------------------------------- */

/* The reference of the one that is being closed does not count any more. */
static void find_suspects(struct list_head *suspects, const struct file *closing)
{
	struct unix_sock *u, *next;

	list_for_each_entry_safe(u, next, &flying, gc_link) {
		const struct file *file = u->sk.file;

		if (READ_ONCE(file->refcount) - (file == closing) != u->in_flight)
			continue;
		u->gc_suspect = true;
		u->gc_refs = u->in_flight;
		list_move_tail(&u->gc_link, suspects);
	}
}

static void subtract(struct unix_sock *child, struct list_head *unused)
{
	child->gc_refs--;
}

/* It can be reached: so can what is in its queue, which is looked at when its turn on the list comes. */
static void mark(struct unix_sock *child, struct list_head *reached)
{
	child->gc_suspect = false;
	list_move_tail(&child->gc_link, reached);
}

static void clear_suspects(struct list_head *suspects, struct list_head *reached)
{
	struct unix_sock *u, *next;

	list_for_each_entry(u, suspects, gc_link)
		visit_children(u, subtract, NULL);
	list_for_each_entry_safe(u, next, suspects, gc_link)
		if (u->gc_refs)
			mark(u, reached);
	list_for_each_entry(u, reached, gc_link)
		visit_children(u, mark, reached);
}

/* Messages with sockets off a queue onto ours; they are not in flight any more. Locks held. */
static void steal_from(struct unix_sock *u, struct skb_queue *stolen)
{
	struct sk_buff *skb, *next;

	list_for_each_entry_safe(skb, next, &u->sk.receive_queue.list, link) {
		if (!unix_cb(skb)->fds)
			continue;
		skb_unlink(&u->sk.receive_queue, skb);
		skb_queue_tail(stolen, skb);
		unix_landed(unix_cb(skb)->fds);
	}
}

static void steal_all(struct unix_sock *u, struct skb_queue *stolen)
{
	struct unix_sock *child;

	spin_lock_bh(&u->sk.lock);
	steal_from(u, stolen);
	if (u->state == UNIX_LISTENING) {
		list_for_each_entry(child, &u->pending, pending) {
			spin_lock_nested(&child->sk.lock);
			steal_from(child, stolen);
			spin_unlock(&child->sk.lock);
		}
	}
	spin_unlock_bh(&u->sk.lock);
}

static void collect(struct skb_queue *stolen, const struct file *closing)
{
	struct list_head suspects = LIST_HEAD_INIT(suspects), reached = LIST_HEAD_INIT(reached);

	find_suspects(&suspects, closing);
	clear_suspects(&suspects, &reached);
	list_splice_init(&reached, &flying);
	while (!list_empty(&suspects)) {
		struct unix_sock *u = list_first_entry(&suspects, struct unix_sock, gc_link);

		u->gc_suspect = false;
		list_move_tail(&u->gc_link, &flying);
		steal_all(u, stolen);
	}
}

void unix_look_for_circle(const struct scm_fds *fds, const struct unix_sock *receiver)
{
	if (fds->sockets && (READ_ONCE(receiver->in_flight) || !receiver->sk.file))
		WRITE_ONCE(unix_maybe_circles, true);
}

void unix_gc_slow(const struct file *closing)
{
	struct skb_queue stolen;

	skb_queue_init(&stolen);
	mutex_lock(&unix_gc_mutex);
	collect(&stolen, closing);
	mutex_unlock(&unix_gc_mutex);
	skb_queue_purge(&stolen);
}
