/*
 * An acknowledgement arrives: RFC 9293 3.10.7.4, fifth step, for the sender's part.
 *
 *	the window		update_window()
 *	SACK			tcp_sack_tag()		net/tcp_sack.c
 *	what is acknowledged	clean_queue(): off the queue, counted, a round trip measured
 *	was something lost?	tcp_recovery_ack()	net/tcp_recovery.c; not asked while all is well
 *	the congestion window	grow_cwnd()
 *	the timer		tcp_rearm_acked()
 *
 * What may be sent now is sent by tcp_push_or_ack(), at the end of the segment's processing.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/errno.h>

/* ---- the window --------------------------------------------------------------------------------------------------- */

/* Half of the largest window is a bound for segments. */
static noinline void window_grew(struct tcp_sock *tp)
{
	u32 before = tp->max_window;

	tp->max_window = tp->snd_wnd;
	if (before / 2 <= tp->mss + TCP_TIMESTAMP_BYTES)
		tcp_sync_mss(tp, tp->inet.flow.dst.mtu);
}

/* The window's probes: does their timer have to run, still? Not if a segment may go; a large buffer may be many. */
static void look_at_probe(struct tcp_sock *tp)
{
	const struct tcp_cb *next = tp->send_head ? TCP_CB(tp->send_head) : NULL;

	if (!next || tp->snd_wnd < min(next->end_seq - next->seq, (u32)tp->mss))
		return;
	tp->due[TCP_TIMER_RETRANSMIT] = 0;
	tp->backoff = 0;
}

/* RFC 9293: from a segment that is newer than the one that said it last. true: it has changed. */
static bool update_window(struct tcp_sock *tp, const struct tcp_cb *cb)
{
	u32 window = cb->window;

	if (likely(!(cb->flags & TCPHDR_SYN)))
		window <<= tp->snd_wscale;
	if (!after(cb->ack, tp->snd_una) && !after(cb->seq, tp->snd_wl1) &&
	    (cb->seq != tp->snd_wl1 || (window && window <= tp->snd_wnd)))
		return false;
	tp->snd_wl1 = cb->seq;
	if (likely(window == tp->snd_wnd))
		return false;
	tp->snd_wnd = window;
	if (unlikely(window > tp->max_window))
		window_grew(tp);
	return true;
}

/* ---- what is acknowledged --------------------------------------------------------------------------------------------- */

/* A segment is through: what it counted for, it no longer does. */
static __always_inline void count_acked(struct tcp_sock *tp, const struct tcp_cb *cb,
					struct tcp_ack *ack)
{
	u32 segments = cb->segments;

	tp->packets_out -= segments;
	ack->newly_acked += segments;
	if (likely(!cb->sacked)) {
		tp->delivered += segments;
		if (ack->rtt_us < 0)
			ack->rtt_us = ack->now_us - cb->sent_us;
		tcp_rack_advance(tp, cb, ack->now_us, ack->tsecr, ack->prior_fack);
		return;
	}
	if (cb->sacked & TCPCB_EVER_RETRANS)
		ack->retrans_acked = true;
	if (cb->sacked & TCPCB_RETRANS)
		tp->retrans_out -= segments;
	if (cb->sacked & TCPCB_LOST)
		tp->lost_out -= segments;
	if (cb->sacked & TCPCB_SACKED) {
		tp->sacked_out -= segments;
	} else {
		tp->delivered += segments;
		tcp_rack_advance(tp, cb, ack->now_us, ack->tsecr, ack->prior_fack);
	}
}

/* Its first part only. The bytes go when nobody else has the buffer: tcp_restore(). */
static __always_inline void ack_part(struct tcp_sock *tp, struct sk_buff *skb, struct tcp_ack *ack)
{
	struct tcp_cb *cb = TCP_CB(skb);
	u32 segments;

	cb->seq = ack->ack;
	segments = tcp_count_segments(tp, tcp_payload(skb));
	if (segments >= cb->segments)
		return;
	ack->newly_acked += cb->segments - segments;
	if (!(cb->sacked & TCPCB_SACKED))
		tp->delivered += cb->segments - segments;
	tcp_recount(tp, cb, segments - cb->segments);
	cb->segments = segments;
}

