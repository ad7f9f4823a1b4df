/*
 * UDP, receiving: the datagram's ports and addresses lead to a socket, and it goes on that socket's queue.
 * Steps 6, 7 and 8 of the journey.
 *
 * Who gets a datagram is the socket that knows most about it: bound to its destination, connected to its source,
 * bound to the device it came by. Of several that know the same the newest, or, if they agreed to share the port
 * (SO_REUSEPORT), the one that a hash of addresses and ports chooses: so a peer stays with one of them. What was
 * sent to many (broadcast, multicast) is given to each that matches.
 *
 * Context: softirq. Locks: port_bucket.lock for the lookup; then, without it, the socket's own.
 */
#include <net/udp.h>

#include <kernel/lib/hash.h>
#include <kernel/random.h>
#include <kernel/trace.h>
#include <net/snmp.h>

struct port_table udp_table = { .conflict = port_conflict_datagram, .privileged = true };

/* ---- step 7 ---------------------------------------------------------------------------------------------- */

/* What a datagram says of itself, seen from the receiver. */
struct udp_key {
	be32 saddr, daddr;
	be16 sport, dport;
	u32 ifindex;
};

/* How much a socket knows: the local address outweighs the rest together. */
enum { NO_MATCH = 0, MATCH_PORT = 1, MATCH_DEVICE = 2, MATCH_PEER = 4, MATCH_ADDRESS = 16 };

static inline u32 match_score(const struct inet_sock *inet, const struct udp_key *key)
{
	u32 score = MATCH_PORT;

	if (inet->port != ntohs(key->dport))
		return NO_MATCH;
	if (inet->rcv_saddr) {
		if (inet->rcv_saddr != key->daddr)
			return NO_MATCH;
		score += MATCH_ADDRESS;
	}
	if (inet->daddr) {
		if (inet->daddr != key->saddr || inet->dport != key->sport)
			return NO_MATCH;
		score += MATCH_PEER;
	}
	if (inet->sk.bound_dev) {
		if (inet->sk.bound_dev != key->ifindex)
			return NO_MATCH;
		score += MATCH_DEVICE;
	}
	return score;
}

/* A stranger must not be able to choose which socket he reaches. */
static u32 hash_key(const struct udp_key *key)
{
	static struct siphash_key secret;
	const struct {
		be32 saddr, daddr;
		be16 sport, dport;
	} flow = { key->saddr, key->daddr, key->sport, key->dport };

	if (unlikely(!secret.word[0]))
		random_fill(&secret, sizeof(secret));
	return (u32)siphash(&flow, sizeof(flow), &secret);
}

static bool shares_port(const struct inet_sock *inet)
{
	return inet->sk.options & SK_REUSEPORT && !inet->daddr;
}

/* Of those that match as well as `best`, one of the `count` that share. */
static noinline struct inet_sock *choose_sharer(struct port_bucket *bucket,
						const struct udp_key *key, struct inet_sock *best,
						u32 best_score, u32 count)
{
	u32 chosen = (u64)hash_key(key) * count >> 32;
	struct inet_sock *inet;

	hlist_for_each_entry(inet, &bucket->socks, port_node)
		if (match_score(inet, key) == best_score && shares_port(inet) && chosen-- == 0)
			return inet;
	return best;
}

/* With a reference; NULL: nobody. */
static __always_inline struct inet_sock *udp_lookup(const struct udp_key *key)
{
	struct port_bucket *bucket = port_bucket(&udp_table, ntohs(key->dport));
	struct inet_sock *inet, *best = NULL;
	u32 best_score = NO_MATCH, sharers = 0;

	spin_lock(&bucket->lock);
	hlist_for_each_entry(inet, &bucket->socks, port_node) {
		u32 score = match_score(inet, key);

		if (score > best_score) {
			best = inet;
			best_score = score;
			sharers = 0;
		}
		sharers += score && score == best_score && shares_port(inet);
	}
	if (unlikely(sharers > 1) && shares_port(best))
		best = choose_sharer(bucket, key, best, best_score, sharers);
	if (best)
		sock_get(&best->sk);
	spin_unlock(&bucket->lock);
	return best;
}

/* ---- step 8 ---------------------------------------------------------------------------------------------- */

/* data at the UDP header. Takes the reference. */
static inline void udp_queue(struct inet_sock *inet, struct sk_buff *skb)
{
	if (unlikely(ip_hdr(skb)->ttl < inet->min_ttl)) {
		skb_put(skb);
		return;
	}
	skb_pull(skb, sizeof(struct udphdr));
	if (unlikely(!sock_queue_receive(&inet->sk, skb))) {
		snmp_inc(UDP_RcvbufErrors);
		snmp_inc(UDP_InErrors);
	}
}

