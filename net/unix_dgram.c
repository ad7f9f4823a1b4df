/*
 * Unix datagrams, and sequenced packets, which are datagrams between two for life. A message arrives whole or not at
 * all, and what a reader has no room for is gone.
 *
 * Whoever sends to a queue that is full waits on the receiver's `room`; so does poll, by an entry that wakes those who
 * wait on the sender.
 *
 * Context: process. Locks: net/unix.h.
 */
#include <net/unix.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>

#define HEADER_SHARE 32 /* of the send limit: what Linux keeps for itself */

/* ---- a full peer --------------------------------------------------------------------------------------- */

/* Two who send to each other may fill each other's queues: neither waits for the other. */
static bool has_room(const struct unix_sock *u, const struct unix_sock *other)
{
	return other == u || READ_ONCE(other->peer) == u || !unix_queue_full(other);
}

static bool gone(const struct unix_sock *other)
{
	return READ_ONCE(other->dead) || (READ_ONCE(other->sk.shutdown) & SHUTDOWN_RCV);
}

/* 0: look again. */
static int wait_for_room(struct unix_sock *u, struct unix_sock *other, u64 deadline)
{
	int error;

	if (!deadline)
		return -EAGAIN;
	error = wait_event_full(&other->room, gone(other) || has_room(u, other), TASK_INTERRUPTIBLE,
				WQ_FLAG_EXCLUSIVE, deadline);
	if (error == -EINTR)
		return sock_interrupted(deadline);
	return error == -ETIME ? -EAGAIN : 0;
}

/* An entry of other->room; its lock is held. */
static bool relay_room(struct wait_entry *entry, u32 key)
{
	struct unix_sock *u = container_of(entry, struct unix_sock, peer_room);

	list_del_init(&entry->link);
	sock_wake(&u->sk, SOCK_WRITABLE);
	return false;
}

/* Tell u's waiters when there is room; registering comes before the look that counts. u's lock held. */
static bool poll_room(struct unix_sock *u, struct unix_sock *other)
{
	if (has_room(u, other))
		return true;
	spin_lock_bh(&other->room.lock);
	if (list_empty(&u->peer_room.link)) {
		u->peer_room.func = relay_room;
		list_add(&u->peer_room.link, &other->room.entries);
	}
	spin_unlock_bh(&other->room.lock);
	smp_mb();
	return gone(other) || has_room(u, other);
}

/* ---- the peer ------------------------------------------------------------------------------------------ */

/* u's lock held; what was the peer, with its reference. */
static struct unix_sock *change_peer(struct unix_sock *u, struct unix_sock *peer)
{
	struct unix_sock *old = u->peer;

	u->peer = peer;
	u->state = peer ? UNIX_CONNECTED : UNIX_CLOSED;
	if (old)
		remove_wait_queue(&old->room, &u->peer_room);
	return old;
}

/* `old` is not u's peer any more: what was queued is not for u, and old, if it still sends to u, hears of that. */
static void disconnected(struct unix_sock *u, struct unix_sock *old)
{
	struct skb_queue queued;

	mutex_lock(&u->sk.user_lock);
	unix_take_all(u, &queued);
	mutex_unlock(&u->sk.user_lock);
	if (!skb_queue_empty(&queued)) {
		wake_up_all(&u->room);
		if (READ_ONCE(old->peer) == u && !READ_ONCE(old->dead))
			sock_set_error(&old->sk, ECONNRESET);
	}
	skb_queue_purge(&queued);
	sock_wake(&u->sk, SOCK_WRITABLE);
}

/* It has closed: sends fail from now on, until the next connect. */
static void forget_peer(struct unix_sock *u, const struct unix_sock *peer)
{
	struct unix_sock *old = NULL;

	spin_lock_bh(&u->sk.lock);
	if (u->peer == peer)
		old = change_peer(u, NULL);
	spin_unlock_bh(&u->sk.lock);
	if (!old)
		return;
	disconnected(u, old);
	sock_put(&old->sk);
}

/* May u send to one that listens to somebody else only? */
static bool may_send(const struct unix_sock *u, const struct unix_sock *other)
{
	const struct unix_sock *peer = READ_ONCE(other->peer);

	return !peer || peer == u;
}