static __always_inline void clean_queue(struct tcp_sock *tp, struct tcp_ack *ack)
{
	struct sk_buff *skb;

	while ((skb = tcp_first_sent(tp))) {
		struct tcp_cb *cb = TCP_CB(skb);

		if (after(cb->end_seq, ack->ack)) {
			if (after(ack->ack, cb->seq))
				ack_part(tp, skb, ack);
			break;
		}
		count_acked(tp, cb, ack);
		tcp_free_first(tp, skb);
	}
}

/* ---- the round trip ------------------------------------------------------------------------------------------------------ */

/* By the timestamp that came back, which knows which of two it was (RFC 7323 4): the round trip was not longer. It is
 * in milliseconds, so one more. */
static inline s32 bound_by_timestamp(const struct tcp_sock *tp, const struct tcp_ack *ack, s32 us)
{
	u32 ms = ack->now_ms + tp->ts_offset - ack->tsecr;

	if (ms >= TCP_RTO_MAX_US / 1000)
		return us;
	if (us < 0)
		return ack->advanced ? (s32)max(ms, 1U) * 1000 : us;
	return min(us, (s32)(ms + 1) * 1000);
}

/* From what was sent once. After a timeout that is not enough: of several ACKs the first may have been lost. */
static __always_inline void sample_rtt(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	s32 us = ack->retrans_acked || ack->rtt_us < 0 ? ack->sack_rtt_us : ack->rtt_us;

	if (ack->tsecr)
		us = bound_by_timestamp(tp, ack, us);
	else if (unlikely(tp->ca_state == TCP_CA_LOSS))
		return;
	if (us >= 0)
		tcp_rtt_sample(tp, us);
}

/* ---- the congestion window --------------------------------------------------------------------------------------------------- */

/* Only if it was what held us back: a window that was not used proves nothing. */
static __always_inline void grow_cwnd(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	bool limited = tp->flags & TCP_F_CWND_LIMITED ||
		       (tcp_in_slow_start(tp) && tp->cwnd < 2 * ack->prior_packets_out);

	if (limited && tp->ca_state != TCP_CA_RECOVERY && tp->ca_state != TCP_CA_CWR &&
	    tp->delivered != ack->prior_delivered)
		tp->cong->avoid(tp, tp->delivered - ack->prior_delivered);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------ */

/* Something unusual is going on, or this ACK says so. */
static inline bool needs_recovery(const struct tcp_sock *tp, const struct tcp_ack *ack)
{
	return tp->ca_state != TCP_CA_OPEN || ack->sacked || ack->duplicate || ack->dsack;
}

static __always_inline struct tcp_ack begin(const struct tcp_sock *tp, const struct tcp_cb *cb,
					    u64 now)
{
	return (struct tcp_ack){
		.now_us = now / NSEC_PER_USEC,
		.now_ms = now / NSEC_PER_MSEC,
		.ack = cb->ack,
		.prior_una = tp->snd_una,
		.prior_packets_out = tp->packets_out,
		.prior_lost = tp->lost_out,
		.prior_delivered = tp->delivered,
		.prior_fack = tp->rack_fack,
		.rtt_us = -1,
		.sack_rtt_us = -1,
		.tsecr = tp->flags & TCP_F_TIMESTAMPS ? cb->tsecr : 0,
	};
}

/* Behind the window's right edge, or before its left one: RFC 5961 5. */
static noinline bool ack_outside(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_ack ack = begin(tp, TCP_CB(skb), clock_ns());

	if (after(ack.ack, tp->snd_nxt) || before(ack.ack, tp->snd_una - tp->max_window)) {
		tcp_send_challenge_ack(tp);
		return false;
	}
	/* An old one, overtaken by others; its SACK blocks may be news. */
	if (TCP_CB(skb)->nr_sacks && tp->packets_out) {
		ack.ack = tp->snd_una;
		tcp_sack_tag(tp, skb, &ack);
		if (needs_recovery(tp, &ack))
			tcp_recovery_ack(tp, &ack);
	}
	return true;
}

/* No ACK was expected. It may be news of the window, or of what had come twice. */
static void nothing_out(struct tcp_sock *tp, struct sk_buff *skb)
{
	look_at_probe(tp);
	if (unlikely(TCP_CB(skb)->nr_sacks) && tp->flags & TCP_F_SACK) {
		struct tcp_ack ack = begin(tp, TCP_CB(skb), clock_ns());

		tcp_sack_tag(tp, skb, &ack);
		if (!ack.dsack)
			return;
		if (tp->tlp_high_seq)
			tcp_tlp_ack(tp, &ack);
		tcp_recovery_ack(tp, &ack);
	}
}

/* The cumulative number has moved. */
static __always_inline void advance(struct tcp_sock *tp, struct tcp_ack *ack)
{
	ack->advanced = true;
	tp->snd_una = ack->ack;
	if (before(tp->snd_up, ack->ack))
		tp->snd_up = ack->ack;
	if (tp->timer_mode == TCP_MODE_REORDERING)
		tp->due[TCP_TIMER_RETRANSMIT] = 0;
	clean_queue(tp, ack);
	if (tp->hashed.state != TCP_SYN_SENT)
		tp->retransmits = 0;
}

static bool waits_for_reordering(const struct tcp_sock *tp)
{
	return tp->timer_mode == TCP_MODE_REORDERING && tp->due[TCP_TIMER_RETRANSMIT];
}

static noinline void ack_what_is_out(struct tcp_sock *tp, struct sk_buff *skb, bool window_changed)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	u64 now = clock_ns();
	struct tcp_ack ack = begin(tp, cb, now);

	if (unlikely(cb->nr_sacks) && tp->flags & TCP_F_SACK)
		tcp_sack_tag(tp, skb, &ack);
	if (likely(cb->ack != tp->snd_una))
		advance(tp, &ack);
	else
		ack.duplicate = cb->seq == cb->end_seq && !window_changed;
	sample_rtt(tp, &ack);
	if (unlikely(tp->tlp_high_seq))
		tcp_tlp_ack(tp, &ack);
	if (unlikely(cb->flags & TCPHDR_ECE) && tp->flags & TCP_F_ECN && !(cb->flags & TCPHDR_SYN))
		tcp_ecn_reduce(tp);
	if (unlikely(needs_recovery(tp, &ack)))
		tcp_recovery_ack(tp, &ack);
	if (!ack.advanced)
		return;
	grow_cwnd(tp, &ack);
	if (unlikely(tp->lost_out)) /* slow start after a timeout has room for more of it now */
		tcp_retransmit_lost(tp);
	if (!waits_for_reordering(tp))
		tcp_rearm_acked(tp, now);
	tcp_write_space(tp);
}

