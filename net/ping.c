/*
 * Ping sockets: SOCK_DGRAM with ICMP sends echo requests and nothing else, and receives the replies to its own. The
 * echo's identifier is the socket's port. No privilege is needed, but a group in net.ipv4.ping_group_range.
 *
 * Context: softirq (replies, errors) and process. Locks: sk.user_lock; port_bucket.lock for the lookup.
 */
#include <net/ping.h>

#include <fs/proc/proc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/icmp.h>
#include <net/inet_send.h>
#include <net/raw.h>

#define PING_BUCKETS 64

/* First and last group; by default there is none. Low half, high half, so that both are read at once. */
static u64 ping_group_range = 1;

static struct port_table ping_table = { .conflict = port_conflict_datagram,
					.low = 1,
					.high = 65535 };

static bool group_in_range(u32 gid, u64 range)
{
	return gid >= (u32)range && gid <= range >> 32;
}

static bool may_ping(void)
{
	const struct cred *cred = &current->cred;
	u64 range = READ_ONCE(ping_group_range);

	if (group_in_range(cred->egid, range))
		return true;
	for (u32 i = 0; cred->groups && i < cred->groups->count; i++)
		if (group_in_range(cred->groups->gids[i], range))
			return true;
	return false;
}

/* ---- receiving -------------------------------------------------------------------------------------------- */

struct ping_key {
	be32 daddr;
	u32 ifindex;
};

static bool match(const struct inet_sock *inet, const void *packet)
{
	const struct ping_key *key = packet;

	return (!inet->rcv_saddr || inet->rcv_saddr == key->daddr) &&
	       (!inet->sk.bound_dev || inet->sk.bound_dev == key->ifindex);
}

/* With a reference; NULL: nobody has this identifier. */
static struct inet_sock *ping_lookup(u16 id, be32 daddr, u32 ifindex)
{
	struct ping_key key = { daddr, ifindex };

	if (!test_bit(id, ping_table.used))
		return NULL;
	return port_next_match(&ping_table, id, NULL, match, &key);
}

void ping_rcv(struct sk_buff *skb)
{
	const struct icmphdr *icmp = (const struct icmphdr *)skb->data;
	struct inet_sock *inet =
		ping_lookup(ntohs(icmp->echo.id), ip_hdr(skb)->daddr, skb->dev->index);

	if (!inet) {
		skb_put(skb);
		return;
	}
	skb_set_transport_header(skb);
	sock_queue_receive(&inet->sk, skb);
	sock_put(&inet->sk);
}

void ping_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
	const struct icmphdr *icmp = (const struct icmphdr *)skb->data;
	struct inet_sock *inet;

	if (skb_headlen(skb) < sizeof(*icmp) || icmp->type != ICMP_ECHO)
		return;
	inet = ping_lookup(ntohs(icmp->echo.id), ip->saddr, skb->dev->index);
	if (!inet)
		return;
	inet_icmp_error(inet, skb, ip, error, 0, 0);
	sock_put(&inet->sk);
}

/* ---- sending ---------------------------------------------------------------------------------------------- */

/* The identifier and the checksum are ours; that it is an echo request, the program has to say. */
static int send_echo(struct inet_sock *inet, struct sk_buff *skb)
{
	struct icmphdr *icmp = (struct icmphdr *)skb->data;

	if (icmp->type != ICMP_ECHO || icmp->code) {
		skb_put(skb);
		return -EINVAL;
	}
	icmp->echo.id = htons(inet->port);
	icmp->checksum = 0;
	icmp->checksum = checksum_fold(skb_checksum(skb, 0, skb->len, 0));
	skb_set_transport_header(skb);
	skb_charge_send(skb, &inet->sk);
	return ip_output(skb, &inet->flow);
}

/* Under user_lock. */
static int ping_send(struct inet_sock *inet, struct msg *msg, const struct inet_send *send,
		     u32 size)
{
	int error = inet_send_route(inet, send);
	struct sk_buff *skb;

	if (!error)
		error = inet_send_check_mtu(inet, size);
	if (error)
		return error;
	skb = inet_new_skb(msg, size);
	return IS_ERR(skb) ? PTR_ERR(skb) : send_echo(inet, skb);
}

static ssize_t ping_sendmsg(struct sock *sk, struct msg *msg)
{
	struct inet_sock *inet = inet_sk(sk);
	size_t size = msg->data->count;
	struct inet_send send;
	int error = inet_autobind(inet, &ping_table);

	if (error)
		return error;
	if (size > 0xffff)
		return -EMSGSIZE;
	if (size < sizeof(struct icmphdr))
		return -EINVAL;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	error = inet_send_prepare(inet, msg, &send, false);
	if (!error)
		error = sock_wait_for_send(sk, msg->flags);
	if (error)
		return error;
	mutex_lock(&sk->user_lock);
	error = ping_send(inet, msg, &send, size);
	mutex_unlock(&sk->user_lock);
	return error ?: (ssize_t)size;
}

/* ---- the rest --------------------------------------------------------------------------------------------- */

/* MSG_TRUNC does not make it tell the whole length, as on Linux. */
static ssize_t ping_recvmsg(struct sock *sk, struct msg *msg)
{
	msg->flags &= ~MSG_TRUNC;
	return raw_recvmsg(sk, msg);
}

static int ping_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length)
{
	return inet_bind(inet_sk(sk), addr, length, &ping_table);
}

static int ping_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length,
			u32 file_flags)
{
	return inet_datagram_connect(inet_sk(sk), addr, length, &ping_table);
}

static int ping_sock_init(struct sock *sk)
{
	inet_init(sk);
	return may_ping() ? 0 : -EACCES;
}

static void ping_close(struct sock *sk)
{
	inet_datagram_close(sk, &ping_table);
}

static struct sock_cache ping_cache;

const struct sock_ops ping_ops = {
	.name = "PING",
	.size = sizeof(struct inet_sock),
	.cache = &ping_cache,
	.init = ping_sock_init,
	.close = ping_close,
	.bind = ping_bind,
	.connect = ping_connect,
	.getname = inet_getname,
	.sendmsg = ping_sendmsg,
	.recvmsg = ping_recvmsg,
	.poll = inet_datagram_poll,
	.shutdown = inet_datagram_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.destroy = inet_destroy,
};

static void show_icmp(struct seq_buf *out, const struct proc_entry *entry)
{
	port_show(&ping_table, out, 5);
}

static const struct proc_entry net_files[] = {
	{ "icmp", 0444, .show = show_icmp },
};

static void show_group_range(struct seq_buf *out, const struct proc_entry *entry)
{
	u64 range = READ_ONCE(ping_group_range);

	seq_printf(out, "%u\t%u\n", (u32)range, (u32)(range >> 32));
}

static int write_group_range(char *text, const struct proc_entry *entry)
{
	u64 low, high;
	int error = inet_parse_pair(text, &low, &high);

	if (error)
		return error;
	if (low > INT32_MAX || high > INT32_MAX)
		return -EINVAL;
	/* Nobody, as Linux keeps it. */
	if (high < low) {
		low = 1;
		high = 0;
	}
	WRITE_ONCE(ping_group_range, high << 32 | low);
	return 0;
}

static const struct proc_entry ipv4_files[] = {
	{ "ping_group_range", 0644, .show = show_group_range, .write = write_group_range },
};

void ping_init(void)
{
	static struct port_bucket buckets[PING_BUCKETS];

	port_table_init(&ping_table, buckets, PING_BUCKETS);
	sock_register(&ping_ops);
	PROC_REGISTER("net", net_files);
	PROC_REGISTER("sys/net/ipv4", ipv4_files);
}
