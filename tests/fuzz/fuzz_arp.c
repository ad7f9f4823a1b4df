/* ARP packets, most of them with the right beginning; between them we send something. */
#include <tests/fuzz/fuzz.h>

#include <string.h>

#include <kernel/cpu/tsc.h>
#include <net/arp.h>
#include <net/icmp.h>
#include <net/neigh.h>

#define MAX_SIZE 64

static void receive(struct input *input, u8 how)
{
	static const u8 start[] = { 0, 1, 8, 0, 6, 4, 0 };
	u8 packet[MAX_SIZE] = { 0 };
	const u8 *bytes;
	u32 size = take_bytes(input, how & 4 ? how >> 4 : sizeof(struct arphdr), &bytes);

	memcpy(packet, bytes, size);
	if (how & 8)
		memcpy(packet, start, sizeof(start));
	fuzz_receive(ETH_P_ARP, packet, size, how & 1, how & 2);
}

/* Somebody who may be known, or asked for now. */
static void send_to(be32 addr)
{
	struct neigh *neigh = neigh_get(addr, &shim_eth);
	struct sk_buff *skb = skb_alloc(MAX_HEADER, GFP_ATOMIC);

	if (neigh && skb) {
		struct iphdr *ip = skb_append(skb, sizeof(*ip));

		*ip = (struct iphdr){ .version_ihl = 0x45, .saddr = SHIM_OUR, .daddr = addr };
		skb_set_network_header(skb);
		skb->dev = &shim_eth;
		neigh_output(neigh, skb);
	} else if (skb) {
		skb_put(skb);
	}
	if (neigh)
		neigh_put(neigh);
}

void fuzz_one(struct input *input)
{
	while (input_left(input)) {
		u8 how = take_u8(input);

		if (how == 0xff)
			send_to(IP4(10, 0, 2, take_u8(input)));
		else if (how == 0xfe)
			net_shim_advance(take_u8(input) * (NSEC_PER_SEC / 4));
		else
			receive(input, how);
	}
}
