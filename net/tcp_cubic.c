/*
 * CUBIC (RFC 9438): the window grows as a cubic function of the time since it was last reduced; steeply at first, flat
 * near the size at which something was lost, then steeply again. So growth does not depend on the round trip. Where
 * that is slower than Reno would be (short round trips), it is Reno's.
 *
 *	W(t) = C (t - K)^3 + W_max, in segments, t in seconds; K = cbrt((W_max - cwnd) / C)
 *
 * The first slow start ends before anything is lost, by HyStart (Ha and Rhee, 2008): a round trip that takes clearly longer
 * than the shortest ever says that a queue grows.
 *
 * Times in milliseconds here: so C is 0.4 / 10^9, and K = cbrt((W_max - cwnd) * 2.5 * 10^9).
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <net/snmp.h>

#define ONE_BY_C     2500000000ULL
#define MAX_DISTANCE 1000000 /* ms from K: beyond that the cube is of no use, and too large */

#define HYSTART_CWND	 16 /* with less than that it is not worth while */
#define HYSTART_SAMPLES	 8  /* the first of a round: later ones wait behind them */
#define HYSTART_LEAST_US 4000
#define HYSTART_MOST_US	 16000

struct hystart {
	u32 round_end;	 /* snd_nxt when it began; 0: not yet */
	u32 shortest_us; /* of the round's first samples */
	u32 samples;
};

struct cubic {
	u32 w_max; /* window at the last loss, or when growth began, if that was more: the curve is flat there */
	u32 epoch_ms; /* when growth began; 0: not yet */
	union {
		struct {
			u32 last_ms; /* last time it grew: idling does not count */
			u32 k_ms;
			u32 w_reno;	/* what Reno would have */
			u32 reno_acked; /* towards its next segment */
		};
		struct hystart hystart; /* until there was a first growth or loss */
	};
};
static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_sock *)0)->cong_state), "it fits");

static struct cubic *cubic_of(struct tcp_sock *tp)
{
	return (struct cubic *)tp->cong_state;
}

/* The largest whole number whose cube is not above `value`. */
static u32 cube_root(u64 value)
{
	u64 root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		u64 next = root | 1ULL << bit;

		if (next * next * next <= value)
			root = next;
	}
	return root;
}

static void begin_epoch(struct tcp_sock *tp, struct cubic *cubic, u32 now_ms)
{
	cubic->epoch_ms = now_ms ?: 1;
	cubic->last_ms = now_ms;
	cubic->w_reno = tp->cwnd;
	cubic->reno_acked = 0;
	cubic->w_max = max(cubic->w_max, tp->cwnd);
	cubic->k_ms = cube_root(min(cubic->w_max - tp->cwnd, 1000000U) * ONE_BY_C);
}

/* Where the curve will be in a round trip; not more than half of the window away. */
static u32 target(const struct tcp_sock *tp, const struct cubic *cubic, u32 now_ms)
{
	s64 t = (u64)(now_ms - cubic->epoch_ms) + tp->srtt / 8000 - cubic->k_ms;
	s64 window;

	t = max(min(t, (s64)MAX_DISTANCE), -(s64)MAX_DISTANCE);
	window = cubic->w_max + t * t * t / (s64)ONE_BY_C;
	return max(min(window, (s64)tp->cwnd + tp->cwnd / 2), (s64)tp->cwnd);
}

/* RFC 9438 4.3: Reno with this beta grows by 3 (1 - 0.7) / (1 + 0.7) = 9/17 segments a round trip. */
static u32 reno_window(const struct tcp_sock *tp, struct cubic *cubic, u32 acked)
{
	u32 per = max(tp->cwnd * 17 / 9, 1U);

	cubic->reno_acked += acked;
	cubic->w_reno += cubic->reno_acked / per;
	cubic->reno_acked %= per;
	return cubic->w_reno;
}

/* ---- the first slow start --------------------------------------------------------------------------------------------- */

/* Of each round trip the first samples count. */
static void sample_round(const struct tcp_sock *tp, struct hystart *hystart)
{
	if (!hystart->round_end || !before(tp->snd_una, hystart->round_end))
		*hystart = (struct hystart){ tp->snd_nxt ?: 1, ~0U, 0 };
	if (hystart->samples++ < HYSTART_SAMPLES)
		hystart->shortest_us = min(hystart->shortest_us, tp->rack_rtt);
}

static bool queue_grows(const struct tcp_sock *tp, const struct hystart *hystart)
{
	u32 longer = min(max(tp->min_rtt / 8, (u32)HYSTART_LEAST_US), (u32)HYSTART_MOST_US);

	return tp->cwnd >= HYSTART_CWND && hystart->samples >= HYSTART_SAMPLES &&
	       hystart->shortest_us >= tp->min_rtt + longer;
}

/* Returns how many of `acked` are left for congestion avoidance. */
static u32 slow_start(struct tcp_sock *tp, struct hystart *hystart, u32 acked)
{
	if (tp->ssthresh != TCP_INFINITE)
		return tcp_slow_start(tp, acked);
	sample_round(tp, hystart);
	if (!queue_grows(tp, hystart))
		return tcp_slow_start(tp, acked);
	snmp_inc(TCPEXT_TCPHystartDelayDetect);
	snmp_add(TCPEXT_TCPHystartDelayCwnd, tp->cwnd);
	tp->ssthresh = tp->cwnd;
	return acked;
}

/* ---- what others call -------------------------------------------------------------------------------------------------- */

static void cubic_avoid(struct tcp_sock *tp, u32 acked)
{
	struct cubic *cubic = cubic_of(tp);
	u32 now_ms, window;

	if (tcp_in_slow_start(tp))
		acked = slow_start(tp, &cubic->hystart, acked);
	if (!acked)
		return;
	now_ms = tcp_clock_ms();
	if (!cubic->epoch_ms)
		begin_epoch(tp, cubic, now_ms);
	if (now_ms - cubic->last_ms > tp->rto / 1000)
		cubic->epoch_ms += now_ms - cubic->last_ms;
	cubic->last_ms = now_ms;
	window = max(target(tp, cubic, now_ms), reno_window(tp, cubic, acked));
	if (window > tp->cwnd)
		tcp_grow_cwnd(tp, max(tp->cwnd / (window - tp->cwnd), 2U), acked);
}

/* Fast convergence: less than last time means that somebody else is there now, so make room. */
static u32 cubic_ssthresh(struct tcp_sock *tp)
{
	struct cubic *cubic = cubic_of(tp);

	cubic->epoch_ms = 0;
	cubic->w_max = tp->cwnd < cubic->w_max ? tp->cwnd * 17 / 20 : tp->cwnd;
	return max(tp->cwnd * 7 / 10, 2U);
}

static void cubic_init(struct tcp_sock *tp)
{
	*cubic_of(tp) = (struct cubic){ 0 };
}

static void cubic_state(struct tcp_sock *tp, enum tcp_ca_state state)
{
	if (state == TCP_CA_LOSS)
		cubic_of(tp)->epoch_ms = 0;
}

const struct tcp_cong_ops tcp_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.ssthresh = cubic_ssthresh,
	.avoid = cubic_avoid,
	.state = cubic_state,
};
