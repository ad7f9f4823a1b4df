/*
 * When something was lost: which state the sender is in, how the congestion window comes down, and sending again.
 *
 *	OPEN		all is well
 *	DISORDER	something arrived out of order; it may be just that
 *	CWR		the path has marked (ECN, RFC 3168): the window is down, for this round trip
 *	RECOVERY	lost, and known by SACK (RACK, RFC 8985) or by duplicates (NewReno, RFC 6582): sent again at once,
 *			the window goes down to ssthresh smoothly (PRR, RFC 6937)
 *	LOSS		the timer had to tell: slow start from one segment
 *
 * RECOVERY and LOSS last until all is acknowledged that had been sent when they began. If it turns out that nothing had
 * been lost (by timestamps, RFC 3522, or because the peer reports each retransmission as a duplicate, RFC 3708), the
 * window is put back.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

static bool has_sack(const struct tcp_sock *tp)
{
	return tp->flags & TCP_F_SACK;
}

static void set_ca_state(struct tcp_sock *tp, enum tcp_ca_state state)
{
	if (tp->cong->state)
		tp->cong->state(tp, state);
	tp->ca_state = state;
}

void tcp_mark_lost(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_cb *cb = TCP_CB(skb);

	if (cb->sacked & TCPCB_SACKED)
		return;
	if (cb->sacked & TCPCB_RETRANS) {
		tp->retrans_out -= cb->segments;
		snmp_add(TCPEXT_TCPLostRetransmit, cb->segments);
	}
	if (!(cb->sacked & TCPCB_LOST))
		tp->lost_out += cb->segments;
	cb->sacked = (cb->sacked & ~TCPCB_RETRANS) | TCPCB_LOST;
	/* without SACK, what has arrived is only a number: it was not this one */
	tp->sacked_out = min(tp->sacked_out, tp->packets_out - tp->lost_out);
}

/* ---- sending again ---------------------------------------------------------------------------------------------------- */

static void count_retransmit(struct tcp_sock *tp, struct tcp_cb *cb)
{
	if (!(cb->sacked & TCPCB_RETRANS))
		tp->retrans_out += cb->segments;
	cb->sacked |= TCPCB_RETRANS | TCPCB_EVER_RETRANS;
	if (cb->retransmits < 255)
		cb->retransmits++;
	tp->undo_retrans = max(tp->undo_retrans, 0) + cb->segments;
	if (!tp->retrans_ts)
		tp->retrans_ts = tcp_timestamp(tp) ?: 1;
	tp->prr_out += cb->segments;
	tp->total_retrans += cb->segments;
	snmp_add(TCP_RetransSegs, cb->segments);
	if (cb->flags & TCPHDR_SYN)
		snmp_inc(TCPEXT_TCPSynRetrans);
}

/* Of one buffer: as much as window and congestion window allow, but a segment of the first one in any case. */
static u32 retransmit_size(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	u32 in_flight = tcp_in_flight(tp), quota = in_flight < tp->cwnd ? tp->cwnd - in_flight : 1;

	if (after(cb->end_seq, tcp_window_end(tp)))
		quota = cb->seq == tp->snd_una ? 1 : 0;
	if (unlikely(before(cb->seq, tp->snd_up)))
		quota = min(quota, 1U); /* an urgent pointer is for one segment */
	return min(quota, 0xffffU) * tp->mss;
}

int tcp_retransmit(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct tcp_cb *cb = TCP_CB(skb);
	u32 size = retransmit_size(tp, cb), segments;
	int error;

	if (skb_shared(skb)) {
		snmp_inc(TCPEXT_TCPSpuriousRtxHostQueues);
		return -EBUSY;
	}
	if (!size)
		return -EAGAIN;
	if (size < tcp_payload(skb) && !tcp_split(tp, skb, size))
		return -ENOMEM;
	/* Some routers drop a SYN that asks for ECN (RFC 3168 6.1.1.1). */
	if (unlikely(cb->flags & TCPHDR_SYN)) {
		cb->flags &= ~(TCPHDR_ECE | TCPHDR_CWR);
		tp->flags &= ~TCP_F_ECN;
	}
	/* the MSS may be another one now */
	segments = tcp_count_segments(tp, tcp_payload(skb));
	tcp_recount(tp, cb, segments - cb->segments);
	cb->segments = segments;
	error = tcp_transmit(tp, skb, clock_ns());
	if (!error)
		count_retransmit(tp, cb);
	return error;
}

