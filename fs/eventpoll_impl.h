/*
 * epoll's structures: what the reading calls eventpoll, epitem, rbr and rdllist.
 *
 *	struct eventpoll            struct epitem (one a watched descriptor)
 *	  rbr ------------------->    rbn      in the tree of all that are watched, by (file, fd)
 *	  rdllist --------------->    rdllink  in the list of those that may be ready
 *	  wq: tasks in epoll_wait     wait     on the file's wait queue, func = ep_poll_callback
 *	  poll_wait: who polls us     fllink   in file->watchers, so that the file's end ends this too
 *
 * Locks, in acquire order, and why each is of its kind:
 *
 *   epnested_mutex	one ADD of an eventpoll to an eventpoll at a time, or two that are harmless alone could
 *			together close a circle.
 *   ep->mtx		a mutex, for it is held while files are asked (their poll may sleep) and while events are copied
 *			to the program. Whoever holds it knows that no epitem of `ep` comes or goes. An outer
 *			eventpoll's is taken before an inner one's.
 *   watchers_lock	all files' `watchers`, ep->file, the list of all eventpolls. Process context only.
 *   file's wq.lock	held by wake_up() when it calls ep_poll_callback ...
 *   ep->lock		... which therefore can take only spinlocks: the ready list's.
 *   ep->wq.lock	to wake a task in epoll_wait.
 *
 * A watched file is not referenced by its epitem: it goes when its last descriptor goes, and takes the epitem with it.
 * Until file->watchers is empty its memory stays, because file_release() waits for ep->mtx here.
 */
#pragma once

#include <fs/file.h>
#include <kernel/lib/rbtree.h>
#include <kernel/mutex.h>

struct epoll_event { /* Linux's, on x86-64 and i386 alike */
	u32 events;
	u64 data;
} __packed;
static_assert(sizeof(struct epoll_event) == 12, "the ABI says so");

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE	(1U << 28)
#define EPOLLWAKEUP	(1U << 29) /* accepted: nothing sleeps that it could keep awake */
#define EPOLLONESHOT	(1U << 30)
#define EPOLLET		(1U << 31)
#define EP_PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

#define EP_MAX_NESTS 4 /* so many eventpolls below one */

struct ep_user;

/* One entry on one wait queue of the watched file. Nearly every file has one; the first is in the epitem. */
struct eppoll_entry {
	struct wait_entry wait; /* private: the epitem */
	struct wait_queue *whead;
	struct eppoll_entry *next; /* of the same epitem */
};

struct epitem {
	/* constant */
	struct file
		*file; /* together the key: the same file under another number is another item */
	s32 fd;
	u32 events; /* written under mtx and lock, so read under either. 0 but for EP_PRIVATE_BITS: silent */
	u64 data; /* under mtx */
	struct eventpoll *ep;
	struct rb_node rbn;		/* under ep->mtx */
	struct list_head rdllink;	/* under ep->lock; empty: not on rdllist */
	struct list_head fllink;	/* under watchers_lock */
	struct eppoll_entry first_wait; /* under ep->mtx; whead NULL: the file has no wait queue */
};

struct eventpoll {
	u32 refcount;	      /* atomic: the file's, and whoever works on it without one */
	struct ep_user *user; /* who is charged for what is watched */
	struct mutex mtx;
	struct rb_root rbr; /* under mtx */

	spinlock_t lock;
	struct list_head rdllist; /* under lock; that it is not empty may be seen without */
	bool scanning; /* under lock: whoever holds mtx works through rdllist, and has taken one off */
	bool wake_queued; /* under lock: on some CPU's list of those whose pollers are to be woken */
	struct eventpoll *wake_next; /* that CPU's */

	struct wait_queue wq;	     /* tasks in epoll_wait() */
	struct wait_queue poll_wait; /* those who watch us: poll, select, outer eventpolls */

	/* under watchers_lock */
	struct file *file;	   /* NULL when it is closed */
	struct list_head all_link; /* in `eventpolls`, in the order of their files' numbers */

	/* under epnested_mutex */
	struct list_head visit_link;
	u32 visit_depth;
};

extern const struct file_ops eventpoll_file_ops;
extern spinlock_t watchers_lock;
extern struct list_head eventpolls;
extern struct mutex epnested_mutex;

static inline bool is_file_epoll(const struct file *file)
{
	return file->ops == &eventpoll_file_ops;
}

static inline void ep_get(struct eventpoll *ep)
{
	__atomic_add_fetch(&ep->refcount, 1, __ATOMIC_RELAXED);
}
void ep_put(struct eventpoll *ep); /* any context but hard IRQ */

/* All under ep->mtx. */
struct epitem *ep_find(struct eventpoll *ep, const struct file *file, int fd);
int ep_insert(struct eventpoll *ep, struct file *file, int fd, const struct epoll_event *event);
void ep_modify(struct eventpoll *ep, struct epitem *epi, const struct epoll_event *event);
void ep_remove(struct eventpoll *ep, struct epitem *epi);

/* Events for epoll_wait(): how many, or -errno (-EINTR); 0 after the deadline (poll_wait.h's). */
long ep_poll(struct eventpoll *ep, struct epoll_event __user *events, u32 max, u64 deadline);

/* Under epnested_mutex: may `ep` watch `target`? 0 or -ELOOP. fs/eventpoll_nested.c */
int ep_check_nesting(struct eventpoll *ep, struct eventpoll *target);

/* fs/eventpoll_user.c. The current user's account, referenced; NULL: no memory. */
struct ep_user *ep_user_get(void);
void ep_user_put(struct ep_user *user);
bool ep_user_charge(struct ep_user *user); /* false: over the limit */
void ep_user_uncharge(struct ep_user *user);
