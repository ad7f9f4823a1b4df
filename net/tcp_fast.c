/*
 * Header prediction: of a hundred segments ninety-nine are exactly what was expected next. One look tells, and then the
 * ten steps of RFC 9293 3.10.7.4 (net/tcp_segment.c) shrink to four:
 *
 *	the peer's clock is taken, what it acknowledges leaves the queue, the text goes to the program, an answer
 *
 * Whatever is in any way remarkable takes the long way; this one may be left out, and nothing changes but the speed.
 *
 * Context: softirq. Lock: the connection's sk.lock, held by the caller.
 */
#include <net/tcp_arrival.h>

#include <net/tcp_sender.h>

/* Nothing but text and an ACK, in order, from the same window; and the clock has not gone back. */
static inline bool header_is_expected(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	return (cb->flags & ~TCPHDR_PSH) == TCPHDR_ACK && cb->seq == tp->rcv_nxt &&
	       (u32)cb->window << tp->snd_wscale == tp->snd_wnd && cb->options.timestamp &&
	       (tp->flags & (TCP_F_TIMESTAMPS | TCP_F_ECN)) == TCP_F_TIMESTAMPS &&
	       (s32)(cb->tsval - tp->ts_recent) >= 0 && !cb->nr_sacks &&
	       between(cb->ack, tp->snd_una, tp->snd_nxt);
}

/* Nothing is lost, late, urgent, or at its end. */
static inline bool all_is_well(const struct tcp_sock *tp)
{
	return tp->hashed.state == TCP_ESTABLISHED && tp->ca_state == TCP_CA_OPEN &&
	       !tp->tlp_high_seq && !tp->ooo.count && !tp->urg_valid;
}

/* There is room for the text; without any, the ACK must be news. */
static inline bool text_is_welcome(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct sock *sk = &tp->inet.sk;

	if (!skb->len)
		return TCP_CB(skb)->ack != tp->snd_una;
	return skb->len <= tcp_receive_window(tp) && READ_ONCE(sk->rmem) < sk->rcvbuf &&
	       (tp->packets_out || !tp->send_head);
}

/* As in tcp_push_or_ack(), when there is nothing to report. */
static inline void answer(struct tcp_sock *tp, u64 now)
{
	if (tp->send_head || tp->ack_pending & TCP_ACK_NOW)
		tcp_push_or_ack(tp);
	else if (tp->ack_pending && !tp->due[TCP_TIMER_DELACK])
		tcp_delack_start(tp, now);
}

void tcp_rcv_fast(struct tcp_sock *tp, struct sk_buff *skb, u64 now)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (unlikely(!header_is_expected(tp, cb) || !all_is_well(tp) ||
		     !text_is_welcome(tp, skb))) {
		tcp_rcv_state(tp, skb);
		return;
	}
	if (!after(cb->seq, tp->rcv_wup)) {
		tp->ts_recent = cb->tsval;
		tp->ts_recent_stamp = now / NSEC_PER_SEC;
	}
	tcp_ack_expected(tp, cb, now);
	if (skb->len)
		tcp_queue_in_order(tp, skb);
	else
		skb_put(skb);
	answer(tp, now);
}
