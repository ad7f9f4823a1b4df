/*
 * A segment arrives for a connection that is synchronised: RFC 9293 3.10.7.4, one step of it a function.
 *
 *	first	is the sequence number in the window?	check_sequence()
 *	second	RST					check_reset()
 *	fourth	SYN					check_syn()
 *	fifth	ACK					check_ack(), and what it changes: after_ack()
 *	sixth	URG					tcp_rcv_urgent()	net/tcp_data.c
 *	seventh	the text				tcp_rcv_text()		net/tcp_data.c
 *	eighth	FIN					in order, so after the text: there
 *
 * (The third, security, has no meaning in today's IP.) A step returns false when the segment is done with.
 *
 * Context: softirq. Lock: the connection's sk.lock, held by the caller.
 */
#include <net/tcp_arrival.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

#define PAWS_LIMIT_S (24 * 24 * 3600) /* RFC 7323 5.5: a timestamp this old says nothing */

/* ---- first: sequence number and timestamp ------------------------------------------------------------------- */

/* RFC 7323 5: an old duplicate is known by a timestamp from before the last one. */
static bool is_old_duplicate(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	if (!(tp->flags & TCP_F_TIMESTAMPS) || !cb->options.timestamp || !tp->ts_recent_stamp)
		return false;
	if ((s32)(cb->tsval - tp->ts_recent) >= 0)
		return false;
	return tcp_clock_s() - tp->ts_recent_stamp < PAWS_LIMIT_S;
}

/* Does any of it lie in the window? (With a window of 0, what would be next does.) */
static bool in_window(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	u32 end = tp->rcv_nxt + tcp_receive_window(tp);

	return !before(cb->end_seq, tp->rcv_wup) && !after(cb->seq, end);
}

/* What the program hears depends on how far it was. */
static int reset_error(const struct tcp_sock *tp)
{
	switch (tp->hashed.state) {
	case TCP_SYN_RECV:
		return ECONNREFUSED;
	case TCP_CLOSE_WAIT:
		return EPIPE;
	default:
		return ECONNRESET;
	}
}

static void reset_connection(struct tcp_sock *tp)
{
	tcp_done(tp, reset_error(tp));
}

/* Behind their FIN, some send an RST with the number of the FIN itself; Linux believes it. */
static bool is_reset_of_fin(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	return cb->seq == tp->rcv_nxt - 1 &&
	       TCPF(tp->hashed.state) &
		       (TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_LAST_ACK) | TCPF(TCP_CLOSING));
}

/* The peer finds its place again by an ACK. */
static void answer_unacceptable(struct tcp_sock *tp, const struct tcp_cb *cb)
{
	if (tcp_answer_limited(cb, &tp->hashed.answered_ms))
		return;
	if (before(cb->seq, tp->rcv_nxt)) {
		snmp_inc(TCPEXT_DelayedACKLost);
		tcp_report_duplicate(tp, cb->seq,
				     after(cb->end_seq, tp->rcv_nxt) ? tp->rcv_nxt : cb->end_seq);
	}
	tcp_send_ack(tp);
}

static bool check_sequence(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	bool reset = cb->flags & TCPHDR_RST;

	if (is_old_duplicate(tp, cb) && !reset) {
		snmp_inc(TCPEXT_PAWSEstab);
		answer_unacceptable(tp, cb);
		return false;
	}
	if (in_window(tp, cb))
		return true;
	if (cb->flags & TCPHDR_SYN && !reset)
		tcp_send_challenge_ack(tp);
	else if (!reset)
		answer_unacceptable(tp, cb);
	else if (is_reset_of_fin(tp, cb))
		reset_connection(tp);
	return false;
}

void tcp_store_timestamp(struct tcp_sock *tp, const struct tcp_cb *cb)
{
	if (!(tp->flags & TCP_F_TIMESTAMPS) || !cb->options.timestamp ||
	    after(cb->seq, tp->rcv_wup))
		return;
	if (is_old_duplicate(tp, cb)) /* an RST's: it gets this far */
		return;
	tp->ts_recent = cb->tsval;
	tp->ts_recent_stamp = tcp_clock_s();
}

/* ---- second: RST ------------------------------------------------------------------------------------------------ */

/* A peer that has sent more than we have in order does not know what is missing: its RST follows the last it has sent. */
static bool is_behind_last_block(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	const struct sk_buff *last = skb_peek_tail(&tp->ooo);

	return tp->flags & TCP_F_SACK && last && cb->seq == TCP_CB(last)->end_seq;
}

/* RFC 5961 3: only the very next number is believed; one that is merely in the window is asked about, since who guesses
 * cannot answer. */
static bool check_reset(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (!(cb->flags & TCPHDR_RST))
		return true;
	if (cb->seq == tp->rcv_nxt || is_reset_of_fin(tp, cb) || is_behind_last_block(tp, cb))
		reset_connection(tp);
	else
		tcp_send_challenge_ack(tp);
	return false;
}

