/*
 * Steps 6 and 7 of the journey for TCP: is the segment whole, whose is it, and which file knows what to do with it in
 * the state that its connection is in?
 *
 *	found in the table	a connection	its state: tcp_rcv_state()
 *				a request	tcp_request_rcv()	net/tcp_listen.c
 *				TIME_WAIT	tcp_timewait_rcv()	net/tcp_timewait.c
 *	a listener		tcp_listen_rcv()			net/tcp_listen.c
 *	nobody			an RST
 *
 * Context: softirq. Locks: the connection's sk.lock, from here to the end of the segment's processing.
 */
#include <net/tcp.h>

#include <kernel/trace.h>
#include <net/snmp.h>
#include <net/tcp_arrival.h>
#include <net/tcp_coalesce.h>
#include <net/tcp_hash.h>

/* ---- options ---------------------------------------------------------------------------------------------- */

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TIMESTAMP = 8
};

#define SACK_BLOCK 8 /* bytes */

static u16 get_be16(const u8 *at)
{
	return at[0] << 8 | at[1];
}

static u32 get_be32(const u8 *at)
{
	return (u32)get_be16(at) << 16 | get_be16(at + 2);
}

/* One that has a length, at `at`. What does not have the right one is as if it were not there. */
static void parse_option(struct tcp_cb *cb, const struct tcphdr *th, const u8 *at, u8 length)
{
	bool syn = th->flags & TCPHDR_SYN;

	switch (at[0]) {
	case OPT_MSS:
		if (length == 4 && syn)
			cb->options.mss = get_be16(at + 2);
		break;
	case OPT_WSCALE:
		if (length == 3 && syn)
			cb->options.wscale = min(at[2], (u8)TCP_MAX_WSCALE);
		break;
	case OPT_SACK_PERMITTED:
		if (length == 2 && syn)
			cb->options.sack_permitted = true;
		break;
	case OPT_SACK:
		if (length >= 2 + SACK_BLOCK && (length - 2) % SACK_BLOCK == 0) {
			cb->nr_sacks = (length - 2) / SACK_BLOCK;
			cb->sack_at = at + 2 - (const u8 *)th;
		}
		break;
	case OPT_TIMESTAMP:
		if (length == 10) {
			cb->options.timestamp = true;
			cb->tsval = get_be32(at + 2);
			cb->tsecr = get_be32(at + 6);
		}
		break;
	}
}

/* Up to the first that is malformed. */
static noinline void parse_options(struct tcp_cb *cb, const struct tcphdr *th)
{
	const u8 *at = (const u8 *)(th + 1), *end = (const u8 *)th + TCP_HLEN(th);

	while (at < end && *at != OPT_END) {
		if (*at == OPT_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return;
		parse_option(cb, th, at, at[1]);
		at += at[1];
	}
}

/* ---- the header --------------------------------------------------------------------------------------------- */

static bool checksum_ok(struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	u32 sum;

	if (skb->ip_summed != CHECKSUM_NONE)
		return true;
	sum = checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, skb->len);
	if (checksum_fold(skb_checksum(skb, 0, skb->len, sum)) != 0)
		return false;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return true;
}

/* How long the header is; 0: it is not whole, or the lengths do not agree. */
static u32 header_length(struct sk_buff *skb)
{
	u32 length;

	if (!skb_may_pull(skb, sizeof(struct tcphdr)))
		return 0;
	length = TCP_HLEN((const struct tcphdr *)skb->data);
	if (length < sizeof(struct tcphdr) || !skb_may_pull(skb, length))
		return 0;
	return length;
}

/* The most common options by far are two NOPs and a timestamp (RFC 7323, appendix A). */
static bool only_timestamp(const struct tcphdr *th, u32 length)
{
	static const u8 aligned[4] = { OPT_NOP, OPT_NOP, OPT_TIMESTAMP, 10 };

	return length == sizeof(*th) + 12 && !__builtin_memcmp(th + 1, aligned, sizeof(aligned));
}

/* What the segment says, into TCP_CB(). data goes to the payload. */
static void fill_cb(struct sk_buff *skb, u32 length)
{
	const struct tcphdr *th = (const struct tcphdr *)skb->data;
	struct tcp_cb *cb = TCP_CB(skb);
	u8 flags = th->flags;
	u32 seq = ntohl(th->seq);

	skb_pull(skb, length);
	*cb = (struct tcp_cb){
		.seq = seq,
		.end_seq = seq + skb->len + !!(flags & TCPHDR_SYN) + !!(flags & TCPHDR_FIN),
		.ack = ntohl(th->ack),
		.window = ntohs(th->window),
		.flags = flags,
		.options.wscale = -1,
	};
	if (only_timestamp(th, length)) {
		cb->options.timestamp = true;
		cb->tsval = get_be32((const u8 *)(th + 1) + 4);
		cb->tsecr = get_be32((const u8 *)(th + 1) + 8);
	} else {
		parse_options(cb, th);
	}
}

/* ---- by state ------------------------------------------------------------------------------------------------- */

void tcp_rcv_state(struct tcp_sock *tp, struct sk_buff *skb)
{
	switch (tp->hashed.state) {
	case TCP_SYN_SENT:
		tcp_syn_sent_rcv(tp, skb);
		break;
	case TCP_CLOSE:
	case TCP_LISTEN: /* a connection that was made a listener while we waited for its lock */
		skb_put(skb);
		break;
	default:
		tcp_segment_arrives(tp, skb);
	}
}

