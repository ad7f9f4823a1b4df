/*
 * The text of a segment, and FIN: sixth to eighth step of RFC 9293 3.10.7.4, and step 8 of the journey. What comes in
 * order goes on the socket's receive queue, in the buffer that the NIC wrote; what comes too early waits on tp->ooo,
 * sorted and without overlaps, until the gap before it is filled.
 *
 * Both are charged to the socket's receive buffer; what is over that is not taken, and the peer sends it again.
 *
 * Context: softirq. Lock: the connection's sk.lock, held by the caller.
 */
#include <net/tcp_arrival.h>

#include <kernel/trace.h>
#include <net/snmp.h>

#define MAX_QUICK_ACKS 16

/* ---- acknowledging -------------------------------------------------------------------------------------------- */

void tcp_ack_now(struct tcp_sock *tp)
{
	tp->ack_pending |= TCP_ACK_NOW;
}

/* RFC 9293 3.8.6.3: at least for every second full segment; sooner while the peer is in slow start, and no data of ours
 * goes that would carry the acknowledgement. The first text of a connection that waits for accept() wakes a server, whose
 * answer is worth a moment's waiting: a short connection needs a segment less then. */
void tcp_ack_soon(struct tcp_sock *tp)
{
	if (tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss) {
		tcp_ack_now(tp);
	} else if (tp->quick_acks && !(tp->flags & TCP_F_SLOWACK) && !tcp_waits_for_accept(tp)) {
		tp->quick_acks--;
		tcp_ack_now(tp);
	} else {
		tp->ack_pending |= TCP_ACK_DELAYED;
	}
}

void tcp_report_duplicate(struct tcp_sock *tp, u32 seq, u32 end_seq)
{
	if (!(tp->flags & TCP_F_SACK) || seq == end_seq || !tcp_sysctl.dsack)
		return;
	snmp_inc(before(seq, tp->rcv_nxt) ? TCPEXT_TCPDSACKOldSent : TCPEXT_TCPDSACKOfoSent);
	tp->dsack[0] = seq;
	tp->dsack[1] = end_seq;
}

/* How large the peer's segments are; the first ones open the quick mode. 0 as long as none has come: then a FIN is
 * acknowledged at once, for there was no question that a program would be answering. */
static void measure_segment(struct tcp_sock *tp, u32 length)
{
	if (!tp->rcv_mss) {
		tp->rcv_mss = min(max(length, 536U), (u32)tp->advmss);
		tp->quick_acks = min(max(tp->rcv_wnd / (2 * tp->rcv_mss), 2U), (u32)MAX_QUICK_ACKS);
	} else if (length > tp->rcv_mss) {
		tp->rcv_mss = min(length, (u32)tp->advmss);
	}
}

/* ---- FIN ------------------------------------------------------------------------------------------------------- */

static void rcv_fin(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);

	tp->flags |= TCP_F_FIN_RECEIVED;
	sk->shutdown |= SHUTDOWN_RCV;
	skb_queue_purge(&tp->ooo);
	switch (tp->hashed.state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED: /* the program will close, too, and our FIN carries the acknowledgement */
		tcp_set_state(tp, TCP_CLOSE_WAIT);
		tp->quick_acks = 0;
		break;
	case TCP_FIN_WAIT1: /* ours is not acknowledged, or it would be FIN_WAIT2 */
		tcp_set_state(tp, TCP_CLOSING);
		tcp_ack_now(tp);
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(tp);
		tcp_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_NS);
		return;
	}
	tcp_wake(
		tp,
		0); /* a change of state, and not one event: it is an edge for who waits to write, too */
}

/* ---- in order --------------------------------------------------------------------------------------------------- */

/* Cut off what we have already. */
static void trim_front(struct sk_buff *skb, u32 seq)
{
	struct tcp_cb *cb = TCP_CB(skb);
	u32 size = seq - cb->seq;

	skb_eat(skb, min(size, skb->len));
	cb->seq = seq;
}