/* A datagram to a group is for who joined it, and, unless IP_MULTICAST_ALL is off, for everybody bound to it. */
static bool hears_group(const struct inet_sock *inet, const struct udp_key *key)
{
	const struct inet_extra *extra = __atomic_load_n(&inet->extra, __ATOMIC_ACQUIRE);
	u32 count = extra ? __atomic_load_n(&extra->nr_memberships, __ATOMIC_ACQUIRE) : 0;

	if (!ip_is_multicast(key->daddr) || READ_ONCE(inet->flags) & INET_MULTICAST_ALL)
		return true;
	for (u32 i = 0; i < count; i++)
		if (extra->memberships[i].group == key->daddr &&
		    extra->memberships[i].ifindex == key->ifindex)
			return true;
	return false;
}

static bool match_for_all(const struct inet_sock *inet, const void *packet)
{
	return match_score(inet, packet) != NO_MATCH && hears_group(inet, packet);
}

/* Each gets its own copy, the last the original. Takes the reference. */
static void deliver_to_all(struct sk_buff *skb, const struct udp_key *key)
{
	u16 port = ntohs(key->dport);
	struct inet_sock *inet = port_next_match(&udp_table, port, NULL, match_for_all, key);
	struct sk_buff *copy;

	if (!inet)
		snmp_inc(UDP_IgnoredMulti);
	while (inet) {
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy)
			udp_queue(inet, copy);
		inet = port_next_match(&udp_table, port, inet, match_for_all, key);
	}
	skb_put(skb);
}

/* ---- step 6 ---------------------------------------------------------------------------------------------- */

/* The length that the header claims, the rest being padding; 0: nonsense. */
static u32 check_length(struct sk_buff *skb)
{
	const struct udphdr *uh;
	u32 length;

	if (!skb_may_pull(skb, sizeof(*uh)))
		return 0;
	uh = (const struct udphdr *)skb->data;
	length = ntohs(uh->length);
	if (length < sizeof(*uh) || length > skb->len)
		return 0;
	if (length < skb->len)
		skb_trim(skb, length);
	return length;
}

static bool checksum_ok(const struct sk_buff *skb, const struct iphdr *ip, u32 length)
{
	const struct udphdr *uh = (const struct udphdr *)skb->data;

	if (skb->ip_summed == CHECKSUM_UNNECESSARY || !uh->checksum)
		return true;
	return checksum_fold(skb_checksum(skb, 0, length,
					  checksum_pseudo(ip->saddr, ip->daddr, IPPROTO_UDP,
							  length))) == 0;
}

static void no_port(struct sk_buff *skb)
{
	snmp_inc(UDP_NoPorts);
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	trace(SKB_DROP, skb, no_port);
	skb_put(skb);
}

static void drop_bad(struct sk_buff *skb)
{
	snmp_inc(UDP_InErrors);
	trace(SKB_DROP, skb, drop_bad);
	skb_put(skb);
}

static void udp_rcv(struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	u32 length = check_length(skb);
	const struct udphdr *uh = (const struct udphdr *)skb->data;
	struct inet_sock *inet;
	struct udp_key key;

	if (unlikely(!length)) {
		drop_bad(skb);
		return;
	}
	skb_set_transport_header(skb);
	if (unlikely(!checksum_ok(skb, ip, length))) {
		snmp_inc(UDP_InCsumErrors);
		drop_bad(skb);
		return;
	}
	key = (struct udp_key){ ip->saddr, ip->daddr, uh->source, uh->dest, skb->dev->index };
	trace(UDP_RCV, skb, ntohs(key.sport), ntohs(key.dport), length);
	/* A frame for everybody may hold a packet for one. */
	if (unlikely(skb->pkt_type != PACKET_HOST) && ip_address_type(key.daddr) != ROUTE_LOCAL) {
		deliver_to_all(skb, &key);
		return;
	}
	inet = udp_lookup(&key);
	trace(SOCK_LOOKUP, skb, inet ? inet->sk.ino : 0, ntohs(key.dport));
	if (unlikely(!inet)) {
		no_port(skb);
		return;
	}
	udp_queue(inet, skb);
	sock_put(&inet->sk);
}

/* What came back is about a datagram that we sent: source and destination are the other way round. */
static void udp_error(struct sk_buff *skb, const struct iphdr *ip, const struct icmp_error *error)
{
	const struct udphdr *uh = (const struct udphdr *)skb->data;
	struct inet_sock *inet;
	struct udp_key key;

	if (skb_headlen(skb) < sizeof(*uh))
		return;
	key = (struct udp_key){ ip->daddr, ip->saddr, uh->dest, uh->source, skb->dev->index };
	inet = udp_lookup(&key);
	if (!inet) {
		snmp_inc(ICMP_InErrors);
		return;
	}
	inet_icmp_error(inet, skb, ip, error, sizeof(*uh), uh->dest);
	sock_put(&inet->sk);
}

const struct ip_protocol udp_protocol = { .rcv = udp_rcv, .error = udp_error };
