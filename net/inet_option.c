/*
 * Options at level SOL_IP, by a table; and the control messages by which a receiver learns what was in a packet's
 * IP header.
 *
 * Context: process, under sk.user_lock.
 */
#include <net/inet_option.h>
#include <net/sock_options.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet.h>

struct inet_option {
	u32 option;
	u32 flag; /* one that is on or off; 0: the functions know */
	/* Take it, or, with a flag, refuse it. `value` is `given` as a number, of the length that the program
	 * said. NULL: a flag that anybody may change, or nothing that can be set. */
	int (*set)(struct inet_sock *inet, const void *value, u32 length, int given);
	int (*get)(
		const struct inet_sock *inet); /* a number, or -errno; NULL: it cannot be asked */
};

static int set_tos(struct inet_sock *inet, const void *value, u32 length, int tos)
{
	const u8 ecn = 3;

	/* A stream's congestion bits are TCP's to set. */
	if (inet->sk.type == SOCK_STREAM)
		tos = (tos & ~ecn) | (inet->tos & ecn);
	inet->tos = tos;
	return 0;
}

static int get_tos(const struct inet_sock *inet)
{
	return inet->tos;
}

static int set_ttl(struct inet_sock *inet, const void *value, u32 length, int ttl)
{
	if (length < 1 || (ttl != -1 && (ttl < 1 || ttl > 255)))
		return -EINVAL;
	inet->ttl = ttl == -1 ? 0 : ttl;
	return 0;
}

static int get_ttl(const struct inet_sock *inet)
{
	return inet->ttl ?: IP_DEFAULT_TTL;
}

static int set_min_ttl(struct inet_sock *inet, const void *value, u32 length, int ttl)
{
	if (length < 1 || ttl < 0 || ttl > 255)
		return -EINVAL;
	inet->min_ttl = ttl;
	return 0;
}

static int get_min_ttl(const struct inet_sock *inet)
{
	return inet->min_ttl;
}

static int check_hdrincl(struct inet_sock *inet, const void *value, u32 length, int on)
{
	return inet->sk.type == SOCK_RAW ? 0 : -ENOPROTOOPT;
}

static int set_recverr(struct inet_sock *inet, const void *value, u32 length, int on)
{
	if (on && !inet_extra(inet))
		return -ENOMEM;
	if (!on)
		inet_purge_errors(inet);
	return 0;
}

static int set_pmtudisc(struct inet_sock *inet, const void *value, u32 length, int discover)
{
	if (discover < IP_PMTUDISC_DONT || discover > IP_PMTUDISC_OMIT)
		return -EINVAL;
	inet->pmtudisc = discover;
	return 0;
}

static int get_pmtudisc(const struct inet_sock *inet)
{
	return inet->pmtudisc;
}

static int get_mtu(const struct inet_sock *inet)
{
	return inet->daddr && inet->flow.dst.dev ? (int)inet->flow.dst.mtu : -ENOTCONN;
}

static int check_given(struct inet_sock *inet, const void *value, u32 length, int on)
{
	return length < 1 ? -EINVAL : 0;
}

static int check_transparent(struct inet_sock *inet, const void *value, u32 length, int on)
{
	if (on && !may_net_admin())
		return -EPERM;
	return length < 1 ? -EINVAL : 0;
}

/* A raw socket's protocol; of the others, Linux gives this number too. */
static int get_protocol(const struct inet_sock *inet)
{
	return inet->port;
}

/* ---- multicast ---------------------------------------------------------------------------------------------- */

static int set_multicast_ttl(struct inet_sock *inet, const void *value, u32 length, int ttl)
{
	if (inet->sk.type == SOCK_STREAM || length < 1 || ttl < -1 || ttl > 255)
		return -EINVAL;
	inet->multicast_ttl = ttl == -1 ? 1 : ttl;
	return 0;
}

static int get_multicast_ttl(const struct inet_sock *inet)
{
	return inet->multicast_ttl;
}

static int check_multicast_all(struct inet_sock *inet, const void *value, u32 length, int on)
{
	return length < 1 || (on != 0 && on != 1) ? -EINVAL : 0;
}

/* The short forms leave out the end, or all but one address. */
static int read_mreq(struct ip_mreqn *request, const void *value, u32 length)
{
	*request = (struct ip_mreqn){ 0 };
	if (length >= sizeof(*request))
		memcpy(request, value, sizeof(*request));
	else if (length >= IP_MREQ_SIZE)
		memcpy(request, value, IP_MREQ_SIZE);
	else
		return -EINVAL;
	return 0;
}

static struct netdev *device_with_address(be32 address)
{
	struct netdev *dev;

	for_each_netdev(dev)
		if (dev->address == address)
			return dev;
	return NULL;
}