/* Cut off what lies beyond: a FIN goes first. */
static void trim_end(struct sk_buff *skb, u32 end_seq)
{
	struct tcp_cb *cb = TCP_CB(skb);

	if (cb->flags & TCPHDR_FIN) {
		cb->flags &= ~TCPHDR_FIN;
		cb->end_seq--;
	}
	if (after(cb->end_seq, end_seq)) {
		skb_trim(skb, skb->len - (cb->end_seq - end_seq));
		cb->end_seq = end_seq;
	}
}

/* A small segment fits behind the last one, and costs no buffer of its own. Not behind the first in the queue: somebody may
 * be reading that, without our lock. */
static bool append_to_last(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->receive_queue);

	if (sk->receive_queue.count < 2 || skb_shared(tail) || skb_tailroom(tail) < skb->len ||
	    skb->data_len)
		return false;
	__builtin_memcpy(skb_append(tail, skb->len), skb->data, skb->len);
	TCP_CB(tail)->end_seq = TCP_CB(skb)->end_seq;
	TCP_CB(tail)->flags |= TCP_CB(skb)->flags & (TCPHDR_PSH | TCPHDR_FIN);
	snmp_inc(TCPEXT_TCPRcvCoalesce);
	return true;
}

/* Charged already. The reference goes to the queue. As long as there is memory enough, nothing is copied. */
static inline void enqueue(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sock *sk = tcp_to_sock(tp);

	if (skb->len)
		trace(SOCK_ENQUEUE, skb, sk->ino, sk->receive_queue.count + 1, skb->len);
	if (!skb->len || (unlikely(sk->rmem >= sk->rcvbuf / 2) && append_to_last(sk, skb))) {
		skb_put(skb);
		return;
	}
	skb_queue_tail(&sk->receive_queue, skb);
}

/* rcv_nxt has reached what waited: on it goes. */
static bool take_from_ooo(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	while ((skb = skb_peek(&tp->ooo)) && !after(TCP_CB(skb)->seq, tp->rcv_nxt)) {
		bool fin = TCP_CB(skb)->flags & TCPHDR_FIN;

		skb_unlink(&tp->ooo, skb);
		if (!after(TCP_CB(skb)->end_seq, tp->rcv_nxt)) {
			skb_put(skb);
			continue;
		}
		if (before(TCP_CB(skb)->seq, tp->rcv_nxt))
			trim_front(skb, tp->rcv_nxt);
		tp->rcv_nxt = TCP_CB(skb)->end_seq;
		enqueue(tp, skb);
		if (fin)
			return true;
	}
	return false;
}

/* The oldest rule of bounded memory: what is out of order gives way to what is in order. */
static bool make_room(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sock *sk = tcp_to_sock(tp);
	struct sk_buff *last;

	if (unlikely(tcp_memory_above(TCP_MEM_LIMIT)) && sk->rmem >= tcp_sysctl.rmem[0])
		goto drop;
	if (likely(skb_charge_receive(skb, sk)))
		return true;
	snmp_inc(TCPEXT_PruneCalled);
	while ((last = skb_peek_tail(&tp->ooo))) {
		skb_unlink(&tp->ooo, last);
		skb_put(last);
		snmp_inc(TCPEXT_OfoPruned);
		if (skb_charge_receive(skb, sk))
			return true;
	}
drop:
	snmp_inc(TCPEXT_RcvPruned);
	snmp_inc(TCPEXT_TCPRcvQDrop);
	__atomic_add_fetch(&sk->drops, 1, __ATOMIC_RELAXED);
	return false;
}

void tcp_queue_in_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	bool fin = TCP_CB(skb)->flags & TCPHDR_FIN, filled = !skb_queue_empty(&tp->ooo);

	if (skb->len && !make_room(tp, skb)) {
		tcp_ack_now(tp);
		skb_put(skb);
		return;
	}
	if (skb->len) {
		measure_segment(tp, skb->gso_size ?: skb->len);
		if (skb->len >= tp->rcv_mss)
			tcp_measure_rcv_rtt(tp, TCP_CB(skb));
	}
	tp->rcv_nxt = TCP_CB(skb)->end_seq;
	enqueue(tp, skb);
	if (!fin) /* behind it there is nothing */
		fin = take_from_ooo(tp);
	if (fin)
		rcv_fin(tp);
	else
		tcp_wake(tp, EPOLLIN | EPOLLRDNORM);
	if (filled)
		tcp_ack_now(tp); /* RFC 5681 4.2: a gap is closed, or still open */
	else
		tcp_ack_soon(tp);
}

