/*
 * UDP, the program's side: sendto, recvfrom and what goes with them. Steps 14 and "reply".
 *
 * Context: process. Locks: sk.user_lock while a datagram is put together and sent; receiving takes sk.lock alone.
 */
#include <net/udp.h>

#include <fs/proc/proc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet_send.h>
#include <net/snmp.h>

#define UDP_BUCKETS 4096

/* ---- sending -------------------------------------------------------------------------------------------- */

/* The sum over the data is the device's work, if it can and the datagram leaves in one piece. */
static inline void fill_checksum(const struct udp_sock *udp, struct sk_buff *skb, struct udphdr *uh)
{
	const struct flow *flow = &udp->inet.flow;
	const struct netdev *dev = flow->dst.dev;
	u32 sum = checksum_pseudo(flow->saddr, flow->daddr, IPPROTO_UDP, skb->len);

	uh->checksum = 0;
	if (udp->inet.sk.options & SK_NO_CHECK)
		return;
	if (dev->features & NETDEV_CSUM &&
	    skb->len + sizeof(struct iphdr) + flow->options_length <= flow->dst.mtu) {
		uh->checksum = ~checksum_fold(sum);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb->transport_header;
		skb->csum_offset = offsetof(struct udphdr, checksum);
		return;
	}
	/* 0 would say that there is no sum. */
	uh->checksum = checksum_fold(skb_checksum(skb, 0, skb->len, sum)) ?: 0xffff;
}

/* Header and away; it has been charged. Takes the reference. */
static __always_inline int udp_push(struct udp_sock *udp, struct sk_buff *skb, be16 dport,
				    bool more)
{
	struct udphdr *uh = skb_push(skb, sizeof(*uh));
	int error;

	skb_set_transport_header(skb);
	uh->source = htons(udp->inet.port);
	uh->dest = dport;
	uh->length = htons(skb->len);
	fill_checksum(udp, skb, uh);
	if (unlikely(more))
		net_batch_begin();
	error = ip_output(skb, &udp->inet.flow);
	if (unlikely(more))
		net_batch_leave();
	if (error == -ENOBUFS) {
		snmp_inc(UDP_SndbufErrors);
		/* Linux reports a full queue only to those who ask for errors. */
		return udp->inet.flags & INET_RECVERR ? error : 0;
	}
	snmp_inc(UDP_OutDatagrams);
	return error;
}

static noinline int too_large(struct udp_sock *udp, const struct inet_send *send)
{
	inet_local_error(&udp->inet, EMSGSIZE, send->daddr, send->dport, udp->inet.flow.dst.mtu);
	return -EMSGSIZE;
}

static inline int check_size(struct udp_sock *udp, u32 size, const struct inet_send *send)
{
	int error = inet_send_check_mtu(&udp->inet, size + sizeof(struct udphdr));

	return likely(!error) ? 0 : too_large(udp, send);
}

/* Throw away what has been put together. */
static void drop_pending(struct udp_sock *udp)
{
	if (udp->pending)
		skb_put(udp->pending);
	udp->pending = NULL;
}

static int push_pending(struct udp_sock *udp)
{
	struct sk_buff *skb = udp->pending;
	int error;

	udp->pending = NULL;
	if (!skb)
		return 0;
	error = inet_send_route(&udp->inet, &udp->pending_send);
	if (!error)
		error = check_size(udp, skb->len, &udp->pending_send);
	if (!error)
		return udp_push(udp, skb, udp->pending_send.dport, false);
	skb_put(skb);
	return error;
}

static int append_piece(struct udp_sock *udp, struct msg *msg, u32 size)
{
	struct sock *sk = &udp->inet.sk;
	struct sk_buff *skb = udp->pending;
	u32 before = skb->truesize;
	int error;

	if (skb->len + size > UDP_MAX_DATA)
		return -EMSGSIZE;
	/* It will not leave before its last piece is here: so there is no waiting for room, but for Linux's limit. */
	if (READ_ONCE(sk->wmem) > 2 * (u64)READ_ONCE(sk->sndbuf))
		return -ENOBUFS;
	error = skb_append_from_iter(skb, msg->data, size);
	__atomic_add_fetch(&sk->wmem, skb->truesize - before, __ATOMIC_RELAXED);
	return error;
}

