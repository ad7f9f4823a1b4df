/*
 * A connection's timers: three times when something is due, and one struct timer for all of them. It is started for the
 * first of the three, and left alone when that moves away or is switched off: then it fires in vain once, and is
 * started for what is due next, if anything. So sending and acknowledging cost no timer at all, and an idle
 * connection has none.
 *
 *	TCP_TIMER_RETRANSMIT	what the ACK should have come for	retransmit_due()
 *	TCP_TIMER_DELACK	an ACK that waited for data to go with	delack_due()
 *	TCP_TIMER_KEEPALIVE	is the peer still there?		keepalive_due()
 *
 * While the struct timer is pending, it has a reference.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

#define TICK_NS	     65536ULL /* of tp->due: 32 bits of them are 78 hours, and half of that is enough */
#define MAX_PROBE_NS (TCP_RTO_MAX_US * NSEC_PER_USEC)

/* ---- the struct timer ------------------------------------------------------------------------------------------- */

/* Whoever finds it pending may be wrong a moment later; timer_start() is not, and what fires waits for our lock. */
static noinline void start(struct tcp_sock *tp, u64 due)
{
	if (!timer_start(&tp->timer, due))
		sock_get(tcp_to_sock(tp));
}

/* Rounded up: never early. 0 means off, so that moment is a tick later. Mostly an ACK that waits comes next, which would
 * have to be due earlier: so the first of a row starts the struct timer for the time of that. */
void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer which, u64 due)
{
	tp->due[which] = (u32)((due + TICK_NS - 1) / TICK_NS) ?: 1;
	if (!timer_pending(&tp->timer))
		start(tp, min(due, clock_ns() + TCP_DELACK_NS) + TICK_NS);
	else if (tp->timer.expires > due + TICK_NS)
		start(tp, due + TICK_NS);
}

u64 tcp_timer_due(const struct tcp_sock *tp, enum tcp_timer which)
{
	u64 now;

	if (!tp->due[which])
		return 0;
	now = clock_ns() / TICK_NS;
	return (now + (s32)(tp->due[which] - (u32)now)) * TICK_NS;
}

void tcp_timer_clear(struct tcp_sock *tp, enum tcp_timer which)
{
	tp->due[which] = 0;
}

/* The caller has a reference besides the timer's. */
void tcp_timers_stop(struct tcp_sock *tp)
{
	for (u32 which = 0; which < NR_TCP_TIMERS; which++)
		tp->due[which] = 0;
	if (timer_cancel(&tp->timer))
		sock_put(tcp_to_sock(tp));
}

/* ---- giving up ----------------------------------------------------------------------------------------------------- */

/* Milliseconds since the first in the queue was first sent, or began to wait. */
static u32 waited_ms(const struct tcp_sock *tp)
{
	const struct sk_buff *skb = skb_peek(&tp->write_queue);

	return skb ? tcp_clock_ms() - TCP_CB(skb)->first_sent_ms : 0;
}

/* How long `retries` of them take: as long as with the shortest RTO, so that a slow path does not mean hours. */
static u32 retries_ms(u32 retries)
{
	u32 ms = 0, wait = TCP_RTO_MIN_US / 1000;

	for (u32 i = 0; i <= retries; i++) {
		ms += wait;
		wait = min(wait * 2, TCP_RTO_MAX_US / 1000);
	}
	return ms;
}

static void give_up(struct tcp_sock *tp)
{
	snmp_inc(TCPEXT_TCPAbortOnTimeout);
	tcp_done(tp, tp->soft_error ?: ETIMEDOUT);
}

/* Nobody has a file of it any more: fewer retries, and none when there are too many of its kind. */
static bool orphan_ends(struct tcp_sock *tp, u32 tries)
{
	u32 limit = tcp_sysctl.orphan_retries ?: 8;

	if (!(tp->flags & TCP_F_ORPHAN) || (tries < limit && !tcp_orphan_costs_too_much(tp)))
		return false;
	snmp_inc(tries < limit ? TCPEXT_TCPAbortOnMemory : TCPEXT_TCPAbortOnTimeout);
	tcp_send_active_reset(tp);
	tcp_done(tp, 0);
	return true;
}

