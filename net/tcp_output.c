/*
 * Sending: every segment of a connection gets its header here, in emit(). What may go, and when, is tcp_push()'s to say:
 * the peer's window, the congestion window, Nagle.
 *
 * What was sent stays in the queue with a reference of ours until it is acknowledged (net/tcp_queue.c); sent again, it
 * is the same buffer with a new header.
 *
 * Step "reply". Context: softirq and process. Lock: the connection's sk.lock; inside it those of IP and the device.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/snmp.h>

#define MAX_MSS	    65495U /* 65,535 less the headers */
#define MAX_TSO	    65160U /* what a large packet may hold, headers and all in 16 bits */
#define SACK_BLOCKS 4

/* ---- routes and sizes ----------------------------------------------------------------------------------------------- */

void tcp_sync_mss(struct tcp_sock *tp, u32 pmtu)
{
	u32 mss = pmtu - sizeof(struct iphdr) - sizeof(struct tcphdr);

	mss = min(min(mss, MAX_MSS), (u32)tp->mss_clamp ?: 536U);
	if (tp->user_mss)
		mss = min(mss, (u32)tp->user_mss);
	/* Half of the window at most, or a peer with a small one would wait for us, and we for it. */
	if (tp->max_window)
		mss = min(mss, tp->max_window > 536 ? tp->max_window / 2 : tp->max_window);
	mss = max(mss, (u32)TCP_MIN_MSS);
	if (tp->flags & TCP_F_TIMESTAMPS)
		mss -= TCP_TIMESTAMP_BYTES;
	tp->mss = mss;
	if (tp->inet.flow.dst.dev && tp->inet.flow.dst.dev->features & NETDEV_TSO)
		tp->flags |= TCP_F_TSO;
	else
		tp->flags &= ~TCP_F_TSO;
}

int tcp_reroute(struct tcp_sock *tp)
{
	int error = tcp_route(tp);

	if (!error)
		tcp_sync_mss(tp, tp->inet.flow.dst.mtu);
	return error;
}

/* What a large packet holds is not more than half of the congestion window: the other half keeps the ACKs coming. */
u32 tcp_size_goal(const struct tcp_sock *tp)
{
	u32 segments;

	if (!(tp->flags & TCP_F_TSO))
		return tp->mss;
	segments = min(MAX_TSO / tp->mss, max(tp->cwnd / 2, 2U));
	return max(segments, 1U) * tp->mss;
}

/* So that all of it can be told in 16 bits. */
u8 tcp_choose_wscale(u32 space)
{
	return space <= 65535 ? 0 : min(32 - __builtin_clz(space >> 16), TCP_MAX_WSCALE);
}

/* ---- options ----------------------------------------------------------------------------------------------------------- */

struct sack_block {
	u32 start, end;
};

/* The blocks to report, the one that changed last first, then those below it: with a lossy path they are the next
 * latest. */
static u32 collect_blocks(const struct tcp_sock *tp, struct sack_block *blocks, u32 room)
{
	const struct sk_buff *skb;
	u32 nr = 0, last = 0;

	for (skb = skb_peek_tail(&tp->ooo); skb; skb = skb_queue_prev(&tp->ooo, skb)) {
		const struct tcp_cb *cb = TCP_CB(skb);

		if (nr && cb->end_seq == blocks[nr - 1].start) {
			blocks[nr - 1].start = cb->seq;
		} else {
			if (nr == room && !after(blocks[nr - 1].start, tp->last_sack))
				break;
			nr += nr < room;
			blocks[nr - 1] = (struct sack_block){ cb->seq, cb->end_seq };
		}
	}
	for (u32 i = 0; i < nr; i++)
		if (between(tp->last_sack, blocks[i].start, blocks[i].end - 1))
			last = i;
	if (last) {
		struct sack_block first = blocks[last];

		blocks[last] = blocks[0];
		blocks[0] = first;
	}
	return nr;
}

/* A duplicate's block goes before all others (RFC 2883). */
static u32 blocks_to_report(struct tcp_sock *tp, struct sack_block *blocks)
{
	u32 room = tp->flags & TCP_F_TIMESTAMPS ? SACK_BLOCKS - 1 : SACK_BLOCKS, nr = 0;

	if (!(tp->flags & TCP_F_SACK))
		return 0;
	if (tp->dsack[0] != tp->dsack[1])
		blocks[nr++] = (struct sack_block){ tp->dsack[0], tp->dsack[1] };
	tp->dsack[0] = tp->dsack[1] = 0;
	return nr + collect_blocks(tp, blocks + nr, room - nr);
}

