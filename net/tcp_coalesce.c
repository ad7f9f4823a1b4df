/*
 * Segments that come in a row are made one. A sender of much data sends one full segment after the other, and a poll of
 * the card finds dozens of them: here the first waits for those that continue it, each becomes one more part of it, and at
 * the end of the poll the whole is looked up, locked, queued, acknowledged, and told of once. No byte is copied.
 *
 *	a segment			the one that waits in its slot
 *	continues it			becomes longer
 *	does not			goes first: the order stays
 *	another connection's		goes first: slots are few
 *
 * Small ones do not wait (TCP_COALESCE_LEAST): a conversation gains nothing, and what they would take of memory in a row is
 * bad.
 *
 * Context: softirq, in a device's poll. No locks: a CPU's slots are its own.
 */
#include <net/tcp_arrival.h>

#include <net/netdev.h>

#define SLOTS	8
#define LONGEST 65536U /* bytes: its memory is free again only when all of it has been read */

struct slot {
	struct sk_buff *first, *last; /* of its parts; NULL: it is empty */
};
static DEFINE_PER_CPU(struct slot[SLOTS], slots);
DEFINE_PER_CPU(u32, tcp_coalescing);

/* Nothing but text and an acknowledgement, in one buffer that is ours. */
static inline bool is_plain(const struct sk_buff *skb)
{
	const struct tcp_cb *cb = TCP_CB(skb);

	return (cb->flags | TCPHDR_PSH) == (TCPHDR_ACK | TCPHDR_PSH) && !cb->nr_sacks && skb->len &&
	       !skb->next_part && !skb_shared(skb);
}

static inline bool same_connection(const struct sk_buff *a, const struct sk_buff *b)
{
	const u32 ports = 2 * sizeof(be16), addresses = 2 * sizeof(be32);

	return !__builtin_memcmp(tcp_hdr(a), tcp_hdr(b), ports) &&
	       !__builtin_memcmp(&ip_hdr(a)->saddr, &ip_hdr(b)->saddr, addresses);
}

/* Whatever it says besides its text has been said. */
static inline bool says_the_same(const struct sk_buff *first, const struct sk_buff *skb)
{
	const struct tcp_cb *a = TCP_CB(first), *b = TCP_CB(skb);

	return a->ack == b->ack && a->window == b->window && a->tsval == b->tsval &&
	       a->tsecr == b->tsecr && ip_hdr(first)->tos == ip_hdr(skb)->tos;
}

static inline bool continues(const struct slot *slot, const struct sk_buff *skb)
{
	return TCP_CB(slot->first)->end_seq == TCP_CB(skb)->seq &&
	       same_connection(slot->first, skb) && says_the_same(slot->first, skb) &&
	       is_plain(skb) && slot->last->len >= TCP_COALESCE_LEAST &&
	       slot->first->len + skb->len <= LONGEST;
}

static inline void append(struct slot *slot, struct sk_buff *skb)
{
	struct tcp_cb *cb = TCP_CB(slot->first);

	cb->end_seq = TCP_CB(skb)->end_seq;
	cb->flags |= TCP_CB(skb)->flags;
	skb_add_part(slot->first, slot->last, skb);
	slot->last = skb;
}

static void let_go(u32 number)
{
	struct slot *slot = &(*this_cpu_ptr(slots))[number];
	struct sk_buff *skb = slot->first;

	slot->first = NULL;
	this_cpu(tcp_coalescing) &= ~(1U << number);
	tcp_dispatch(skb);
}

/* The first of its kind; or it goes on its way at once, behind what it would overtake. */
static noinline bool begin(struct slot *slot, u32 number, struct sk_buff *skb)
{
	bool waits = this_cpu(net_polling) && skb->len >= TCP_COALESCE_LEAST && is_plain(skb);

	if (slot->first && (waits || same_connection(slot->first, skb)))
		let_go(number);
	if (!waits)
		return false;
	skb->gso_size = (u16)min(skb->len, 65535U);
	*slot = (struct slot){ skb, skb };
	this_cpu(tcp_coalescing) |= 1U << number;
	return true;
}

bool tcp_coalesce_slow(struct sk_buff *skb)
{
	const struct tcphdr *th = tcp_hdr(skb);
	u32 number = (u32)(th->source ^ th->dest) >> 8 & (SLOTS - 1); /* be16: the lower byte */
	struct slot *slot = &(*this_cpu_ptr(slots))[number];

	if (!slot->first || !continues(slot, skb))
		return begin(slot, number, skb);
	append(slot, skb);
	return true;
}

void tcp_coalesce_end(void)
{
	while (unlikely(this_cpu(tcp_coalescing)))
		let_go((u32)__builtin_ctz(this_cpu(tcp_coalescing)));
}
