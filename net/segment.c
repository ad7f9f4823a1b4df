/*
 * What a device cannot do itself: a large TCP packet is cut into frames, checksums are filled in, pieces are put
 * together. The wire's view is the same; only who did the work differs.
 *
 * Context: softirq and process. No locks.
 */
#include <net/netdev.h>

#include <kernel/lib/string.h>
#include <net/ip.h>

/* RFC 9293 3.1: where things are in a TCP header. */
#define TCP_SEQ	     4
#define TCP_FLAGS    13
#define TCP_CHECKSUM 16
#define TCP_FIN	     0x01
#define TCP_PSH	     0x08
#define TCP_CWR	     0x80

/* Headers are told by where they are in the buffer, and this one's data begins elsewhere. */
static void move_headers(struct sk_buff *part, u32 back)
{
	part->mac_header -= back;
	part->network_header -= back;
	part->transport_header -= back;
	part->csum_start -= back;
}

/* `size` bytes from `offset` on behind the headers, as a frame of its own; linear. Before the data of what was acknowledged
 * in part there may be room for nothing else: so much is not copied. */
static struct sk_buff *copy_part(const struct sk_buff *skb, u32 headers, u32 offset, u32 size)
{
	u32 headroom = min(skb_headroom(skb), (u32)MAX_HEADER);
	struct sk_buff *part = skb_alloc(headroom, GFP_ATOMIC);

	if (!part)
		return NULL;
	if (headers + size > skb_tailroom(part)) {
		skb_put(part);
		return NULL;
	}
	part->dev = skb->dev;
	part->tstamp = skb->tstamp;
	memcpy(&part->mac_header, &skb->mac_header,
	       offsetof(struct sk_buff, cb) - offsetof(struct sk_buff, mac_header));
	part->nr_frags = 0;
	part->gso_size = 0;
	part->gso_segs = 0;
	move_headers(part, skb_headroom(skb) - headroom);
	skb_copy_bits(skb, 0, skb_append(part, headers), headers);
	skb_copy_bits(skb, headers + offset, skb_append(part, size), size);
	return part;
}

/* The headers of segment `number`, whose data begins at `offset` of the whole packet's. */
static void fix_headers(struct sk_buff *part, u32 number, u32 offset, bool last)
{
	struct iphdr *ip = ip_hdr(part);
	u8 *tcp = skb_transport_header(part);
	u32 length = part->len - (u32)(tcp - part->data);
	be32 sequence;

	ip->total_length = htons((u16)(part->len - (u32)((u8 *)ip - part->data)));
	ip->id = htons((u16)(ntohs(ip->id) + number));
	ip->checksum = 0;
	ip->checksum = ip_checksum(ip, IP_HLEN(ip));

	memcpy(&sequence, tcp + TCP_SEQ, sizeof(sequence));
	sequence = htonl(ntohl(sequence) + offset);
	memcpy(tcp + TCP_SEQ, &sequence, sizeof(sequence));
	if (!last)
		tcp[TCP_FLAGS] &= (u8) ~(TCP_FIN | TCP_PSH);
	if (number)
		tcp[TCP_FLAGS] &= (u8)~TCP_CWR;
	*(u16 *)(tcp + TCP_CHECKSUM) =
		(u16)~checksum_fold(checksum_pseudo(ip->saddr, ip->daddr, ip->protocol, length));
}

/* false: no memory. */
static bool cut(const struct sk_buff *skb, struct skb_chain *frames)
{
	u8 *tcp = skb_transport_header(skb);
	u32 headers = (u32)(tcp - skb->data) + (tcp[12] >> 4) * 4;
	u32 payload = skb->len - headers, number = 0;

	for (u32 offset = 0; offset < payload; offset += skb->gso_size, number++) {
		u32 size = min_t(u32, payload - offset, skb->gso_size);
		struct sk_buff *part = copy_part(skb, headers, offset, size);

		if (!part)
			return false;
		fix_headers(part, number, offset, offset + size == payload);
		skb_chain_add(frames, part);
	}
	return true;
}

/* In one linear buffer. */
static bool gather(const struct sk_buff *skb, struct skb_chain *frames)
{
	struct sk_buff *whole = copy_part(skb, skb_headlen(skb), 0, skb->data_len);

	if (!whole)
		return false;
	skb_chain_add(frames, whole);
	return true;
}

void skb_segment(struct sk_buff *skb, u32 features, struct skb_chain *frames)
{
	bool cuts = skb->gso_size && !(features & NETDEV_TSO);
	bool gathers = skb->next_part || (skb->data_len && !(features & NETDEV_SG));
	bool sums = skb->ip_summed == CHECKSUM_PARTIAL && !(features & NETDEV_CSUM);
	bool copies = cuts || gathers || (sums && skb_shared(skb));
	struct sk_buff *frame;

	if (!copies) {
		skb_chain_add(frames, skb);
	} else {
		if (!(cuts ? cut(skb, frames) : gather(skb, frames)))
			skb_chain_purge(frames);
		skb_put(skb);
	}
	if (!sums)
		return;
	for (frame = frames->first; frame; frame = frame->chain_next)
		skb_checksum_help(frame);
}
