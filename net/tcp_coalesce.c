/*
 * Segments that come in a row are made one. A sender of much data sends one full segment after the other, and a poll of
 * the card finds dozens of them: here the first waits for those that continue it, each becomes one more part of it, and at
 * the end of the poll the whole is looked up, locked, queued, acknowledged, and told of once. No byte is copied.
 *
 *	a frame				the segment that waits in its slot
 *	continues it			becomes longer
 *	does not			goes first: the order stays
 *	is another connection's		goes first: slots are few
 *
 * The first has come through Ethernet, IP and tcp_rcv(). What continues it is known by its headers, which are the same but
 * for what has to differ; so it need not go that way, only its sums are looked at.
 *
 * Small ones do not wait (TCP_COALESCE_LEAST): a conversation gains nothing, and what they would take of memory in a row is
 * bad.
 *
 * Steps 6 and 7. Context: softirq, in a device's poll. No locks: a CPU's slots are its own.
 */
#include <net/tcp_coalesce.h>

#include <kernel/lib/string.h>
#include <net/ip_impl.h>
#include <net/netdev.h>
#include <net/raw.h>
#include <net/tcp_arrival.h>

#define SLOTS	8
#define LONGEST 65536U /* bytes: its memory is free again only when all of it has been read */

struct slot {
	struct sk_buff *first, *last; /* of its parts; NULL: it is empty */
};
static DEFINE_PER_CPU(struct slot[SLOTS], slots);
DEFINE_PER_CPU(u32, tcp_coalescing);

static inline u32 slot_number(const struct tcphdr *th)
{
	return (u32)(th->source ^ th->dest) >> 8 & (SLOTS - 1); /* be16: the lower byte */
}

static inline struct slot *slot_of(u32 number)
{
	return &(*this_cpu_ptr(slots))[number];
}

static inline bool same_connection(const struct tcphdr *th_a, const struct iphdr *ip_a,
				   const struct tcphdr *th_b, const struct iphdr *ip_b)
{
	const u32 ports = 2 * sizeof(be16), addresses = 2 * sizeof(be32);

	return !__builtin_memcmp(th_a, th_b, ports) &&
	       !__builtin_memcmp(&ip_a->saddr, &ip_b->saddr, addresses);
}

/* ---- the first of its kind, from tcp_rcv() ---------------------------------------------------------------- */

static void let_go(u32 number)
{
	struct slot *slot = slot_of(number);
	struct sk_buff *skb = slot->first;

	slot->first = NULL;
	this_cpu(tcp_coalescing) &= ~(1U << number);
	tcp_dispatch(skb);
}

/* Only text and an acknowledgement, in one buffer that is ours; and nobody wants to see each packet. */
static inline bool may_wait(const struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	return this_cpu(net_polling) && skb->len >= TCP_COALESCE_LEAST &&
	       (cb->flags | TCPHDR_PSH) == (TCPHDR_ACK | TCPHDR_PSH) && !cb->nr_sacks &&
	       !skb->next_part && !skb_shared(skb) && !test_bit(IPPROTO_TCP, raw_table.used);
}

bool tcp_hold_slow(struct sk_buff *skb)
{
	u32 number = slot_number(tcp_hdr(skb));
	struct slot *slot = slot_of(number);
	bool waits = may_wait(skb);

	if (slot->first && (waits || same_connection(tcp_hdr(slot->first), ip_hdr(slot->first),
						     tcp_hdr(skb), ip_hdr(skb))))
		let_go(number);
	if (!waits)
		return false;
	skb->gso_size = (u16)min(skb->len, 65535U);
	*slot = (struct slot){ skb, skb };
	this_cpu(tcp_coalescing) |= 1U << number;
	return true;
}

/* ---- those that continue it, from Ethernet ------------------------------------------------------------------ */

/* How a frame begins, without IP options. */
struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	u8 options[];
} __packed;

