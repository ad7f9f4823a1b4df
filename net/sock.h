/*
 * A socket: queues, a wait queue, and a protocol. One structure serves both sides, the descriptor's
 * (net/socket.c: system calls, file_ops) and the protocol's (udp.c, tcp.c, raw.c, unix.c), which embed it in
 * their own and fill in one small table of functions, sock_ops.
 *
 * Locks, in acquire order:
 *   user_lock	a mutex: readers and senders one at a time. Whoever holds it alone takes buffers off the head of
 *		the receive queue, and may copy from them to user memory with no spinlock held. Never held in sleep
 *		that waits for the network: wait, then take it, then look again.
 *   lock	a _bh spinlock: everything else below that softirqs touch too. The lookup tables' bucket locks are
 *		taken inside it (bind, connect) or without it (lookup takes a reference, unlocks, then locks).
 *   wq.lock	inside `lock`, or without it.
 *
 * References: one for the file (or for the protocol as long as a closed TCP socket still has to do), one for each
 * table that it is in, one for whoever works on it.
 */
#pragma once

#include <fs/file.h>
#include <kernel/cred.h>
#include <kernel/lib/hlist.h>
#include <kernel/time.h>
#include <net/skbuff.h>
#include <net/sockaddr.h>

struct sock;
struct msg_control;

/* A send or receive, from whichever system call. */
struct msg {
	struct iov_iter *data;
	struct page *
		page; /* send: the bytes are in it, and may be kept by reference; NULL: a program's */
	u32 flags;    /* MSG_*; MSG_DONTWAIT is set if the file is O_NONBLOCK */
	/* send: the address given, length 0: none, or, if name_wanted, an empty one. receive: filled in if
	 * name_wanted. */
	struct sockaddr_storage name;
	u32 name_length;
	bool name_wanted;
	bool more; /* send: others follow in the same call, and net_flush() after the last one */
	/* Control messages. send: a copy in kernel memory; receive: user memory, filled by put_cmsg(). */
	struct msg_control *control;
	u32 out_flags; /* receive: MSG_TRUNC, MSG_CTRUNC, ... */
};

struct sock_ops {
	const char *name;	  /* of the protocol, as in /proc/net/protocols */
	u32 size;		  /* of the structure that embeds struct sock, for its slab cache */
	struct sock_cache *cache; /* the kind's, filled in by sock_register() */
	/* Process context all of them. Those that a kind cannot do are NULL: -EOPNOTSUPP. */
	int (*init)(struct sock *sk); /* may be NULL */
	/* A descriptor is being closed, maybe not the last. May be NULL. */
	void (*flush)(struct file *file);
	/* The last one is gone. Drops the file's reference when the protocol is done. */
	void (*close)(struct sock *sk);
	int (*bind)(struct sock *sk, const struct sockaddr_storage *addr, u32 length);
	int (*connect)(struct sock *sk, const struct sockaddr_storage *addr, u32 length,
		       u32 file_flags);
	int (*listen)(struct sock *sk, int backlog);
	/* A connected sock with a reference, or ERR_PTR. */
	struct sock *(*accept)(struct sock *sk, u32 file_flags);
	int (*socketpair)(struct sock *a, struct sock *b);
	/* The address's length, or -errno. */
	/* May be asked without a peer: -ENOTCONN. */
	int (*getname)(struct sock *sk, struct sockaddr_storage *addr, bool peer);
	/* A stream's -EPIPE becomes a SIGPIPE in net/socket.c. */
	ssize_t (*sendmsg)(struct sock *sk, struct msg *msg);
	ssize_t (*recvmsg)(struct sock *sk, struct msg *msg);
	u32 (*poll)(struct sock *sk); /* the mask; net/socket.c has registered already */
	int (*shutdown)(struct sock *sk, u32 how); /* SHUTDOWN_* bits */
	/* Other levels than SOL_SOCKET, and what of that net/sock_options.c does not know. The value is in kernel
	 * memory, zero-padded to at least 4 bytes. */
	int (*setsockopt)(struct sock *sk, int level, int option, const void *value, u32 length);
	/* Fills value (SOCKOPT_MAX bytes of room). *length: what the program has room for, then what there
	 * is to copy. */
	int (*getsockopt)(struct sock *sk, int level, int option, void *value, u32 *length);
	void (*keepalive)(struct sock *sk); /* SO_KEEPALIVE has changed; may be NULL */
	/* An errno that nothing has failed by yet, taken: SO_ERROR gives it when there is no other. May be NULL. */
	int (*soft_error)(struct sock *sk);
	/* -ENOTTY: not mine. */
	long (*ioctl)(struct sock *sk, u32 command, u64 arg);
	/* The last reference is gone: free what it owns. Any context but hard IRQ. May be NULL. */
	void (*destroy)(struct sock *sk);
};

