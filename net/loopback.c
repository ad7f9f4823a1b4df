/*
 * lo: what is sent comes back on the same CPU, a softirq later. The buffer itself comes back, pages and all; if
 * the sender keeps a reference (TCP, until it is acknowledged), a copy of its headers with the same pages does.
 *
 * Context: softirq and process, under lo's tx_lock.
 */
#include <net/netdev.h>

#include <kernel/cpu/tsc.h>

#define LOOPBACK_MTU 65536

struct netdev *loopback_dev;

/* What was charged to the sender is not the receiver's debt. */
static struct sk_buff *detach(struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (skb_shared(skb)) {
		copy = skb_clone(skb, GFP_ATOMIC);
		skb_put(skb);
		return copy;
	}
	if (skb->destructor) {
		skb->destructor(skb);
		skb->destructor = NULL;
		skb->sk = NULL;
	}
	return skb;
}

static bool loopback_xmit(struct netdev *dev, struct sk_buff *skb)
{
	u32 packets = skb->gso_segs ?: 1;

	skb = detach(skb);
	if (!skb) {
		dev->counts.rx_dropped += packets;
		return true;
	}
	dev->counts.rx_packets += packets;
	dev->counts.rx_bytes += skb->len;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->gso_size = 0;
	skb->gso_segs = 0;
	skb->tstamp = clock_ns();
	netif_rx(skb);
	return true;
}

static const struct netdev_ops loopback_ops = {
	.xmit = loopback_xmit,
};

void loopback_init(void)
{
	static struct netdev lo = {
		.ops = &loopback_ops,
		.name = "lo",
		.features = NETDEV_ETHERNET_ALL | NETDEV_PARTS,
		.mtu = LOOPBACK_MTU,
		.type = ARPHRD_LOOPBACK,
		.flags = IFF_LOOPBACK,
		.carrier = true,
	};

	netdev_register(&lo);
	loopback_dev = &lo;
}
