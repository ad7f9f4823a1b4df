/*
 * recv(): step 14 of the journey. Bytes go from the buffers that the NIC wrote straight to the program.
 *
 * A reader takes a buffer off the queue and counts its bytes as read under sk.lock, and copies them afterwards: user_lock
 * keeps other readers away. If the program's memory is not there, it puts the buffer back.
 *
 * The urgent byte (RFC 6093: nobody should use it, programs do) divides the stream: a read stops in front of it, and the
 * next one goes on behind it, for it is to be had by MSG_OOB only. With SO_OOBINLINE it is a byte like the others.
 *
 * Context: process. Locks: user_lock, but not asleep; sk.lock.
 */
#include <net/tcp_socket.h>

#include <kernel/lib/errno.h>

struct reading {
	struct tcp_sock *tp;
	struct msg *msg;
	size_t size;   /* wanted */
	size_t copied; /* bytes so far */
	u32 seq;       /* MSG_PEEK: the next one */
};

/* ---- the urgent byte, under sk.lock ---------------------------------------------------------------------------- */

/* The stream goes on at `seq`, behind it. */
static void forget_mark(struct tcp_sock *tp, u32 seq)
{
	if (unlikely(tp->urg_valid) && after(seq, tp->rcv_urg))
		WRITE_ONCE(tp->urg_valid, TCP_URG_NONE);
}

/* Is the byte at `seq` to be left out? */
static bool skips(const struct tcp_sock *tp, u32 seq)
{
	return unlikely(tp->urg_valid) && tp->rcv_urg == seq &&
	       !(tp->inet.sk.options & SK_OOBINLINE);
}

/* How many bytes from `seq` on a read may take: it stops at the mark. */
static u32 up_to_mark(const struct tcp_sock *tp, u32 seq, u32 size)
{
	u32 distance = tp->rcv_urg - seq;

	return likely(!tp->urg_valid) || !distance ? size : min(size, distance);
}

/* Has the read come to the mark? Then it is over. */
static bool stops_at(const struct reading *reading, u32 seq)
{
	return reading->copied && unlikely(reading->tp->urg_valid) && reading->tp->rcv_urg == seq;
}

/* ---- bytes out of the queue --------------------------------------------------------------------------------------- */

/* What is read next. */
struct piece {
	struct sk_buff *skb;
	u32 offset, size;
	bool whole; /* nothing of the buffer is left: it is off the queue, ours */
	bool last;  /* there was nothing behind it */
};

static inline void take_off(struct tcp_sock *tp, struct piece *piece)
{
	piece->whole = piece->offset + piece->size == piece->skb->len;
	if (piece->whole)
		skb_unlink(&tcp_to_sock(tp)->receive_queue, piece->skb);
	piece->last = skb_queue_empty(&tcp_to_sock(tp)->receive_queue);
	WRITE_ONCE(tp->copied_seq, tp->copied_seq + piece->size);
	forget_mark(tp, tp->copied_seq);
}

/* The urgent byte alone: gone, without having been read. */
static noinline void skip_byte(struct tcp_sock *tp)
{
	struct piece piece = { .skb = skb_peek(&tcp_to_sock(tp)->receive_queue), .size = 1 };

	piece.offset = tp->copied_seq - TCP_CB(piece.skb)->seq;
	take_off(tp, &piece);
	if (piece.whole)
		skb_put(piece.skb);
}

/* false: the queue is empty, or the read ends here. */
static bool take_piece(struct reading *reading, struct piece *piece)
{
	struct tcp_sock *tp = reading->tp;
	struct sock *sk = tcp_to_sock(tp);

	spin_lock_bh(&sk->lock);
	piece->skb = skb_peek(&sk->receive_queue);
	if (likely(piece->skb) && stops_at(reading, tp->copied_seq)) {
		piece->skb = NULL;
	} else if (piece->skb && skips(tp, tp->copied_seq)) {
		skip_byte(tp);
		piece->skb = skb_peek(&sk->receive_queue);
	}
	if (likely(piece->skb)) {
		piece->offset = tp->copied_seq - TCP_CB(piece->skb)->seq;
		piece->size = min_t(size_t, piece->skb->len - piece->offset,
				    reading->size - reading->copied);
		piece->size = up_to_mark(tp, tp->copied_seq, piece->size);
		take_off(tp, piece);
	}
	spin_unlock_bh(&sk->lock);
	return piece->skb;
}

static noinline void put_piece_back(struct tcp_sock *tp, const struct piece *piece)
{
	struct sock *sk = tcp_to_sock(tp);

	spin_lock_bh(&sk->lock);
	if (piece->whole)
		skb_queue_head(&sk->receive_queue, piece->skb);
	WRITE_ONCE(tp->copied_seq, tp->copied_seq - piece->size);
	spin_unlock_bh(&sk->lock);
}

