/* What the files of the sender promise each other: net/tcp_{queue,output,ack,recovery,rack,rtt,timer,cong,cubic}.c.
 * All of it under the connection's sk.lock. */
#pragma once

#include <net/tcp.h>

#define TCP_RTO_MIN_US	    200000U
#define TCP_RTO_MAX_US	    120000000U
#define TCP_RTO_INIT_US	    1000000U /* RFC 6298 2 */
#define TCP_DELACK_NS	    (40 * NSEC_PER_MSEC)
#define TCP_ANSWER_NS	    (10 * NSEC_PER_MSEC)
#define TCP_RETRY_NS	    (500 * NSEC_PER_MSEC) /* after what this machine itself had no room for */
#define TCP_INIT_CWND	    10U			  /* RFC 6928 */
#define TCP_INFINITE	    0x7fffffffU
#define TCP_MIN_MSS	    48
#define TCP_TIMESTAMP_BYTES 12U /* two NOPs and the option */

/* ---- the queue: tcp_queue.c ------------------------------------------------------------------------------------ */

/* Those that were sent; NULL: no more of them. */
static inline struct sk_buff *tcp_first_sent(const struct tcp_sock *tp)
{
	struct sk_buff *skb = skb_peek(&tp->write_queue);

	return skb == tp->send_head ? NULL : skb;
}
static inline struct sk_buff *tcp_next_sent(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	struct sk_buff *next = skb_queue_next(&tp->write_queue, skb);

	return next == tp->send_head ? NULL : next;
}
#define for_each_sent(skb, tp) \
	for ((skb) = tcp_first_sent(tp); (skb); (skb) = tcp_next_sent(tp, skb))

/* Bytes of data in a buffer of the queue; skb->len counts headers too while it is on its way. */
static inline u32 tcp_payload(const struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	return cb->end_seq - cb->seq - (cb->flags & TCPHDR_SYN ? 1 : 0) -
	       (cb->flags & TCPHDR_FIN ? 1 : 0);
}

static inline u32 tcp_count_segments(const struct tcp_sock *tp, u32 payload)
{
	return payload <= tp->mss ? 1 : (payload + tp->mss - 1) / tp->mss;
}

/* RFC 6675's pipe: segments that are on their way, as far as we know. */
static inline u32 tcp_in_flight(const struct tcp_sock *tp)
{
	return tp->packets_out - tp->sacked_out - tp->lost_out + tp->retrans_out;
}

static inline u32 tcp_window_end(const struct tcp_sock *tp)
{
	return tp->snd_una + tp->snd_wnd;
}

/* Nobody else has it: off with the headers of the last time, and with what was acknowledged since. */
void tcp_restore(struct sk_buff *skb);
/* Cut it at `size` bytes of payload; the rest comes behind it. The only reference is ours. false: no memory,
 * or it has been cut too often. */
bool tcp_split(struct tcp_sock *tp, struct sk_buff *skb, u32 size);
/* A sent one now counts for so many segments more or fewer. */
void tcp_recount(struct tcp_sock *tp, const struct tcp_cb *cb, s32 change);
/* The first of the queue is acknowledged. */
void tcp_free_first(struct tcp_sock *tp, struct sk_buff *skb);

/* ---- output: tcp_output.c -------------------------------------------------------------------------------------- */

/* A buffer of the queue goes out (again). It counts as cb->segments segments then. 0 or -errno. */
int tcp_transmit(struct tcp_sock *tp, struct sk_buff *skb, u64 now);
/* The first that was never sent, whatever window and Nagle say. */
int tcp_send_new(struct tcp_sock *tp, struct sk_buff *skb, u64 now);
/* An ACK with an old sequence number: whoever lives must answer. */
void tcp_send_probe(struct tcp_sock *tp);
/* The route is no longer good: another one, and its MTU. 0 or -errno. */
int tcp_reroute(struct tcp_sock *tp);

static inline u32 tcp_timestamp(const struct tcp_sock *tp)
{
	return tcp_clock_ms() + tp->ts_offset;
}

/* ---- acknowledgements: tcp_ack.c, tcp_sack.c, tcp_recovery.c, tcp_rack.c --------------------------------------- */

/* What one ACK has told. */
struct tcp_ack {
	u32 now_us, now_ms;
	u32 ack;
	u32 prior_una, prior_packets_out, prior_lost, prior_delivered, prior_fack;
	u32 newly_acked; /* segments, by the cumulative number */
	s32 rtt_us;	 /* of what was sent once, and is acknowledged now; negative: none */
	s32 sack_rtt_us;
	u32 tsecr; /* 0: none */
	bool advanced;
	bool duplicate; /* nothing new in it but that something has arrived (RFC 5681 2) */
	bool sacked;	/* it has news about what arrived out of order */
	bool dsack;
	bool retrans_acked;
};