#define SHUTDOWN_RCV  1U
#define SHUTDOWN_SND  2U
#define SHUTDOWN_MASK 3U

#define SOCKOPT_MAX 512 /* bytes of an option's value */

struct sock {
	const struct sock_ops *ops;
	u32 refcount; /* atomic */
	/* constant after creation */
	u16 family;
	u8 type;
	u8 protocol;

	spinlock_t lock;
	u32 shutdown;	      /* under lock: SHUTDOWN_*; grows only. Readers may look without */
	struct wait_queue wq; /* woken with the EPOLL* that came true */
	struct mutex user_lock;

	/* under lock */
	struct skb_queue receive_queue;
	struct file *file; /* NULL: closed, or not yet accepted */
	u64 ino;	   /* socket:[N], once it has a file */

	s32 error; /* atomic: SO_ERROR, positive; given once, by sock_error() */
	u32 rmem;  /* atomic: truesize of what is queued for reading */
	u32 wmem;  /* atomic: of what is queued for sending */
	u32 drops; /* under lock; for /proc/net/udp */

	/* options of SOL_SOCKET, under lock; looked at without it */
	u32 options; /* SK_* */
	u32 rcvbuf, sndbuf;
	u32 linger; /* seconds */
	u32 priority;
	u32 bound_dev; /* index; 0: any */
	u32 mark;
	u32 rcvlowat;
	u64 rcvtimeo, sndtimeo; /* ns; NO_TIMEOUT */
	u32 uid;		/* constant: of the creator, for /proc/net */
};
#if !CONFIG_DEBUG
static_assert(sizeof(struct sock) <= 192, "an idle connection costs less than 1 KiB, all told");
#endif

enum sock_option {
	SK_REUSEADDR = 1 << 0,
	SK_REUSEPORT = 1 << 1,
	SK_KEEPALIVE = 1 << 2,
	SK_BROADCAST = 1 << 3,
	SK_LINGER = 1 << 4,
	SK_TIMESTAMP = 1 << 5,
	SK_PASSCRED = 1 << 6,
	SK_OOBINLINE = 1 << 7,
	SK_DONTROUTE = 1 << 8,
	SK_NO_CHECK = 1 << 9,
	SK_TIMESTAMPNS = 1 << 10, /* SO_TIMESTAMP's time in ns */
	SK_DEBUG = 1 << 11,
	SK_LISTENING = 1 << 12,	  /* SO_ACCEPTCONN: set by listen() when the kind agreed */
	SK_RCVBUF_LOCK = 1 << 13, /* the program has chosen the size: no tuning */
	SK_SNDBUF_LOCK = 1 << 14,
	SK_RXQ_OVFL = 1 << 15, /* tell of drops with each datagram */
	SK_ZEROCOPY = 1 << 16,
	SK_SELECT_ERR_QUEUE = 1 << 17, /* a message in the error queue is EPOLLPRI */
	SK_PASSPIDFD = 1 << 18,
};

/* ---- life: net/sock.c -------------------------------------------------------------------------------- */

