/*
 * What sending has in common for datagrams: where to, from where, with which options, and the buffer with the
 * program's bytes. A route that was found once serves until the destination or the routes change.
 *
 * Context: process, under sk.user_lock but for inet_send_prepare().
 */
#include <net/inet.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/uaccess.h>
#include <net/inet_option.h>

void inet_send_start(const struct inet_sock *inet, struct inet_send *send, be32 daddr, be16 dport)
{
	const struct inet_extra *extra = inet->extra;

	send->saddr = inet->saddr;
	send->daddr = daddr ?: inet->saddr ?: htonl(INADDR_LOOPBACK);
	send->dport = dport;
	send->oif = inet->sk.bound_dev;
	send->tos = inet->tos;
	send->ttl = inet->ttl ?: IP_DEFAULT_TTL;
	send->options_length = 0;
	if (unlikely(extra)) {
		send->options = extra->options;
		send->options_length = extra->options_length;
		if (!send->oif)
			send->oif = extra->unicast_ifindex;
	}
	if (unlikely(ip_is_multicast(daddr))) {
		send->ttl = inet->multicast_ttl;
		if (extra && !send->saddr)
			send->saddr = extra->multicast_addr;
		if (extra && !inet->sk.bound_dev)
			send->oif = extra->multicast_ifindex;
	}
}

/* ---- control messages ----------------------------------------------------------------------------------------- */

static int take_pktinfo(struct inet_send *send, const void *data, u64 length)
{
	const struct in_pktinfo *info = data;

	if (length != sizeof(*info))
		return -EINVAL;
	if (info->ifindex)
		send->oif = info->ifindex;
	if (info->spec_dst)
		send->saddr = info->spec_dst;
	return 0;
}

static int take_ttl(struct inet_send *send, const void *data, u64 length)
{
	int ttl;

	if (length != sizeof(ttl))
		return -EINVAL;
	memcpy(&ttl, data, sizeof(ttl));
	if (ttl < 1 || ttl > 255)
		return -EINVAL;
	send->ttl = ttl;
	return 0;
}

static int take_tos(struct inet_send *send, const void *data, u64 length)
{
	int tos = *(const u8 *)data;

	if (length != sizeof(tos) && length != 1)
		return -EINVAL;
	if (length == sizeof(tos))
		memcpy(&tos, data, sizeof(tos));
	if (tos < 0 || tos > 255)
		return -EINVAL;
	send->tos = tos;
	return 0;
}

static int take_cmsg(struct inet_send *send, const struct cmsghdr *cmsg)
{
	u64 length = cmsg_size(cmsg);

	if (cmsg->level != SOL_IP)
		return 0;
	switch (cmsg->type) {
	case IP_PKTINFO:
		return take_pktinfo(send, cmsg_data(cmsg), length);
	case IP_TTL:
		return take_ttl(send, cmsg_data(cmsg), length);
	case IP_TOS:
		return take_tos(send, cmsg_data(cmsg), length);
	}
	return -EINVAL;
}

static int take_cmsgs(struct inet_send *send, const struct msg_control *control)
{
	const struct cmsghdr *cmsg = NULL;
	int error = 0;

	while (!error && (cmsg = next_cmsg(control, cmsg)))
		error = IS_ERR(cmsg) ? PTR_ERR(cmsg) : take_cmsg(send, cmsg);
	return error;
}

int inet_send_prepare(const struct inet_sock *inet, const struct msg *msg, struct inet_send *send,
		      bool ports)
{
	const struct sockaddr_in *to = &msg->name.in;

	if (msg->name_length || msg->name_wanted) {
		if (msg->name_length < sizeof(*to))
			return -EINVAL;
		if (to->family != AF_INET && to->family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		if (ports && !to->port)
			return -EINVAL;
		inet_send_start(inet, send, to->addr, to->port);
	} else {
		if (!inet->daddr)
			return -EDESTADDRREQ;
		inet_send_start(inet, send, inet->daddr, inet->dport);
	}
	return unlikely(msg->control) ? take_cmsgs(send, msg->control) : 0;
}

/* ---- the way ---------------------------------------------------------------------------------------------------- */

int inet_send_route(struct inet_sock *inet, const struct inet_send *send)
{
	struct flow *flow = &inet->flow;
	int error;

	flow->tos = send->tos;
	flow->ttl = send->ttl;
	flow->options = send->options;
	flow->options_length = send->options_length;
	if (unlikely(flow->daddr != send->daddr || flow->oif != send->oif ||
		     inet->flow_saddr != send->saddr || !dst_valid(&flow->dst))) {
		flow->daddr = send->daddr;
		flow->oif = send->oif;
		flow->saddr = inet->flow_saddr = send->saddr;
		error = send->oif && !netdev_by_index(send->oif) ? -ENODEV : ip_route(flow);
		if (error) {
			flow->daddr = 0;
			return error;
		}
	}
	return flow->dst.type == ROUTE_BROADCAST && !(inet->sk.options & SK_BROADCAST) ? -EACCES
										       : 0;
}

int inet_send_check_mtu(struct inet_sock *inet, u32 length)
{
	struct flow *flow = &inet->flow;
	u8 discover = inet->pmtudisc;
	u32 mtu = discover < IP_PMTUDISC_PROBE ? flow->dst.mtu : flow->dst.dev->mtu;
	bool fits = length + sizeof(struct iphdr) + flow->options_length <= mtu;

	flow->dont_fragment = discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE ||
			      (discover == IP_PMTUDISC_WANT && fits);
	return fits || !(flow->dont_fragment || discover == IP_PMTUDISC_INTERFACE) ? 0 : -EMSGSIZE;
}

/* ---- the bytes ---------------------------------------------------------------------------------------------------- */

static int append_page(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	struct page *page;

	if (skb->nr_frags == MAX_SKB_FRAGS)
		return -EMSGSIZE;
	page = skb_page_alloc(GFP_KERNEL);
	if (!page)
		return -ENOBUFS;
	if (copy_from_iter(page_address(page), size, from) != size) {
		skb_page_put(page);
		return -EFAULT;
	}
	skb_add_frag(skb, page, 0, size);
	return 0;
}

/* Into what is left of the last page. */
static int append_to_frag(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	struct skb_frag *frag = &skb->frags[skb->nr_frags - 1];
	u8 *end = (u8 *)page_address(frag->page) + frag->offset + frag->size;

	if (copy_from_iter(end, size, from) != size)
		return -EFAULT;
	frag->size += size;
	skb->len += size;
	skb->data_len += size;
	return 0;
}

static u32 frag_room(const struct sk_buff *skb)
{
	const struct skb_frag *last = &skb->frags[skb->nr_frags - 1];

	return skb->nr_frags ? PAGE_SIZE - last->offset - last->size : 0;
}

int skb_append_iter(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	u32 part = min(size, skb_tailroom(skb));
	int error = 0;

	if (part && copy_from_iter(skb_append(skb, part), part, from) != part)
		return -EFAULT;
	for (size -= part; size && !error; size -= part) {
		u32 room = frag_room(skb);

		part = min_t(u32, size, room ?: PAGE_SIZE);
		error = room ? append_to_frag(skb, from, part) : append_page(skb, from, part);
	}
	return error;
}

struct sk_buff *inet_new_skb(struct msg *msg, u32 size)
{
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	int error = skb ? skb_append_iter(skb, msg->data, size) : -ENOBUFS;

	if (!error)
		return skb;
	if (skb)
		skb_put(skb);
	return ERR_PTR(error);
}
