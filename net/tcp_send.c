/*
 * send(): the program's bytes on their way into packets. Step "reply" of the journey begins here.
 *
 * They are copied once: into the buffer that the NIC will read. A new one is filled while it is nobody else's; one that
 * waits already is filled behind its end, where nobody looks, and becomes longer afterwards, if it still waits:
 *
 *	writer (user_lock)			softirq (sk.lock)
 *	the tail waits, has room
 *	copies behind its end
 *						an ACK: sends the tail, as long as it is
 *	sk.lock: does it wait still?
 *	no: takes the bytes back, begins anew
 *
 * A page that is lent (sendfile, splice) is not copied at all.
 *
 * Context: process. Locks: user_lock, but not asleep in a wait for room; sk.lock, never while bytes are copied.
 */
#include <net/tcp_socket.h>

#include <kernel/lib/errno.h>

struct sending {
	struct tcp_sock *tp;
	struct msg *msg;
	u64 deadline;
	size_t sent;
};

/* ---- pushing, under sk.lock ---------------------------------------------------------------------------------- */

/* Bytes are in the queue: are they the last of this call? */
static void push(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	bool last = !s->msg->data->count, more = s->msg->flags & MSG_MORE;

	if (last && s->msg->flags & MSG_OOB)
		tp->snd_up = tp->write_seq;
	if (last && !more) /* the peer's program should see it without waiting for more */
		TCP_CB(skb_peek_tail(&tp->write_queue))->flags |= TCPHDR_PSH;
	if (last && more)
		tp->flags |= TCP_F_MORE;
	else
		tp->flags &= ~TCP_F_MORE;
	tcp_push(tp);
}

/* ---- behind the last buffer's end ------------------------------------------------------------------------------- */

/* Where bytes can be put: in the buffer, in its last page, or in a new page. */
struct room {
	struct sk_buff *skb; /* referenced; NULL: there is none */
	u8 *at;
	u32 size;
	u32 len;	   /* the buffer's, then */
	struct page *page; /* the new one */
	/* the last one, referenced: if the buffer is cut meanwhile, the page goes with the rest, and may be freed */
	struct page *last;
};

static void look_for_room(struct tcp_sock *tp, struct room *room)
{
	struct sk_buff *skb = tcp_unsent_tail(tp);
	u32 goal = tcp_size_goal(tp);

	if (!skb || skb->len >= goal)
		return;
	if (skb_tailroom(skb)) {
		room->at = skb_tail(skb);
		room->size = skb_tailroom(skb);
	} else if (skb_frag_room(skb)) {
		const struct skb_frag *last = &skb->frags[skb->nr_frags - 1];

		room->at = (u8 *)page_address(last->page) + last->offset + last->size;
		room->size = skb_frag_room(skb);
		room->last = last->page;
	} else if (skb->nr_frags < MAX_SKB_FRAGS) {
		room->size = PAGE_SIZE;
	}
	room->size = min(room->size, goal - skb->len);
	if (!room->size)
		return;
	room->len = skb->len;
	room->skb = skb_get(skb);
	if (room->last)
		get_page(room->last);
}

static void leave_room(struct room *room)
{
	if (room->page)
		skb_page_put(room->page);
	if (room->last)
		skb_page_put(room->last);
	skb_put(room->skb);
}

/* The bytes are in their place: now they count. Under sk.lock. */
static void grow_tail(struct tcp_sock *tp, struct room *room, u32 size)
{
	struct sk_buff *skb = room->skb;
	u32 truesize = skb->truesize;

	if (room->page) {
		skb_add_frag(skb, room->page, 0, size);
		room->page = NULL;
	} else {
		if (skb->nr_frags) {
			skb->frags[skb->nr_frags - 1].size += size;
			skb->data_len += size;
		}
		skb->len += size;
	}
	tcp_grow_tail(tp, skb, size, skb->truesize - truesize);
}