bool tcp_ack(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	bool window_changed;

	if (unlikely(!between(cb->ack, tp->snd_una, tp->snd_nxt)))
		return ack_outside(tp, skb);
	tp->probes = 0;
	tp->soft_error = 0;
	window_changed = update_window(tp, cb);
	if (tp->packets_out)
		ack_what_is_out(tp, skb, window_changed);
	else
		nothing_out(tp, skb);
	return true;
}

/* The same where nothing can be the matter: see net/tcp_fast.c. It says no more than that all is well up to cb->ack. */
void tcp_ack_expected(struct tcp_sock *tp, const struct tcp_cb *cb, u64 now)
{
	struct tcp_ack ack = {
		.now_us = now / NSEC_PER_USEC,
		.now_ms = now / NSEC_PER_MSEC,
		.ack = cb->ack,
		.prior_packets_out = tp->packets_out,
		.prior_delivered = tp->delivered,
		.prior_fack = tp->rack_fack,
		.rtt_us = -1,
		.sack_rtt_us = -1,
		.tsecr = cb->tsecr,
	};

	tp->probes = 0;
	tp->soft_error = 0;
	tp->snd_wl1 = cb->seq;
	if (cb->ack == tp->snd_una)
		return;
	advance(tp, &ack);
	sample_rtt(tp, &ack);
	grow_cwnd(tp, &ack);
	if (tp->packets_out)
		tcp_rearm_acked(tp, now);
	else
		tp->due[TCP_TIMER_RETRANSMIT] = 0;
	tcp_write_space(tp);
}

/* ---- a connection begins ----------------------------------------------------------------------------------------------------------- */

void tcp_sender_start(struct tcp_sock *tp)
{
	/* RFC 6298 5.7, RFC 5681 3.1: a SYN that was lost more than once says that the path is full. */
	tp->cwnd = tp->retransmits > 1 ? 1 : TCP_INIT_CWND;
	tp->ssthresh = TCP_INFINITE;
	tp->retransmits = 0;
	tp->small_seq = tp->snd_una;
	tp->rack_fack = tp->snd_una;
	tp->last_sent_ms = tp->last_received_ms = tcp_clock_ms();
	tp->cong->init(tp);
	tcp_expand_sndbuf(tp);
	tcp_keepalive_start(tp);
}