static int set_multicast_if(struct inet_sock *inet, const void *value, u32 length, int given)
{
	struct inet_extra *extra = inet_extra(inet);
	struct ip_mreqn request = { 0 };
	struct netdev *dev;

	if (inet->sk.type == SOCK_STREAM || length < sizeof(be32))
		return -EINVAL;
	if (!extra)
		return -ENOMEM;
	if (read_mreq(&request, value, length))
		memcpy(&request.address, value, sizeof(be32));
	dev = request.ifindex	? netdev_by_index(request.ifindex)
	      : request.address ? device_with_address(request.address)
				: NULL;
	if (!dev && (request.ifindex || request.address))
		return -EADDRNOTAVAIL;
	if (dev && inet->sk.bound_dev && inet->sk.bound_dev != dev->index)
		return -EINVAL;
	extra->multicast_ifindex = dev ? dev->index : 0;
	extra->multicast_addr = request.address;
	return 0;
}

/* An address, not a number: not to be shortened to a byte. */
static int get_multicast_if(const struct inet_sock *inet, void *value, u32 *length)
{
	be32 addr = inet->extra ? inet->extra->multicast_addr : 0;

	*length = min_t(u32, *length, sizeof(addr));
	memcpy(value, &addr, *length);
	return 0;
}

/* The device a group is joined on: the one that is named, or that has the address, or that leads there. */
static struct netdev *membership_device(const struct ip_mreqn *request)
{
	struct flow flow = { .daddr = request->group, .protocol = IPPROTO_UDP };
	struct netdev *dev = NULL;

	if (request->ifindex)
		return netdev_by_index(request->ifindex);
	if (request->address)
		return device_with_address(request->address);
	if (!ip_route(&flow))
		dev = flow.dst.dev;
	dst_drop(&flow.dst);
	return dev;
}

static struct membership *find_membership(struct inet_extra *extra, be32 group, u32 ifindex)
{
	for (u32 i = 0; extra && i < extra->nr_memberships; i++)
		if (extra->memberships[i].group == group &&
		    extra->memberships[i].ifindex == ifindex)
			return &extra->memberships[i];
	return NULL;
}

static int add_membership(struct inet_sock *inet, const void *value, u32 length, int given)
{
	struct inet_extra *extra;
	struct ip_mreqn request;
	struct netdev *dev;

	if (inet->sk.type == SOCK_STREAM)
		return -EPROTO;
	if (read_mreq(&request, value, length) || !ip_is_multicast(request.group))
		return -EINVAL;
	dev = membership_device(&request);
	if (!dev)
		return -ENODEV;
	extra = inet_extra(inet);
	if (!extra)
		return -ENOMEM;
	if (find_membership(extra, request.group, dev->index))
		return -EADDRINUSE;
	if (extra->nr_memberships == MAX_MEMBERSHIPS)
		return -ENOBUFS;
	extra->memberships[extra->nr_memberships] =
		(struct membership){ request.group, dev->index };
	__atomic_store_n(&extra->nr_memberships, extra->nr_memberships + 1, __ATOMIC_RELEASE);
	return 0;
}

static int drop_membership(struct inet_sock *inet, const void *value, u32 length, int given)
{
	struct inet_extra *extra = inet->extra;
	struct membership *membership;
	struct ip_mreqn request;
	struct netdev *dev;

	if (inet->sk.type == SOCK_STREAM)
		return -EPROTO;
	if (read_mreq(&request, value, length))
		return -EINVAL;
	dev = membership_device(&request);
	if (!dev)
		return -ENODEV;
	membership = find_membership(extra, request.group, dev->index);
	if (!membership)
		return -EADDRNOTAVAIL;
	*membership = extra->memberships[extra->nr_memberships - 1];
	WRITE_ONCE(extra->nr_memberships, extra->nr_memberships - 1);
	return 0;
}

static int set_unicast_if(struct inet_sock *inet, const void *value, u32 length, int given)
{
	struct inet_extra *extra = inet_extra(inet);
	u32 ifindex = ntohl((be32)given);

	if (length != sizeof(u32))
		return -EINVAL;
	if (!extra)
		return -ENOMEM;
	if (ifindex && !netdev_by_index(ifindex))
		return -EADDRNOTAVAIL;
	extra->unicast_ifindex = ifindex;
	return 0;
}

