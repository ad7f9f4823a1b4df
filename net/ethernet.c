/*
 * Ethernet: which protocol a received frame belongs to, and the header of one that is sent. Step 6.
 *
 * Context: softirq; eth_header() in process context too. No locks.
 */
#include <net/link.h>

#include <kernel/lib/string.h>
#include <kernel/trace.h>
#include <net/tcp_coalesce.h>

static const struct ether_type {
	be16 type;
	void (*rcv)(struct sk_buff *skb);
} ether_types[] = {
	{ htons(ETH_P_IP), ip_rcv },
	{ htons(ETH_P_ARP), arp_rcv },
};

static enum skb_pkt_type classify(const struct netdev *dev, const u8 dest[ETH_ALEN])
{
	static const u8 broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (likely(memcmp(dest, dev->mac, ETH_ALEN) == 0))
		return PACKET_HOST;
	if (!(dest[0] & 1))
		return PACKET_OTHERHOST;
	return memcmp(dest, broadcast, ETH_ALEN) == 0 ? PACKET_BROADCAST : PACKET_MULTICAST;
}

static noinline void deliver(struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	const struct ether_type *type;
	struct netdev *dev = skb->dev;

	skb_set_mac_header(skb);
	skb->pkt_type = classify(dev, eth->dest);
	skb->protocol = eth->protocol;
	skb_pull(skb, ETH_HLEN);
	skb_set_network_header(skb);
	for (type = ether_types; type != ether_types + ARRAY_SIZE(ether_types); type++) {
		if (skb->protocol == type->type) {
			type->rcv(skb);
			return;
		}
	}
	dev->counts.rx_dropped++;
	trace(SKB_DROP, skb, netif_deliver_skb);
	skb_put(skb);
}

void netif_deliver_skb(struct sk_buff *skb)
{
	if (!tcp_coalesce(skb))
		deliver(skb);
}

void netif_receive_skb(struct sk_buff *skb)
{
	if (unlikely(skb->dev->wrapped))
		link_rx(skb);
	else
		netif_deliver_skb(skb);
}

void eth_header(struct sk_buff *skb, const u8 dest[ETH_ALEN], u16 protocol)
{
	struct ethhdr *eth = skb_push(skb, ETH_HLEN);

	memcpy(eth->dest, dest, ETH_ALEN);
	memcpy(eth->source, skb->dev->mac, ETH_ALEN);
	eth->protocol = htons(protocol);
	skb->protocol = eth->protocol;
	skb_set_mac_header(skb);
}