/* ---- out of order ------------------------------------------------------------------------------------------------- */

/* The last buffer that begins at or before `seq`; NULL: none. From the end: most come behind all others. */
static struct sk_buff *ooo_before(struct tcp_sock *tp, u32 seq)
{
	struct sk_buff *skb = skb_peek_tail(&tp->ooo);

	while (skb && after(TCP_CB(skb)->seq, seq))
		skb = skb_queue_prev(&tp->ooo, skb);
	return skb;
}

/* Whose bytes are it? Linux's answer: of who begins first. A FIN with text behind it is none. */
static void run_into(struct sk_buff *skb, struct sk_buff *next)
{
	if (TCP_CB(skb)->flags & TCPHDR_FIN)
		trim_end(skb, TCP_CB(next)->seq);
	else
		trim_front(next, TCP_CB(skb)->end_seq);
}

/* Those behind `skb` that it covers go; of the one that it runs into, it takes the beginning. */
static void remove_covered(struct tcp_sock *tp, struct sk_buff *skb)
{
	while (skb->link.next != &tp->ooo.list) {
		struct sk_buff *next = list_entry(skb->link.next, struct sk_buff, link);

		if (!before(TCP_CB(next)->seq, TCP_CB(skb)->end_seq))
			return;
		if (before(TCP_CB(skb)->end_seq, TCP_CB(next)->end_seq)) {
			tcp_report_duplicate(tp, TCP_CB(next)->seq, TCP_CB(skb)->end_seq);
			run_into(skb, next);
			return;
		}
		snmp_inc(TCPEXT_TCPOFOMerge);
		tcp_report_duplicate(tp, TCP_CB(next)->seq, TCP_CB(next)->end_seq);
		skb_unlink(&tp->ooo, next);
		skb_put(next);
	}
}

static void insert_behind(struct tcp_sock *tp, struct sk_buff *skb, struct sk_buff *before)
{
	list_add(&skb->link, before ? &before->link : &tp->ooo.list);
	tp->ooo.count++;
}

static void queue_out_of_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_cb *cb = TCP_CB(skb);
	struct sk_buff *last = ooo_before(tp, cb->seq);

	tcp_ack_now(tp);
	snmp_inc(TCPEXT_TCPOFOQueue);
	if (last && !after(cb->end_seq, TCP_CB(last)->end_seq)) {
		snmp_inc(TCPEXT_TCPOFOMerge);
		tcp_report_duplicate(tp, cb->seq, cb->end_seq);
		skb_put(skb);
		return;
	}
	if (last && TCP_CB(last)->seq == cb->seq) /* all of it, and more */
		last = skb_queue_prev(&tp->ooo, last);
	if (tcp_memory_above(TCP_MEM_PRESSURE) || !skb_charge_receive(skb, tcp_to_sock(tp))) {
		snmp_inc(TCPEXT_TCPOFODrop);
		skb_put(skb);
		return;
	}
	if (last && before(cb->seq, TCP_CB(last)->end_seq)) {
		tcp_report_duplicate(tp, cb->seq, TCP_CB(last)->end_seq);
		trim_front(skb, TCP_CB(last)->end_seq);
	}
	insert_behind(tp, skb, last);
	remove_covered(tp, skb);
	tp->last_sack = cb->seq;
	if (cb->seq == cb->end_seq) { /* a FIN, where there is text already */
		skb_unlink(&tp->ooo, skb);
		skb_put(skb);
	}
}

/* ---- the seventh step ------------------------------------------------------------------------------------------------ */

static bool takes_text(const struct tcp_sock *tp)
{
	return TCPF(tp->hashed.state) & (TCPF(TCP_SYN_RECV) | TCPF(TCP_ESTABLISHED) |
					 TCPF(TCP_FIN_WAIT1) | TCPF(TCP_FIN_WAIT2));
}

