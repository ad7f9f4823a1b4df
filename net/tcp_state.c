/*
 * A connection's life as a whole: its state, its end, and the numbers that nobody outside may guess.
 *
 * Context: softirq, and process with softirqs off. Lock: the connection's sk.lock.
 */
#include <net/tcp_arrival.h>
#include <net/tcp_coalesce.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/random.h>
#include <net/snmp.h>
#include <net/tcp_listen.h>
#include <net/tcp_port.h>
#include <net/tcp_timewait.h>

static struct siphash_key origin_key; /* constant after start-up */

/* ---- state ------------------------------------------------------------------------------------------------------ */

/* RFC 4022: CurrEstab is how many are in one of these now, EstabResets how many went from there to CLOSED at once. */
void tcp_set_state(struct tcp_sock *tp, enum tcp_state state)
{
	const u32 current_states = TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT);
	bool was = TCPF(tp->hashed.state) & current_states, is = TCPF(state) & current_states;

	WRITE_ONCE(tp->hashed.state, state);
	if (was == is)
		return;
	snmp_add(TCP_CurrEstab, is ? 1 : -1ULL);
	if (state == TCP_CLOSE)
		snmp_inc(TCP_EstabResets);
}

u64 tcp_fin_timeout(const struct tcp_sock *tp)
{
	return (tp->linger2 > 0 ? (u32)tp->linger2 : tcp_sysctl.fin_timeout_s) * NSEC_PER_SEC;
}

/* What was received can still be read, if there is somebody to read it. */
static void free_queues(struct tcp_sock *tp)
{
	tcp_write_queue_purge(tp);
	skb_queue_purge(&tp->ooo);
	if (tp->flags & TCP_F_ORPHAN)
		skb_queue_purge(&tcp_to_sock(tp)->receive_queue);
}

void tcp_done(struct tcp_sock *tp, int error)
{
	struct sock *sk = tcp_to_sock(tp);
	bool hashed = TCPF(tp->hashed.state) & ~(TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN));

	/* ECONNRESET: it is the program that has given up. */
	if (error && error != ECONNRESET &&
	    TCPF(tp->hashed.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)))
		snmp_inc(TCP_AttemptFails);
	tcp_set_state(tp, TCP_CLOSE);
	tcp_timers_stop(tp);
	free_queues(tp);
	if (!(tp->inet.flags & INET_PORT_CHOSEN) || tp->flags & TCP_F_CHILD)
		tcp_unbind_port(tp);
	sk->shutdown |= SHUTDOWN_MASK;
	if (error)
		WRITE_ONCE(sk->error, error);
	if (tp->flags & TCP_F_ORPHAN)
		__atomic_sub_fetch(&tcp_orphan_count, 1, __ATOMIC_RELAXED);
	tcp_wake(tp, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLRDHUP |
			     (error ? EPOLLERR : 0));
	/* Last: it may be the last reference but the caller's. */
	if (hashed)
		tcp_hash_remove(&tp->hashed);
}

int tcp_route(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet;
	struct flow *flow = &inet->flow;

	flow->saddr = tp->hashed.saddr;
	flow->daddr = tp->hashed.daddr;
	flow->oif = inet->sk.bound_dev;
	flow->protocol = IPPROTO_TCP;
	flow->tos = inet->tos;
	flow->ttl = inet->ttl ?: IP_DEFAULT_TTL;
	flow->dont_fragment = inet->pmtudisc != IP_PMTUDISC_DONT;
	return ip_route(flow);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

/* RFC 6528: a clock of 4 us, from a secret place on that is another one for each four. So for the timestamps, which would
 * tell how long we have been running; of a connection that follows another with the same four they go on. */
struct tcp_origin tcp_secure_origin(be32 saddr, be32 daddr, be16 sport, be16 dport)
{
	const struct tcp_four four = { saddr, daddr, sport, dport };
	u64 hash = siphash(&four, sizeof(four), &origin_key);

	return (struct tcp_origin){
		.seq = (u32)hash + clock_ns() / (4 * NSEC_PER_USEC),
		.ts_offset = hash >> 32,
	};
}

/* RFC 5961 7: a limit for all connections together. Counting may be a few off between CPUs. */
static bool challenge_allowed(void)
{
	static u64 second;
	static u32 count;
	u64 now = clock_ns() / NSEC_PER_SEC;

	if (READ_ONCE(second) != now) {
		WRITE_ONCE(second, now);
		/* not a round number: who counts our answers learns whether his guess was one of them */
		WRITE_ONCE(count, random_below(tcp_sysctl.challenge_ack_limit / 2 + 1));
	}
	return __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) <= tcp_sysctl.challenge_ack_limit;
}

static bool answered_lately(u32 *last_ms)
{
	u32 now = tcp_clock_ms();

	if (*last_ms && now - *last_ms < tcp_sysctl.invalid_ratelimit_ms)
		return true;
	*last_ms = now ?: 1;
	return false;
}

bool tcp_answer_limited(const struct tcp_cb *cb, u32 *last_ms)
{
	/* Text is not part of two peers' endless conversation of ACKs. */
	if (cb->seq != cb->end_seq && !(cb->flags & TCPHDR_SYN))
		return false;
	return answered_lately(last_ms);
}

void tcp_send_challenge_ack(struct tcp_sock *tp)
{
	if (answered_lately(&tp->hashed.answered_ms) || !challenge_allowed())
		return;
	snmp_inc(TCPEXT_TCPChallengeACK);
	tcp_send_ack(tp);
}

/* ---- the table's other kinds, and start-up ---------------------------------------------------------------------------- */

void tcp_hashed_free(struct tcp_hashed *hashed)
{
	if (hashed->kind == TCP_HASHED_REQUEST)
		tcp_request_free(hashed);
	else
		tcp_timewait_free(hashed);
}

void tcp_arrival_init(void)
{
	random_fill(&origin_key, sizeof(origin_key));
	tcp_hash_init();
	tcp_port_init();
	tcp_listen_init();
	tcp_timewait_init();
	net_poll_over = tcp_coalesce_end;
}