static void rcv_connection(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sock *sk = tcp_to_sock(tp);
	u64 now;

	spin_lock(&sk->lock);
	now = clock_ns();
	tp->last_received_ms = now / NSEC_PER_MSEC;
	tcp_rcv_fast(tp, skb, now);
	spin_unlock(&sk->lock);
}

/* Nobody: an RST, if it was meant for us alone. */
static void rcv_nobody(struct sk_buff *skb)
{
	if (!(TCP_CB(skb)->flags & TCPHDR_RST))
		tcp_send_reset_to(skb);
	skb_put(skb);
}

static void rcv_listener(struct tcp_sock *listener, struct sk_buff *skb)
{
	trace(SOCK_LOOKUP, skb, tcp_to_sock(listener)->ino, ntohs(tcp_hdr(skb)->dest));
	tcp_listen_rcv(listener, skb);
}

/* For no connection. */
static void rcv_new(const struct tcp_four *four, struct sk_buff *skb)
{
	struct tcp_sock *listener = tcp_listen_lookup(four, skb->dev);

	if (!listener) {
		rcv_nobody(skb);
		return;
	}
	rcv_listener(listener, skb);
	sock_put(tcp_to_sock(listener));
}

/* A SYN for the remains of a connection may begin a new one with the same four, if somebody listens. */
static void rcv_timewait(const struct tcp_four *four, struct tcp_hashed *hashed,
			 struct sk_buff *skb)
{
	struct tcp_sock *listener =
		TCP_CB(skb)->flags & TCPHDR_SYN ? tcp_listen_lookup(four, skb->dev) : NULL;

	if (tcp_timewait_rcv(hashed, skb, listener))
		rcv_listener(listener, skb);
	if (listener)
		sock_put(tcp_to_sock(listener));
}

void tcp_dispatch(struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	const struct tcp_four four = { ip->daddr, ip->saddr, th->dest, th->source };
	struct tcp_hashed *hashed = tcp_hash_lookup(&four);

	if (!hashed) {
		rcv_new(&four, skb);
		return;
	}
	switch (hashed->kind) {
	case TCP_HASHED_CONNECTION:
		trace(SOCK_LOOKUP, skb, tcp_to_sock(tcp_of(hashed))->ino, ntohs(four.sport));
		rcv_connection(tcp_of(hashed), skb);
		break;
	case TCP_HASHED_REQUEST:
		tcp_request_rcv(hashed, skb);
		break;
	case TCP_HASHED_TIMEWAIT:
		rcv_timewait(&four, hashed, skb);
		break;
	}
	tcp_hashed_put(hashed);
}

static void tcp_rcv(struct sk_buff *skb)
{
	u32 length = header_length(skb);
	const struct tcphdr *th;

	snmp_inc(TCP_InSegs);
	/* A broadcast is no connection. */
	if (skb->pkt_type != PACKET_HOST || !length) {
		snmp_inc(TCP_InErrs);
		skb_put(skb);
		return;
	}
	if (!checksum_ok(skb)) {
		snmp_inc(TCP_InCsumErrors);
		snmp_inc(TCP_InErrs);
		skb_put(skb);
		return;
	}
	th = tcp_hdr(skb);
	trace(TCP_RCV, skb, ntohl(th->seq), ntohl(th->ack), th->flags);
	fill_cb(skb, length);
	if (!tcp_hold(skb))
		tcp_dispatch(skb);
}

/* ---- ICMP errors about what we sent ------------------------------------------------------------------------------ */

/* An error ends an attempt to connect, whatever it is; a connection only remembers it, in case that it times out, or
 * tells a program that wants to know (IP_RECVERR). RFC 5927: an error that does not quote a sequence number in flight is
 * a stranger's. true: it goes into the error queue, too. */
static bool connection_error(struct tcp_sock *tp, u32 seq, const struct icmp_error *error)
{
	bool connecting = TCPF(tp->hashed.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV));

	if (TCPF(tp->hashed.state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		return false;
	if (!between(seq, tp->snd_una, tp->snd_nxt)) {
		snmp_inc(TCPEXT_OutOfWindowIcmps);
		return false;
	}
	if (error->type == ICMP_DEST_UNREACH && error->code == ICMP_FRAG_NEEDED) {
		tcp_icmp_frag_needed(tp, error->info);
		return false;
	}
	if (connecting)
		tcp_done(tp, error->error);
	else if (tp->inet.flags & INET_RECVERR)
		sock_set_error(tcp_to_sock(tp), error->error);
	else
		tp->soft_error = error->error;
	return connecting;
}

static void tcp_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
	const struct tcphdr *th = (const struct tcphdr *)skb->data;
	struct tcp_hashed *hashed;

	/* eight bytes are all that must be quoted: ports and sequence number */
	if (!skb_may_pull(skb, 8))
		return;
	th = (const struct tcphdr *)skb->data;
	hashed = tcp_hash_lookup(&(struct tcp_four){ ip->saddr, ip->daddr, th->source, th->dest });
	if (!hashed)
		return;
	if (hashed->kind == TCP_HASHED_CONNECTION) {
		struct tcp_sock *tp = tcp_of(hashed);
		bool queued;

		spin_lock_bh(&tcp_to_sock(tp)->lock);
		queued = connection_error(tp, ntohl(th->seq), error);
		spin_unlock_bh(&tcp_to_sock(tp)->lock);
		if (queued)
			inet_queue_icmp_error(&tp->inet, skb, ip, error, 0, th->dest);
	} else if (hashed->kind == TCP_HASHED_REQUEST) {
		tcp_request_error(hashed, ntohl(th->seq));
	}
	tcp_hashed_put(hashed);
}

const struct ip_protocol tcp_protocol = { tcp_rcv, tcp_error };