/* A kind's slab, and how many there are: for /proc/net/{protocols,sockstat}. */
struct sock_cache {
	struct kmem_cache *slab;
	const struct sock_ops *ops;
	u64 in_use; /* atomic */
	struct list_head link;
};
extern struct list_head sock_caches; /* whole after start-up */
/* Once for each kind, at start-up, before sock_alloc(). */
void sock_register(const struct sock_ops *ops);

/* A new one of this kind, refcount 1, not yet with a file; init() is the caller's. NULL: no memory. Any context if gfp is GFP_ATOMIC. */
struct sock *sock_alloc(const struct sock_ops *ops, u16 family, u8 type, u8 protocol, gfp_t gfp);
static inline void sock_get(struct sock *sk)
{
	__atomic_add_fetch(&sk->refcount, 1, __ATOMIC_RELAXED);
}
void sock_free(struct sock *sk);
static inline void sock_put(struct sock *sk)
{
	if (__atomic_sub_fetch(&sk->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		sock_free(sk);
}

/* ---- what protocols share ----------------------------------------------------------------------------- */

/* Charge a buffer to the receive queue's limit. false: the queue is full, nothing done. */
bool skb_charge_receive(struct sk_buff *skb, struct sock *sk);
/* To the send limit; does not refuse: the sender has waited for room. The buffer holds a reference to the sock
 * until it is freed, which wakes writers. */
void skb_charge_send(struct sk_buff *skb, struct sock *sk);
/* Step 8 for datagrams: charge, queue, wake readers. Takes the reference; false: dropped and counted (full).
 * Under no lock; softirq. */
bool sock_queue_receive(struct sock *sk, struct sk_buff *skb);
/* Readers of a datagram kind: waits as flags and SO_RCVTIMEO say. A buffer off the queue (MSG_PEEK: a
 * reference to it, still there), or ERR_PTR (-EAGAIN, -EINTR/-ERESTARTSYS, the socket's error). NULL: shut down. */
struct sk_buff *sock_receive_datagram(struct sock *sk, u32 flags);
/* Room to send? Waits as above. 0 or -errno (-EPIPE: shut down). */
int sock_wait_for_send_slow(struct sock *sk, u32 flags);
static inline int sock_wait_for_send(struct sock *sk, u32 flags)
{
	if (likely(!READ_ONCE(sk->error) && !(READ_ONCE(sk->shutdown) & SHUTDOWN_SND) &&
		   READ_ONCE(sk->wmem) < READ_ONCE(sk->sndbuf)))
		return 0;
	return sock_wait_for_send_slow(sk, flags);
}
static inline u32 sock_writable_below(const struct sock *sk)
{
	return READ_ONCE(sk->sndbuf) / 2; /* Linux's rule for datagrams */
}
static inline bool sock_writable(const struct sock *sk)
{
	return READ_ONCE(sk->wmem) < sock_writable_below(sk);
}

/* Set SO_ERROR (positive) and wake everybody; take it (0 or -errno). Under lock or without. */
void sock_set_error(struct sock *sk, int error);
int sock_error_slow(struct sock *sk);
static inline int sock_error(struct sock *sk)
{
	return likely(!READ_ONCE(sk->error)) ? 0 : sock_error_slow(sk);
}

/* SO_TIMESTAMP and SO_RXQ_OVFL's control messages, if they were asked for. */
void sock_put_stamps_slow(struct sock *sk, struct msg *msg, const struct sk_buff *skb);
static inline void sock_put_stamps(struct sock *sk, struct msg *msg, const struct sk_buff *skb)
{
	if (unlikely(READ_ONCE(sk->options) & (SK_TIMESTAMP | SK_RXQ_OVFL)))
		sock_put_stamps_slow(sk, msg, skb);
}

/* ---- waiting and waking -------------------------------------------------------------------------------- */

#define SOCK_READABLE (EPOLLIN | EPOLLRDNORM)
#define SOCK_WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* What came true is in `key`. By softirqs; by a program that goes on; by one that will soon wait for the answer. */
static inline void sock_wake(struct sock *sk, u32 key)
{
	if (wait_queue_active(&sk->wq))
		wake_up_poll(&sk->wq, key);
}
static inline void sock_wake_sync(struct sock *sk, u32 key)
{
	if (wait_queue_active(&sk->wq))
		wake_up_sync(&sk->wq, key);
}
/* All of them, the exclusive too: something ends. */
static inline void sock_wake_all(struct sock *sk, u32 key)
{
	if (wait_queue_active(&sk->wq))
		wake_up_key(&sk->wq, 0, key);
}

/* How long a receive or send may wait: clock_ns() deadline; 0 for "not at all". */
static inline u64 sock_deadline(u64 timeout, u32 flags)
{
	if (flags & MSG_DONTWAIT)
		return 0;
	return timeout == NO_TIMEOUT ? NO_TIMEOUT : clock_ns_after(timeout);
}
/* Sleeps until ready(sk), which is called without a lock; the wake-ups that count are those with one of `events`
 * (EPOLLERR and EPOLLHUP always do). exclusive: a wake-up is meant for one of several who wait like this.
 * 0, -EAGAIN after the deadline, or what sock_interrupted() says. */
int sock_wait_until(struct sock *sk, u32 events, bool (*ready)(struct sock *sk), bool exclusive,
		    u64 deadline);
/* A signal came into a wait: -ERESTARTSYS if it could have lasted for ever, else -EINTR, as on Linux. */
int sock_interrupted(u64 deadline);

extern u32 sock_somaxconn, sock_rmem_max, sock_wmem_max, sock_rmem_default, sock_wmem_default;

/* SOL_SOCKET: net/sock_options.c. -ENOPROTOOPT: not known there. */
int sock_setsockopt(struct sock *sk, int option, const void *value, u32 length);
int sock_getsockopt(struct sock *sk, int option, void *value, u32 *length);

/* ---- from a descriptor: net/socket.c ------------------------------------------------------------------- */

extern const struct file_ops socket_file_ops;
static inline struct sock *file_sock(const struct file *file)
{
	return file->ops == &socket_file_ops ? file->private_data : NULL;
}
/* A file for a new or accepted socket. It takes the reference, also when it fails: then the socket is closed.
 * ERR_PTR. */
struct file *sock_create_file(struct sock *sk, u32 flags);

/* A family's sockets by type and protocol: a const table in net/socket.c names them. */
struct sock_family {
	u16 family;
	/* The kind, *protocol filled in if it was 0; or ERR_PTR (ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM, ...). */
	const struct sock_ops *(*select)(int type, int *protocol);
	/* Commands that any socket of the family takes: SIOCGIFADDR and friends. -ENOTTY: not mine; NULL. */
	long (*ioctl)(struct sock *sk, u32 command, u64 arg);
};
extern const struct sock_family inet_family, unix_family;

/* ---- control messages: net/cmsg.c ---------------------------------------------------------------------- */

struct cmsghdr {
	u64 length; /* of this and the data, without the padding behind it */
	s32 level, type;
};
#define CMSG_ALIGN(size) ALIGN_UP(size, sizeof(u64))

struct msg_control {
	void *data; /* send: kernel copy */
	u64 length;
	void __user *user; /* receive: where to write, how much room is left */
	u64 room;
};
/* Add one to a receive; sets MSG_CTRUNC in msg->out_flags if there is no room. */
void put_cmsg(struct msg *msg, int level, int type, const void *data, u32 length);
/* The next one of a send after `last` (NULL: the first). NULL: there is none; ERR_PTR(-EINVAL). */
const struct cmsghdr *next_cmsg(const struct msg_control *control, const struct cmsghdr *last);
static inline const void *cmsg_data(const struct cmsghdr *cmsg)
{
	return cmsg + 1;
}
static inline u64 cmsg_size(const struct cmsghdr *cmsg)
{
	return cmsg->length - sizeof(*cmsg);
}

/* At start-up, after procfs: what this room shows there, and its kinds of sockets. */
void sockets_init(void);