/* MSG_MORE, UDP_CORK: several sends make one datagram; where it goes is said by the first. */
static noinline int send_piece(struct udp_sock *udp, struct msg *msg, const struct inet_send *send,
			       u32 size)
{
	int error = 0;

	if (!udp->pending) {
		struct sk_buff *skb = inet_new_skb(msg, size);

		if (IS_ERR(skb))
			return PTR_ERR(skb);
		skb_charge_send(skb, &udp->inet.sk);
		udp->pending = skb;
		udp->pending_send = *send;
	} else {
		error = append_piece(udp, msg, size);
	}
	if (error)
		drop_pending(udp);
	else if (!udp->corked && !(msg->flags & MSG_MORE))
		error = push_pending(udp);
	return error;
}

static noinline int find_way(struct udp_sock *udp, const struct msg *msg, struct inet_send *send)
{
	int error;

	inet_send_options(&udp->inet, send);
	error = msg->control ? inet_send_parse_cmsgs(send, msg->control) : 0;
	return error ?: inet_send_route(&udp->inet, udp->pending ? &udp->pending_send : send);
}

/* Under user_lock. */
static inline int udp_send(struct udp_sock *udp, struct msg *msg, struct inet_send *send, u32 size)
{
	bool whole = !udp->pending && !udp->corked && !(msg->flags & MSG_MORE);
	struct sk_buff *skb;
	int error = 0;

	if (unlikely(!whole || msg->control || !inet_send_again(&udp->inet, send)))
		error = find_way(udp, msg, send);
	if (unlikely(!error && !whole))
		return send_piece(udp, msg, send, size);
	if (likely(!error))
		error = check_size(udp, size, send);
	if (unlikely(error))
		return error;
	skb = inet_new_skb(msg, size);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	skb_charge_send(skb, &udp->inet.sk);
	return udp_push(udp, skb, send->dport, msg->more);
}

static ssize_t udp_sendmsg(struct sock *sk, struct msg *msg)
{
	struct udp_sock *udp = udp_sk(sk);
	size_t size = msg->data->count;
	struct inet_send send;
	int error = inet_autobind(&udp->inet, &udp_table);

	if (unlikely(error))
		return error;
	if (unlikely(size > 0xffff))
		return -EMSGSIZE;
	if (unlikely(msg->flags & MSG_OOB))
		return -EOPNOTSUPP;
	error = inet_send_address(&udp->inet, msg, &send, true);
	if (unlikely(error))
		return error;
	if (unlikely(size > UDP_MAX_DATA))
		return -EMSGSIZE;
	error = READ_ONCE(udp->pending) ? 0 : sock_wait_for_send(sk, msg->flags);
	if (unlikely(error))
		return error;
	mutex_lock(&sk->user_lock);
	error = udp_send(udp, msg, &send, size);
	mutex_unlock(&sk->user_lock);
	return error ?: (ssize_t)size;
}

/* ---- receiving: step 14 ------------------------------------------------------------------------------------ */

static void put_name(struct msg *msg, const struct sk_buff *skb)
{
	const struct udphdr *uh = skb_transport_header(skb);

	inet_fill_sockaddr(&msg->name.in, ip_hdr(skb)->saddr, uh->source);
	msg->name_length = sizeof(msg->name.in);
}

