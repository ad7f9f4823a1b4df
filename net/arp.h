/* ARP (RFC 826): who has this address? arp_rcv() is declared in net/netdev.h. */
#pragma once

#include <net/netdev.h>

struct arphdr {
	be16 hardware, protocol;
	u8 hardware_length, protocol_length;
	be16 operation;
	/* for Ethernet and IPv4 */
	u8 sender_mac[ETH_ALEN];
	be32 sender;
	u8 target_mac[ETH_ALEN];
	be32 target;
} __packed;

#define ARPOP_REQUEST 1
#define ARPOP_REPLY   2

/* Ask for an address; `mac` NULL: everybody. */
void arp_request(struct netdev *dev, be32 target, const u8 mac[ETH_ALEN]);
/* Tell the link our address (gratuitous ARP): who has an old MAC for it drops that, who has the same address notices. */
void arp_announce(struct netdev *dev);
