/* The smallest MTU on the way to an address, where ICMP has told (RFC 1191): net/pmtu.c. ip_update_pmtu() in net/ip.h
 * adds to it. */
#pragma once

#include <net/byteorder.h>

#define PMTU_MIN 552 /* below that, an error is not believed, as on Linux */

/* 0: nothing known but the device's own. */
u32 pmtu_lookup(be32 daddr);
void pmtu_init(void);

extern u32 pmtu_expires_s; /* /proc/sys/net/ipv4/route/mtu_expires */