/* ---- fourth: SYN ------------------------------------------------------------------------------------------------- */

/* RFC 5961 4: the same for a SYN; a peer that really begins anew answers with an RST that fits. */
static bool check_syn(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (!(cb->flags & TCPHDR_SYN))
		return true;
	/* The SYN-ACK of a simultaneous open: both have sent a SYN, both get one. */
	if (tp->hashed.state == TCP_SYN_RECV && cb->seq + 1 == tp->copied_seq &&
	    cb->end_seq == tp->copied_seq && cb->flags & TCPHDR_ACK)
		return true;
	snmp_inc(TCPEXT_TCPSYNChallenge);
	tcp_send_challenge_ack(tp);
	return false;
}

/* ---- fifth: ACK --------------------------------------------------------------------------------------------------- */

/* SYN_RECV (only a simultaneous open gets here: a listener's half-open ones are requests). */
static bool establish(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (!between(cb->ack, tp->snd_una + 1, tp->snd_nxt)) {
		tcp_send_reset_to(skb);
		return false;
	}
	tcp_set_state(tp, TCP_ESTABLISHED);
	tcp_sender_start(tp);
	tp->snd_wnd = (u32)cb->window << (cb->flags & TCPHDR_SYN ? 0 : tp->snd_wscale);
	tp->snd_wl1 = cb->seq;
	tp->max_window = tp->snd_wnd;
	tcp_wake(tp, EPOLLOUT | EPOLLWRNORM);
	return true;
}

static bool check_ack(struct tcp_sock *tp, struct sk_buff *skb)
{
	if (!(TCP_CB(skb)->flags & TCPHDR_ACK))
		return false;
	if (tp->hashed.state == TCP_SYN_RECV && !establish(tp, skb))
		return false;
	return tcp_ack(tp, skb);
}

/* FIN_WAIT2 waits for the peer's FIN. */
static void enter_fin_wait2(struct tcp_sock *tp)
{
	tcp_set_state(tp, TCP_FIN_WAIT2);
	tcp_to_sock(tp)->shutdown |= SHUTDOWN_SND;
	if (!(tp->flags & TCP_F_ORPHAN)) {
		tcp_wake(tp, EPOLLOUT | EPOLLWRNORM | EPOLLHUP);
	} else if (tp->linger2 < 0) {
		snmp_inc(TCPEXT_TCPAbortOnData);
		tcp_send_active_reset(tp);
		tcp_done(tp, 0);
	}
}

/* If nobody can read what comes before their FIN, it is not waited for in so large a structure, nor for ever. */
static void leave_fin_wait2(struct tcp_sock *tp)
{
	if (tp->hashed.state == TCP_FIN_WAIT2 && tp->flags & TCP_F_ORPHAN)
		tcp_time_wait(tp, TCP_FIN_WAIT2, tcp_fin_timeout(tp));
}

/* Our FIN has been acknowledged: the connection is a state further. false: it has ended. */
static bool after_ack(struct tcp_sock *tp)
{
	if (tp->snd_una != tp->write_seq || !(tp->flags & TCP_F_FIN_QUEUED))
		return true;
	switch (tp->hashed.state) {
	case TCP_FIN_WAIT1:
		enter_fin_wait2(tp);
		return tp->hashed.state == TCP_FIN_WAIT2;
	case TCP_CLOSING:
		tcp_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_NS);
		return false;
	case TCP_LAST_ACK:
		tcp_done(tp, 0);
		return false;
	default:
		return true;
	}
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

/* Data for a connection that is closed on our side, and that nobody reads any more (RFC 9293 3.6.1): the peer should know
 * that it is lost. */
static bool nobody_reads(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (!(tcp_to_sock(tp)->shutdown & SHUTDOWN_RCV) ||
	    !(TCPF(tp->hashed.state) & (TCPF(TCP_FIN_WAIT1) | TCPF(TCP_FIN_WAIT2))) ||
	    !after(cb->end_seq - !!(cb->flags & TCPHDR_FIN), tp->rcv_nxt))
		return false;
	snmp_inc(TCPEXT_TCPAbortOnData);
	tcp_send_reset_to(skb);
	reset_connection(tp);
	return true;
}

static bool steps_to_ack(struct tcp_sock *tp, struct sk_buff *skb)
{
	return check_sequence(tp, skb) && check_reset(tp, skb) && check_syn(tp, skb) &&
	       check_ack(tp, skb) && after_ack(tp);
}

void tcp_segment_arrives(struct tcp_sock *tp, struct sk_buff *skb)
{
	if (!steps_to_ack(tp, skb) || nobody_reads(tp, skb)) {
		skb_put(skb);
		return;
	}
	tcp_store_timestamp(tp, TCP_CB(skb));
	tcp_rcv_urgent(tp, skb);
	tcp_rcv_text(tp, skb);
	if (tp->hashed.state == TCP_CLOSE)
		return;
	tcp_push_or_ack(tp);
	leave_fin_wait2(tp);
}
