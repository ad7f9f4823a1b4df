/* ICMP, as the rest of IP uses it; icmp_send() and the types are in net/ip.h. */
#pragma once

#include <net/ip.h>
#include <net/sockaddr.h>

struct icmphdr {
	u8 type, code;
	u16 checksum;
	union {
		struct {
			be16 id, sequence;
		} echo;
		be32 gateway;
		struct {
			u16 unused;
			be16 mtu;
		} frag;
		u8 pointer;
		be32 rest;
	};
};
static_assert(sizeof(struct icmphdr) == 8, "RFC 792");

#define ICMP_FRAG_TIME_EXCEEDED 1 /* code of ICMP_TIME_EXCEEDED */

/* A packet of our own, data at its IP header, could not be sent: tell its protocol as if a router had. Does not take
 * the reference. */
void icmp_local_error(struct sk_buff *skb, u8 type, u8 code);

/* May an error of this type go to this address now? Counts against both limits. net/icmp_rate.c. */
bool icmp_rate_allows(be32 daddr, u8 type, u8 code, const struct netdev *dev);

/* /proc/sys/net/ipv4 */
extern u32 icmp_echo_ignore_all, icmp_echo_ignore_broadcasts;
extern u32 icmp_ratelimit;    /* ms between errors of one kind to one address */
extern u32 icmp_ratemask;     /* of types that are limited */
extern u32 icmp_msgs_per_sec; /* in all */
extern u32 icmp_msgs_burst;

void icmp_rate_init(void);
