/*
 * RACK-TLP (RFC 8985): loss is told by time. A segment is lost when one that was sent after it has arrived, and it has
 * had a round trip and a little more to do so; "a little" is the reordering window. And when the last segments of a
 * flight are lost, nothing arrives after them: then a probe is sent, one RTT or two after, long before the RTO.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <net/snmp.h>

#define PERSIST 16 /* RFC 8985 6.2: recoveries for which a widened window lasts */

/* ---- who was sent last -------------------------------------------------------------------------------------------- */

/* Delivered though a higher one was before, and only sent once: the path reorders. */
void tcp_rack_note_reordering(struct tcp_sock *tp, const struct tcp_cb *cb, u32 fack)
{
	u32 distance = (fack - cb->seq) / tp->mss;

	snmp_inc(TCPEXT_TCPSACKReorder);
	tp->flags |= TCP_F_REORDERED;
	tp->reordering = min(max((u32)tp->reordering, distance), tcp_sysctl.max_reordering);
}

/* Was it the first or the second of two equal ones that arrived? If it is too early for the second, or the timestamp is
 * the first one's, it tells nothing. */
bool tcp_rack_is_ambiguous(const struct tcp_sock *tp, const struct tcp_cb *cb, u32 now_us,
			   u32 tsecr)
{
	u32 age_us = now_us - cb->sent_us, sent_ts = tcp_timestamp(tp) - age_us / 1000;

	return age_us < tp->min_rtt || (tsecr && before(tsecr + 1, sent_ts));
}

/* ---- the reordering window ------------------------------------------------------------------------------------------- */

static u32 reordering_window(const struct tcp_sock *tp)
{
	u32 steps = max(tp->rack_steps, (u8)1);

	/* As long as nothing was ever reordered: at once in recovery, and after three "duplicates" as ever. */
	if (!(tp->flags & TCP_F_REORDERED) &&
	    (tp->ca_state >= TCP_CA_RECOVERY || tp->sacked_out >= tp->reordering))
		return 0;
	return min(tp->min_rtt / 4 * steps, tp->srtt >> 3);
}

/* What was retransmitted had only been late: wait longer. Once a round trip. */
void tcp_rack_dsack(struct tcp_sock *tp)
{
	if (tp->rack_persist && before(tp->snd_una, tp->rack_dsack_seq))
		return;
	tp->rack_dsack_seq = tp->snd_nxt;
	tp->rack_persist = PERSIST;
	tp->rack_steps = min(max(tp->rack_steps, (u8)1) + 1, 255);
}

void tcp_rack_recovered(struct tcp_sock *tp)
{
	if (tp->rack_persist && !--tp->rack_persist)
		tp->rack_steps = 1;
}

/* ---- what is lost --------------------------------------------------------------------------------------------------------- */

bool tcp_rack_expired(const struct tcp_sock *tp, const struct tcp_cb *cb, u32 now_us)
{
	return now_us - cb->sent_us >= tp->rack_rtt;
}

void tcp_rack_detect(struct tcp_sock *tp, u32 now_us)
{
	u32 patience, longest = 0;
	struct sk_buff *skb;

	if (!tp->rack_rtt)
		return;
	patience = tp->rack_rtt + reordering_window(tp);
	for_each_sent(skb, tp)
	{
		struct tcp_cb *cb = TCP_CB(skb);
		s32 left = patience - (now_us - cb->sent_us);

		if (cb->sacked & TCPCB_SACKED ||
		    (cb->sacked & (TCPCB_LOST | TCPCB_RETRANS)) == TCPCB_LOST)
			continue;
		if (!tcp_sent_after(tp->rack_us, tp->rack_end_seq, cb->sent_us, cb->end_seq)) {
			/* What is behind one that was sent once was sent later. */
			if (!(cb->sacked & TCPCB_EVER_RETRANS))
				break;
			continue;
		}
		if (left <= 0)
			tcp_mark_lost(tp, skb);
		else
			longest = max(longest, (u32)left);
	}
	if (longest)
		tcp_retransmit_timer(tp, TCP_MODE_REORDERING, clock_ns() + longest * NSEC_PER_USEC);
}

void tcp_rack_expired_wait(struct tcp_sock *tp)
{
	struct tcp_ack nothing = {
		.now_us = tcp_clock_us(),
		.prior_lost = tp->lost_out,
		.prior_delivered = tp->delivered,
	};

	if (!tp->packets_out)
		return;
	tcp_recovery_ack(tp, &nothing);
	if (!tp->due[TCP_TIMER_RETRANSMIT])
		tcp_rearm_sent(tp, clock_ns());
}

/* ---- the tail loss probe ---------------------------------------------------------------------------------------------------- */

static struct sk_buff *last_sent(const struct tcp_sock *tp)
{
	return tp->send_head ? skb_queue_prev(&tp->write_queue, tp->send_head)
			     : skb_peek_tail(&tp->write_queue);
}

/* Best is what is new: it may be useful. */
static bool probe_with_new(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->send_head;
	u32 payload, size;

	if (!skb)
		return false;
	payload = tcp_payload(skb);
	size = min(payload, (u32)tp->mss);
	if (after(TCP_CB(skb)->seq + size, tcp_window_end(tp)) ||
	    (size < payload && !tcp_split(tp, skb, size)))
		return false;
	tp->flags &= ~TCP_F_TLP_RETRANS;
	return !tcp_send_new(tp, skb, clock_ns());
}

static bool probe_with_last(struct tcp_sock *tp)
{
	struct sk_buff *skb = last_sent(tp);
	u32 payload = tcp_payload(skb);

	if (skb_shared(skb) || TCP_CB(skb)->sacked & TCPCB_SACKED)
		return false;
	if (payload > tp->mss) {
		if (!tcp_split(tp, skb, (payload - 1) / tp->mss * tp->mss))
			return false;
		skb = skb_queue_next(&tp->write_queue, skb);
	}
	tp->flags |= TCP_F_TLP_RETRANS;
	return !tcp_retransmit(tp, skb);
}

void tcp_tlp_send(struct tcp_sock *tp)
{
	if (!tp->packets_out)
		return;
	if (!tp->tlp_high_seq && (probe_with_new(tp) || probe_with_last(tp))) {
		snmp_inc(TCPEXT_TCPLossProbes);
		tp->tlp_high_seq = tp->snd_nxt;
	}
	tcp_retransmit_timer(tp, TCP_MODE_RTO, clock_ns() + tcp_rto_ns(tp));
}

/* RFC 8985 7.4.2: what does it say about the flight that the probe followed? */
void tcp_tlp_ack(struct tcp_sock *tp, const struct tcp_ack *ack)
{
	if (before(ack->ack, tp->tlp_high_seq))
		return;
	if (!(tp->flags & TCP_F_TLP_RETRANS) || ack->dsack) {
		tp->tlp_high_seq = 0; /* nothing, or both have arrived: nothing was lost */
	} else if (after(ack->ack, tp->tlp_high_seq)) {
		tp->tlp_high_seq =
			0; /* behind the probe, and no word of a duplicate: it has repaired a loss */
		snmp_inc(TCPEXT_TCPLossProbeRecovery);
		tcp_reduce_cwnd(tp);
	} else if (!ack->advanced && !ack->sacked) {
		tp->tlp_high_seq = 0; /* a bare duplicate: the original had arrived */
	}
}
