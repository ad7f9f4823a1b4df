/*
 * Unix streams: bytes in order, whatever the writes were. A write that is larger than half of the limit goes in
 * pieces; a read takes from as many buffers as it needs, but does not go beyond one that carried files or that another
 * sender wrote (where the reader asks for credentials).
 *
 * Context: process. Locks: user_lock of the reader, across the copy to its memory; sk->lock.
 */
#include <net/unix.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>

#define MAX_PIECE (32 * KiB)

/* ---- sending ------------------------------------------------------------------------------------------- */

static bool hung_up(const struct unix_sock *peer)
{
	return peer->dead || (peer->sk.shutdown & SHUTDOWN_RCV);
}

/* The next bytes onto the peer's queue. 0 or -errno. */
static int send_piece(struct unix_sock *u, struct unix_sock *peer, struct msg *msg, u32 size,
		      struct scm *scm)
{
	int error = sock_wait_for_send(&u->sk, msg->flags);
	struct sk_buff *skb;
	bool refused;

	if (unlikely(error))
		return error;
	skb = unix_skb_fill(u, msg->data, size);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	spin_lock_bh(&peer->sk.lock);
	refused = hung_up(peer);
	if (likely(!refused)) {
		unix_skb_attach(skb, scm, u, peer);
		skb_queue_tail(&peer->sk.receive_queue, skb);
	}
	spin_unlock_bh(&peer->sk.lock);
	if (likely(!refused)) {
		sock_wake_sync(&peer->sk, SOCK_READABLE);
		return 0;
	}
	skb_put(skb);
	return -EPIPE;
}

static ssize_t send_pieces(struct unix_sock *u, struct unix_sock *peer, struct msg *msg,
			   struct scm *scm)
{
	size_t total = msg->data->count, sent = 0;
	u32 most = min_t(u32, READ_ONCE(u->sk.sndbuf) / 2 - 64, MAX_PIECE);

	while (sent < total) {
		u32 piece = min(total - sent, (size_t)most);
		int error = send_piece(u, peer, msg, piece, scm);

		if (unlikely(error))
			return sent ? (ssize_t)sent : error;
		sent += piece;
	}
	return sent;
}

static ssize_t unix_stream_sendmsg(struct sock *sk, struct msg *msg)
{
	struct unix_sock *u = unix_sk(sk), *peer = __atomic_load_n(&u->peer, __ATOMIC_ACQUIRE);
	struct scm scm;
	ssize_t result;

	if (unlikely(msg->flags & MSG_OOB))
		return -EOPNOTSUPP;
	result = scm_send(msg, &scm);
	if (unlikely(result))
		return result;
	if (unlikely(msg->name_length))
		result = u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (unlikely(!peer))
		result = -ENOTCONN;
	else if (unlikely(READ_ONCE(sk->shutdown) & SHUTDOWN_SND))
		result = -EPIPE;
	else if (unlikely(scm.fds))
		result = unix_take_off(scm.fds);
	if (likely(!result))
		result = send_pieces(u, peer, msg, &scm);
	if (unlikely(scm.fds))
		unix_scm_abort(&scm);
	return result;
}

/* ---- receiving ----------------------------------------------------------------------------------------- */

/* A read on its way. */
struct reading {
	struct unix_sock *u;
	struct msg *msg;
	size_t size; /* wanted */
	size_t copied;
	bool begun; /* name and credentials are known: */
	struct ucred creds;
	struct scm_fds *fds; /* of the last buffer read: the program's */
};

static bool stream_readable(struct sock *sk)
{
	return !skb_queue_empty(&sk->receive_queue) || READ_ONCE(sk->error) ||
	       (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV);
}

/* The buffer after `last`, or the first one. user_lock held: none of them goes away. */
static struct sk_buff *next_buffer(struct unix_sock *u, struct sk_buff *last)
{
	struct skb_queue *queue = &u->sk.receive_queue;
	struct sk_buff *skb;

	spin_lock_bh(&u->sk.lock);
	skb = last ? list_entry(last->link.next, struct sk_buff, link) : skb_peek(queue);
	if (last && &skb->link == &queue->list)
		skb = NULL;
	spin_unlock_bh(&u->sk.lock);
	return skb;
}

/* May this buffer's bytes follow those that were read? */
static bool begin_buffer(struct reading *reading, struct sk_buff *skb)
{
	const struct unix_cb *cb = unix_cb(skb);
	struct msg *msg = reading->msg;

	if (reading->begun)
		return !(reading->u->sk.options & SK_PASSCRED) ||
		       !memcmp(&reading->creds, &cb->creds, sizeof(cb->creds));
	reading->begun = true;
	reading->creds = cb->creds;
	if (msg->name_wanted)
		unix_copy_name(msg, unix_sk(skb->sk));
	return true;
}

/* Bytes of one buffer. Their number, or -EFAULT. */
static ssize_t copy_bytes(struct reading *reading, struct sk_buff *skb)
{
	u32 consumed = unix_cb(skb)->consumed;
	size_t size = min(reading->size - reading->copied, (size_t)(skb->len - consumed));

	if (skb_copy_to_iter(skb, consumed, reading->msg->data, size) < size)
		return -EFAULT;
	reading->copied += size;
	return size;
}