/* In a header in front of what is left of a segment, that may be anywhere. */
static inline be32_unaligned *put_timestamp(const struct tcp_sock *tp, be32_unaligned *at,
					    u32 first, u32 now)
{
	at[0] = htonl(first);
	at[1] = htonl(now);
	at[2] = htonl(tp->ts_recent);
	return at + 3;
}

static be32 *put_sacks(be32 *at, const struct sack_block *blocks, u32 nr)
{
	*at++ = htonl(TCP_OPTION_SACK | (2 + 8 * nr));
	for (u32 i = 0; i < nr; i++) {
		*at++ = htonl(blocks[i].start);
		*at++ = htonl(blocks[i].end);
	}
	return at;
}

/* A SYN's, in Linux's order. Where they end. */
static be32 *put_syn_options(const struct tcp_sock *tp, be32 *at, u32 now)
{
	*at++ = htonl(TCP_OPTION_MSS | tp->advmss);
	if (tp->flags & TCP_F_TIMESTAMPS)
		at = put_timestamp(
			tp, at, tp->flags & TCP_F_SACK ? TCP_OPTION_TS_SACK : TCP_OPTION_TS, now);
	else if (tp->flags & TCP_F_SACK)
		*at++ = htonl(TCP_OPTION_SACK_OK);
	if (tp->flags & TCP_F_WSCALE)
		*at++ = htonl(TCP_OPTION_WSCALE | tp->rcv_wscale);
	return at;
}

/* ---- the window that we tell ---------------------------------------------------------------------------------------------- */

/* Its right edge never goes back, and goes forward by a segment at least (RFC 9293 3.8.6.2.2). */
static u32 choose_window(struct tcp_sock *tp)
{
	u32 previous = tp->rcv_wnd;
	s32 left = tp->rcv_wup + previous - tp->rcv_nxt;
	u32 told = left < 0 ? 0 : left;
	u32 space = min(tcp_receive_space(tp), 65535U << tp->rcv_wscale);
	u32 unit = 1U << tp->rcv_wscale;

	if (space < told + min((u32)tp->rcv_mss, tcp_to_sock(tp)->rcvbuf / 4))
		space = ALIGN_UP(told, unit);
	else
		space &= ~(unit - 1);
	tp->rcv_wnd = min(space, 65535U << tp->rcv_wscale);
	tp->rcv_wup = tp->rcv_nxt;
	if (unlikely(!previous != !tp->rcv_wnd))
		snmp_inc(previous ? TCPEXT_TCPToZeroWindowAdv : TCPEXT_TCPFromZeroWindowAdv);
	return tp->rcv_wnd >> tp->rcv_wscale;
}

/* ---- every segment ----------------------------------------------------------------------------------------------------------- */

/* A full segment has no room for blocks; tcp_push_or_ack() sends an ACK of its own for them. */
static inline bool has_blocks(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	return !skb->len && (tp->ooo.count || tp->dsack[0] != tp->dsack[1]);
}

/* A SYN, or what has arrived out of order. */
static noinline struct tcphdr *push_rare_header(struct tcp_sock *tp, struct sk_buff *skb, u8 flags,
						u32 timestamp)
{
	be32 options[TCP_MAX_OPTIONS / 4], *end = options;
	struct sack_block blocks[SACK_BLOCKS];
	struct tcphdr *th;
	u32 size, nr;

	if (flags & TCPHDR_SYN) {
		end = put_syn_options(tp, end, timestamp);
	} else {
		nr = blocks_to_report(tp, blocks);
		if (tp->flags & TCP_F_TIMESTAMPS)
			end = put_timestamp(tp, end, TCP_OPTION_TS, timestamp);
		if (nr)
			end = put_sacks(end, blocks, nr);
	}
	size = (u8 *)end - (u8 *)options;
	th = skb_push(skb, sizeof(*th) + size);
	memcpy(th + 1, options, size);
	th->offset = (sizeof(*th) + size) / 4 << 4;
	return th;
}

