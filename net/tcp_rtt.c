/*
 * How long a round trip takes, and how long to wait for one: RFC 6298, in microseconds.
 *
 *	srtt	= 7/8 srtt + 1/8 sample			kept << 3
 *	rttvar	= 3/4 rttvar + 1/4 |srtt - sample|	kept << 2
 *	rto	= srtt + max(4 rttvar, 200 ms)		Linux's lower bound, where the RFC has a second
 *
 * Samples are of segments that were sent once (Karn), or by timestamps. A sample also ends the timer's back-off.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

static void first_sample(struct tcp_sock *tp, u32 us)
{
	tp->srtt = us << 3;
	tp->rttvar = us << 1; /* half of it */
	tp->min_rtt = us;
}

static void next_sample(struct tcp_sock *tp, u32 us)
{
	s32 error = (s32)us - (s32)(tp->srtt >> 3);

	tp->srtt += error;
	if (error < 0)
		error = -error;
	tp->rttvar += error - (s32)(tp->rttvar >> 2);
	tp->min_rtt = min(tp->min_rtt, us);
}

void tcp_rtt_sample(struct tcp_sock *tp, u32 us)
{
	us = min(max(us, 1U), TCP_RTO_MAX_US);
	if (unlikely(!tp->srtt))
		first_sample(tp, us);
	else
		next_sample(tp, us);
	tp->rto = min((tp->srtt >> 3) + max(tp->rttvar, TCP_RTO_MIN_US), TCP_RTO_MAX_US);
	tp->backoff = 0;
}

void tcp_rtt_first(struct tcp_sock *tp, u32 us)
{
	tcp_rtt_sample(tp, us);
}
