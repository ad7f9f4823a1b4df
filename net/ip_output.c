/*
 * IP, the way down: the header, the cut into fragments where it must be, and the frame to the next hop, to ourselves,
 * or to many.
 *
 * Step "reply". Context: softirq and process. No locks; ids are counted with atomics.
 */
#include <net/ip_impl.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/random.h>
#include <net/neigh.h>

#define MAX_PACKET 65535
#define ID_BITS	   8

u32 ip_default_ttl = IP_DEFAULT_TTL;

static struct siphash_key id_key; /* constant after ip_output_init() */

/* ---- the frame ---------------------------------------------------------------------------------------- */

/* RFC 1112 section 6.4: a group's MAC has the low 23 bits of its address. */
static void mac_for_many(u8 mac[ETH_ALEN], const struct dst *dst, be32 daddr)
{
	const u8 *group = (const u8 *)&daddr;
	const u8 group_mac[ETH_ALEN] = { 0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3] };

	if (dst->type == ROUTE_MULTICAST)
		memcpy(mac, group_mac, ETH_ALEN);
	else
		memset(mac, dst->type == ROUTE_BROADCAST ? 0xff : 0, ETH_ALEN);
}

/* What everybody on the link hears, we hear too. */
static void hear_it_ourselves(struct sk_buff *skb, const u8 mac[ETH_ALEN])
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	if (!copy)
		return;
	copy->dev = loopback_dev;
	eth_header(copy, mac, ETH_P_IP);
	dev_queue_xmit(copy);
}

static noinline int send_to_many(struct sk_buff *skb, const struct dst *dst)
{
	u8 mac[ETH_ALEN];

	mac_for_many(mac, dst, ip_hdr(skb)->daddr);
	if (dst->type == ROUTE_BROADCAST) {
		snmp_inc(IPEXT_OutBcastPkts);
		if (dst->dev != loopback_dev)
			hear_it_ourselves(skb, mac);
	} else if (dst->type == ROUTE_MULTICAST) {
		snmp_inc(IPEXT_OutMcastPkts);
	}
	eth_header(skb, mac, ETH_P_IP);
	return dev_queue_xmit(skb);
}

/* Takes the reference; data at the IP header. */
static inline int send_frame(struct sk_buff *skb, const struct dst *dst)
{
	snmp_inc(IP_OutTransmits);
	snmp_add(IPEXT_OutOctets, skb->len);
	skb->dev = dst->dev;
	skb->protocol = htons(ETH_P_IP);
	skb_set_network_header(skb);
	return likely(dst->neigh) ? neigh_output(dst->neigh, skb) : send_to_many(skb, dst);
}

/* ---- ids ------------------------------------------------------------------------------------------------- */

/* RFC 7739's hash-based choice: from one counter for some address pairs, chosen by a secret, each pair starting from its
 * own secret place. The steps are random, so that a pair that shares a counter cannot count another's packets. */
be16 ip_select_id(be32 saddr, be32 daddr, u8 protocol)
{
	static u32 counters[1 << ID_BITS]; /* atomic */
	const be32 words[3] = { saddr, daddr, protocol };
	u64 hash = siphash(words, sizeof(words), &id_key);

	return htons((u16)(hash + __atomic_add_fetch(&counters[hash >> (64 - ID_BITS)],
						     1 + (u32)random_below(4), __ATOMIC_RELAXED)));
}

/* ---- fragments -------------------------------------------------------------------------------------------- */

/* One of them: `size` bytes of the payload from `offset` on. */
static struct sk_buff *cut(const struct sk_buff *skb, u32 offset, u32 size)
{
	const struct iphdr *whole = (const struct iphdr *)skb->data;
	u32 header = IP_HLEN(whole), place = ntohs(whole->fragment);
	struct sk_buff *piece = skb_alloc(MAX_HEADER, GFP_ATOMIC);
	struct iphdr *ip;

	if (!piece)
		return NULL;
	ip = skb_append(piece, header + size);
	memcpy(ip, whole, header);
	skb_copy_bits(skb, header + offset, (u8 *)ip + header, size);
	if (offset && header > sizeof(*ip))
		ip_options_fragment(ip);
	place += offset / 8;
	if (header + offset + size < skb->len)
		place |= IP_MF;
	ip->fragment = htons(place);
	ip->total_length = htons(header + size);
	ip_set_checksum(ip);
	piece->priority = skb->priority;
	return piece;
}

