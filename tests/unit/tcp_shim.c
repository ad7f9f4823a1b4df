/* See tcp_shim.h. */
#include "tcp_shim.h"

#include <string.h>

#include "unit.h"

#include <kernel/cpu/tsc.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <net/snmp.h>

#define MAX_OUT	  65536
#define OUR_TS	  5000 /* tp->ts_offset */
#define RX_WINDOW (4U << 20)

struct tcp_sock *shim_tp;
int shim_done = -1;
bool shim_no_way, shim_keeps, shim_ack_has_data;
u32 shim_iss = 1000, shim_window = RX_WINDOW, shim_tsecr, shim_segments, shim_retransmitted;

u64 tcp_orphan_count;
u32 sock_rmem_max = 4 * MiB;
u32 route_generation = 1;
struct tcp_sysctl tcp_sysctl;
DEFINE_PER_CPU(u64[NR_SNMP], snmp_counters);

static struct sk_buff *out[MAX_OUT], *kept[MAX_OUT];
static u32 nr_out, next_out, nr_kept, latest_tsval, their_seq;
static u64 in_use_before;

/* ---- what the sender calls ---------------------------------------------------------------------------------------- */

int ip_output(struct sk_buff *skb, struct flow *flow)
{
	struct sk_buff *copy;
	u64 fail;

	skb_set_transport_header(skb);
	if (shim_no_way) {
		skb_put(skb);
		return -ENOBUFS;
	}
	CHECK(nr_out < MAX_OUT);
	fail = net_shim_fail_nth(0);
	copy = skb_clone(skb, GFP_ATOMIC);
	net_shim_fail_nth(fail);
	copy->gso_size = skb->gso_size;
	out[nr_out++] = copy;
	/* as if it had gone through IP and Ethernet */
	skb_push(skb, 34);
	if (shim_keeps)
		kept[nr_kept++] = skb;
	else
		skb_put(skb);
	return 0;
}

void shim_release(void)
{
	while (nr_kept)
		skb_put(kept[--nr_kept]);
}

void tcp_done(struct tcp_sock *tp, int error)
{
	shim_done = error;
	tp->hashed.state = TCP_CLOSE;
	tcp_timers_stop(tp);
	tcp_write_queue_purge(tp);
}

int tcp_route(struct tcp_sock *tp)
{
	tp->inet.flow.dst.generation = route_generation;
	return 0;
}

void tcp_send_challenge_ack(struct tcp_sock *tp)
{
	tcp_send_ack(tp);
}

bool tcp_orphan_costs_too_much(const struct tcp_sock *tp)
{
	return false;
}

void tcp_write_space(struct tcp_sock *tp)
{
}

void tcp_expand_sndbuf(struct tcp_sock *tp)
{
}

void tcp_wake(struct tcp_sock *tp, u32 events)
{
}

void ip_update_pmtu(be32 daddr, u32 mtu)
{
}

void sock_free(struct sock *sk)
{
	panic("the connection's last reference is gone");
}

/* ---- the connection --------------------------------------------------------------------------------------------------- */

static const struct tcp_sysctl defaults = {
	.reordering = 3,
	.max_reordering = 255,
	.dsack = 1,
	.mem = { INT32_MAX, INT32_MAX, INT32_MAX },
	.syn_retries = 6,
	.retries2 = 15,
	.fin_timeout_s = 60,
	.keepalive_time_s = 7200,
	.keepalive_probes = 9,
	.keepalive_intvl_s = 75,
	.timestamps = 1,
	.sack = 1,
	.window_scaling = 1,
	.slow_start_after_idle = 1,
	.early_retrans = 3,
	.rmem = { 4096, 131072, 6 * MiB },
};

static void forget_traffic(void)
{
	shim_release();
	while (next_out < nr_out)
		skb_put(out[next_out++]);
	tcp_timers_stop(shim_tp);
	tcp_write_queue_purge(shim_tp);
}

static void forget(void)
{
	forget_traffic();
	kfree(shim_tp);
	shim_tp = NULL;
}

struct tcp_sock *shim_connection(u32 flags, const struct tcp_cong_ops *cong)
{
	struct tcp_sock *tp;
	struct sock *sk;