void tcp_retransmit_lost(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	if (tp->lost_out <= tp->retrans_out)
		return;
	net_batch_begin();
	for_each_sent(skb, tp)
	{
		if ((TCP_CB(skb)->sacked & (TCPCB_LOST | TCPCB_RETRANS)) != TCPCB_LOST)
			continue;
		if (tcp_in_flight(tp) >= tp->cwnd || tcp_retransmit(tp, skb))
			break;
		snmp_add(tp->ca_state == TCP_CA_LOSS ? TCPEXT_TCPSlowStartRetrans
						     : TCPEXT_TCPFastRetrans,
			 TCP_CB(skb)->segments);
		/* The oldest is on its way again, and its time begins anew. */
		if (skb == skb_peek(&tp->write_queue) && tp->timer_mode != TCP_MODE_REORDERING)
			tcp_retransmit_timer(tp, TCP_MODE_RTO, clock_ns() + tcp_rto_ns(tp));
	}
	net_batch_end();
}

/* ---- the congestion window on its way down, and up again ------------------------------------------------------------------ */

static void begin_undo(struct tcp_sock *tp)
{
	tp->undo_marker = tp->snd_una ?: 1;
	tp->undo_retrans = tp->retrans_out ? (s32)tp->retrans_out : -1;
	tp->retrans_ts = 0;
}

/* What is put back if nothing was lost. */
static void remember_window(struct tcp_sock *tp)
{
	tp->prior_cwnd = tp->cwnd;
	tp->prior_ssthresh = tp->ssthresh;
}

static void enter_recovery(struct tcp_sock *tp)
{
	snmp_inc(has_sack(tp) ? TCPEXT_TCPSackRecovery : TCPEXT_TCPRenoRecovery);
	begin_undo(tp);
	/* if the path has marked in the same round trip, that was it */
	if (tp->ca_state != TCP_CA_CWR) {
		remember_window(tp);
		tp->ssthresh = tp->cong->ssthresh(tp);
	}
	tp->high_seq = tp->snd_nxt;
	tp->tlp_high_seq = 0;
	tp->prr_delivered = tp->prr_out = 0;
	tp->cwnd_cnt = 0;
	set_ca_state(tp, TCP_CA_RECOVERY);
}

void tcp_reduce_cwnd(struct tcp_sock *tp)
{
	remember_window(tp);
	tp->undo_marker = 0;
	tp->ssthresh = tp->cong->ssthresh(tp);
	tp->cwnd = min(tp->cwnd, tp->ssthresh);
	tp->cwnd_cnt = 0;
}

/* The path marks before it has to drop (RFC 3168 6.1.2): as after a loss, but nothing was lost. Once a round trip. */
void tcp_ecn_reduce(struct tcp_sock *tp)
{
	if (tp->ca_state >= TCP_CA_CWR)
		return;
	tcp_reduce_cwnd(tp);
	tp->flags |= TCP_F_ECN_SLOWED;
	tp->high_seq = tp->snd_nxt;
	set_ca_state(tp, TCP_CA_CWR);
}

/* RFC 6937: so many may go as have arrived, in the proportion in which the window is to shrink; below ssthresh up to it. */
static void reduce_proportionally(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	u32 in_flight = tcp_in_flight(tp), delivered = tp->delivered - ack->prior_delivered;
	s32 delta = tp->ssthresh - in_flight, send;

	if (!delivered && tp->prr_out)
		return;
	tp->prr_delivered += delivered;
	if (delta < 0) {
		send = ((u64)tp->ssthresh * tp->prr_delivered + tp->prior_cwnd - 1) /
			       max(tp->prior_cwnd, 1U) -
		       tp->prr_out;
	} else {
		send = max((s32)(tp->prr_delivered - tp->prr_out), (s32)delivered);
		/* nothing more was lost: the path has room for one more */
		if (ack->advanced && tp->lost_out <= ack->prior_lost)
			send++;
		send = min(send, delta);
	}
	/* the first lost one in any case; NewReno's next, whose turn is when a hole is filled */
	send = max(send, !tp->prr_out || (!has_sack(tp) && ack->advanced) ? 1 : 0);
	tp->cwnd = max(in_flight + send, 1U);
}