/* Options in front of the payload, then the header. */
static inline struct tcphdr *push_header(struct tcp_sock *tp, struct sk_buff *skb, u8 flags,
					 u32 timestamp)
{
	struct tcphdr *th;

	if (unlikely(flags & TCPHDR_SYN || has_blocks(tp, skb)))
		return push_rare_header(tp, skb, flags, timestamp);
	if (unlikely(!(tp->flags & TCP_F_TIMESTAMPS))) {
		th = skb_push(skb, sizeof(*th));
		th->offset = sizeof(*th) / 4 << 4;
		return th;
	}
	th = skb_push(skb, sizeof(*th) + TCP_TIMESTAMP_BYTES);
	th->offset = (sizeof(*th) + TCP_TIMESTAMP_BYTES) / 4 << 4;
	put_timestamp(tp, (be32_unaligned *)(th + 1), TCP_OPTION_TS, timestamp);
	return th;
}

/* An ACK goes with it: none is due any more. */
static inline void ack_sent(struct tcp_sock *tp)
{
	tp->ack_pending = 0;
	tp->due[TCP_TIMER_DELACK] = 0;
}

/* The pointer counts from its own segment: a large packet, of which the card copies the header, may not have one. What is
 * too far away for it is pointed to as far as it goes, if that is beyond all that was sent: as Linux does. */
static void put_urgent(const struct tcp_sock *tp, struct tcphdr *th, u32 seq)
{
	u32 pointer = tp->snd_up - seq;

	if (pointer > 65535 && !after(seq + 65535, tp->snd_nxt))
		return;
	th->flags |= TCPHDR_URG;
	th->urgent = htons(min(pointer, 65535U));
}

/* RFC 3168 6.1: new text may be marked on its way; what goes again, or is bare, may not. The peer is told that marks have
 * come, and, once, that we have slowed down. */
static noinline u8 add_ecn(struct tcp_sock *tp, const struct sk_buff *skb, u32 seq, u8 flags)
{
	bool fresh = skb->len && !before(seq, tp->snd_nxt);

	tp->inet.flow.tos = (tp->inet.tos & ~IP_ECN_MASK) | (fresh ? IP_ECN_ECT : 0);
	if (flags & TCPHDR_SYN)
		return flags;
	if (fresh && tp->flags & TCP_F_ECN_SLOWED) {
		tp->flags &= ~TCP_F_ECN_SLOWED;
		flags |= TCPHDR_CWR;
	}
	return flags | (tp->flags & TCP_F_ECN_ECHO ? TCPHDR_ECE : 0);
}

/* The one place where segments of a connection are made: `skb` is the payload. Takes the reference. */
static int emit(struct tcp_sock *tp, struct sk_buff *skb, u32 seq, u8 flags, u64 now)
{
	struct flow *flow = &tp->inet.flow;
	struct tcphdr *th;
	int error;

	if (unlikely(!dst_valid(&flow->dst))) {
		error = tcp_reroute(tp);
		if (error) {
			skb_put(skb);
			return error;
		}
	}
	if (unlikely(tp->flags & TCP_F_ECN))
		flags = add_ecn(tp, skb, seq, flags);
	th = push_header(tp, skb, flags, (u32)(now / NSEC_PER_MSEC) + tp->ts_offset);
	th->source = tp->hashed.sport;
	th->dest = tp->hashed.dport;
	th->seq = htonl(seq);
	th->ack = flags & TCPHDR_ACK ? htonl(tp->rcv_nxt) : 0;
	th->flags = flags;
	th->urgent = 0;
	if (unlikely(flags & TCPHDR_SYN))
		th->window = htons(min(tp->rcv_wnd, 65535U));
	else
		th->window = htons(choose_window(tp));
	if (unlikely(tp->snd_up != tp->snd_una && before(seq, tp->snd_up)))
		put_urgent(tp, th, seq);
	if (likely(flags & TCPHDR_ACK))
		ack_sent(tp);
	th->checksum =
		~checksum_fold(checksum_pseudo(flow->saddr, flow->daddr, IPPROTO_TCP, skb->len));
	skb->csum_start = skb_headroom(skb);
	skb->csum_offset = offsetof(struct tcphdr, checksum);
	skb->ip_summed = CHECKSUM_PARTIAL;
	snmp_add(TCP_OutSegs, skb->gso_segs ?: 1);
	return ip_output(skb, flow);
}