	net_shim_dev_boot();
	if (shim_tp)
		forget(); /* a test that failed */
	in_use_before = net_shim_in_use();
	tp = kzalloc(sizeof(*tp), GFP_KERNEL);
	sk = tcp_to_sock(tp);
	tcp_sysctl = defaults;
	nr_out = next_out = nr_kept = latest_tsval = shim_tsecr = 0;
	shim_done = -1;
	shim_no_way = shim_keeps = shim_ack_has_data = false;
	shim_window = RX_WINDOW;
	their_seq = 7000;
	shim_tp = tp;
	host_clock_ns += 3600ULL * 1000 * MS;
	sk->refcount = 1;
	sk->rcvbuf = 256 * KiB;
	sk->sndbuf = ~0U;
	tcp_sender_init(tp);
	tp->cong = cong;
	tp->flags = flags;
	tp->inet.flow.dst = (struct dst){ .dev = &shim_eth, .generation = route_generation };
	tp->inet.flow.dst.mtu = SHIM_MSS + 40 + (flags & TCP_F_TIMESTAMPS ? 12 : 0);
	tp->mss_clamp = 9000;
	tp->hashed.state = TCP_ESTABLISHED;
	tp->snd_una = tp->snd_nxt = tp->write_seq = tp->snd_up = SHIM_ISS + 1;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = their_seq;
	tp->rcv_wnd = 65535;
	tp->snd_wl1 = their_seq - 1;
	tp->window_clamp = ~0U;
	tp->snd_wscale = 7;
	tp->rcv_wscale = 7;
	tp->snd_wnd = tp->max_window = RX_WINDOW;
	tp->ts_offset = OUR_TS;
	tcp_sync_mss(tp, tp->inet.flow.dst.mtu);
	tcp_sender_start(tp);
	return tp;
}

void shim_end(void)
{
	u32 wmem, refcount;

	forget_traffic();
	wmem = shim_tp->inet.sk.wmem;
	refcount = shim_tp->inet.sk.refcount;
	forget();
	CHECK_EQ(wmem, 0);
	CHECK_EQ(refcount, 1);
	CHECK_EQ(net_shim_timers(), 0);
	CHECK_EQ(net_shim_in_use(), in_use_before);
}

/* ---- the program ---------------------------------------------------------------------------------------------------------- */

u8 shim_byte(u32 seq)
{
	return (seq * 2654435761U) >> 24;
}

static struct sk_buff *filled(struct tcp_sock *tp, u32 size)
{
	struct sk_buff *skb = tcp_alloc_skb(tp, GFP_KERNEL);
	u32 seq = tp->write_seq, linear = min(size, skb_tailroom(skb));

	for (u32 i = 0; i < linear; i++)
		*(u8 *)skb_append(skb, 1) = shim_byte(seq++);
	while (skb->len < size) {
		struct page *page = skb_page_alloc(GFP_KERNEL);
		u32 part = min_t(u32, size - skb->len, PAGE_SIZE);

		for (u32 i = 0; i < part; i++)
			((u8 *)page_address(page))[i] = shim_byte(seq++);
		skb_add_frag(skb, page, 0, part);
	}
	return skb;
}

void shim_write(u32 bytes, bool push)
{
	struct tcp_sock *tp = shim_tp;

	while (bytes) {
		u32 size = min(bytes, tcp_size_goal(tp));

		tcp_queue_skb(tp, filled(tp, size));
		bytes -= size;
	}
	if (push)
		tcp_push(tp);
	shim_check();
}

/* ---- what was sent ------------------------------------------------------------------------------------------------------------ */