/* ---- nothing was lost after all --------------------------------------------------------------------------------------------- */

/* The ACK answers what was sent before the first retransmission: that was not needed. */
static bool echoes_original(const struct tcp_sock *tp, const struct tcp_ack *ack)
{
	return tp->retrans_ts && ack->tsecr && ack->advanced && before(ack->tsecr, tp->retrans_ts);
}

static bool may_undo(const struct tcp_sock *tp, const struct tcp_ack *ack)
{
	return tp->undo_marker && (!tp->undo_retrans || echoes_original(tp, ack));
}

static void undo(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	if (tp->ca_state == TCP_CA_LOSS)
		snmp_inc(TCPEXT_TCPLossUndo);
	else
		snmp_inc(tp->undo_retrans ? TCPEXT_TCPFullUndo : TCPEXT_TCPDSACKUndo);
	for_each_sent(skb, tp) TCP_CB(skb)->sacked &= ~TCPCB_LOST;
	tp->lost_out = 0;
	tp->cwnd = max(tp->cwnd, tp->prior_cwnd);
	tp->ssthresh = max(tp->ssthresh, tp->prior_ssthresh);
	tp->undo_marker = 0;
	tp->retrans_ts = 0;
	tp->backoff = 0;
	set_ca_state(tp, tp->sacked_out ? TCP_CA_DISORDER : TCP_CA_OPEN);
}

/* ---- without SACK: NewReno ------------------------------------------------------------------------------------------------------- */

/* The first is lost, and one segment of it only is known to be; all of it, if it was cut smaller than it would be now. */
static void mark_first_lost(struct tcp_sock *tp)
{
	struct sk_buff *skb = tcp_first_sent(tp);

	if (!skb || TCP_CB(skb)->sacked & TCPCB_LOST)
		return;
	if (TCP_CB(skb)->segments > 1 && tcp_payload(skb) > tp->mss &&
	    (skb_shared(skb) || !tcp_split(tp, skb, tp->mss)))
		return;
	tcp_mark_lost(tp, skb);
}

/* Each duplicate ACK stands for a segment that has arrived, who knows which. */
static void count_duplicates(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	if (ack->duplicate && tp->ca_state != TCP_CA_LOSS &&
	    tp->sacked_out + tp->lost_out < tp->packets_out) {
		tp->sacked_out++;
		tp->delivered++;
	} else if (ack->advanced) {
		u32 gone = min(tp->sacked_out, max(ack->newly_acked, 1U) - 1);

		tp->delivered -= gone; /* they were counted when the duplicates came */
		tp->sacked_out = tp->ca_state == TCP_CA_RECOVERY ? tp->sacked_out - gone : 0;
		tp->sacked_out = min(tp->sacked_out, tp->packets_out - tp->lost_out);
	}
}

static void detect_by_duplicates(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	bool recovering = tp->ca_state == TCP_CA_RECOVERY;

	count_duplicates(tp, ack);
	if (recovering ? ack->advanced
		       : tp->ca_state <= TCP_CA_CWR && tp->sacked_out >= tp->reordering)
		mark_first_lost(tp);
}

/* ---- the timer has expired (RFC 5681 3.1, RFC 6675 5.1) --------------------------------------------------------------------------- */

/* All that the peer does not have, but what was sent so shortly ago that it may yet come. A peer that acknowledged
 * something selectively and does not have it any more (RFC 2018 8) has nothing. */