/* The one that this address names, with a reference; NULL if it names none. ERR_PTR. */
static struct unix_sock *new_peer(struct unix_sock *u, const struct sockaddr_storage *addr,
				  u32 length)
{
	struct unix_sock *other;
	int error;

	if (length < sizeof(addr->family))
		return ERR_PTR(-EINVAL);
	if (addr->family == AF_UNSPEC)
		return NULL;
	error = unix_check_addr(addr, length);
	if (!error && (u->sk.options & SK_PASSCRED) && !u->address)
		error = unix_autobind(u);
	if (error)
		return ERR_PTR(error);
	other = unix_find(addr, length, u->sk.type);
	if (IS_ERR(other) || may_send(u, other))
		return other;
	sock_put(&other->sk);
	return ERR_PTR(-EPERM);
}

static int unix_dgram_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length,
			      u32 file_flags)
{
	struct unix_sock *u = unix_sk(sk), *other = new_peer(u, addr, length), *old;

	if (IS_ERR(other))
		return PTR_ERR(other);
	spin_lock_bh(&sk->lock);
	old = change_peer(u, other);
	spin_unlock_bh(&sk->lock);
	if (!old)
		return 0;
	if (old != other)
		disconnected(u, old);
	sock_put(&old->sk);
	return 0;
}

/* ---- sending ------------------------------------------------------------------------------------------- */

/* 0; -EAGAIN: full; -ECONNREFUSED: it has closed. */
static int deliver(struct unix_sock *u, struct unix_sock *other, struct sk_buff *skb,
		   struct scm *scm)
{
	int error = 0;

	spin_lock_bh(&other->sk.lock);
	if (unlikely(!may_send(u, other) && u->sk.type == SOCK_DGRAM))
		error = -EPERM;
	else if (unlikely(other->dead))
		error = -ECONNREFUSED;
	else if (unlikely(other->sk.shutdown & SHUTDOWN_RCV))
		error = -EPIPE;
	else if (unlikely(!has_room(u, other)))
		error = -EAGAIN;
	if (likely(!error)) {
		unix_skb_attach(skb, scm, u, other);
		if (unlikely(other->sk.options & SK_TIMESTAMP))
			skb->tstamp = clock_ns();
		skb_queue_tail(&other->sk.receive_queue, skb);
	}
	spin_unlock_bh(&other->sk.lock);
	if (likely(!error))
		sock_wake_sync(&other->sk, SOCK_READABLE);
	return error;
}

/* The receiver by its name, or the peer; a reference. ERR_PTR. */
static struct unix_sock *receiver_of(struct unix_sock *u, const struct msg *msg)
{
	struct unix_sock *other;

	if (msg->name_length)
		return unix_find(&msg->name, msg->name_length, u->sk.type);
	other = unix_peer_get(u);
	return other ?: ERR_PTR(-ENOTCONN);
}

/* Somebody else may have the name of one that has closed: once more, then. */
static int deliver_or_wait(struct unix_sock *u, struct msg *msg, struct sk_buff *skb,
			   struct scm *scm)
{
	u64 deadline = sock_deadline(READ_ONCE(u->sk.sndtimeo), msg->flags);

	for (;;) {
		struct unix_sock *other = receiver_of(u, msg);
		int error, waited = -1;

		if (IS_ERR(other))
			return PTR_ERR(other);
		error = deliver(u, other, skb, scm);
		if (error == -EAGAIN)
			error = waited = wait_for_room(u, other, deadline);
		else if (error == -ECONNREFUSED && msg->name_length)
			error = waited = 0;
		else if (error == -ECONNREFUSED && u->sk.type == SOCK_DGRAM)
			forget_peer(u, other);
		sock_put(&other->sk);
		if (waited)
			return error;
	}
}

static ssize_t send_datagram(struct unix_sock *u, struct msg *msg, struct scm *scm)
{
	size_t size = msg->data->count;
	struct sk_buff *skb;
	int error;

	if (size > READ_ONCE(u->sk.sndbuf) - HEADER_SHARE)
		return -EMSGSIZE;
	error = sock_wait_for_send(&u->sk, msg->flags);
	if (error)
		return error;
	skb = unix_skb_fill(u, msg->data, size);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	error = deliver_or_wait(u, msg, skb, scm);
	if (likely(!error))
		return size;
	skb_put(skb);
	return error;
}

