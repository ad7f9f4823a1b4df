/*
 * Raw sockets: each gets a copy of every packet of its protocol, IP header and all; what it sends gets an IP header,
 * or has one (IP_HDRINCL). BusyBox's ping and traceroute live on them.
 *
 * Context: softirq (receiving, errors) and process. Locks: sk.user_lock; port_bucket.lock for the lookup.
 */
#include <net/raw.h>

#include <fs/proc/proc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet_send.h>

#define RAW_BUCKETS 64

struct port_table raw_table;

/* ---- receiving -------------------------------------------------------------------------------------------- */

/* A packet, as a receiver sees it. */
struct raw_key {
	be32 saddr, daddr;
	u32 ifindex;
	s32 icmp_type; /* -1: not ICMP */
};

static bool match(const struct inet_sock *inet, const void *packet)
{
	const struct raw_sock *raw = container_of(inet, struct raw_sock, inet);
	const struct raw_key *key = packet;

	return (!inet->daddr || inet->daddr == key->saddr) &&
	       (!inet->rcv_saddr || inet->rcv_saddr == key->daddr) &&
	       (!inet->sk.bound_dev || inet->sk.bound_dev == key->ifindex) &&
	       !(key->icmp_type >= 0 && key->icmp_type < 32 &&
		 READ_ONCE(raw->icmp_filter) & BIT(key->icmp_type));
}

static void queue_copy(struct inet_sock *inet, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	if (!copy)
		return;
	/* From the IP header on. */
	skb_push(copy, skb_headroom(copy) - copy->network_header);
	sock_queue_receive(&inet->sk, copy);
}

bool raw_deliver_slow(struct sk_buff *skb, u8 protocol)
{
	const struct iphdr *ip = ip_hdr(skb);
	struct raw_key key = { ip->saddr, ip->daddr, skb->dev->index, -1 };
	struct inet_sock *inet = NULL;
	bool taken = false;

	if (protocol == IPPROTO_ICMP && skb_headlen(skb))
		key.icmp_type = *skb->data;
	while ((inet = port_next_match(&raw_table, protocol, inet, match, &key))) {
		queue_copy(inet, skb);
		taken = true;
	}
	return taken;
}

void raw_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
	struct raw_key key = { ip->daddr, ip->saddr, skb->dev->index, -1 };
	struct inet_sock *inet = NULL;

	if (likely(!test_bit(ip->protocol, raw_table.used)))
		return;
	while ((inet = port_next_match(&raw_table, ip->protocol, inet, match, &key)))
		inet_icmp_error(inet, skb, ip, error, 0, 0);
}

static ssize_t copy_packet(struct sock *sk, struct msg *msg, struct sk_buff *skb)
{
	u32 length = skb->len, size = min_t(size_t, length, msg->data->count);

	if (skb_copy_to_iter(skb, 0, msg->data, size) != size)
		return -EFAULT;
	if (size < length)
		msg->out_flags |= MSG_TRUNC;
	if (msg->name_wanted) {
		inet_fill_sockaddr(&msg->name.in, ip_hdr(skb)->saddr, 0);
		msg->name_length = sizeof(msg->name.in);
	}
	sock_put_stamps(sk, msg, skb);
	inet_put_cmsgs(inet_sk(sk), msg, skb);
	return msg->flags & MSG_TRUNC ? length : size;
}

ssize_t raw_recvmsg(struct sock *sk, struct msg *msg)
{
	struct sk_buff *skb;
	ssize_t result;

	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (msg->flags & MSG_ERRQUEUE)
		return inet_receive_error(inet_sk(sk), msg);
	skb = sock_receive_datagram(sk, msg->flags);
	if (IS_ERR(skb) || !skb)
		return PTR_ERR(skb);
	result = copy_packet(sk, msg, skb);
	skb_put(skb);
	return result;
}

/* ---- sending ---------------------------------------------------------------------------------------------- */

/* The program's own IP header: it may leave out the length, the checksum, the source and the number. */
static int complete_header(struct sk_buff *skb, const struct flow *flow)
{
	struct iphdr *ip = (struct iphdr *)skb->data;

	if (skb->len < sizeof(*ip) || IP_HLEN(ip) < sizeof(*ip) || IP_HLEN(ip) > skb_headlen(skb))
		return -EINVAL;
	if (!ip->saddr)
		ip->saddr = flow->saddr;
	return 0;
}

