/*
 * The way of a datagram out of a socket: where to, from where, by which route. What every send does is here, to be
 * inlined; the rest is in net/inet_send.c.
 */
#pragma once

#include <kernel/lib/errno.h>
#include <net/inet.h>
#include <net/inet_option.h>

/* Options in control messages. 0 or -EINVAL. */
int inet_send_parse_cmsgs(struct inet_send *send, const struct msg_control *control);
void inet_send_extra(const struct inet_sock *inet, struct inet_send *send);
/* 0 or -errno; then nothing is remembered. */
int inet_send_find_route(struct inet_sock *inet, const struct inet_send *send);

/* Where to: the address in `msg`, or the one that the socket is connected to. `ports`: an address without one is none.
 * 0 or -errno. */
static inline int inet_send_address(const struct inet_sock *inet, const struct msg *msg,
				    struct inet_send *send, bool ports)
{
	const struct sockaddr_in *to = &msg->name.in;

	if (msg->name_length || msg->name_wanted) {
		if (msg->name_length < sizeof(*to))
			return -EINVAL;
		if (to->family != AF_INET && to->family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		if (ports && !to->port)
			return -EINVAL;
		send->daddr = to->addr;
		send->dport = to->port;
	} else {
		if (!inet->daddr)
			return -EDESTADDRREQ;
		send->daddr = inet->daddr;
		send->dport = inet->dport;
	}
	return 0;
}

/* How: as the socket's options say. */
static inline void inet_send_options(const struct inet_sock *inet, struct inet_send *send)
{
	send->saddr = inet->saddr;
	send->daddr = send->daddr ?: inet->saddr ?: htonl(INADDR_LOOPBACK);
	send->oif = inet->sk.bound_dev;
	send->tos = inet->tos;
	send->ttl = inet->ttl;
	send->options = NULL;
	send->options_length = 0;
	if (unlikely(inet->extra || ip_is_multicast(send->daddr)))
		inet_send_extra(inet, send);
}

/* Where to, and how, control messages considered. 0 or -errno. */
static inline int inet_send_prepare(const struct inet_sock *inet, const struct msg *msg,
				    struct inet_send *send, bool ports)
{
	int error = inet_send_address(inet, msg, send, ports);

	if (error)
		return error;
	inet_send_options(inet, send);
	return unlikely(msg->control) ? inet_send_parse_cmsgs(send, msg->control) : 0;
}

/* Does this message, with nothing but an address, go where the last one went, and as that did? Then inet->flow is right
 * as it is. Under user_lock. */
static inline bool inet_send_again(const struct inet_sock *inet, const struct inet_send *send)
{
	const struct flow *flow = &inet->flow;

	return flow->daddr == send->daddr && inet->flow_saddr == inet->saddr &&
	       flow->oif == inet->sk.bound_dev && flow->tos == inet->tos &&
	       flow->ttl == inet->ttl && !inet->extra && flow->dst.type <= ROUTE_LOCAL &&
	       dst_valid(&flow->dst);
}

/* Points inet->flow there: mostly it does already. -EACCES: broadcast without SO_BROADCAST. Under user_lock. */
static inline int inet_send_route(struct inet_sock *inet, const struct inet_send *send)
{
	struct flow *flow = &inet->flow;
	int error;

	flow->tos = send->tos;
	flow->ttl = send->ttl;
	flow->options = send->options;
	flow->options_length = send->options_length;
	if (unlikely(flow->daddr != send->daddr || flow->oif != send->oif ||
		     inet->flow_saddr != send->saddr || !dst_valid(&flow->dst))) {
		error = inet_send_find_route(inet, send);
		if (error)
			return error;
	}
	return flow->dst.type == ROUTE_BROADCAST && !(inet->sk.options & SK_BROADCAST) ? -EACCES
										       : 0;
}

/* May a packet of this length (IP header not counted) go? Sets flow->dont_fragment. 0 or -EMSGSIZE. */
static inline int inet_send_check_mtu(struct inet_sock *inet, u32 length)
{
	struct flow *flow = &inet->flow;
	u8 discover = inet->pmtudisc;
	u32 mtu = discover < IP_PMTUDISC_PROBE ? flow->dst.mtu : flow->dst.dev->mtu;
	bool fits = length + sizeof(struct iphdr) + flow->options_length <= mtu;

	flow->dont_fragment = discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE ||
			      (discover == IP_PMTUDISC_WANT && fits);
	return fits || !(flow->dont_fragment || discover == IP_PMTUDISC_INTERFACE) ? 0 : -EMSGSIZE;
}

/* A buffer with room for all headers and the message's data. ERR_PTR. */
static __always_inline struct sk_buff *inet_new_skb(struct msg *msg, u32 size)
{
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	int error = likely(skb) ? skb_append_from_iter(skb, msg->data, size) : -ENOBUFS;

	if (likely(!error))
		return skb;
	if (skb)
		skb_put(skb);
	return ERR_PTR(error);
}