/* What was read goes; its files are the program's. True: go on with the next buffer. */
static bool consume(struct reading *reading, struct sk_buff *skb, size_t size)
{
	struct unix_cb *cb = unix_cb(skb);

	cb->consumed += size;
	if (likely(!cb->fds)) {
		if (cb->consumed < skb->len)
			return false;
		unix_unlink(reading->u, skb);
		skb_put(skb);
		return true;
	}
	mutex_lock(&unix_gc_mutex);
	spin_lock_bh(&reading->u->sk.lock);
	reading->fds = cb->fds;
	cb->fds = NULL;
	if (cb->consumed == skb->len)
		skb_unlink(&reading->u->sk.receive_queue, skb);
	else
		skb = NULL;
	spin_unlock_bh(&reading->u->sk.lock);
	unix_landed(reading->fds);
	mutex_unlock(&unix_gc_mutex);
	if (skb)
		skb_put(skb);
	return false;
}

static bool peek(struct reading *reading, struct sk_buff *skb)
{
	const struct scm_fds *fds = unix_cb(skb)->fds;

	if (likely(!fds))
		return true;
	reading->fds = scm_fds_copy(fds);
	if (!reading->fds)
		reading->msg->out_flags |= MSG_CTRUNC;
	return false;
}

/* From the buffers that are there. 0: go on if there is more room; 1: that is all for this call; -EFAULT. */
static int read_buffers(struct reading *reading)
{
	struct sk_buff *skb = next_buffer(reading->u, NULL), *next;
	bool peeking = reading->msg->flags & MSG_PEEK;

	for (; skb; skb = next) {
		ssize_t size;
		bool go_on;

		if (!begin_buffer(reading, skb))
			return 1;
		size = copy_bytes(reading, skb);
		if (size < 0)
			return reading->copied ? 1 : size;
		next = peeking ? next_buffer(reading->u, skb) : NULL;
		go_on = peeking ? peek(reading, skb) : consume(reading, skb, size);
		if (!go_on || reading->copied == reading->size)
			return 1;
		if (!peeking)
			next = next_buffer(reading->u, NULL);
	}
	return peeking && reading->copied;
}

/* user_lock held, and again if this is 0; dropped asleep. 1: the end. Else -errno. */
static int wait_for_bytes(struct unix_sock *u, u64 deadline)
{
	struct sock *sk = &u->sk;
	bool ended = READ_ONCE(sk->error) || READ_ONCE(sk->shutdown) & SHUTDOWN_RCV;
	int error;

	/* Bytes may have come before the end, and behind our look at the queue. */
	if (ended && !skb_queue_empty(&sk->receive_queue))
		return 0;
	error = sock_error(sk);
	if (error)
		return error;
	if (ended)
		return 1;
	if (!deadline)
		return -EAGAIN;
	mutex_unlock(&sk->user_lock);
	error = sock_wait_until(sk, SOCK_READABLE, stream_readable, false, deadline);
	mutex_lock(&sk->user_lock);
	return error;
}

/* Until there is as much as the program wants at least. user_lock held. 0 or -errno. */
static int read_enough(struct reading *reading)
{
	struct sock *sk = &reading->u->sk;
	u32 flags = reading->msg->flags;
	size_t least = flags & MSG_WAITALL ? reading->size
					   : min_t(size_t, READ_ONCE(sk->rcvlowat), reading->size);
	u64 deadline = 0;
	bool timed = false;
	int result;

	for (;;) {
		result = read_buffers(reading);
		if (result || reading->copied >= max(least, (size_t)1))
			return min(result, 0);
		if (!timed)
			deadline = sock_deadline(READ_ONCE(sk->rcvtimeo), flags);
		timed = true;
		result = wait_for_bytes(reading->u, deadline);
		if (result)
			return reading->copied ? 0 : min(result, 0);
	}
}

static ssize_t unix_stream_recvmsg(struct sock *sk, struct msg *msg)
{
	struct reading reading = { .u = unix_sk(sk), .msg = msg, .size = msg->data->count };
	int error;

	if (unlikely(reading.u->state != UNIX_CONNECTED))
		return -EINVAL;
	if (unlikely(msg->flags & MSG_OOB))
		return -EOPNOTSUPP;
	mutex_lock(&sk->user_lock);
	error = read_enough(&reading);
	mutex_unlock(&sk->user_lock);
	if (unlikely(reading.begun && (msg->control || reading.fds)))
		unix_put_scm(reading.u, msg, &reading.creds, reading.fds);
	return error ?: (ssize_t)reading.copied;
}

/* ---- poll ---------------------------------------------------------------------------------------------- */

static u32 unix_stream_poll(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);
	u32 shutdown = READ_ONCE(sk->shutdown), state = READ_ONCE(u->state), ready = 0;

	if (READ_ONCE(sk->error))
		ready |= EPOLLERR;
	if (shutdown == SHUTDOWN_MASK)
		ready |= EPOLLHUP;
	if (shutdown & SHUTDOWN_RCV)
		ready |= EPOLLRDHUP | SOCK_READABLE;
	if (!skb_queue_empty(&sk->receive_queue) || READ_ONCE(u->nr_pending))
		ready |= SOCK_READABLE;
	if (state == UNIX_CLOSED)
		ready |= EPOLLHUP;
	if (state != UNIX_LISTENING && unix_writable(u))
		ready |= SOCK_WRITABLE;
	return ready;
}

static struct sock_cache unix_stream_cache;

const struct sock_ops unix_stream_ops = {
	.name = "UNIX-STREAM",
	.size = sizeof(struct unix_sock),
	.cache = &unix_stream_cache,
	.init = unix_init_sock,
	.flush = unix_flush,
	.close = unix_close,
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.socketpair = unix_socketpair,
	.getname = unix_getname,
	.sendmsg = unix_stream_sendmsg,
	.recvmsg = unix_stream_recvmsg,
	.poll = unix_stream_poll,
	.shutdown = unix_shutdown,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.destroy = unix_destroy,
};