static int check_receiver(const struct msg *msg)
{
	return msg->name_length ? unix_check_addr(&msg->name, msg->name_length) : 0;
}

static ssize_t unix_dgram_sendmsg(struct sock *sk, struct msg *msg)
{
	struct unix_sock *u = unix_sk(sk);
	struct scm scm;
	ssize_t result;

	result = scm_send(msg, &scm);
	if (unlikely(result))
		return result;
	result = unlikely(msg->flags & MSG_OOB) ? -EOPNOTSUPP : check_receiver(msg);
	if (!result && (sk->options & SK_PASSCRED) && !u->address)
		result = unix_autobind(u);
	if (!result && unlikely(scm.fds))
		result = unix_take_off(scm.fds);
	if (!result)
		result = send_datagram(u, msg, &scm);
	if (unlikely(scm.fds))
		unix_scm_abort(&scm);
	return result;
}

static ssize_t unix_seqpacket_sendmsg(struct sock *sk, struct msg *msg)
{
	int error = sock_error(sk);

	if (error)
		return error;
	if (unix_sk(sk)->state != UNIX_CONNECTED)
		return -ENOTCONN;
	msg->name_length = 0;
	return unix_dgram_sendmsg(sk, msg);
}

/* ---- receiving ----------------------------------------------------------------------------------------- */

static bool datagram_ready(struct sock *sk)
{
	return !skb_queue_empty(&sk->receive_queue) || READ_ONCE(sk->error) ||
	       (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV);
}

/* The first datagram, with user_lock; it is still on the queue. ERR_PTR, NULL (the end): without. */
static struct sk_buff *wait_for_datagram(struct sock *sk, u32 flags)
{
	u64 deadline = sock_deadline(READ_ONCE(sk->rcvtimeo), flags);
	struct sk_buff *skb;
	int error;

	for (;;) {
		mutex_lock(&sk->user_lock);
		error = sock_error(sk);
		spin_lock_bh(&sk->lock);
		skb = error ? ERR_PTR(error) : skb_peek(&sk->receive_queue);
		spin_unlock_bh(&sk->lock);
		if (likely(skb && !IS_ERR(skb)))
			return skb;
		mutex_unlock(&sk->user_lock);
		if (error)
			return skb;
		if ((READ_ONCE(sk->shutdown) & SHUTDOWN_RCV) &&
		    (deadline || sk->type == SOCK_SEQPACKET))
			return NULL;
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		error = sock_wait_until(sk, SOCK_READABLE, datagram_ready, true, deadline);
		if (error)
			return ERR_PTR(error);
	}
}

/* To the program, as much as there is room for. */
static ssize_t copy_datagram(struct sk_buff *skb, struct msg *msg)
{
	size_t size = min(msg->data->count, (size_t)skb->len);

	if (msg->name_wanted)
		unix_copy_name(msg, unix_sk(skb->sk));
	if (size < skb->len)
		msg->out_flags |= MSG_TRUNC;
	if (skb_copy_to_iter(skb, 0, msg->data, size) < size)
		return -EFAULT;
	return msg->flags & MSG_TRUNC ? skb->len : size;
}

/* Read and gone: the buffer is off the queue, its files are the program's. */
static struct scm_fds *take_datagram(struct unix_sock *u, struct sk_buff *skb)
{
	struct scm_fds *fds = unix_cb(skb)->fds;

	unix_unlink(u, skb);
	unix_cb(skb)->fds = NULL;
	return fds;
}

static struct scm_fds *peek_datagram(struct sk_buff *skb, struct msg *msg)
{
	struct scm_fds *fds = unix_cb(skb)->fds;

	if (!fds)
		return NULL;
	fds = scm_fds_copy(fds);
	if (!fds)
		msg->out_flags |= MSG_CTRUNC;
	return fds;
}