static int get_unicast_if(const struct inet_sock *inet)
{
	return inet->extra ? (int)htonl(inet->extra->unicast_ifindex) : 0;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct inet_option options[] = {
	{ IP_TOS, 0, set_tos, get_tos },
	{ IP_TTL, 0, set_ttl, get_ttl },
	{ IP_HDRINCL, INET_HDRINCL, check_hdrincl, NULL },
	{ IP_RECVOPTS, INET_RECVOPTS, NULL, NULL },
	{ IP_RETOPTS, INET_RETOPTS, NULL, NULL },
	{ IP_PKTINFO, INET_PKTINFO, NULL, NULL },
	{ IP_MTU_DISCOVER, 0, set_pmtudisc, get_pmtudisc },
	{ IP_RECVERR, INET_RECVERR, set_recverr, NULL },
	{ IP_RECVTTL, INET_RECVTTL, NULL, NULL },
	{ IP_RECVTOS, INET_RECVTOS, NULL, NULL },
	{ IP_MTU, 0, NULL, get_mtu },
	{ IP_FREEBIND, INET_FREEBIND, check_given, NULL },
	{ IP_TRANSPARENT, INET_TRANSPARENT, check_transparent, NULL },
	{ IP_RECVORIGDSTADDR, INET_RECVORIGDSTADDR, NULL, NULL },
	{ IP_MINTTL, 0, set_min_ttl, get_min_ttl },
	{ IP_BIND_ADDRESS_NO_PORT, INET_BIND_ADDRESS_NO_PORT, NULL, NULL },
	{ IP_MULTICAST_IF, 0, set_multicast_if, NULL },
	{ IP_MULTICAST_TTL, 0, set_multicast_ttl, get_multicast_ttl },
	{ IP_MULTICAST_LOOP, INET_MULTICAST_LOOP, check_given, NULL },
	{ IP_ADD_MEMBERSHIP, 0, add_membership, NULL },
	{ IP_DROP_MEMBERSHIP, 0, drop_membership, NULL },
	{ IP_MULTICAST_ALL, INET_MULTICAST_ALL, check_multicast_all, NULL },
	{ IP_UNICAST_IF, 0, set_unicast_if, get_unicast_if },
	{ IP_PROTOCOL, 0, NULL, get_protocol },
};

static const struct inet_option *find_option(int level, u32 option)
{
	if (level != SOL_IP)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].option == option)
			return &options[i];
	return NULL;
}

/* A number may be given as one byte; as nothing, it is 0. */
static int number_given(const void *value, u32 length)
{
	int number = 0;

	if (length >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else if (length)
		number = *(const u8 *)value;
	return number;
}

int inet_setsockopt(struct sock *sk, int level, int number, const void *value, u32 length)
{
	const struct inet_option *option = find_option(level, number);
	struct inet_sock *inet = inet_sk(sk);
	int given = number_given(value, length), error = 0;

	if (!option || !(option->flag || option->set))
		return -ENOPROTOOPT;
	mutex_lock(&sk->user_lock);
	if (option->set)
		error = option->set(inet, value, length, given);
	if (option->flag && !error)
		WRITE_ONCE(inet->flags,
			   given ? inet->flags | option->flag : inet->flags & ~option->flag);
	mutex_unlock(&sk->user_lock);
	return error;
}

/* As Linux puts a number into less room than an int takes: one byte, if it fits. */
static void put_number(int number, void *value, u32 *length)
{
	if (*length < sizeof(number) && *length > 0 && number >= 0 && number <= 255) {
		*(u8 *)value = number;
		*length = 1;
		return;
	}
	*length = min_t(u32, *length, sizeof(number));
	memcpy(value, &number, *length);
}

int inet_getsockopt(struct sock *sk, int level, int number, void *value, u32 *length)
{
	const struct inet_option *option = find_option(level, number);
	const struct inet_sock *inet = inet_sk(sk);
	int result;

	if (level == SOL_SOCKET)
		return -ENOPROTOOPT;
	if (level != SOL_IP)
		return -EOPNOTSUPP;
	if (number == IP_MULTICAST_IF)
		return get_multicast_if(inet, value, length);
	if (!option || !(option->flag || option->get))
		return -ENOPROTOOPT;
	mutex_lock(&sk->user_lock);
	result = option->flag ? (inet->flags & option->flag) != 0 : option->get(inet);
	mutex_unlock(&sk->user_lock);
	if (result < 0 && number == IP_MTU)
		return result;
	put_number(result, value, length);
	return 0;
}

/* ---- what was received ------------------------------------------------------------------------------------------ */

static void put_pktinfo(struct msg *msg, const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	struct in_pktinfo info = { skb->dev->index, ip->daddr, ip->daddr };

	if (skb->pkt_type != PACKET_HOST)
		info.spec_dst = skb->dev->address;
	put_cmsg(msg, SOL_IP, IP_PKTINFO, &info, sizeof(info));
}

void inet_put_cmsgs(struct inet_sock *inet, struct msg *msg, const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	u32 flags = inet->flags;
	int ttl = ip->ttl;

	if (flags & INET_PKTINFO)
		put_pktinfo(msg, skb);
	if (flags & INET_RECVTTL)
		put_cmsg(msg, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (flags & INET_RECVTOS)
		put_cmsg(msg, SOL_IP, IP_TOS, &ip->tos, 1);
	if (flags & INET_RECVOPTS && IP_HLEN(ip) > sizeof(*ip))
		put_cmsg(msg, SOL_IP, IP_RECVOPTS, ip + 1, IP_HLEN(ip) - sizeof(*ip));
	if (flags & INET_RECVORIGDSTADDR) {
		const be16 *ports = skb_transport_header(skb);
		struct sockaddr_in to;

		inet_fill_sockaddr(&to, ip->daddr, ports[1]);
		put_cmsg(msg, SOL_IP, IP_RECVORIGDSTADDR, &to, sizeof(to));
	}
}
