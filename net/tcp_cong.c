/*
 * Congestion control: which kinds there are, and what they have in common. NewReno itself (RFC 5681, 6582) is here;
 * when to reduce, and by what rule the window comes down to the threshold, is net/tcp_recovery.c's.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/string.h>

static const struct tcp_cong_ops *const kinds[] = { &tcp_cubic, &tcp_reno };

const struct tcp_cong_ops *tcp_cong_default = &tcp_cubic;

const struct tcp_cong_ops *tcp_cong_find(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	return NULL;
}

/* ---- common ------------------------------------------------------------------------------------------------------ */

u32 tcp_slow_start(struct tcp_sock *tp, u32 acked)
{
	u32 grow = min(acked, tp->ssthresh - tp->cwnd);

	tp->cwnd += grow;
	return acked - grow;
}

void tcp_grow_cwnd(struct tcp_sock *tp, u32 per, u32 acked)
{
	tp->cwnd_cnt += acked;
	if (tp->cwnd_cnt < per)
		return;
	tp->cwnd += tp->cwnd_cnt / per;
	tp->cwnd_cnt %= per;
}

/* ---- NewReno ------------------------------------------------------------------------------------------------------ */

static u32 reno_ssthresh(struct tcp_sock *tp)
{
	return max(tp->cwnd / 2, 2U);
}

static void reno_avoid(struct tcp_sock *tp, u32 acked)
{
	if (tcp_in_slow_start(tp))
		acked = tcp_slow_start(tp, acked);
	if (acked)
		tcp_grow_cwnd(tp, tp->cwnd, acked);
}

static void reno_init(struct tcp_sock *tp)
{
}

const struct tcp_cong_ops tcp_reno = {
	.name = "reno",
	.init = reno_init,
	.ssthresh = reno_ssthresh,
	.avoid = reno_avoid,
};