static bool handshake_ends(struct tcp_sock *tp)
{
	u32 limit = tp->syn_retries ?: tcp_sysctl.syn_retries;

	if (tp->user_timeout_ms ? waited_ms(tp) < tp->user_timeout_ms : tp->retransmits < limit)
		return false;
	give_up(tp);
	return true;
}

/* Too many retransmissions, or for too long? Then the connection has ended. */
static bool retransmits_end(struct tcp_sock *tp)
{
	u32 limit = tp->user_timeout_ms ?: retries_ms(tcp_sysctl.retries2);

	if (TCPF(tp->hashed.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)))
		return handshake_ends(tp);
	if (orphan_ends(tp, tp->retransmits))
		return true;
	/* However short the limit, something is tried; if this machine lets us. */
	if (waited_ms(tp) < limit || (!tp->retransmits && !skb_shared(skb_peek(&tp->write_queue))))
		return false;
	give_up(tp);
	return true;
}

/* ---- the window probe (RFC 9293 3.8.6.1) -------------------------------------------------------------------------------- */

static u64 probe_wait(const struct tcp_sock *tp)
{
	return min(max((u64)tp->rto, (u64)TCP_RTO_MIN_US) * NSEC_PER_USEC
			   << min(tp->backoff, (u8)16),
		   MAX_PROBE_NS);
}

void tcp_probe_start(struct tcp_sock *tp)
{
	if (!tp->send_head || tp->packets_out || tp->due[TCP_TIMER_RETRANSMIT])
		return;
	tp->backoff = 0;
	TCP_CB(tp->send_head)->first_sent_ms = tcp_clock_ms();
	tcp_retransmit_timer(tp, TCP_MODE_WINDOW_PROBE, clock_ns() + probe_wait(tp));
}

/* What the window lets through of the next buffer, even if it is less than a segment; else a question. */
static void send_into_window(struct tcp_sock *tp)
{
	struct sk_buff *skb = tp->send_head;
	s32 window = tcp_window_end(tp) - TCP_CB(skb)->seq;
	u32 payload = tcp_payload(skb), size = min(min(payload, (u32)tp->mss), (u32)max(window, 0));

	snmp_inc(TCPEXT_TCPWinProbe);
	if (window <= 0) {
		tcp_send_probe(tp);
		return;
	}
	if (size < payload && !tcp_split(tp, skb, size))
		return;
	TCP_CB(skb)->flags |= TCPHDR_PSH;
	tcp_send_new(tp, skb, clock_ns());
}

static bool probes_end(struct tcp_sock *tp)
{
	/* An answer is not enough for an orphan: the window must open. */
	if (orphan_ends(tp, max(tp->probes, tp->backoff)))
		return true;
	if (tp->user_timeout_ms ? !tp->probes || waited_ms(tp) < tp->user_timeout_ms
				: tp->probes < tcp_sysctl.retries2)
		return false;
	give_up(tp);
	return true;
}

static void probe_due(struct tcp_sock *tp)
{
	if (tp->packets_out || !tp->send_head || probes_end(tp))
		return;
	send_into_window(tp);
	if (tp->packets_out) {
		tp->probes = 0;
		tp->backoff = 0;
		tcp_rearm_sent(tp, clock_ns());
		return;
	}
	tp->probes++;
	tp->backoff = min(tp->backoff + 1, 16);
	tcp_retransmit_timer(tp, TCP_MODE_WINDOW_PROBE, clock_ns() + probe_wait(tp));
}

/* ---- retransmission (RFC 6298 5) -------------------------------------------------------------------------------------------- */

/* The peer lives and keeps its window shut, as long as it likes: that is no timeout. */
static bool window_is_shut(const struct tcp_sock *tp)
{
	return !tp->snd_wnd && !(tp->flags & TCP_F_ORPHAN) &&
	       !(TCPF(tp->hashed.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))) &&
	       tcp_clock_ms() - tp->last_received_ms < TCP_RTO_MAX_US / 1000;
}

