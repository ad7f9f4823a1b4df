/*
 * How large a receive buffer should be. The peer may have as much on its way as our window says, and a round trip later it
 * hears of more; so a path that carries `rate` needs a window of rate times round trip, and twice that where the rate is
 * still growing. A buffer that large for each of a million connections cannot be had; so each begins small, and grows with
 * what its program really reads in a round trip (dynamic right-sizing, as Linux does it).
 *
 * A program that does not read does not make it grow; one that has set SO_RCVBUF keeps what it has; and when the memory for
 * packets is half used up nobody's grows any more.
 *
 * Context: tcp_measure_rcv_rtt() softirq, under sk.lock; the rest process, under user_lock.
 */
#include <net/tcp.h>

#define MAX_RTT_MS 8000U /* fits rcv_rtt */
#define BURST	   16	 /* segments: what comes at once however short the way is */

void tcp_tune_rcvbuf_start(struct tcp_sock *tp)
{
	tp->read_seq = tp->copied_seq;
	tp->read_ms = (u16)tcp_clock_ms();
}

/* The peer's data come with the time of that ACK of ours which let them go. */
void tcp_measure_rcv_rtt(struct tcp_sock *tp, const struct tcp_cb *cb)
{
	u32 ms;

	if (!(tp->flags & TCP_F_TIMESTAMPS) || !cb->tsecr)
		return;
	ms = tcp_clock_ms() + tp->ts_offset - cb->tsecr;
	if (ms > MAX_RTT_MS)
		return;
	ms = max(ms, 1U);
	tp->rcv_rtt = (u16)(tp->rcv_rtt ? tp->rcv_rtt + ms - (tp->rcv_rtt >> 3) : ms << 3);
}

/* Without timestamps: what our own sender knows. */
static u32 round_trip_ms(const struct tcp_sock *tp)
{
	u32 ms = READ_ONCE(tp->rcv_rtt) >> 3;

	if (!ms)
		ms = (READ_ONCE(tp->srtt) >> 3) / 1000;
	return min(max(ms, 1U), MAX_RTT_MS);
}

/* The half of the memory is for what surrounds the data: tcp_receive_space(). */
static void grow(struct sock *sk, u64 window)
{
	u32 most = READ_ONCE(tcp_sysctl.rmem[2]);

	if (2 * window > sk->rcvbuf && sk->rcvbuf < most && !tcp_memory_above(TCP_MEM_PRESSURE))
		WRITE_ONCE(sk->rcvbuf, (u32)min(2 * window, (u64)most));
}

void tcp_tune_rcvbuf_slow(struct tcp_sock *tp)
{
	u32 read = tp->copied_seq - tp->read_seq, rtt = round_trip_ms(tp);
	u16 passed = (u16)tcp_clock_ms() - tp->read_ms;

	if (passed < rtt)
		return;
	tcp_tune_rcvbuf_start(tp);
	if (!(tcp_to_sock(tp)->options & SK_RCVBUF_LOCK))
		grow(tcp_to_sock(tp), 2ULL * read * rtt / passed + BURST * tp->advmss);
}
