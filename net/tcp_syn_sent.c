/*
 * A segment arrives for a connection that we began: RFC 9293 3.10.7.3.
 *
 * Context: softirq. Lock: the connection's sk.lock, held by the caller.
 */
#include <net/tcp_arrival.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

void tcp_negotiate(struct tcp_sock *tp, const struct tcp_options *options)
{
	if (!options->timestamp)
		tp->flags &= ~TCP_F_TIMESTAMPS;
	if (!options->sack_permitted)
		tp->flags &= ~TCP_F_SACK;
	if (options->wscale < 0)
		tp->flags &= ~TCP_F_WSCALE;
	tp->snd_wscale = tp->flags & TCP_F_WSCALE ? options->wscale : 0;
	if (!(tp->flags & TCP_F_WSCALE)) {
		tp->rcv_wscale = 0;
		tp->window_clamp = min(tp->window_clamp, 65535U);
	}
	/* RFC 9293 3.7.1: without the option 536; below 48 nothing would be left beside the options. */
	tp->mss_clamp = max(options->mss ?: 536, 48);
	if (tp->user_mss)
		tp->mss_clamp = min(tp->mss_clamp, tp->user_mss);
}

/* The peer's SYN: its sequence numbers begin here. */
static void take_syn(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	tcp_negotiate(tp, &cb->options);
	/* RFC 3168 6.1.1: a SYN-ACK that agrees to ECN; a SYN of their own does not */
	if ((cb->flags & (TCPHDR_ACK | TCPHDR_ECE | TCPHDR_CWR)) != (TCPHDR_ACK | TCPHDR_ECE))
		tp->flags &= ~TCP_F_ECN;
	tp->rcv_nxt = cb->seq + 1;
	tp->rcv_wup = cb->seq + 1;
	tp->copied_seq = cb->seq + 1;
	tcp_tune_rcvbuf_start(tp);
	if (tp->flags & TCP_F_TIMESTAMPS) {
		tp->ts_recent = cb->tsval;
		tp->ts_recent_stamp = tcp_clock_s();
	}
	/* the window of a segment with SYN is never scaled */
	tp->snd_wnd = cb->window;
	tp->snd_wl1 = cb->seq;
	tp->max_window = tp->snd_wnd;
	tcp_sync_mss(tp, tp->inet.flow.dst.mtu);
}

/* SYN and ACK: there we are. What else the segment holds is next. */
static void establish(struct tcp_sock *tp, struct sk_buff *skb)
{
	take_syn(tp, skb);
	if (!tcp_ack(tp, skb)) {
		skb_put(skb);
		return;
	}
	tcp_set_state(tp, TCP_ESTABLISHED);
	tcp_sender_start(tp);
	tcp_ack_now(tp);
	/* the text begins behind the SYN */
	TCP_CB(skb)->seq++;
	TCP_CB(skb)->flags &= ~TCPHDR_SYN;
	tcp_rcv_text(tp, skb);
	if (tp->hashed.state != TCP_CLOSE)
		tcp_push_or_ack(tp);
	tcp_wake(tp, EPOLLOUT | EPOLLWRNORM);
}

/* Both sides have begun at once (RFC 9293 3.5, figure 7): our SYN again, with an ACK for theirs. */
static void simultaneous_open(struct tcp_sock *tp, struct sk_buff *skb)
{
	take_syn(tp, skb);
	tcp_set_state(tp, TCP_SYN_RECV);
	tcp_send_syn(tp);
	skb_put(skb);
}

/* First: is the ACK for our SYN? */
static bool ack_acceptable(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	return cb->flags & TCPHDR_ACK && between(cb->ack, tp->snd_una + 1, tp->snd_nxt);
}

void tcp_syn_sent_rcv(struct tcp_sock *tp, struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	if (cb->flags & TCPHDR_ACK && !ack_acceptable(tp, cb)) {
		if (!(cb->flags & TCPHDR_RST))
			tcp_send_reset_to(skb);
	} else if (cb->flags & TCPHDR_RST) {
		if (ack_acceptable(tp, cb))
			tcp_done(tp, ECONNREFUSED);
	} else if (cb->flags & TCPHDR_SYN) {
		if (cb->flags & TCPHDR_ACK)
			establish(tp, skb);
		else
			simultaneous_open(tp, skb);
		return;
	}
	skb_put(skb);
}