/* user_lock held at the start, not at the end. */
static ssize_t read_datagram(struct unix_sock *u, struct sk_buff *skb, struct msg *msg)
{
	bool peek = msg->flags & MSG_PEEK;
	ssize_t result = copy_datagram(skb, msg);
	struct ucred creds = unix_cb(skb)->creds;
	struct scm_fds *fds = peek ? peek_datagram(skb, msg) : take_datagram(u, skb);

	if (msg->control)
		sock_put_stamps(&u->sk, msg, skb);
	mutex_unlock(&u->sk.user_lock);
	if (likely(!peek)) {
		skb_put(skb);
		if (wait_queue_active(&u->room))
			wake_up_sync(&u->room, SOCK_WRITABLE);
	}
	if (unlikely(result < 0 && fds))
		scm_fds_drop(fds);
	else if (msg->control || fds)
		unix_put_scm(u, msg, &creds, fds);
	return result;
}

static ssize_t unix_dgram_recvmsg(struct sock *sk, struct msg *msg)
{
	struct sk_buff *skb;

	if (unlikely(msg->flags & MSG_OOB))
		return -EOPNOTSUPP;
	skb = wait_for_datagram(sk, msg->flags);
	if (unlikely(!skb || IS_ERR(skb)))
		return PTR_ERR(skb);
	return read_datagram(unix_sk(sk), skb, msg);
}

static ssize_t unix_seqpacket_recvmsg(struct sock *sk, struct msg *msg)
{
	return unix_sk(sk)->state == UNIX_CONNECTED ? unix_dgram_recvmsg(sk, msg) : -ENOTCONN;
}

/* ---- poll ---------------------------------------------------------------------------------------------- */

static bool dgram_writable(struct unix_sock *u)
{
	bool room = true;

	if (READ_ONCE(u->state) == UNIX_LISTENING || !unix_writable(u))
		return false;
	if (!READ_ONCE(u->peer))
		return true;
	spin_lock_bh(&u->sk.lock);
	if (u->peer)
		room = poll_room(u, u->peer);
	spin_unlock_bh(&u->sk.lock);
	return room;
}

static u32 unix_dgram_poll(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);
	u32 shutdown = READ_ONCE(sk->shutdown), ready = 0;

	if (READ_ONCE(sk->error))
		ready |= EPOLLERR;
	if (shutdown & SHUTDOWN_RCV)
		ready |= EPOLLRDHUP | SOCK_READABLE;
	if (shutdown == SHUTDOWN_MASK)
		ready |= EPOLLHUP;
	if (!skb_queue_empty(&sk->receive_queue) || READ_ONCE(u->nr_pending))
		ready |= SOCK_READABLE;
	if (sk->type == SOCK_SEQPACKET && READ_ONCE(u->state) == UNIX_CLOSED)
		ready |= EPOLLHUP;
	if (dgram_writable(u))
		ready |= SOCK_WRITABLE;
	return ready;
}

static struct sock_cache unix_dgram_cache, unix_seqpacket_cache;

const struct sock_ops unix_dgram_ops = {
	.name = "UNIX",
	.size = sizeof(struct unix_sock),
	.cache = &unix_dgram_cache,
	.init = unix_init_sock,
	.flush = unix_flush,
	.close = unix_close,
	.bind = unix_bind,
	.connect = unix_dgram_connect,
	.socketpair = unix_socketpair,
	.getname = unix_getname,
	.sendmsg = unix_dgram_sendmsg,
	.recvmsg = unix_dgram_recvmsg,
	.poll = unix_dgram_poll,
	.shutdown = unix_shutdown,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.destroy = unix_destroy,
};

const struct sock_ops unix_seqpacket_ops = {
	.name = "UNIX-SEQPACKET",
	.size = sizeof(struct unix_sock),
	.cache = &unix_seqpacket_cache,
	.init = unix_init_sock,
	.flush = unix_flush,
	.close = unix_close,
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.socketpair = unix_socketpair,
	.getname = unix_getname,
	.sendmsg = unix_seqpacket_sendmsg,
	.recvmsg = unix_seqpacket_recvmsg,
	.poll = unix_dgram_poll,
	.shutdown = unix_shutdown,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.destroy = unix_destroy,
};