static void rto_due(struct tcp_sock *tp)
{
	struct sk_buff *skb = skb_peek(&tp->write_queue);

	if (!tp->packets_out)
		return;
	snmp_inc(TCPEXT_TCPTimeouts);
	if (!window_is_shut(tp) && retransmits_end(tp))
		return;
	if (skb_shared(skb)) { /* it is our own queue that it waits in, still */
		tcp_retransmit_timer(tp, TCP_MODE_RTO,
				     clock_ns() + min(tcp_rto_ns(tp), TCP_RETRY_NS));
		return;
	}
	if (tp->retransmits == tcp_sysctl.retries1)
		tcp_reroute(tp); /* RFC 1122 4.2.3.5: maybe there is another way by now */
	tcp_enter_loss(tp);
	if (tp->retransmits < 255)
		tp->retransmits++;
	tcp_retransmit(tp, skb);
	tp->backoff = min(tp->backoff + 1, 16);
	tcp_retransmit_timer(tp, TCP_MODE_RTO, clock_ns() + tcp_rto_ns(tp));
}

static void retransmit_due(struct tcp_sock *tp)
{
	static void (*const due[])(struct tcp_sock * tp) = {
		[TCP_MODE_RTO] = rto_due,
		[TCP_MODE_LOSS_PROBE] = tcp_tlp_send,
		[TCP_MODE_REORDERING] = tcp_rack_expired_wait,
		[TCP_MODE_WINDOW_PROBE] = probe_due,
	};

	due[tp->timer_mode](tp);
}

/* From when the first in the queue was last sent; not before now. */
static u64 rto_since_sent(const struct tcp_sock *tp, u64 now)
{
	const struct sk_buff *skb = skb_peek(&tp->write_queue);
	u32 age_us = (u32)(now / NSEC_PER_USEC) - TCP_CB(skb)->sent_us;

	return max(now + tcp_rto_ns(tp) - age_us * NSEC_PER_USEC, now);
}

/* RFC 8985 7.2: is it worth while to ask before the RTO? For a single segment, allow for the peer's delayed ACK. */
static __always_inline bool set_loss_probe(struct tcp_sock *tp, u64 now, u64 rto)
{
	u64 wait;

	if (tp->ca_state != TCP_CA_OPEN || !(tp->flags & TCP_F_SACK) || tp->sacked_out ||
	    !tp->srtt || tp->tlp_high_seq || !tcp_sysctl.early_retrans)
		return false;
	wait = (tp->srtt >> 2) + (tp->packets_out == 1 ? TCP_RTO_MIN_US : 2000);
	if (now + wait * NSEC_PER_USEC >= rto)
		return false;
	tcp_retransmit_timer(tp, TCP_MODE_LOSS_PROBE, now + wait * NSEC_PER_USEC);
	return true;
}

void tcp_rearm_sent(struct tcp_sock *tp, u64 now)
{
	u64 rto = tcp_timer_due(tp, TCP_TIMER_RETRANSMIT);

	if (rto && tp->timer_mode == TCP_MODE_REORDERING)
		return;
	if (!rto || tp->timer_mode != TCP_MODE_RTO)
		rto = rto_since_sent(tp, now);
	if (!set_loss_probe(tp, now, rto))
		tcp_retransmit_timer(tp, TCP_MODE_RTO, rto);
}

void tcp_rearm_acked(struct tcp_sock *tp, u64 now)
{
	u64 rto = now + tcp_rto_ns(tp);

	if (!tp->packets_out) {
		tp->due[TCP_TIMER_RETRANSMIT] = 0;
		return;
	}
	if (!set_loss_probe(tp, now, rto))
		tcp_retransmit_timer(tp, TCP_MODE_RTO, rto);
}

/* ---- delayed ACK (RFC 9293 3.8.6.3) ------------------------------------------------------------------------------------------ */

void tcp_delack_start(struct tcp_sock *tp, u64 now)
{
	tcp_timer_set(tp, TCP_TIMER_DELACK,
		      now + (tcp_waits_for_accept(tp) ? TCP_ANSWER_NS : TCP_DELACK_NS));
}

static void delack_due(struct tcp_sock *tp)
{
	if (!tp->ack_pending)
		return;
	tp->flags &=
		~TCP_F_SLOWACK; /* no data has come to go with it: Linux's TCP_QUICKACK is not for ever */
	snmp_inc(TCPEXT_DelayedACKs);
	tcp_send_ack(tp);
}