/* One without data. */
static int emit_bare(struct tcp_sock *tp, u32 seq, u8 flags)
{
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_ATOMIC);

	if (!skb)
		return -ENOBUFS;
	return emit(tp, skb, seq, flags, clock_ns());
}

/* Of what has no data: not beyond a window that has shrunk. */
static u32 acceptable_seq(const struct tcp_sock *tp)
{
	return before(tcp_window_end(tp), tp->snd_nxt) ? tcp_window_end(tp) : tp->snd_nxt;
}

static inline int transmit(struct tcp_sock *tp, struct sk_buff *skb, u32 segments, u64 now)
{
	struct tcp_cb *cb = TCP_CB(skb);
	int error;

	if (unlikely(skb->len != tcp_payload(skb)))
		tcp_restore(skb);
	skb->gso_segs = segments > 1 ? segments : 0;
	skb->gso_size = segments > 1 ? tp->mss : 0;
	error = emit(tp, skb_get(skb), cb->seq, cb->flags, now);
	if (unlikely(error))
		return error;
	cb->sent_us = now / NSEC_PER_USEC;
	return 0;
}

int tcp_transmit(struct tcp_sock *tp, struct sk_buff *skb, u64 now)
{
	return transmit(tp, skb, TCP_CB(skb)->segments, now);
}

/* Does it end with a whole segment? */
static inline bool is_full(const struct tcp_sock *tp, u32 payload)
{
	return payload >= tp->mss && payload % tp->mss == 0;
}

/* The first that was never sent is on its way. */
static inline void count_new(struct tcp_sock *tp, struct sk_buff *skb, u32 payload, u32 segments,
			     u64 now)
{
	struct tcp_cb *cb = TCP_CB(skb);

	cb->segments = segments;
	cb->first_sent_ms = now / NSEC_PER_MSEC;
	tp->send_head = skb_queue_next(&tp->write_queue, skb);
	tp->snd_nxt = cb->end_seq;
	if (!is_full(tp, payload))
		tp->small_seq = cb->end_seq;
	tp->packets_out += segments;
	tp->prr_out += segments;
}

int tcp_send_new(struct tcp_sock *tp, struct sk_buff *skb, u64 now)
{
	u32 payload = tcp_payload(skb), segments = tcp_count_segments(tp, payload);
	int error = transmit(tp, skb, segments, now);

	if (likely(!error))
		count_new(tp, skb, payload, segments, now);
	return error;
}

/* ---- what may be sent -------------------------------------------------------------------------------------------------------- */

/* A small segment waits while another one is unacknowledged (Nagle, as Minshall has it), or while more is announced. */
static bool nagle_allows(const struct tcp_sock *tp, const struct tcp_cb *cb)
{
	if (cb->flags & TCPHDR_FIN || before(cb->seq, tp->snd_up))
		return true;
	if (tp->flags & (TCP_F_CORK | TCP_F_MORE))
		return false;
	if (tp->flags & TCP_F_NODELAY || !tp->packets_out)
		return true;
	return !after(tp->small_seq, tp->snd_una) || after(tp->small_seq, tp->snd_nxt);
}

/* How many bytes of the next buffer may go now; a bare FIN has none, and *may says it all. */
static u32 sendable(struct tcp_sock *tp, const struct sk_buff *skb, u32 payload, bool *may)
{
	const struct tcp_cb *cb = TCP_CB(skb);
	u32 length = cb->end_seq - cb->seq, size = payload;
	u32 in_flight = tcp_in_flight(tp), segments = tcp_count_segments(tp, payload);
	s32 window = tcp_window_end(tp) - cb->seq;

	*may = false;
	/* The last FIN alone is not worth a wait. */
	if (unlikely(in_flight >= tp->cwnd && !(cb->flags & TCPHDR_FIN && segments == 1))) {
		tp->flags |= TCP_F_CWND_LIMITED;
		return 0;
	}
	if (unlikely(window < (s32)length))
		size = window <= 0 ? 0 : (u32)window / tp->mss * tp->mss;
	if (segments > 1 && size > (tp->cwnd - in_flight) * tp->mss) {
		tp->flags |= TCP_F_CWND_LIMITED;
		size = (tp->cwnd - in_flight) * tp->mss;
	}
	/* The card copies the header into all that it cuts: see put_urgent(), add_ecn(). */
	if (unlikely(before(cb->seq, tp->snd_up) || tp->flags & TCP_F_ECN_SLOWED))
		size = min(size, (u32)tp->mss);
	if (size == payload && skb_peek_tail(&tp->write_queue) == skb && !is_full(tp, payload) &&
	    !nagle_allows(tp, cb))
		size = payload / tp->mss * tp->mss;
	*may = size || (!payload && window >= (s32)length);
	return min(size, payload);
}

