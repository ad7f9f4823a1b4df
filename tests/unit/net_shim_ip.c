/* See net_shim.h: a machine with an address, a link and a gateway. */
#include "net_shim.h"

#include <string.h>

#include <kernel/mm/slab.h>
#include <net/ip.h>
#include <net/neigh.h>
#include <net/route.h>

const u8 shim_peer_mac[ETH_ALEN] = { 0x52, 0x55, 0x0a, 0x00, 0x02, 0x02 };

static void forget_routes(void)
{
	u32 count;
	struct route_entry *list = route_list(&count);

	for (u32 i = 0; i < count; i++)
		route_delete(&list[i]);
	kfree(list);
}

void net_shim_ip_boot(void)
{
	static bool booted;

	net_shim_dev_boot();
	if (!booted)
		ip_init();
	booted = true;
	forget_routes();
	shim_eth.address = SHIM_OUR;
	shim_eth.netmask = IP4(255, 255, 255, 0);
	shim_eth.broadcast = IP4(10, 0, 2, 255);
	shim_eth.flags |= IFF_UP;
	shim_lo.address = IP4(127, 0, 0, 1);
	shim_lo.netmask = IP4(255, 0, 0, 0);
	route_device_update(&shim_lo);
	route_device_update(&shim_eth);
	neigh_set(SHIM_PEER, &shim_eth, shim_peer_mac, true);
	route_add(&(struct route_entry){ .gateway = SHIM_PEER });
	net_shim_advance(3600ULL * 1000000000);
	net_shim_drop_sent();
}

void net_shim_receive(struct sk_buff *skb)
{
	static const u8 broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	skb_set_mac_header(skb);
	skb->pkt_type = !memcmp(eth->dest, skb->dev->mac, ETH_ALEN) ? PACKET_HOST
			: !memcmp(eth->dest, broadcast, ETH_ALEN)   ? PACKET_BROADCAST
			: eth->dest[0] & 1			    ? PACKET_MULTICAST
								    : PACKET_OTHERHOST;
	skb->protocol = eth->protocol;
	skb_pull(skb, ETH_HLEN);
	skb_set_network_header(skb);
	if (skb->protocol == htons(ETH_P_ARP))
		arp_rcv(skb);
	else
		ip_rcv(skb);
}