static ssize_t copy_datagram(struct sock *sk, struct msg *msg, struct sk_buff *skb)
{
	u32 length = skb->len, size = min_t(size_t, length, msg->data->count);

	if (unlikely(skb_copy_to_iter(skb, 0, msg->data, size) != size)) {
		snmp_inc(UDP_InErrors);
		return -EFAULT;
	}
	if (!(msg->flags & MSG_PEEK))
		snmp_inc(UDP_InDatagrams);
	if (size < length)
		msg->out_flags |= MSG_TRUNC;
	if (msg->name_wanted)
		put_name(msg, skb);
	sock_put_stamps(sk, msg, skb);
	if (unlikely(inet_sk(sk)->flags & INET_CMSG_FLAGS))
		inet_put_cmsgs(inet_sk(sk), msg, skb);
	return msg->flags & MSG_TRUNC ? length : size;
}

static ssize_t udp_recvmsg(struct sock *sk, struct msg *msg)
{
	struct sk_buff *skb;
	ssize_t result;

	if (unlikely(msg->flags & MSG_ERRQUEUE))
		return inet_receive_error(inet_sk(sk), msg);
	skb = sock_receive_datagram(sk, msg->flags);
	if (IS_ERR(skb) || !skb)
		return PTR_ERR(skb);
	result = copy_datagram(sk, msg, skb);
	skb_put(skb);
	return result;
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

static int udp_setsockopt(struct sock *sk, int level, int option, const void *value, u32 length)
{
	struct udp_sock *udp = udp_sk(sk);
	int error = 0;

	if (level != SOL_UDP)
		return inet_setsockopt(sk, level, option, value, length);
	if (option != UDP_CORK)
		return -ENOPROTOOPT;
	if (length < sizeof(int))
		return -EINVAL;
	mutex_lock(&sk->user_lock);
	udp->corked = *(const int *)value;
	if (!udp->corked)
		error = push_pending(udp);
	mutex_unlock(&sk->user_lock);
	return error;
}

static int udp_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length)
{
	int corked = udp_sk(sk)->corked;

	if (level != SOL_UDP)
		return inet_getsockopt(sk, level, option, value, length);
	if (option != UDP_CORK)
		return -ENOPROTOOPT;
	*length = min_t(u32, *length, sizeof(corked));
	memcpy(value, &corked, *length);
	return 0;
}

static int udp_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length)
{
	return inet_bind(inet_sk(sk), addr, length, &udp_table);
}

static int udp_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length,
		       u32 file_flags)
{
	return inet_datagram_connect(inet_sk(sk), addr, length, &udp_table);
}

static void udp_close(struct sock *sk)
{
	struct udp_sock *udp = udp_sk(sk);

	mutex_lock(&sk->user_lock);
	drop_pending(udp);
	port_unbind(&udp_table, &udp->inet);
	mutex_unlock(&sk->user_lock);
	sock_put(sk);
}

static struct sock_cache udp_cache;

const struct sock_ops udp_ops = {
	.name = "UDP",
	.size = sizeof(struct udp_sock),
	.cache = &udp_cache,
	.init = inet_init,
	.close = udp_close,
	.bind = udp_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.poll = inet_datagram_poll,
	.shutdown = inet_datagram_shutdown,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = inet_datagram_ioctl,
	.destroy = inet_destroy,
};

static void show_udp(struct seq_buf *out, const struct proc_entry *entry)
{
	port_show(&udp_table, out, 5);
}

static const struct proc_entry net_files[] = {
	{ "udp", 0444, .show = show_udp },
};

/* What Linux derives from the size of memory and from a page; nothing here depends on them. */
static const struct proc_entry ipv4_files[] = {
	{ "udp_rmem_min", 0444, .show = proc_show_text, .data = "4096" },
	{ "udp_wmem_min", 0444, .show = proc_show_text, .data = "4096" },
};

void udp_init(void)
{
	static struct port_bucket buckets[UDP_BUCKETS];

	port_table_init(&udp_table, buckets, UDP_BUCKETS);
	sock_register(&udp_ops);
	PROC_REGISTER("net", net_files);
	PROC_REGISTER("sys/net/ipv4", ipv4_files);
}