/* For TCP, MSG_TRUNC is: throw it away. */
static __always_inline bool copy_piece(struct reading *reading, const struct piece *piece)
{
	struct msg *msg = reading->msg;

	if (!(msg->flags & MSG_TRUNC) &&
	    skb_copy_to_iter(piece->skb, piece->offset, msg->data, piece->size) != piece->size)
		return false;
	reading->copied += piece->size;
	return true;
}

/* 0 or -EFAULT. */
static int read_queue(struct reading *reading)
{
	struct piece piece;

	piece.last = false;
	while (reading->copied < reading->size && !piece.last && take_piece(reading, &piece)) {
		if (unlikely(!copy_piece(reading, &piece))) {
			put_piece_back(reading->tp, &piece);
			return -EFAULT;
		}
		if (piece.whole)
			skb_put(piece.skb);
	}
	return 0;
}

/* ---- looking without taking ------------------------------------------------------------------------------------------ */

/* The piece at reading->seq. user_lock keeps it where it is; but while we slept, another reader may have taken it, or the
 * connection may be another one: then on from where the queue begins. */
static bool find_piece(struct reading *reading, struct piece *piece)
{
	struct tcp_sock *tp = reading->tp;
	struct sock *sk = tcp_to_sock(tp);
	struct sk_buff *skb;
	bool found = false;

	spin_lock_bh(&sk->lock);
	if (unlikely(!between(reading->seq, tp->copied_seq, tp->rcv_nxt)))
		reading->seq = tp->copied_seq;
	if (!stops_at(reading, reading->seq)) {
		reading->seq += skips(tp, reading->seq);
		skb = skb_peek(&sk->receive_queue);
		for (; skb && !found; skb = skb_queue_next(&sk->receive_queue, skb)) {
			piece->skb = skb;
			piece->offset = reading->seq - TCP_CB(skb)->seq;
			found = piece->offset < skb->len;
		}
	}
	if (found) {
		piece->size = min_t(size_t, piece->skb->len - piece->offset,
				    reading->size - reading->copied);
		piece->size = up_to_mark(tp, reading->seq, piece->size);
	}
	spin_unlock_bh(&sk->lock);
	return found;
}