static void mark_all_lost(struct tcp_sock *tp)
{
	struct sk_buff *first = skb_peek(&tp->write_queue), *skb;
	bool reneged = TCP_CB(first)->sacked & TCPCB_SACKED;
	u32 now_us = tcp_clock_us();

	if (reneged)
		snmp_inc(TCPEXT_TCPSACKReneging);
	if (!has_sack(tp))
		tp->sacked_out = 0;
	for_each_sent(skb, tp)
	{
		struct tcp_cb *cb = TCP_CB(skb);

		if (reneged && cb->sacked & TCPCB_SACKED) {
			cb->sacked &= ~TCPCB_SACKED;
			tp->sacked_out -= cb->segments;
		}
		if (skb == first || reneged || !has_sack(tp) || tcp_rack_expired(tp, cb, now_us))
			tcp_mark_lost(tp, skb);
	}
}

void tcp_enter_loss(struct tcp_sock *tp)
{
	/* Once a flight, not once a timeout. */
	bool new_loss = tp->ca_state <= TCP_CA_DISORDER || !after(tp->high_seq, tp->snd_una) ||
			(tp->ca_state == TCP_CA_LOSS && !tp->retransmits);

	mark_all_lost(tp);
	if (new_loss) {
		remember_window(tp);
		tp->ssthresh = tp->cong->ssthresh(tp);
		begin_undo(tp);
	}
	tp->cwnd = tcp_in_flight(tp) + 1;
	tp->cwnd_cnt = 0;
	tp->high_seq = tp->snd_nxt;
	tp->tlp_high_seq = 0;
	set_ca_state(tp, TCP_CA_LOSS);
}

/* ---- the path takes less than it did (RFC 1191 6.4) ------------------------------------------------------------------------------- */

/* What is on its way and too large is lost, and nobody's queue is full: again, in smaller pieces, the window as it is. */
void tcp_icmp_frag_needed(struct tcp_sock *tp, u32 mtu)
{
	u32 mss = tp->mss;
	struct sk_buff *skb;

	if (mtu >= tp->inet.flow.dst.mtu && dst_valid(&tp->inet.flow.dst))
		return;
	ip_update_pmtu(tp->inet.flow.daddr, mtu);
	if (tcp_reroute(tp) || tp->mss >= mss)
		return;
	for_each_sent(skb, tp) if (tcp_payload(skb) > tp->mss) tcp_mark_lost(tp, skb);
	if (!tp->lost_out)
		return;
	if (tp->ca_state != TCP_CA_LOSS) {
		tp->high_seq = tp->snd_nxt;
		tp->undo_marker = 0;
		set_ca_state(tp, TCP_CA_LOSS);
	}
	tcp_retransmit_lost(tp);
}

/* ---- an ACK --------------------------------------------------------------------------------------------------------------------------- */

/* All is acknowledged that had been sent when it began. NewReno waits for one more: duplicates may still come of what
 * it retransmitted, and would look like a new loss. */
static void end_episode(struct tcp_sock *tp)
{
	if (tp->snd_una == tp->high_seq && !has_sack(tp) && tp->packets_out)
		return;
	if (tp->ca_state == TCP_CA_RECOVERY)
		tp->cwnd = max(tp->ssthresh, 1U);
	tp->retrans_ts = 0;
	tcp_rack_recovered(tp);
	set_ca_state(tp, TCP_CA_OPEN);
}

static void in_open(struct tcp_sock *tp)
{
	if (tp->lost_out)
		enter_recovery(tp);
	else if (tp->ca_state != TCP_CA_CWR)
		set_ca_state(tp, tp->sacked_out ? TCP_CA_DISORDER : TCP_CA_OPEN);
}

void tcp_recovery_ack(struct tcp_sock *tp, struct tcp_ack *ack)
{
	if (may_undo(tp, ack))
		undo(tp);
	if (tp->ca_state >= TCP_CA_CWR && !before(tp->snd_una, tp->high_seq))
		end_episode(tp);
	if (has_sack(tp))
		tcp_rack_detect(tp, ack->now_us);
	else
		detect_by_duplicates(tp, ack);
	if (tp->ca_state <= TCP_CA_CWR)
		in_open(tp);
	if (tp->ca_state == TCP_CA_RECOVERY)
		reduce_proportionally(tp, ack);
	tcp_retransmit_lost(tp);
}
