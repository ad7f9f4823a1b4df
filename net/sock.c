/*
 * What every socket has, whatever its protocol: its life, its memory, its errors, and how one waits for it.
 * Steps 8 and 9 for datagrams.
 *
 * Context: softirq and process. Locks: sk->lock, inside it wq->lock.
 */
#include <net/sock.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/time.h>
#include <kernel/trace.h>
#include <net/netdev.h>

u32 sock_somaxconn = 4096;
u32 sock_rmem_max = 4 * MiB, sock_wmem_max = 4 * MiB;
u32 sock_rmem_default = 212992, sock_wmem_default = 212992;

LIST_HEAD(sock_caches); /* whole after start-up */

/* ---- life -------------------------------------------------------------------------------------------- */

void sock_register(const struct sock_ops *ops)
{
	struct sock_cache *cache = ops->cache;

	cache->ops = ops;
	cache->slab = kmem_cache_create(ops->name, ops->size, 8);
	if (!cache->slab)
		panic("no memory for the cache of %s sockets", ops->name);
	list_add_tail(&cache->link, &sock_caches);
}

struct sock *sock_alloc(const struct sock_ops *ops, u16 family, u8 type, u8 protocol, gfp_t gfp)
{
	struct sock *sk = kmem_cache_alloc(ops->cache->slab, gfp);

	if (!sk)
		return NULL;
	memset(sk, 0, ops->size);
	sk->ops = ops;
	sk->refcount = 1;
	sk->family = family;
	sk->type = type;
	sk->protocol = protocol;
	spin_lock_init(&sk->lock);
	wait_queue_init(&sk->wq);
	mutex_init(&sk->user_lock);
	skb_queue_init(&sk->receive_queue);
	sk->rcvbuf = READ_ONCE(sock_rmem_default);
	sk->sndbuf = READ_ONCE(sock_wmem_default);
	sk->rcvlowat = 1;
	sk->rcvtimeo = sk->sndtimeo = NO_TIMEOUT;
	__atomic_add_fetch(&ops->cache->in_use, 1, __ATOMIC_RELAXED);
	return sk;
}

void sock_free(struct sock *sk)
{
	struct sock_cache *cache = sk->ops->cache;

	if (sk->ops->destroy)
		sk->ops->destroy(sk);
	skb_queue_purge(&sk->receive_queue);
	kmem_cache_free(cache->slab, sk);
	__atomic_sub_fetch(&cache->in_use, 1, __ATOMIC_RELAXED);
}

/* ---- errors ------------------------------------------------------------------------------------------ */

void sock_set_error(struct sock *sk, int error)
{
	WRITE_ONCE(sk->error, error);
	sock_wake_all(sk, EPOLLERR);
}