/* The buffer may have been sent meanwhile, or cut, or freed with the connection. */
static bool grow_if_waiting(struct sending *s, struct room *room, u32 size)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = tcp_to_sock(tp);
	bool waiting;

	spin_lock_bh(&sk->lock);
	waiting = tcp_in(tp, TCPF_SENDING) && tcp_unsent_tail(tp) == room->skb &&
		  room->skb->len == room->len;
	if (waiting) {
		s->sent += size;
		grow_tail(tp, room, size);
		if (!s->msg->data->count || room->skb->len >= tcp_size_goal(tp))
			push(s);
	}
	spin_unlock_bh(&sk->lock);
	return waiting;
}

/* 0: some went there, or it was sent meanwhile: look again. -ENOSPC: there is no room. */
static noinline int append(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = tcp_to_sock(tp);
	struct iov_iter *data = s->msg->data, before = *data;
	struct room room = { 0 };
	int error = 0;
	u32 size;

	spin_lock_bh(&sk->lock);
	look_for_room(tp, &room);
	spin_unlock_bh(&sk->lock);
	if (!room.skb)
		return -ENOSPC;
	if (!room.at) {
		room.page = skb_page_alloc(GFP_KERNEL);
		room.at = room.page ? page_address(room.page) : NULL;
	}
	size = min_t(size_t, room.size, data->count);
	if (!room.at)
		error = -ENOSPC;
	else if (copy_from_iter(room.at, size, data) != size)
		error = -EFAULT;
	else if (!grow_if_waiting(s, &room, size))
		*data = before;
	leave_room(&room);
	return error;
}

/* ---- a new buffer ---------------------------------------------------------------------------------------------------- */

static int send_new(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = tcp_to_sock(tp);
	size_t count = s->msg->data->count;
	u32 size = likely(count <= tp->mss) ? count : min_t(size_t, count, tcp_size_goal(tp));
	struct sk_buff *skb = tcp_alloc_skb(tp, GFP_KERNEL);
	int error;

	if (unlikely(!skb))
		return -ENOBUFS;
	error = skb_append_from_iter(skb, s->msg->data, size);
	spin_lock_bh(&sk->lock);
	if (!error && !tcp_in(tp, TCPF_SENDING))
		error = -EPIPE;
	if (likely(!error)) {
		s->sent += size;
		tcp_queue_skb(tp, skb);
		push(s);
	}
	spin_unlock_bh(&sk->lock);
	if (unlikely(error))
		skb_put(skb);
	return error;
}

/* ---- a page that is lent ------------------------------------------------------------------------------------------------ */

static struct sk_buff *tail_for_page(struct tcp_sock *tp)
{
	struct sk_buff *skb = tcp_unsent_tail(tp);

	return skb && skb->len < tcp_size_goal(tp) && skb->nr_frags < MAX_SKB_FRAGS ? skb : NULL;
}

/* As much of it as the buffer is to have. Under sk.lock. */
static void take_page(struct sending *s, struct sk_buff *skb)
{
	struct iov_iter *data = s->msg->data;
	u32 size = min_t(size_t, tcp_size_goal(s->tp) - skb->len, data->count);
	u8 *at = (u8 *)data->iov->base + data->offset;

	get_page(s->msg->page);
	skb_add_frag(skb, s->msg->page, at - (u8 *)page_address(s->msg->page), size);
	tcp_grow_tail(s->tp, skb, size, PAGE_SIZE);
	data->offset += size;
	data->count -= size;
	s->sent += size;
	if (!data->count || skb->len >= tcp_size_goal(s->tp))
		push(s);
}