static noinline int peek_queue(struct reading *reading)
{
	struct piece piece;

	while (reading->copied < reading->size && find_piece(reading, &piece)) {
		if (!copy_piece(reading, &piece))
			return -EFAULT;
		reading->seq += piece.size;
	}
	return 0;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------------- */

static bool has_ended(const struct sock *sk)
{
	return READ_ONCE(sk->error) || READ_ONCE(sk->shutdown) & SHUTDOWN_RCV ||
	       tcp_in(tcp_sk((struct sock *)sk), TCPF(TCP_CLOSE));
}

static bool may_read(struct sock *sk)
{
	return !skb_queue_empty(&sk->receive_queue) || has_ended(sk);
}

/* MSG_PEEK: more than was seen. */
static bool may_peek(const struct reading *reading)
{
	return READ_ONCE(reading->tp->rcv_nxt) != reading->seq ||
	       has_ended(tcp_to_sock(reading->tp));
}

static int sleep(struct reading *reading, u64 deadline)
{
	struct sock *sk = tcp_to_sock(reading->tp);
	int error;

	if (!(reading->msg->flags & MSG_PEEK))
		return sock_wait_until(sk, SOCK_READABLE, may_read, false, deadline);
	error = wait_event_full(&sk->wq, may_peek(reading), TASK_INTERRUPTIBLE, 0, deadline);
	return error == -EINTR ? sock_interrupted(deadline) : error ? -EAGAIN : 0;
}

/* There is nothing more in the queue, and will there ever be? 0: wait. 1: that is all. Else -errno. */
static int look_for_end(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int error;

	if (READ_ONCE(tp->flags) & TCP_F_FIN_RECEIVED)
		return 1;
	error = sock_error(sk);
	if (error)
		return error;
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
		return 1;
	return tcp_in(tp, TCPF(TCP_CLOSE)) ? -ENOTCONN : 0;
}

/* Under user_lock, but not asleep. As above. `ended`: it had, before we looked at the queue. If not, the last bytes may have
 * come with the end, behind that look. */
static noinline int wait_for_more(struct reading *reading, bool ended, u64 deadline)
{
	struct sock *sk = tcp_to_sock(reading->tp);
	int result;

	if (reading->copied) {
		if (!deadline || ended || signal_pending())
			return 1;
	} else {
		result = ended ? look_for_end(sk) : 0;
		if (result)
			return result;
		if (!deadline)
			return -EAGAIN;
	}
	mutex_unlock(&sk->user_lock);
	result = sleep(reading, deadline);
	mutex_lock(&sk->user_lock);
	return result;
}

/* ---- the window --------------------------------------------------------------------------------------------------------------- */

/* The program has made room. Is it so much more than the peer knows of, that it should be told? A first look without
 * the lock: mostly not. */
static void tell_window(struct reading *reading)
{
	struct tcp_sock *tp = reading->tp;
	struct sock *sk = tcp_to_sock(tp);
	s32 told = READ_ONCE(tp->rcv_wup) + READ_ONCE(tp->rcv_wnd) - READ_ONCE(tp->rcv_nxt);

	if (!reading->copied || reading->msg->flags & MSG_PEEK)
		return;
	tcp_tune_rcvbuf(tp);
	if ((s64)tcp_receive_space(tp) < 2LL * told)
		return;
	spin_lock_bh(&sk->lock);
	tcp_cleanup_rcvbuf(tp, reading->copied);
	spin_unlock_bh(&sk->lock);
}

/* ---- the call ----------------------------------------------------------------------------------------------------------------- */

static u32 next_byte(const struct reading *reading)
{
	return reading->msg->flags & MSG_PEEK ? reading->seq : reading->tp->copied_seq;
}

static int read_enough(struct reading *reading, size_t least, u64 deadline)
{
	struct sock *sk = tcp_to_sock(reading->tp);
	int result;

	for (;;) {
		bool ended = has_ended(sk);

		result = reading->msg->flags & MSG_PEEK ? peek_queue(reading) : read_queue(reading);
		tell_window(reading);
		if (result || reading->copied >= least || stops_at(reading, next_byte(reading)))
			return result;
		if (!reading->size && !skb_queue_empty(&sk->receive_queue))
			return 0; /* Linux: nothing wanted is had as soon as there is something */
		result = wait_for_more(reading, ended, deadline);
		if (result)
			return min(result, 0);
	}
}

static noinline ssize_t receive_urgent(struct tcp_sock *tp, struct msg *msg)
{
	struct sock *sk = tcp_to_sock(tp);
	u8 byte = tp->urg_byte;

	if (sk->options & SK_OOBINLINE || tp->urg_valid == TCP_URG_NONE ||
	    tp->urg_valid == TCP_URG_READ)
		return -EINVAL;
	if (tcp_in(tp, TCPF(TCP_CLOSE)) && !(tp->flags & TCP_F_FIN_RECEIVED))
		return -ENOTCONN;
	if (tp->urg_valid == TCP_URG_COMING)
		return tcp_in(tp, TCPF(TCP_CLOSE)) || sk->shutdown & SHUTDOWN_RCV ? 0 : -EAGAIN;
	if (!(msg->flags & MSG_PEEK))
		WRITE_ONCE(tp->urg_valid, TCP_URG_READ);
	msg->out_flags |= MSG_OOB;
	if (!msg->data->count) {
		msg->out_flags |= MSG_TRUNC;
		return 0;
	}
	if (!(msg->flags & MSG_TRUNC) && copy_to_iter(&byte, 1, msg->data) != 1)
		return -EFAULT;
	return 1;
}

static ssize_t receive(struct tcp_sock *tp, struct msg *msg)
{
	struct sock *sk = tcp_to_sock(tp);
	struct reading reading = {
		.tp = tp, .msg = msg, .size = msg->data->count, .seq = tp->copied_seq
	};
	size_t least = msg->flags & MSG_WAITALL
			       ? reading.size
			       : min_t(size_t, READ_ONCE(sk->rcvlowat), reading.size);
	int error;

	if (unlikely(tcp_in(tp, TCPF(TCP_LISTEN))))
		return -ENOTCONN;
	if (unlikely(msg->flags & MSG_OOB))
		return receive_urgent(tp, msg);
	error = read_enough(&reading, max(least, (size_t)1),
			    sock_deadline(READ_ONCE(sk->rcvtimeo), msg->flags));
	return reading.copied ? (ssize_t)reading.copied : error;
}

ssize_t tcp_recvmsg(struct sock *sk, struct msg *msg)
{
	ssize_t result;

	if (unlikely(msg->flags & MSG_ERRQUEUE))
		return inet_receive_error(inet_sk(sk), msg);
	mutex_lock(&sk->user_lock);
	result = receive(tcp_sk(sk), msg);
	mutex_unlock(&sk->user_lock);
	return result;
}