int sock_error_slow(struct sock *sk)
{
	return -__atomic_exchange_n(&sk->error, 0, __ATOMIC_ACQ_REL);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void uncharge_receive(struct sk_buff *skb)
{
	__atomic_sub_fetch(&skb->sk->rmem, skb->truesize, __ATOMIC_RELAXED);
}

/* One buffer may go over the limit, so that a small limit does not mean that nothing ever fits. */
bool skb_charge_receive(struct sk_buff *skb, struct sock *sk)
{
	u32 queued = READ_ONCE(sk->rmem);

	if (queued >= READ_ONCE(sk->rcvbuf) || unlikely(!skb_may_wait(queued)))
		return false;
	__atomic_add_fetch(&sk->rmem, skb->truesize, __ATOMIC_RELAXED);
	skb->sk = sk;
	skb->destructor = uncharge_receive;
	return true;
}

static void uncharge_send(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	u32 limit = sock_writable_below(sk);
	u32 before = __atomic_fetch_sub(&sk->wmem, skb->truesize, __ATOMIC_RELAXED);

	/* Who found it writable does not wait: only the buffer that makes it so wakes. */
	if (unlikely(before >= limit) && before - skb->truesize < limit)
		sock_wake(sk, SOCK_WRITABLE);
	sock_put(sk);
}

void skb_charge_send(struct sk_buff *skb, struct sock *sk)
{
	sock_get(sk);
	__atomic_add_fetch(&sk->wmem, skb->truesize, __ATOMIC_RELAXED);
	skb->sk = sk;
	skb->destructor = uncharge_send;
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

int sock_interrupted(u64 deadline)
{
	return deadline == NO_TIMEOUT ? -ERESTARTSYS : -EINTR;
}

/* Readers and writers wait on one queue. */
struct sock_waiter {
	struct wait_entry entry;
	u32 events;
};

static bool wake_for_events(struct wait_entry *entry, u32 key)
{
	const struct sock_waiter *waiter = container_of(entry, struct sock_waiter, entry);

	if (key && !(key & waiter->events))
		return false;
	return autoremove_wake_function(entry, key);
}

int sock_wait_until(struct sock *sk, u32 events, bool (*ready)(struct sock *sk), bool exclusive,
		    u64 deadline)
{
	struct sock_waiter waiter = {
		.entry = WAIT_ENTRY_INIT(exclusive ? WQ_FLAG_EXCLUSIVE : 0),
		.events = events | EPOLLERR | EPOLLHUP,
	};
	bool time_left = deadline != 0;
	int result = 0;

	if (!time_left)
		return ready(sk) ? 0 : -EAGAIN;
	might_sleep();
	waiter.entry.func = wake_for_events;
	INIT_LIST_HEAD(&waiter.entry.link);
	for (;;) {
		prepare_to_wait(&sk->wq, &waiter.entry, TASK_INTERRUPTIBLE);
		if (ready(sk))
			break;
		if (signal_pending())
			result = sock_interrupted(deadline);
		else if (!time_left)
			result = -EAGAIN;
		if (result)
			break;
		time_left = schedule_timeout(deadline);
	}
	finish_wait(&sk->wq, &waiter.entry);
	return result;
}

static bool may_send(struct sock *sk)
{
	return READ_ONCE(sk->wmem) < READ_ONCE(sk->sndbuf) || READ_ONCE(sk->error) ||
	       (READ_ONCE(sk->shutdown) & SHUTDOWN_SND);
}

int sock_wait_for_send_slow(struct sock *sk, u32 flags)
{
	u64 deadline = sock_deadline(READ_ONCE(sk->sndtimeo), flags);

	net_flush(); /* what fills the buffer may not have left */
	for (;;) {
		int error = sock_error(sk);

		if (error)
			return error;
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND)
			return -EPIPE;
		if (likely(READ_ONCE(sk->wmem) < READ_ONCE(sk->sndbuf)))
			return 0;
		error = sock_wait_until(sk, SOCK_WRITABLE, may_send, false, deadline);
		if (error)
			return error;
	}
}

/* ---- datagrams --------------------------------------------------------------------------------------- */

/* Linux's drivers copy small packets into small buffers. We do not, it would cost more than it saves: but SO_RCVBUF
 * stands for as many of them. What they really take counts against the cap on all packet memory. */
#define SMALL_DATAGRAM 256
#define SMALL_TRUESIZE 768

bool sock_queue_receive(struct sock *sk, struct sk_buff *skb)
{
	bool room;

	if (skb->len <= SMALL_DATAGRAM && !skb->data_len)
		skb->truesize = SMALL_TRUESIZE;
	spin_lock(&sk->lock);
	room = skb_charge_receive(skb, sk);
	if (likely(room)) {
		skb_queue_tail(&sk->receive_queue, skb);
		trace(SOCK_ENQUEUE, skb, sk->ino, sk->receive_queue.count, skb->len);
	} else {
		sk->drops++;
		trace(SKB_DROP, skb, sock_queue_receive);
	}
	spin_unlock(&sk->lock);
	if (likely(room))
		sock_wake(sk, SOCK_READABLE);
	else
		skb_put(skb);
	return room;
}

static inline struct sk_buff *take_datagram(struct sock *sk, u32 flags)
{
	struct sk_buff *skb;

	spin_lock_bh(&sk->lock);
	skb = skb_peek(&sk->receive_queue);
	if (skb && (flags & MSG_PEEK))
		skb_get(skb);
	else if (skb)
		skb_unlink(&sk->receive_queue, skb);
	spin_unlock_bh(&sk->lock);
	return skb;
}

static bool may_receive(struct sock *sk)
{
	return !skb_queue_empty(&sk->receive_queue) || READ_ONCE(sk->error) ||
	       (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV);
}

static noinline struct sk_buff *wait_for_datagram(struct sock *sk, u32 flags)
{
	u64 deadline = sock_deadline(READ_ONCE(sk->rcvtimeo), flags);

	for (;;) {
		struct sk_buff *skb;
		int error = sock_error(sk);

		if (error)
			return ERR_PTR(error);
		skb = take_datagram(sk, flags);
		if (likely(skb))
			return skb;
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
			return NULL;
		error = sock_wait_until(sk, SOCK_READABLE, may_receive, true, deadline);
		if (error)
			return ERR_PTR(error);
	}
}

struct sk_buff *sock_receive_datagram(struct sock *sk, u32 flags)
{
	struct sk_buff *skb = likely(!READ_ONCE(sk->error)) ? take_datagram(sk, flags) : NULL;

	return likely(skb) ? skb : wait_for_datagram(sk, flags);
}