/* By reference: the bytes are the file's until they are acknowledged. */
static noinline int lend_page(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = tcp_to_sock(tp);
	struct sk_buff *fresh = NULL, *skb;
	int error = 0;
	bool room;

	spin_lock_bh(&sk->lock);
	room = tail_for_page(tp);
	spin_unlock_bh(&sk->lock);
	if (!room) {
		fresh = tcp_alloc_skb(tp, GFP_KERNEL);
		if (!fresh)
			return -ENOBUFS;
	}
	spin_lock_bh(&sk->lock);
	skb = tail_for_page(tp);
	if (!skb && fresh && tcp_in(tp, TCPF_SENDING)) {
		skb = fresh;
		fresh = NULL;
		tcp_queue_skb(tp, skb);
	}
	if (!tcp_in(tp, TCPF_SENDING))
		error = -EPIPE;
	else if (skb) /* else the tail was sent meanwhile: look again */
		take_page(s, skb);
	spin_unlock_bh(&sk->lock);
	if (fresh)
		skb_put(fresh);
	return error;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------ */

static bool room_or_end(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tcp_has_room(tp) || READ_ONCE(sk->error) || !tcp_in(tp, TCPF_SENDING);
}

/* For room. user_lock held, and again afterwards; not asleep. What there is goes, whatever MSG_MORE says. */
static noinline int wait_for_room(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = tcp_to_sock(tp);
	int error;

	spin_lock_bh(&sk->lock);
	tp->no_space = true;
	tp->flags &= ~TCP_F_MORE;
	if (tcp_in(tp, TCPF_SENDING))
		tcp_push(tp);
	spin_unlock_bh(&sk->lock);
	if (!s->deadline)
		return room_or_end(sk) ? 0 : -EAGAIN;
	mutex_unlock(&sk->user_lock);
	error = sock_wait_until(sk, SOCK_WRITABLE, room_or_end, false, s->deadline);
	mutex_lock(&sk->user_lock);
	return error;
}

static bool handshake_is_over(struct sock *sk)
{
	return !tcp_in(tcp_sk(sk), TCPF_CONNECTING) || READ_ONCE(sk->error);
}

/* Under no lock. A connection that is being made is waited for. */
static int wait_for_connection(struct tcp_sock *tp, u64 deadline)
{
	struct sock *sk = tcp_to_sock(tp);

	while (!tcp_in(tp, TCPF_SENDING)) {
		int error = sock_error(sk);

		if (error)
			return error;
		if (!tcp_in(tp, TCPF_CONNECTING))
			return -EPIPE;
		error = sock_wait_until(sk, SOCK_WRITABLE, handshake_is_over, false, deadline);
		if (error)
			return error;
	}
	return READ_ONCE(sk->error) ? -EPIPE : 0;
}

/* ---- the call ---------------------------------------------------------------------------------------------------------------- */

/* Under user_lock. 0: all is in the queue. */
static int send_all(struct sending *s)
{
	struct tcp_sock *tp = s->tp;
	int error = 0;

	while (s->msg->data->count && !error) {
		if (READ_ONCE(tp->send_head) && !s->msg->page) {
			error = append(s);
			if (error != -ENOSPC)
				continue;
		}
		if (unlikely(READ_ONCE(tcp_to_sock(tp)->error) || !tcp_in(tp, TCPF_SENDING)))
			error = -EPIPE;
		else if (unlikely(!tcp_has_room(tp)))
			error = wait_for_room(s);
		else
			error = unlikely(s->msg->page) ? lend_page(s) : send_new(s);
	}
	return error;
}

ssize_t tcp_sendmsg(struct sock *sk, struct msg *msg)
{
	struct sending s = { .tp = tcp_sk(sk), .msg = msg };
	int error;

	s.deadline = sock_deadline(READ_ONCE(sk->sndtimeo), msg->flags);
	error = wait_for_connection(s.tp, s.deadline);
	if (likely(!error)) {
		mutex_lock(&sk->user_lock);
		error = send_all(&s);
		mutex_unlock(&sk->user_lock);
	}
	if (likely(s.sent))
		return s.sent;
	/* The reason why it is broken, as long as nobody was told; after that, and with a signal, that it is. */
	return error == -EPIPE ? sock_error(sk) ?: -EPIPE : error;
}