/* ---- keepalive (RFC 9293 3.8.4) -------------------------------------------------------------------------------------------------- */

static u32 keepalive_ms(const struct tcp_sock *tp)
{
	return (tp->keepalive_s ?: tcp_sysctl.keepalive_time_s) * 1000;
}

void tcp_keepalive_start(struct tcp_sock *tp)
{
	bool wanted = tcp_to_sock(tp)->options & SK_KEEPALIVE &&
		      !(TCPF(tp->hashed.state) &
			(TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT)));

	if (tp->flags & TCP_F_FIN_WANTED) /* the timer is the FIN's as long as that waits */
		return;
	if (wanted)
		tcp_timer_set(tp, TCP_TIMER_KEEPALIVE,
			      clock_ns() + keepalive_ms(tp) * NSEC_PER_MSEC);
	else
		tcp_timer_clear(tp, TCP_TIMER_KEEPALIVE);
}

/* No answer so often, or for so long. */
static bool peer_is_gone(const struct tcp_sock *tp, u32 idle_ms)
{
	if (tp->user_timeout_ms)
		return tp->probes && idle_ms >= tp->user_timeout_ms;
	return tp->probes >= (tp->keepalive_probes ?: tcp_sysctl.keepalive_probes);
}

static void keepalive_due(struct tcp_sock *tp)
{
	u32 idle_ms = tcp_clock_ms() - tp->last_received_ms, wait_ms = keepalive_ms(tp);

	if (tp->flags & TCP_F_FIN_WANTED) {
		tcp_send_fin(tp);
		tcp_keepalive_start(tp);
		return;
	}
	if (!(tcp_to_sock(tp)->options & SK_KEEPALIVE))
		return;
	if (tp->packets_out || tp->send_head) { /* the other timer asks already */
	} else if (idle_ms < wait_ms) {
		wait_ms -= idle_ms;
	} else if (peer_is_gone(tp, idle_ms)) {
		tcp_send_active_reset(tp);
		give_up(tp);
		return;
	} else {
		snmp_inc(TCPEXT_TCPKeepAlive);
		tcp_send_probe(tp);
		tp->probes++;
		wait_ms = (tp->keepalive_interval_s ?: tcp_sysctl.keepalive_intvl_s) * 1000;
	}
	tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, clock_ns() + wait_ms * NSEC_PER_MSEC);
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------------------- */

static void run_due(struct tcp_sock *tp)
{
	static void (*const handlers[NR_TCP_TIMERS])(struct tcp_sock * tp) = {
		[TCP_TIMER_RETRANSMIT] = retransmit_due,
		[TCP_TIMER_DELACK] = delack_due,
		[TCP_TIMER_KEEPALIVE] = keepalive_due,
	};
	u64 now = clock_ns(), next = ~0ULL;

	for (u32 which = 0; which < NR_TCP_TIMERS; which++) {
		if (!tp->due[which] || tcp_timer_due(tp, which) > now)
			continue;
		tp->due[which] = 0;
		handlers[which](tp);
		if (tp->hashed.state == TCP_CLOSE)
			return;
	}
	for (u32 which = 0; which < NR_TCP_TIMERS; which++)
		if (tp->due[which])
			next = min(next, tcp_timer_due(tp, which));
	if (next != ~0ULL)
		start(tp, next);
}

static void timer_fired(struct timer *timer)
{
	struct tcp_sock *tp = container_of(timer, struct tcp_sock, timer);
	struct sock *sk = tcp_to_sock(tp);

	spin_lock_bh(&sk->lock);
	if (tp->hashed.state != TCP_CLOSE && tp->hashed.state != TCP_LISTEN)
		run_due(tp);
	spin_unlock_bh(&sk->lock);
	sock_put(sk);
}

void tcp_sender_init(struct tcp_sock *tp)
{
	timer_init(&tp->timer, timer_fired);
	skb_queue_init(&tp->write_queue);
	skb_queue_init(&tp->ooo);
	tp->rto = TCP_RTO_INIT_US;
	tp->cwnd = TCP_INIT_CWND;
	tp->ssthresh = TCP_INFINITE;
	tp->mss = 536;
	tp->reordering = tcp_sysctl.reordering;
	tp->cong = tcp_cong_default;
}