static u32 word(const u8 *at)
{
	return (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void read_options(const struct tcphdr *th, struct shim_segment *segment)
{
	const u8 *at = (const u8 *)(th + 1), *end = (const u8 *)th + TCP_HLEN(th);

	while (at < end) {
		if (*at <= 1) {
			at++;
			continue;
		}
		CHECK(at + at[1] <= end);
		if (*at == 8)
			segment->tsval = word(at + 2);
		if (*at == 5) {
			segment->nr_sacks = (at[1] - 2) / 8;
			for (u32 i = 0; i < 2U * segment->nr_sacks; i++)
				segment->sacks[i] = word(at + 2 + 4 * i);
		}
		at += at[1];
	}
}

static void read_segment(struct sk_buff *skb, struct shim_segment *segment)
{
	const struct tcphdr *th = tcp_hdr(skb);

	*segment = (struct shim_segment){
		.seq = ntohl(th->seq),
		.ack = ntohl(th->ack),
		.length = skb->len - TCP_HLEN(th),
		.window = ntohs(th->window),
		.flags = th->flags,
		.skb = skb,
	};
	CHECK((const u8 *)th == skb->data);
	read_options(th, segment);
	for (u32 i = 0; i < segment->length; i++) {
		u8 byte;

		CHECK(skb_copy_bits(skb, TCP_HLEN(th) + i, &byte, 1));
		CHECK_EQ(byte, shim_byte(segment->seq + i));
	}
	if (segment->tsval)
		latest_tsval = segment->tsval;
}

bool shim_sent(struct shim_segment *segment)
{
	if (next_out == nr_out) {
		next_out = nr_out = 0;
		return false;
	}
	read_segment(out[next_out], segment);
	skb_put(out[next_out++]);
	segment->skb = NULL;
	return true;
}

/* ---- acknowledgements ------------------------------------------------------------------------------------------------------------ */

void shim_check(void)
{
	struct tcp_sock *tp = shim_tp;
	u32 packets = 0, sacked = 0, lost = 0, retrans = 0, truesize = 0, count = 0;
	u32 seq = tp->snd_una;
	bool sent = true;
	struct sk_buff *skb;

	for (skb = skb_peek(&tp->write_queue); skb; skb = skb_queue_next(&tp->write_queue, skb)) {
		const struct tcp_cb *cb = TCP_CB(skb);

		CHECK_EQ(cb->seq, seq);
		seq = cb->end_seq;
		truesize += skb->truesize;
		count++;
		if (skb == tp->send_head)
			sent = false;
		if (!sent) {
			CHECK_EQ(cb->segments, 0);
			continue;
		}
		CHECK(cb->segments);
		packets += cb->segments;
		sacked += cb->sacked & TCPCB_SACKED ? cb->segments : 0;
		lost += cb->sacked & TCPCB_LOST ? cb->segments : 0;
		retrans += cb->sacked & TCPCB_RETRANS ? cb->segments : 0;
		CHECK(!(cb->sacked & TCPCB_SACKED && cb->sacked & (TCPCB_LOST | TCPCB_RETRANS)));
	}
	CHECK_EQ(seq, tp->write_seq);
	CHECK_EQ(count, tp->write_queue.count);
	CHECK_EQ(tp->packets_out, packets);
	if (tp->flags & TCP_F_SACK)
		CHECK_EQ(tp->sacked_out, sacked);
	CHECK_EQ(tp->lost_out, lost);
	CHECK_EQ(tp->retrans_out, retrans);
	CHECK_EQ(tp->inet.sk.wmem, truesize);
	CHECK((s32)tcp_in_flight(tp) >= 0);
	CHECK(tp->cwnd >= 1);
	if (tp->packets_out && tp->hashed.state != TCP_CLOSE)
		CHECK(tp->due[TCP_TIMER_RETRANSMIT]);
}

/* Sequence numbers; the blocks in pairs. */
static void deliver_ack(u32 ack, const u32 *sacks, u32 nr_sacks, u32 tsecr)
{
	struct tcp_sock *tp = shim_tp;
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *skb = skb_alloc(64, GFP_ATOMIC);
	u32 *at = (u32 *)(skb->head + 64 + sizeof(struct tcphdr));

	net_shim_fail_nth(fail);
	skb_set_transport_header(skb);
	for (u32 i = 0; i < 2 * nr_sacks; i++)
		at[i] = htonl(sacks[i]);
	*TCP_CB(skb) = (struct tcp_cb){
		.seq = their_seq,
		.end_seq = their_seq + shim_ack_has_data,
		.ack = ack,
		.window = shim_window >> tp->snd_wscale,
		.flags = TCPHDR_ACK,
		.options.timestamp = tp->flags & TCP_F_TIMESTAMPS,
		.tsecr = tsecr,
		.nr_sacks = nr_sacks,
		.sack_at = sizeof(struct tcphdr),
	};
	tp->last_received_ms = tcp_clock_ms();
	if (tcp_ack(tp, skb) && tp->hashed.state != TCP_CLOSE)
		tcp_push_or_ack(tp);
	skb_put(skb);
	shim_check();
}

void shim_ack_sack(u32 acked, const u32 *blocks)
{
	u32 sacks[8], nr = 0;

	for (; blocks && blocks[2 * nr + 1]; nr++) {
		sacks[2 * nr] = SHIM_ISS + 1 + blocks[2 * nr];
		sacks[2 * nr + 1] = SHIM_ISS + 1 + blocks[2 * nr + 1];
	}
	deliver_ack(SHIM_ISS + 1 + acked, sacks, nr, shim_tsecr ?: latest_tsval);
}

void shim_ack(u32 acked)
{
	shim_ack_sack(acked, NULL);
}

/* ---- the peer and the path ----------------------------------------------------------------------------------------------------------- */

/* Something on its way, in either direction. */
struct flying {
	u64 at;
	bool is_ack;
	u32 seq, length, tsval;
	u32 nr_sacks, sacks[8];
};
static struct flying flying[MAX_OUT];
static u32 nr_flying;

static struct {
	u8 *have;		/* each byte */
	u32 size, next, latest; /* bytes from the beginning */
	u32 unacked, ts_recent;
	u64 free_at; /* the bottleneck */
	u32 nth, highest;
	u64 ack_due;
} peer;

static u32 block_around(u32 at, u32 *end)
{
	u32 start = at;

	while (start > peer.next && peer.have[start - 1])
		start--;
	for (*end = at; *end < peer.size && peer.have[*end];)
		++*end;
	return start;
}

/* The block that changed last, then the first others. */
static u32 make_sacks(u32 *sacks, const u32 *dsack)
{
	u32 nr = 0, end, skip = ~0U, at = peer.next;

	if (!(shim_tp->flags & TCP_F_SACK))
		return 0;
	if (dsack) {
		sacks[0] = dsack[0];
		sacks[1] = dsack[1];
		nr = 1;
	}
	if (peer.latest > peer.next && peer.have[peer.latest]) {
		skip = block_around(peer.latest, &end);
		sacks[2 * nr] = SHIM_ISS + 1 + skip;
		sacks[2 * nr++ + 1] = SHIM_ISS + 1 + end;
	}
	for (at = peer.next; at < peer.size && nr < 3; at++) {
		if (!peer.have[at])
			continue;
		u32 start = block_around(at, &end);

		if (start != skip) {
			sacks[2 * nr] = SHIM_ISS + 1 + start;
			sacks[2 * nr++ + 1] = SHIM_ISS + 1 + end;
		}
		at = end;
	}
	return nr;
}

static void peer_acks(const struct shim_path *path, const u32 *dsack)
{
	struct flying *ack = &flying[nr_flying];

	peer.unacked = 0;
	peer.ack_due = 0;
	if (path->lose_acks_too && !unit_random_below(4))
		return;
	*ack = (struct flying){ .at = host_clock_ns + path->delay_ns, .is_ack = true };
	ack->seq = SHIM_ISS + 1 + peer.next;
	ack->tsval = peer.ts_recent;
	ack->nr_sacks = make_sacks(ack->sacks, dsack);
	nr_flying++;
}

static void peer_receives(const struct shim_path *path, const struct flying *segment)
{
	u32 at = segment->seq - SHIM_ISS - 1, end = at + segment->length, known = 0,
	    before = peer.next;
	u32 dsack[2] = { segment->seq, segment->seq + segment->length };

	for (u32 i = at; i < end; i++) {
		known += peer.have[i];
		peer.have[i] = 1;
	}
	if (at <= peer.next)
		peer.ts_recent = segment->tsval;
	while (peer.next < peer.size && peer.have[peer.next])
		peer.next++;
	peer.latest = at;
	peer.unacked++;
	if (known == segment->length || peer.next != end || before != at || !path->delayed_acks ||
	    peer.unacked >= 2)
		peer_acks(path, known == segment->length ? dsack : NULL);
	else
		peer.ack_due = host_clock_ns + 40 * MS;
}

/* One wire's worth of what was sent. */
static void launch_one(const struct shim_path *path, u32 seq, u32 length, u32 tsval)
{
	struct shim_segment as_is = { .seq = seq, .length = length };
	u64 start = max(host_clock_ns, peer.free_at);
	u32 nth = peer.nth++;

	shim_segments++;
	if (before(seq, SHIM_ISS + 1 + peer.highest))
		shim_retransmitted++;
	else
		peer.highest = seq + length - SHIM_ISS - 1;
	if (path->per_segment_ns && path->queue &&
	    (start - host_clock_ns) / path->per_segment_ns >= path->queue)
		return;
	peer.free_at = start + path->per_segment_ns;
	if (path->lose && path->lose(nth, &as_is))
		return;
	CHECK(nr_flying < MAX_OUT);
	flying[nr_flying++] = (struct flying){
		.at = peer.free_at + path->delay_ns + (path->late ? path->late(nth) : 0),
		.seq = seq,
		.length = length,
		.tsval = tsval,
	};
}

static void launch(const struct shim_path *path)
{
	struct shim_segment segment;

	while (shim_sent(&segment)) {
		for (u32 at = 0; at < segment.length; at += shim_tp->mss)
			launch_one(path, segment.seq + at,
				   min(segment.length - at, (u32)shim_tp->mss), segment.tsval);
	}
}

/* The next thing that arrives, off the list; those at the same time in order of departure. */
static struct flying land(void)
{
	struct flying first;
	u32 which = 0;

	for (u32 i = 1; i < nr_flying; i++)
		if (flying[i].at < flying[which].at)
			which = i;
	first = flying[which];
	memmove(&flying[which], &flying[which + 1], (--nr_flying - which) * sizeof(flying[0]));
	return first;
}

static u64 next_landing(void)
{
	u64 at = peer.ack_due ?: ~0ULL;

	for (u32 i = 0; i < nr_flying; i++)
		at = min(at, flying[i].at);
	return at;
}

u64 shim_transfer(const struct shim_path *path, u32 bytes, u64 limit_ns)
{
	u64 begin = host_clock_ns, end = begin + limit_ns;
	struct tcp_sock *tp = shim_tp;

	peer.have = kzalloc(bytes + 1, GFP_KERNEL);
	peer.size = bytes;
	peer.next = peer.latest = peer.unacked = peer.nth = peer.highest = 0;
	peer.free_at = peer.ack_due = 0;
	peer.ts_recent = 0;
	nr_flying = shim_segments = shim_retransmitted = 0;
	shim_write(bytes, true);
	shim_keeps = path->nic_keeps;
	while (tp->snd_una != tp->write_seq && host_clock_ns < end && shim_done < 0) {
		u64 at;

		launch(path);
		if (path->nic_keeps && !unit_random_below(4))
			shim_release();
		if (path->no_memory)
			net_shim_fail_nth(1 + unit_random_below(8));
		at = min(next_landing(), host_clock_ns + MS);
		if (at > host_clock_ns)
			net_shim_advance(at - host_clock_ns);
		launch(path);
		shim_check();
		if (peer.ack_due && peer.ack_due <= host_clock_ns)
			peer_acks(path, NULL);
		while (nr_flying && next_landing() <= host_clock_ns) {
			struct flying what;

			if (peer.ack_due && peer.ack_due <= host_clock_ns) {
				peer_acks(path, NULL);
				continue;
			}
			what = land();
			if (what.is_ack)
				deliver_ack(what.seq, what.sacks, what.nr_sacks, what.tsval);
			else
				peer_receives(path, &what);
			launch(path);
		}
	}
	kfree(peer.have);
	net_shim_fail_nth(0);
	return tp->snd_una == tp->write_seq ? host_clock_ns - begin : ~0ULL;
}
