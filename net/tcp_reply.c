/*
 * Segments without a connection: RST to whom nobody expects, SYN-ACK for a request, ACK from TIME_WAIT.
 *
 * Context: softirq, or process with softirqs off. No locks.
 */
#include <net/tcp_reply.h>

#include <kernel/lib/errno.h>
#include <net/snmp.h>

/* In Linux's order, padded by NOPs in front. Where they end. */
static be32 *put_options(be32 *at, const struct tcp_reply *reply)
{
	if (reply->mss)
		*at++ = htonl(TCP_OPTION_MSS | reply->mss);
	if (reply->timestamp) {
		*at++ = htonl(reply->sack_permitted ? TCP_OPTION_TS_SACK : TCP_OPTION_TS);
		*at++ = htonl(reply->tsval);
		*at++ = htonl(reply->tsecr);
	} else if (reply->sack_permitted) {
		*at++ = htonl(TCP_OPTION_SACK_OK);
	}
	if (reply->wscale >= 0)
		*at++ = htonl(TCP_OPTION_WSCALE | (u32)reply->wscale);
	return at;
}

static void put_header(struct sk_buff *skb, const struct tcp_reply *reply)
{
	struct tcphdr *th = (struct tcphdr *)skb->data;
	u32 size = (u8 *)put_options((be32 *)(th + 1), reply) - (u8 *)th;

	skb_append(skb, size);
	skb_set_transport_header(skb);
	*th = (struct tcphdr){
		.source = reply->sport,
		.dest = reply->dport,
		.seq = htonl(reply->seq),
		.ack = htonl(reply->ack),
		.offset = size / 4 << 4,
		.flags = reply->flags,
		.window = htons(reply->window),
	};
	th->checksum = checksum_fold(checksum_add(
		th, size, checksum_pseudo(reply->saddr, reply->daddr, IPPROTO_TCP, size)));
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