/* All of it old, or none of it in the window. */
static bool is_useless(struct tcp_sock *tp, const struct tcp_cb *cb)
{
	if (!after(cb->end_seq, tp->rcv_nxt)) {
		snmp_inc(TCPEXT_DelayedACKLost);
		tcp_report_duplicate(tp, cb->seq, cb->end_seq);
		return true;
	}
	if (before(cb->seq, tp->rcv_nxt + tcp_receive_window(tp)))
		return false;
	if (!tcp_receive_window(tp))
		snmp_inc(TCPEXT_TCPZeroWindowDrop);
	return true;
}

/* RFC 3168 6.1.3. */
static noinline void look_for_mark(struct tcp_sock *tp, const struct sk_buff *skb)
{
	if (TCP_CB(skb)->flags & TCPHDR_CWR)
		tp->flags &= ~TCP_F_ECN_ECHO;
	if ((ip_hdr(skb)->tos & IP_ECN_MASK) != IP_ECN_CE)
		return;
	if (!(tp->flags & TCP_F_ECN_ECHO))
		tcp_ack_now(tp);
	tp->flags |= TCP_F_ECN_ECHO;
}

void tcp_rcv_text(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_cb *cb = TCP_CB(skb);
	u32 window_end = tp->rcv_nxt + tcp_receive_window(tp);

	if (cb->seq == cb->end_seq || !takes_text(tp)) {
		/* Behind their FIN there is nothing; what is before it comes again, for our ACK was lost. */
		if (before(cb->seq, tp->rcv_nxt) && cb->seq != cb->end_seq)
			tcp_ack_now(tp);
		skb_put(skb);
		return;
	}
	/* An empty FIN needs no window. */
	if (is_useless(tp, cb) && !(cb->seq == tp->rcv_nxt && !skb->len)) {
		tcp_ack_now(tp);
		skb_put(skb);
		return;
	}
	if (unlikely(tp->flags & TCP_F_ECN))
		look_for_mark(tp, skb);
	if (after(cb->end_seq, window_end) && skb->len)
		trim_end(skb, window_end);
	if (before(cb->seq, tp->rcv_nxt)) {
		tcp_report_duplicate(tp, cb->seq, tp->rcv_nxt);
		trim_front(skb, tp->rcv_nxt);
	}
	if (cb->seq == tp->rcv_nxt)
		tcp_queue_in_order(tp, skb);
	else
		queue_out_of_order(tp, skb);
}

/* ---- the sixth: urgent data, one byte of it, as everybody has it ------------------------------------------------------ */

void tcp_rcv_urgent(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	u16 pointer;
	u32 urgent;

	if (cb->flags & TCPHDR_URG) {
		/* It points behind the byte (RFC 793's other reading, which all systems follow). */
		pointer = ntohs(tcp_hdr(skb)->urgent);
		urgent = cb->seq + pointer - !!pointer;
		if (!before(urgent, tp->copied_seq) && !before(urgent, tp->rcv_nxt) &&
		    (tp->urg_valid == TCP_URG_NONE || after(urgent, tp->rcv_urg))) {
			tp->rcv_urg = urgent;
			tp->urg_valid = TCP_URG_COMING;
		}
	}
	if (tp->urg_valid != TCP_URG_COMING || tp->rcv_urg - cb->seq >= skb->len)
		return;
	if (skb_copy_bits(skb, tp->rcv_urg - cb->seq, &tp->urg_byte, 1)) {
		tp->urg_valid = TCP_URG_THERE;
		tcp_wake(tp, EPOLLPRI);
	}
}

/* ---- the window ---------------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.2.2: a window that grew a little is not worth a segment; one that doubled, or by two segments, is. */
void tcp_cleanup_rcvbuf(struct tcp_sock *tp, u32 copied)
{
	u32 told = tcp_receive_window(tp), space = tcp_receive_space(tp);

	if (!copied || !(TCPF(tp->hashed.state) &
			 (TCPF(TCP_ESTABLISHED) | TCPF(TCP_FIN_WAIT1) | TCPF(TCP_FIN_WAIT2))))
		return;
	if (space >= told + min(tcp_to_sock(tp)->rcvbuf / 4, 2U * tp->rcv_mss) && space >= 2 * told)
		tcp_send_ack(tp);
}