/* The SACK option: marks buffers, counts. net/tcp_sack.c */
void tcp_sack_tag(struct tcp_sock *tp, struct sk_buff *skb, struct tcp_ack *ack);
/* The connection may have lost something, or is recovering: what this ACK means for that; net/tcp_recovery.c. */
void tcp_recovery_ack(struct tcp_sock *tp, struct tcp_ack *ack);
/* Retransmit what is marked, as far as the congestion window allows. */
void tcp_retransmit_lost(struct tcp_sock *tp);
/* One buffer. 0, -EBUSY: the NIC has it still, -EAGAIN: outside the window, -ENOMEM or what ip_output() says. */
int tcp_retransmit(struct tcp_sock *tp, struct sk_buff *skb);
void tcp_mark_lost(struct tcp_sock *tp, struct sk_buff *skb);
/* The retransmission timer has expired: all is lost. */
void tcp_enter_loss(struct tcp_sock *tp);
/* The peer says that the path marks. */
void tcp_ecn_reduce(struct tcp_sock *tp);
/* A loss probe has repaired a loss that nothing else has shown. */
void tcp_reduce_cwnd(struct tcp_sock *tp);

/* RFC 8985: net/tcp_rack.c. */
void tcp_rack_note_reordering(struct tcp_sock *tp, const struct tcp_cb *cb, u32 fack);
bool tcp_rack_is_ambiguous(const struct tcp_sock *tp, const struct tcp_cb *cb, u32 now_us,
			   u32 tsecr);
/* Several may go in one microsecond: then their numbers decide. */
static inline bool tcp_sent_after(u32 us, u32 end_seq, u32 other_us, u32 other_end_seq)
{
	return after(us, other_us) || (us == other_us && after(end_seq, other_end_seq));
}
/* A segment was delivered, behind others up to `fack`. */
static inline void tcp_rack_advance(struct tcp_sock *tp, const struct tcp_cb *cb, u32 now_us,
				    u32 tsecr, u32 fack)
{
	bool again = cb->sacked & TCPCB_EVER_RETRANS;

	if (likely(after(cb->end_seq, tp->rack_fack)))
		tp->rack_fack = cb->end_seq;
	else if (before(cb->end_seq, fack) && !again)
		tcp_rack_note_reordering(tp, cb, fack);
	if (unlikely(again) && tcp_rack_is_ambiguous(tp, cb, now_us, tsecr))
		return;
	if (tp->rack_rtt &&
	    !tcp_sent_after(cb->sent_us, cb->end_seq, tp->rack_us, tp->rack_end_seq))
		return;
	tp->rack_rtt = max(now_us - cb->sent_us, 1U);
	tp->rack_us = cb->sent_us;
	tp->rack_end_seq = cb->end_seq;
}
/* Mark what was sent so long before something delivered that it must be lost; else sets the timer. */
void tcp_rack_detect(struct tcp_sock *tp, u32 now_us);
void tcp_rack_dsack(struct tcp_sock *tp);
void tcp_rack_recovered(struct tcp_sock *tp);
/* The wait for what might only have been late is over. */
void tcp_rack_expired_wait(struct tcp_sock *tp);
/* Would RACK call it lost now, were the last timeout its judge? */
bool tcp_rack_expired(const struct tcp_sock *tp, const struct tcp_cb *cb, u32 now_us);
/* The tail loss probe: its timer has expired; an ACK has come while one was out. */
void tcp_tlp_send(struct tcp_sock *tp);
void tcp_tlp_ack(struct tcp_sock *tp, const struct tcp_ack *ack);

/* ---- round trips: tcp_rtt.c -------------------------------------------------------------------------------------- */

void tcp_rtt_sample(struct tcp_sock *tp, u32 us);
/* rto, backed off. */
static inline u64 tcp_rto_ns(const struct tcp_sock *tp)
{
	u64 us = (u64)tp->rto << min(tp->backoff, (u8)16);

	return min(us, (u64)TCP_RTO_MAX_US) * NSEC_PER_USEC;
}

/* ---- timers: tcp_timer.c ------------------------------------------------------------------------------------------ */

/* What TCP_TIMER_RETRANSMIT is to wait for, now that something new was sent; that something was acknowledged. */
void tcp_rearm_sent(struct tcp_sock *tp, u64 now);
void tcp_rearm_acked(struct tcp_sock *tp, u64 now);
/* Something is queued, nothing is out, and no ACK will come: look at the window now and then. */
void tcp_probe_start(struct tcp_sock *tp);
static inline void tcp_retransmit_timer(struct tcp_sock *tp, enum tcp_timer_mode mode, u64 due)
{
	tp->timer_mode = mode;
	tcp_timer_set(tp, TCP_TIMER_RETRANSMIT, due);
}

/* ---- congestion control: tcp_cong.c, tcp_cubic.c --------------------------------------------------------------------- */

extern const struct tcp_cong_ops tcp_reno, tcp_cubic;

static inline bool tcp_in_slow_start(const struct tcp_sock *tp)
{
	return tp->cwnd < tp->ssthresh;
}
/* Returns how many of `acked` are left for congestion avoidance. */
u32 tcp_slow_start(struct tcp_sock *tp, u32 acked);
/* One segment more each `per` that were acknowledged. */
void tcp_grow_cwnd(struct tcp_sock *tp, u32 per, u32 acked);
