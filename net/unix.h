/*
 * Unix sockets: two processes of one machine, and the queues of both. A send puts its buffer straight on the
 * receiver's queue; the sender stays charged for it until it is read.
 *
 * Streams and sequenced packets have one peer for life: u->peer is set once, keeps a reference until u itself ends,
 * and needs no lock after that. A datagram socket's peer is only where it sends to; it may change, under lock.
 *
 * Locks, in acquire order:
 *	sk->user_lock	one reader at a time; binding. Dropped before files are: their end may be anything's
 *	unix_gc_mutex	which sockets are in flight, and taking buffers with files off a queue (net/unix_gc.c)
 *	unix_names_lock	who has which name
 *	sk->lock	queue, state, peer; two of them by address (unix_lock_two)
 *	room.lock	of the peer, inside one's own sk->lock
 */
#pragma once

#include <net/scm.h>

struct dentry;

/* A name. Constant, shared by a listener and those accepted from it. */
struct unix_address {
	u32 refcount; /* atomic */
	u32 length;   /* of name, as getsockname() tells */
	struct sockaddr_un name;
	char end; /* of a path that fills all of it */
};

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
	struct sock sk;

	struct unix_address *address; /* set once, under user_lock; readers look without */
	struct dentry *dentry;	      /* the same: a bound path, pinned */
	struct hlist_node by_name;    /* under unix_names_lock: abstract names */
	struct list_head all;	      /* under unix_names_lock: for /proc */

	/* under sk.lock */
	u8 state; /* enum unix_state; looked at without it */
	bool dead;
	struct unix_sock *peer; /* a reference */
	/* a listener's connections that nobody has accepted yet; their own link in that list */
	struct list_head pending;
	u32 nr_pending;
	u32 backlog; /* of connections, or datagrams */

	/* SO_PEERCRED: set before anybody can ask. A listener's are its own, for those who connect */
	struct ucred peer_creds;

	/* Senders that wait until this one's queue has room: blocked ones, and poll's: */
	struct wait_queue room;
	/* under sk.lock: on peer->room, after poll found the peer's queue full */
	struct wait_entry peer_room;

	/* under unix_gc_mutex */
	u32 in_flight;	 /* how often its file is in somebody's queue */
	u32 gc_refs;	 /* of those, from sockets that are not known to be in use */
	bool gc_suspect; /* nobody but queues has it */
	struct list_head gc_link;
};

/* In skb->cb, while a buffer is on a queue of unix sockets. */
struct unix_cb {
	struct scm_fds *fds;
	struct ucred creds;
	u32 consumed; /* of a stream's bytes */
};
static_assert(sizeof(struct unix_cb) <= sizeof(((struct sk_buff *)0)->cb), "unix_cb fits");

static inline struct unix_cb *unix_cb(struct sk_buff *skb)
{
	return (struct unix_cb *)skb->cb;
}
static inline struct unix_sock *unix_sk(struct sock *sk)
{
	return container_of(sk, struct unix_sock, sk);
}

/* Linux's measure: a quarter of the limit is enough in use. */
static inline bool unix_writable(const struct unix_sock *u)
{
	return (u64)READ_ONCE(u->sk.wmem) * 4 <= READ_ONCE(u->sk.sndbuf);
}
static inline bool unix_queue_full(const struct unix_sock *u)
{
	return READ_ONCE(u->sk.receive_queue.count) > READ_ONCE(u->backlog);
}

/* ---- net/unix.c ------------------------------------------------------------------------------------- */

extern u32 unix_max_dgram_qlen;
extern const struct sock_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;

int unix_init_sock(struct sock *sk);
void unix_flush(struct file *file);
void unix_close(struct sock *sk);
void unix_destroy(struct sock *sk);
int unix_socketpair(struct sock *a, struct sock *b);
int unix_shutdown(struct sock *sk, u32 how);
int unix_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length);
long unix_ioctl(struct sock *sk, u32 command, u64 arg);
/* What SO_PEERCRED says to those who connect to the current task. */
struct ucred unix_own_peer_creds(void);
/* Both locks, in the order of their addresses. */
void unix_lock_two(struct unix_sock *a, struct unix_sock *b);
void unix_unlock_two(struct unix_sock *a, struct unix_sock *b);
/* The peer with a reference, or NULL. */
struct unix_sock *unix_peer_get(struct unix_sock *u);

/* ---- net/unix_name.c -------------------------------------------------------------------------------- */

extern spinlock_t unix_names_lock;
extern struct list_head unix_socks; /* under unix_names_lock: all that are not closed */
int unix_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length);
int unix_autobind(struct unix_sock *u);
int unix_getname(struct sock *sk, struct sockaddr_storage *addr, bool peer);
/* Fills in msg->name: the sender's. */
void unix_copy_name(struct msg *msg, const struct unix_sock *sender);
/* A well-formed address? 0 or -EINVAL. */
int unix_check_addr(const struct sockaddr_storage *addr, u32 length);
/* Who has this name, with a reference; ERR_PTR(-ECONNREFUSED, -EPROTOTYPE, ...). */
struct unix_sock *unix_find(const struct sockaddr_storage *addr, u32 length, u8 type);
/* Nobody finds it any more. */
void unix_unname(struct unix_sock *u);
void unix_address_put(struct unix_address *address);
void unix_list_add(struct unix_sock *u);
void unix_name_init(void);

/* ---- net/unix_connect.c: streams and sequenced packets ------------------------------------------------ */

int unix_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length, u32 file_flags);
int unix_listen(struct sock *sk, int backlog);
struct sock *unix_accept(struct sock *sk, u32 file_flags);

/* ---- net/unix_skb.c: buffers ------------------------------------------------------------------------- */

/* A buffer with the next `size` bytes of `from`, charged to `u`. ERR_PTR; `from` may have been advanced. */
struct sk_buff *unix_skb_fill(struct unix_sock *u, struct iov_iter *from, u32 size);
/* The rest of the message; its files, in flight already, go with the buffer. */
void unix_skb_attach(struct sk_buff *skb, struct scm *scm, const struct unix_sock *sender,
		     const struct unix_sock *receiver);
/* Take it off the queue; by the one who alone may (user_lock, or nobody else is left). */
void unix_unlink(struct unix_sock *u, struct sk_buff *skb);
/* All of them, onto a queue of the caller's. */
void unix_take_all(struct unix_sock *u, struct skb_queue *queue);
/* The control messages of a buffer, for its reader; `fds` are consumed. */
void unix_put_scm(struct unix_sock *u, struct msg *msg, const struct ucred *creds,
		  struct scm_fds *fds);

/* ---- net/unix_gc.c ------------------------------------------------------------------------------------ */

extern struct mutex unix_gc_mutex;
/* Files begin to be in flight: 0 or -ETOOMANYREFS; takes the mutex. They end to be: with the mutex held. */
int unix_take_off(struct scm_fds *fds);
void unix_landed(struct scm_fds *fds);
/* The end of a send: what is left of its files was not sent. */
void unix_scm_abort(struct scm *scm);
/* Files are put on a queue: does that make a circle? */
void unix_look_for_circle(const struct scm_fds *fds, const struct unix_sock *receiver);
/* Find the sockets that are only in each other's queues, and empty those. `closing`: the caller will drop a reference
 * to it, or NULL. */
void unix_gc_slow(const struct file *closing);
extern bool unix_maybe_circles; /* looked at without the mutex */
static inline void unix_gc(const struct file *closing)
{
	if (unlikely(READ_ONCE(unix_maybe_circles)))
		unix_gc_slow(closing);
}
