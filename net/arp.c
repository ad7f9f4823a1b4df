/*
 * ARP: asking for MAC addresses, answering for ours, and believing as little as one can. An answer that nobody asked
 * for changes only what is known already; a question from a neighbour makes him known, since an answer to him follows.
 *
 * Step 6. Context: softirq; requests from process context too. No locks of its own but log_lock's few words.
 */
#include <net/arp.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <net/ip.h>
#include <net/neigh.h>
#include <net/route.h>

#define LOG_EVERY (10 * NSEC_PER_SEC)

static const u8 everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const u8 nobody[ETH_ALEN];

static void arp_send(struct netdev *dev, u16 operation, const u8 dest[ETH_ALEN],
		     const u8 target_mac[ETH_ALEN], be32 sender, be32 target)
{
	struct sk_buff *skb;
	struct arphdr *arp;

	if (dev->flags & (IFF_NOARP | IFF_LOOPBACK))
		return;
	skb = skb_alloc(MAX_HEADER, GFP_ATOMIC);
	if (!skb)
		return;
	skb_set_network_header(skb);
	arp = skb_append(skb, sizeof(*arp));
	*arp = (struct arphdr){
		.hardware = htons(ARPHRD_ETHER),
		.protocol = htons(ETH_P_IP),
		.hardware_length = ETH_ALEN,
		.protocol_length = sizeof(be32),
		.operation = htons(operation),
		.sender = sender,
		.target = target,
	};
	memcpy(arp->sender_mac, dev->mac, ETH_ALEN);
	memcpy(arp->target_mac, target_mac, ETH_ALEN);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_ARP);
	eth_header(skb, dest, ETH_P_ARP);
	dev_queue_xmit(skb);
}

void arp_request(struct netdev *dev, be32 target, const u8 mac[ETH_ALEN])
{
	arp_send(dev, ARPOP_REQUEST, mac ?: everybody, nobody, route_source(dev), target);
}

void arp_announce(struct netdev *dev)
{
	if (dev->address)
		arp_send(dev, ARPOP_REQUEST, everybody, nobody, dev->address, dev->address);
}

/* Rate-limited without a lock: two CPUs at the same moment log twice. */
static void complain_of_conflict(const struct netdev *dev, const struct arphdr *arp)
{
	static u64 last;
	u64 now = clock_ns();
	be32 address = arp->sender;

	if (last && now - READ_ONCE(last) < LOG_EVERY)
		return;
	WRITE_ONCE(last, now);
	pr_warn("%s: %pM has our address %pI4\n", dev->name, arp->sender_mac, &address);
}

static bool is_unicast_mac(const u8 mac[ETH_ALEN])
{
	return !(mac[0] & 1) && memcmp(mac, nobody, ETH_ALEN);
}

static bool header_ok(const struct arphdr *arp)
{
	return arp->hardware == htons(ARPHRD_ETHER) && arp->protocol == htons(ETH_P_IP) &&
	       arp->hardware_length == ETH_ALEN && arp->protocol_length == sizeof(be32) &&
	       is_unicast_mac(arp->sender_mac);
}

/* May the sender be a neighbour? 0: he looks whether an address is free (RFC 5227). */
static bool sender_ok(be32 sender)
{
	return sender && ip_address_type(sender) == ROUTE_UNICAST;
}

/* Unasked ones are STALE; they and late second answers must not push out a MAC that has just been learnt. */
static void learn(struct netdev *dev, const struct arphdr *arp, bool asked, bool to_us)
{
	bool gratuitous = arp->sender == arp->target;

	neigh_learn(arp->sender, dev, arp->sender_mac, asked ? NUD_REACHABLE : NUD_STALE, to_us,
		    to_us || gratuitous || !neigh_locked(arp->sender, dev));
}

static void process(struct netdev *dev, const struct arphdr *arp, bool to_host)
{
	bool request = arp->operation == htons(ARPOP_REQUEST);
	bool to_us = request && !ip_is_loopback(arp->target) &&
		     ip_address_type(arp->target) == ROUTE_LOCAL;

	if (ip_is_loopback(arp->sender)) /* nobody's on a wire, so no conflict either */
		return;
	if (arp->sender && ip_address_type(arp->sender) == ROUTE_LOCAL) {
		if (memcmp(arp->sender_mac, dev->mac, ETH_ALEN))
			complain_of_conflict(dev, arp);
		return;
	}
	if (sender_ok(arp->sender))
		learn(dev, arp, !request && to_host, to_us);
	else if (arp->sender)
		return;
	if (to_us)
		arp_send(dev, ARPOP_REPLY, arp->sender_mac, arp->sender_mac, arp->target,
			 arp->sender);
}

void arp_rcv(struct sk_buff *skb)
{
	const struct arphdr *arp;

	if (skb->pkt_type == PACKET_OTHERHOST || skb->dev->flags & (IFF_NOARP | IFF_LOOPBACK) ||
	    !skb_may_pull(skb, sizeof(*arp)))
		goto out;
	arp = (const struct arphdr *)skb->data;
	if (header_ok(arp) &&
	    (arp->operation == htons(ARPOP_REQUEST) || arp->operation == htons(ARPOP_REPLY)))
		process(skb->dev, arp, skb->pkt_type == PACKET_HOST);
out:
	skb_put(skb);
}
