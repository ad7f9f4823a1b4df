/*
 * What sending has in common for datagrams: where to, from where, with which options, and the buffer with the
 * program's bytes. A route that was found once serves until the destination or the routes change.
 *
 * Context: process, under sk.user_lock but for inet_send_prepare().
 */
#include <net/inet_send.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>

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

int inet_send_parse_cmsgs(struct inet_send *send, const struct msg_control *control)
{
	const struct cmsghdr *cmsg = NULL;
	int error = 0;

	while (!error && (cmsg = next_cmsg(control, cmsg)))
		error = IS_ERR(cmsg) ? PTR_ERR(cmsg) : take_cmsg(send, cmsg);
	return error;
}

/* ---- the way ---------------------------------------------------------------------------------------------------- */

/* For a multicast group, and for sockets with options that few have. */
void inet_send_extra(const struct inet_sock *inet, struct inet_send *send)
{
	const struct inet_extra *extra = inet->extra;
	bool multicast = ip_is_multicast(send->daddr);

	if (extra) {
		send->options = extra->options;
		send->options_length = extra->options_length;
		if (!inet->sk.bound_dev)
			send->oif = multicast ? extra->multicast_ifindex : extra->unicast_ifindex;
		if (multicast && !send->saddr)
			send->saddr = extra->multicast_addr;
	}
	if (multicast)
		send->ttl = inet->multicast_ttl;
	if (multicast && !inet->multicast_ttl) { /* it is to stay on this machine */
		send->oif = loopback_dev->index;
		send->ttl = 1;
	}
}

int inet_send_find_route(struct inet_sock *inet, const struct inet_send *send)
{
	struct flow *flow = &inet->flow;
	int error = send->oif && !netdev_by_index(send->oif) ? -ENODEV : 0;

	flow->daddr = send->daddr;
	flow->oif = send->oif;
	flow->saddr = inet->flow_saddr = send->saddr;
	error = error ?: ip_route(flow);
	if (error)
		dst_drop(&flow->dst);
	return error;
}