/* Ethernet and IP: of the latter, length, identification and sum differ. */
static inline bool same_way(const struct headers *a, const struct headers *b)
{
	return !__builtin_memcmp(&a->eth, &b->eth, sizeof(a->eth)) && b->ip.version_ihl == 0x45 &&
	       a->ip.version_ihl == 0x45 && a->ip.tos == b->ip.tos && a->ip.ttl == b->ip.ttl &&
	       a->ip.protocol == b->ip.protocol && !ip_is_fragment(&b->ip);
}

/* TCP: the sequence number, the sum and PSH differ, and the text. */
static inline bool says_the_same(const struct tcphdr *a, const struct tcphdr *b)
{
	u32 options = TCP_HLEN(a) - sizeof(*a);

	if (a->ack != b->ack || a->offset != b->offset || a->window != b->window ||
	    (a->flags ^ b->flags) & ~TCPHDR_PSH)
		return false;
	if (likely(options == 12))
		return !__builtin_memcmp(a + 1, b + 1, 12);
	return !memcmp(a + 1, b + 1, options);
}

static inline bool sums_are_right(const struct sk_buff *skb, const struct headers *h, u32 length)
{
	const u32 start = sizeof(h->eth) + sizeof(h->ip);
	u32 sum;

	if (unlikely(ip_header_checksum(&h->ip)))
		return false;
	if (skb->ip_summed != CHECKSUM_NONE)
		return true;
	length -= sizeof(h->ip);
	sum = checksum_pseudo(h->ip.saddr, h->ip.daddr, IPPROTO_TCP, length);
	return checksum_fold(skb_checksum(skb, start, length, sum)) == 0;
}

static inline bool continues(const struct slot *slot, const struct sk_buff *skb,
			     const struct headers *h)
{
	const struct sk_buff *first = slot->first;
	const struct headers *begun = skb_mac_header(first);
	u32 length = ntohs(h->ip.total_length), headers = sizeof(h->ip) + TCP_HLEN(&h->tcp);

	return ntohl(h->tcp.seq) == TCP_CB(first)->end_seq &&
	       sizeof(h->eth) + headers <= skb_headlen(skb) &&
	       same_connection(tcp_hdr(first), ip_hdr(first), &h->tcp, &h->ip) &&
	       same_way(begun, h) && says_the_same(&begun->tcp, &h->tcp) &&
	       length == skb->len - sizeof(h->eth) && length > headers && skb->dev == first->dev &&
	       !skb->next_part && !skb_shared(skb) && slot->last->len >= TCP_COALESCE_LEAST &&
	       first->len + skb->len <= LONGEST && sums_are_right(skb, h, length);
}

/* It counts as if it had gone the whole way. */
static inline void count(const struct sk_buff *skb, const struct headers *h, u32 length)
{
	snmp_inc(IP_InReceives);
	snmp_add(IPEXT_InOctets, length);
	snmp_inc(IP_InDelivers);
	snmp_inc(TCP_InSegs);
	trace(IP_RCV, skb, length, IPPROTO_TCP);
	trace(TCP_RCV, skb, ntohl(h->tcp.seq), ntohl(h->tcp.ack), h->tcp.flags);
}

bool tcp_coalesce_slow(struct sk_buff *skb)
{
	const struct headers *h = (const struct headers *)skb->data;
	struct slot *slot = slot_of(slot_number(&h->tcp));
	struct tcp_cb *cb;

	if (skb_headlen(skb) < sizeof(*h) || !slot->first || !continues(slot, skb, h))
		return false;
	count(skb, h, skb->len - sizeof(h->eth));
	cb = TCP_CB(slot->first);
	cb->flags |= h->tcp.flags;
	skb_pull(skb, sizeof(h->eth) + sizeof(h->ip) + TCP_HLEN(&h->tcp));
	cb->end_seq += skb->len;
	skb_add_part(slot->first, slot->last, skb);
	slot->last = skb;
	return true;
}

/* ---- the end of the poll ------------------------------------------------------------------------------------------ */

void tcp_coalesce_end(void)
{
	while (unlikely(this_cpu(tcp_coalescing)))
		let_go((u32)__builtin_ctz(this_cpu(tcp_coalescing)));
}