static int send_with_header(struct inet_sock *inet, struct sk_buff *skb)
{
	struct flow *flow = &inet->flow;
	int error = complete_header(skb, flow);

	if (!error && skb->len > flow->dst.mtu)
		error = -EMSGSIZE;
	if (error) {
		skb_put(skb);
		return error;
	}
	skb_charge_send(skb, &inet->sk);
	return ip_output_raw(skb, flow);
}

static int send_packet(struct inet_sock *inet, struct sk_buff *skb)
{
	if (inet->flags & INET_HDRINCL)
		return send_with_header(inet, skb);
	skb_set_transport_header(skb);
	skb_charge_send(skb, &inet->sk);
	return ip_output(skb, &inet->flow);
}

/* Under user_lock. */
static int raw_send(struct inet_sock *inet, struct msg *msg, const struct inet_send *send, u32 size)
{
	int error = inet_send_route(inet, send);
	struct sk_buff *skb;

	if (!error && !(inet->flags & INET_HDRINCL))
		error = inet_send_check_mtu(inet, size);
	if (error)
		return error;
	skb = inet_new_skb(msg, size);
	return IS_ERR(skb) ? PTR_ERR(skb) : send_packet(inet, skb);
}

static ssize_t raw_sendmsg(struct sock *sk, struct msg *msg)
{
	struct inet_sock *inet = inet_sk(sk);
	size_t size = msg->data->count;
	struct inet_send send;
	int error;

	if (size > 0xffff)
		return -EMSGSIZE;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	error = inet_send_prepare(inet, msg, &send, false);
	if (!error)
		error = sock_wait_for_send(sk, msg->flags);
	if (error)
		return error;
	mutex_lock(&sk->user_lock);
	error = raw_send(inet, msg, &send, size);
	mutex_unlock(&sk->user_lock);
	return error ?: (ssize_t)size;
}

/* ---- the rest --------------------------------------------------------------------------------------------- */

static int raw_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length)
{
	struct inet_sock *inet = inet_sk(sk);
	int error = 0;

	if (length < sizeof(addr->in) || inet->daddr)
		return -EINVAL;
	mutex_lock(&sk->user_lock);
	error = inet_check_bind_addr(inet, &addr->in, length);
	if (!error)
		inet_set_source(inet, addr->in.addr);
	mutex_unlock(&sk->user_lock);
	return error;
}

static int raw_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length,
		       u32 file_flags)
{
	return inet_datagram_connect(inet_sk(sk), addr, length, &raw_table);
}

static int raw_setsockopt(struct sock *sk, int level, int option, const void *value, u32 length)
{
	u32 filter = raw_sk(sk)->icmp_filter;

	if (level != SOL_RAW)
		return inet_setsockopt(sk, level, option, value, length);
	if (option != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	memcpy(&filter, value, min_t(u32, length, sizeof(filter)));
	WRITE_ONCE(raw_sk(sk)->icmp_filter, filter);
	return 0;
}

static int raw_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length)
{
	if (level != SOL_RAW)
		return inet_getsockopt(sk, level, option, value, length);
	if (option != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	*length = min_t(u32, *length, sizeof(u32));
	memcpy(value, &raw_sk(sk)->icmp_filter, *length);
	return 0;
}

static int raw_sock_init(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	inet_init(sk);
	/* Its protocol is never given back. */
	inet->flags |= INET_PORT_CHOSEN | (sk->protocol == IPPROTO_RAW ? INET_HDRINCL : 0);
	return port_bind(&raw_table, inet, sk->protocol);
}

static void raw_close(struct sock *sk)
{
	inet_datagram_close(sk, &raw_table);
}

static struct sock_cache raw_cache;

const struct sock_ops raw_ops = {
	.name = "RAW",
	.size = sizeof(struct raw_sock),
	.cache = &raw_cache,
	.init = raw_sock_init,
	.close = raw_close,
	.bind = raw_bind,
	.connect = raw_connect,
	.getname = inet_getname,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.poll = inet_datagram_poll,
	.shutdown = inet_datagram_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.ioctl = inet_datagram_ioctl,
	.destroy = inet_destroy,
};

static void show_raw(struct seq_buf *out, const struct proc_entry *entry)
{
	port_show(&raw_table, out, 4);
}

static const struct proc_entry net_files[] = {
	{ "raw", 0444, .show = show_raw },
};

void raw_init(void)
{
	static struct port_bucket buckets[RAW_BUCKETS];

	port_table_init(&raw_table, buckets, RAW_BUCKETS);
	sock_register(&raw_ops);
	PROC_REGISTER("net", net_files);
}