/* RFC 5681 4.1: after idling, the window says nothing about the path any more; each RTO of that halves it. */
static void restart_after_idle(struct tcp_sock *tp, u32 now_ms)
{
	u32 idle_ms = now_ms - tp->last_sent_ms, rto_ms, cwnd = tp->cwnd;

	if (likely(idle_ms < TCP_RTO_MIN_US / 1000))
		return;
	/* What was delivered before is no measure; and in half an hour its time wraps. */
	tp->rack_rtt = 0;
	if (!tcp_sysctl.slow_start_after_idle || tp->ca_state != TCP_CA_OPEN)
		return;
	rto_ms = tp->rto / 1000;
	if (idle_ms <= rto_ms)
		return;
	tp->ssthresh = max(tp->ssthresh, 3 * (cwnd / 4));
	for (; idle_ms > rto_ms && cwnd > TCP_INIT_CWND; idle_ms -= rto_ms)
		cwnd /= 2;
	tp->cwnd = max(cwnd, min(tp->cwnd, TCP_INIT_CWND));
	tp->cwnd_cnt = 0;
}

/* true: something was sent. */
static bool send_some(struct tcp_sock *tp, u64 now)
{
	struct sk_buff *skb;
	bool sent = false, may;

	tp->flags &= ~TCP_F_CWND_LIMITED;
	while ((skb = tp->send_head)) {
		u32 payload = tcp_payload(skb), size = sendable(tp, skb, payload, &may);

		if (!may)
			break;
		if (unlikely(size < payload) && !tcp_split(tp, skb, size))
			break;
		if (tcp_send_new(tp, skb, now))
			break;
		sent = true;
	}
	return sent;
}

static noinline void push(struct tcp_sock *tp)
{
	bool many = skb_peek_tail(&tp->write_queue) != tp->send_head; /* one alone needs no batch */
	u64 now = clock_ns();

	if (!tp->packets_out)
		restart_after_idle(tp, now / NSEC_PER_MSEC);
	/* Data that answers what has just come: the peer need not be told at once of every segment. */
	if (tp->ack_pending)
		tp->quick_acks = 0;
	if (many)
		net_batch_begin();
	if (likely(send_some(tp, now))) {
		tp->last_sent_ms = now / NSEC_PER_MSEC;
		tcp_rearm_sent(tp, now);
	} else if (!tp->packets_out) {
		tcp_probe_start(tp);
	}
	if (many)
		net_batch_end();
}

void tcp_push(struct tcp_sock *tp)
{
	if (tp->send_head)
		push(tp);
}

void tcp_push_or_ack(struct tcp_sock *tp)
{
	if (tp->ack_pending & TCP_ACK_NOW && (tp->ooo.count || tp->dsack[0] != tp->dsack[1]))
		tcp_send_ack(tp);
	tcp_push(tp);
	if (tp->ack_pending & TCP_ACK_NOW)
		tcp_send_ack(tp);
	else if (tp->ack_pending && !tp->due[TCP_TIMER_DELACK])
		tcp_delack_start(tp, clock_ns());
}

/* ---- segments without data ------------------------------------------------------------------------------------------------------ */

void tcp_send_ack(struct tcp_sock *tp)
{
	if (TCPF(tp->hashed.state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT)))
		return;
	if (emit_bare(tp, acceptable_seq(tp), TCPHDR_ACK) == -ENOBUFS && tp->ack_pending)
		tcp_timer_set(tp, TCP_TIMER_DELACK, clock_ns() + 5 * TCP_DELACK_NS);
}