/* Takes the reference. A piece fits one buffer, so links with a huge MTU get smaller ones than they could. */
static int send_fragments(struct sk_buff *skb, const struct dst *dst, u32 mtu)
{
	u32 header = IP_HLEN((struct iphdr *)skb->data), payload = skb->len - header;
	u32 most = (min_t(u32, mtu, SKB_SIZE - MAX_HEADER) - header) & ~7U;
	int error = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb_checksum_help(skb);
	for (u32 offset = 0; offset < payload && !error; offset += most) {
		struct sk_buff *piece = cut(skb, offset, min(most, payload - offset));

		if (!piece) {
			error = -ENOBUFS;
			break;
		}
		snmp_inc(IP_FragCreates);
		error = send_frame(piece, dst);
	}
	snmp_inc(error ? IP_FragFails : IP_FragOKs);
	skb_put(skb);
	return error;
}

static noinline int send_large(struct sk_buff *skb, const struct dst *dst, bool dont_fragment)
{
	if (skb->len > MAX_PACKET || dont_fragment ||
	    dst->mtu < sizeof(struct iphdr) + IP_MAX_OPTIONS + 8) {
		ip_drop(skb, IP_FragFails);
		return -EMSGSIZE;
	}
	return send_fragments(skb, dst, dst->mtu);
}

/* ---- the header -------------------------------------------------------------------------------------------- */

/* Who forbids fragments has looked at the path's MTU, or wants to try it out. */
static inline u32 limit_of(const struct flow *flow)
{
	return flow->dont_fragment ? flow->dst.dev->mtu : flow->dst.mtu;
}

static noinline void add_options(struct iphdr *ip, const struct flow *flow)
{
	ip->version_ihl += flow->options_length / 4;
	memcpy(ip + 1, flow->options, flow->options_length);
	ip->checksum = ip_header_checksum(ip);
}

static inline void fill_header(struct iphdr *ip, const struct flow *flow, be16 id, u32 length)
{
	*ip = (struct iphdr){
		.version_ihl = IP_PLAIN,
		.tos = flow->tos,
		.total_length = htons(length),
		.id = id,
		.fragment = flow->dont_fragment ? htons(IP_DF) : 0,
		.ttl = flow->ttl ?: (u8)ip_default_ttl,
		.protocol = flow->protocol,
		.saddr = flow->saddr,
		.daddr = flow->daddr,
	};
	if (likely(!flow->options_length))
		ip->checksum = ip_plain_checksum(ip);
	else
		add_options(ip, flow);
}

int ip_output(struct sk_buff *skb, struct flow *flow)
{
	be16 id = 0; /* an atomic datagram needs none: RFC 6864 */

	if (unlikely(!flow->dont_fragment))
		id = ip_select_id(flow->saddr, flow->daddr, flow->protocol);
	skb_set_transport_header(skb);
	skb_push(skb, sizeof(struct iphdr) + flow->options_length);
	fill_header((struct iphdr *)skb->data, flow, id, skb->len);
	trace(IP_OUTPUT, skb, skb->len, flow->protocol);
	snmp_inc(IP_OutRequests);
	if (unlikely(skb->len > limit_of(flow) && !skb->gso_size))
		return send_large(skb, &flow->dst, flow->dont_fragment);
	return send_frame(skb, &flow->dst);
}

/* What Linux fills in, whatever the program wrote: length, checksum; and id and source if they are 0. */
static bool complete_raw(struct sk_buff *skb, const struct flow *flow)
{
	struct iphdr *ip;

	if (!skb_may_pull(skb, sizeof(*ip)))
		return false;
	ip = (struct iphdr *)skb->data;
	if (IP_HLEN(ip) < sizeof(*ip) || !skb_may_pull(skb, IP_HLEN(ip)))
		return false;
	ip = (struct iphdr *)skb->data;
	ip->saddr = ip->saddr ?: flow->saddr;
	ip->id = ip->id ?: ip_select_id(ip->saddr, ip->daddr, ip->protocol);
	ip->total_length = htons(skb->len);
	ip_set_checksum(ip);
	return true;
}

int ip_output_raw(struct sk_buff *skb, struct flow *flow)
{
	if (skb->len > min_t(u32, flow->dst.dev->mtu, MAX_PACKET)) {
		skb_put(skb);
		return -EMSGSIZE;
	}
	if (!complete_raw(skb, flow)) {
		skb_put(skb);
		return -EINVAL;
	}
	snmp_inc(IP_OutRequests);
	return send_frame(skb, &flow->dst);
}

void ip_output_init(void)
{
	random_fill(&id_key, sizeof(id_key));
}
