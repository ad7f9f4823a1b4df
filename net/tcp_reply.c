/*
 * Segments without a connection: RST to whom nobody expects, SYN-ACK for a request, ACK from TIME_WAIT.
 *
 * Context: softirq, or process with softirqs off. No locks.
 */
#include <net/tcp_reply.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

static u8 *put_be16(u8 *at, u16 value)
{
	at[0] = value >> 8;
	at[1] = value;
	return at + 2;
}

static u8 *put_be32(u8 *at, u32 value)
{
	return put_be16(put_be16(at, value >> 16), value);
}

/* In Linux's order, padded by NOPs in front. Where they end. */
static u8 *put_options(u8 *at, const struct tcp_reply *reply)
{
	if (reply->mss) {
		*at++ = 2;
		*at++ = 4;
		at = put_be16(at, reply->mss);
	}
	if (reply->timestamp) {
		*at++ = reply->sack_permitted ? 4 : 1;
		*at++ = reply->sack_permitted ? 2 : 1;
		*at++ = 8;
		*at++ = 10;
		at = put_be32(put_be32(at, reply->tsval), reply->tsecr);
	} else if (reply->sack_permitted) {
		at = put_be32(at, 0x01010402);
	}
	if (reply->wscale >= 0) {
		at = put_be32(at, 0x01030300 | reply->wscale);
	}
	return at;
}

static void put_header(struct sk_buff *skb, const struct tcp_reply *reply)
{
	u8 options[TCP_MAX_OPTIONS];
	u32 size = put_options(options, reply) - options;
	struct tcphdr *th = skb_append(skb, sizeof(*th) + size);

	skb_set_transport_header(skb);
	*th = (struct tcphdr){
		.source = reply->sport,
		.dest = reply->dport,
		.seq = htonl(reply->seq),
		.ack = htonl(reply->ack),
		.offset = (sizeof(*th) + size) / 4 << 4,
		.flags = reply->flags,
		.window = htons(reply->window),
	};
	__builtin_memcpy(th + 1, options, size);
	th->checksum = checksum_fold(checksum_add(
		th, sizeof(*th) + size,
		checksum_pseudo(reply->saddr, reply->daddr, IPPROTO_TCP, sizeof(*th) + size)));
}

int tcp_send_reply(const struct tcp_reply *reply)
{
	struct flow flow = {
		.saddr = reply->saddr,
		.daddr = reply->daddr,
		.protocol = IPPROTO_TCP,
		.tos = reply->tos,
		.ttl = IP_DEFAULT_TTL,
		.dont_fragment = true,
	};
	struct sk_buff *skb;
	int error = ip_route(&flow);

	if (error)
		return error;
	skb = skb_alloc(MAX_HEADER, GFP_ATOMIC);
	if (skb) {
		put_header(skb, reply);
		snmp_inc(TCP_OutSegs);
		error = ip_output(skb, &flow);
	}
	dst_drop(&flow.dst);
	return skb ? error : -ENOBUFS;
}

/* RFC 9293 3.5.2, group 1: the sequence number that the segment itself asks for. */
void tcp_send_reset_to(struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	const struct tcp_cb *cb = TCP_CB(skb);
	struct tcp_reply reply = {
		.saddr = ip->daddr,
		.daddr = ip->saddr,
		.sport = th->dest,
		.dport = th->source,
		.flags = TCPHDR_RST,
		.wscale = -1,
	};

	if (cb->flags & TCPHDR_RST || skb->pkt_type != PACKET_HOST)
		return;
	if (cb->flags & TCPHDR_ACK) {
		reply.seq = cb->ack;
	} else {
		reply.flags |= TCPHDR_ACK;
		reply.ack = cb->end_seq;
	}
	snmp_inc(TCP_OutRsts);
	tcp_send_reply(&reply);
}
