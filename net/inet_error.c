/*
 * Errors that come back about what a socket sent: an errno for its next call, and, for those that ask by IP_RECVERR,
 * the whole story in a queue that recvmsg(MSG_ERRQUEUE) reads.
 *
 * Context: softirq (ICMP) and process. Lock: sk.lock.
 */
#include <net/inet.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet_option.h>

/* In the cb of a buffer on the error queue. */
struct queued_error {
	struct recverr report;
	be32 daddr; /* where the packet went that it is about */
	be16 dport;
};
static_assert(sizeof(struct queued_error) <= sizeof(((struct sk_buff *)NULL)->cb), "it fits");

static inline struct queued_error *queued_error(struct sk_buff *skb)
{
	return (struct queued_error *)skb->cb;
}

/* Takes the reference. Errors count as received data, so their number is limited as well. */
static void queue_error(struct inet_sock *inet, struct sk_buff *skb)
{
	struct sock *sk = &inet->sk;

	if (!skb_charge_receive(skb, sk)) {
		skb_put(skb);
		return;
	}
	spin_lock_bh(&sk->lock);
	skb_queue_tail(&inet->extra->errors, skb);
	spin_unlock_bh(&sk->lock);
	wake_up_poll(&sk->wq, EPOLLERR);
}

static bool wants_errors(const struct inet_sock *inet)
{
	return READ_ONCE(inet->flags) & INET_RECVERR;
}

void inet_queue_icmp_error(struct inet_sock *inet, struct sk_buff *packet, const struct iphdr *ip,
			   const struct icmp_error *error, u32 header, be16 port)
{
	struct sk_buff *skb = wants_errors(inet) ? skb_clone(packet, GFP_ATOMIC) : NULL;
	struct queued_error *queued;

	if (!skb)
		return;
	skb_eat(skb, min(header, skb->len));
	queued = queued_error(skb);
	*queued = (struct queued_error){
		.report = { .error = error->error,
			    .origin = ERROR_ICMP,
			    .type = error->type,
			    .code = error->code,
			    .info = error->info },
		.daddr = ip->daddr,
		.dport = port,
	};
	/* The packet's outer header: whose ICMP message it was. */
	inet_fill_sockaddr(&queued->report.offender, ip_hdr(packet)->saddr, 0);
	queue_error(inet, skb);
}

/* The sender may be looking at its route right now: it sees a generation that was never one, now or the next time. */
static void learn_mtu(struct inet_sock *inet, be32 daddr, u32 mtu)
{
	if (READ_ONCE(inet->pmtudisc) >= IP_PMTUDISC_INTERFACE)
		return;
	ip_update_pmtu(daddr, mtu);
	if (READ_ONCE(inet->flow.daddr) == daddr)
		WRITE_ONCE(inet->flow.dst.generation, 0);
}

void inet_icmp_error(struct inet_sock *inet, struct sk_buff *packet, const struct iphdr *ip,
		     const struct icmp_error *error, u32 header, be16 port)
{
	bool fatal = error->fatal;

	/* Routers in the way know a smaller MTU. Whoever forbade to cut is told. */
	if (error->type == ICMP_DEST_UNREACH && error->code == ICMP_FRAG_NEEDED) {
		learn_mtu(inet, ip->daddr, error->info);
		if (inet->pmtudisc == IP_PMTUDISC_DONT)
			return;
		fatal = true;
	}
	if (!wants_errors(inet) && (!fatal || !inet->daddr))
		return;
	inet_queue_icmp_error(inet, packet, ip, error, header, port);
	sock_set_error(&inet->sk, error->error);
}

void inet_local_error(struct inet_sock *inet, int error, be32 daddr, be16 port, u32 mtu)
{
	struct sk_buff *skb;

	if (!wants_errors(inet))
		return;
	skb = skb_alloc(MAX_HEADER, GFP_KERNEL);
	if (!skb)
		return;
	*queued_error(skb) = (struct queued_error){
		.report = { .error = error, .origin = ERROR_LOCAL, .info = mtu },
		.daddr = daddr,
		.dport = port,
	};
	queue_error(inet, skb);
}

bool inet_has_errors(const struct inet_sock *inet)
{
	const struct inet_extra *extra = __atomic_load_n(&inet->extra, __ATOMIC_ACQUIRE);

	return extra && !skb_queue_empty(&extra->errors);
}

static struct sk_buff *take_error(struct inet_sock *inet)
{
	struct sk_buff *skb = NULL;

	spin_lock_bh(&inet->sk.lock);
	if (inet->extra)
		skb = skb_dequeue(&inet->extra->errors);
	spin_unlock_bh(&inet->sk.lock);
	return skb;
}

void inet_purge_errors(struct inet_sock *inet)
{
	struct sk_buff *skb;

	while ((skb = take_error(inet)))
		skb_put(skb);
}

/* SO_ERROR follows the queue: what has been read here is not reported again, what comes next is. */
static void update_error(struct inet_sock *inet)
{
	struct sock *sk = &inet->sk;
	struct sk_buff *next;

	spin_lock_bh(&sk->lock);
	next = skb_peek(&inet->extra->errors);
	sk->error = next && queued_error(next)->report.origin == ERROR_ICMP
			    ? (s32)queued_error(next)->report.error
			    : 0;
	spin_unlock_bh(&sk->lock);
}

ssize_t inet_receive_error(struct inet_sock *inet, struct msg *msg)
{
	struct sk_buff *skb = take_error(inet);
	struct queued_error *queued;
	size_t size, copied;

	if (!skb)
		return -EAGAIN;
	update_error(inet);
	queued = queued_error(skb);
	size = min_t(size_t, skb->len, msg->data->count);
	if (size < skb->len)
		msg->out_flags |= MSG_TRUNC;
	copied = skb_copy_to_iter(skb, 0, msg->data, size);
	if (copied == size) {
		if (msg->name_wanted) {
			inet_fill_sockaddr(&msg->name.in, queued->daddr, queued->dport);
			msg->name_length = sizeof(msg->name.in);
		}
		put_cmsg(msg, SOL_IP, IP_RECVERR, &queued->report, sizeof(queued->report));
		msg->out_flags |= MSG_ERRQUEUE;
	}
	skb_put(skb);
	return copied == size ? (ssize_t)copied : -EFAULT;
}