void tcp_send_probe(struct tcp_sock *tp)
{
	emit_bare(tp, tp->snd_una - 1, TCPHDR_ACK);
}

void tcp_send_active_reset(struct tcp_sock *tp)
{
	snmp_inc(TCP_OutRsts);
	emit_bare(tp, acceptable_seq(tp), TCPHDR_RST | TCPHDR_ACK);
}

/* ---- SYN and FIN: they are in the queue as data is ------------------------------------------------------------------------------- */

static void prepare_syn(struct tcp_sock *tp)
{
	u32 mtu = tp->inet.flow.dst.dev->mtu;

	tp->snd_una = tp->snd_nxt = tp->snd_up = tp->small_seq = tp->rack_fack = tp->write_seq;
	tp->advmss = min(min(mtu - sizeof(struct iphdr) - sizeof(struct tcphdr), (u64)MAX_MSS),
			 (u64)tp->user_mss ?: MAX_MSS);
	tp->flags |= (tcp_sysctl.timestamps ? TCP_F_TIMESTAMPS : 0) |
		     (tcp_sysctl.sack ? TCP_F_SACK : 0) |
		     (tcp_sysctl.window_scaling ? TCP_F_WSCALE : 0) |
		     (tcp_sysctl.ecn == 1 ? TCP_F_ECN : 0);
	tp->rcv_wscale = tp->flags & TCP_F_WSCALE
				 ? tcp_choose_wscale(max(tcp_sysctl.rmem[2], sock_rmem_max))
				 : 0;
	tp->rcv_wnd = min(tcp_receive_space(tp), 65535U);
	tcp_sync_mss(tp, tp->inet.flow.dst.mtu);
}

/* One with a flag in the place of data. */
static bool queue_flag(struct tcp_sock *tp, u8 flag, gfp_t gfp)
{
	struct sk_buff *skb = tcp_alloc_skb(tp, gfp);

	if (!skb)
		return false;
	tcp_queue_skb(tp, skb);
	TCP_CB(skb)->flags = flag;
	TCP_CB(skb)->end_seq++;
	tp->write_seq++;
	return true;
}

/* The other side has begun at the same time: what we sent says so from now on, and goes again. */
static int send_syn_ack(struct tcp_sock *tp)
{
	struct sk_buff *skb = skb_peek(&tp->write_queue);

	if (!skb)
		return -ENOBUFS;
	TCP_CB(skb)->flags = TCPHDR_SYN | TCPHDR_ACK;
	tcp_retransmit(tp, skb);
	return 0;
}

int tcp_send_syn(struct tcp_sock *tp)
{
	u64 now = clock_ns();
	struct sk_buff *skb;
	int error;

	if (tp->hashed.state == TCP_SYN_RECV)
		return send_syn_ack(tp);
	prepare_syn(tp);
	if (!queue_flag(tp, TCPHDR_SYN | (tp->flags & TCP_F_ECN ? TCPHDR_ECE | TCPHDR_CWR : 0),
			GFP_ATOMIC))
		return -ENOBUFS;
	skb = tp->send_head;
	error = transmit(tp, skb, 1, now);
	/* If there was no room for it, it is lost as others are on the way: the timer sends it again. */
	if (error && error != -ENOBUFS)
		return error;
	TCP_CB(skb)->sent_us = now / NSEC_PER_USEC;
	count_new(tp, skb, 0, 1, now);
	snmp_inc(TCP_ActiveOpens);
	tcp_rearm_sent(tp, now);
	return 0;
}

void tcp_send_fin(struct tcp_sock *tp)
{
	struct sk_buff *tail = tcp_unsent_tail(tp);

	tp->flags &= ~(TCP_F_FIN_WANTED | TCP_F_MORE);
	if (tail) {
		TCP_CB(tail)->flags |= TCPHDR_FIN;
		TCP_CB(tail)->end_seq++;
		tp->write_seq++;
	} else if (!queue_flag(tp, TCPHDR_ACK | TCPHDR_FIN, GFP_ATOMIC)) {
		tp->flags |= TCP_F_FIN_WANTED;
		tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, clock_ns() + TCP_RETRY_NS);
		return;
	}
	tp->flags |= TCP_F_FIN_QUEUED;
	tcp_push(tp);
}
