/*
 * Where packets go: the routing table, and what addresses mean to this machine. ip_route() in net/ip.h asks it.
 *
 * Routes to a device's own network come and go with its address: route_device_update().
 */
#pragma once

#include <net/netdev.h>

/* As SIOCADDRT and /proc/net/route have them. */
#define RTF_UP	    0x0001
#define RTF_GATEWAY 0x0002
#define RTF_HOST    0x0004
#define RTF_REJECT  0x0200

#define MAX_ROUTES 256

struct route_entry {
	be32 dest, mask;
	be32 gateway; /* 0: on the link */
	struct netdev *dev;
	u32 metric;
	u32 flags; /* RTF_* */
	u32 mtu;   /* 0: the device's */
};

/* To an equal destination and metric, the newest goes first. dev NULL: found by the gateway. 0; -EINVAL: mask with
 * holes, or dest beyond it; -ENETUNREACH: the gateway is not on a link; -ENETDOWN, -ENODEV; -EEXIST: just this one is
 * there; -ENOBUFS: too many; -ENOMEM. Process context. */
int route_add(const struct route_entry *entry);
/* The first one to this destination, with this gateway, device and metric where they are not 0. 0 or -ESRCH. */
int route_delete(const struct route_entry *entry);
/* All of them, in the order of /proc/net/route; the caller's, by kfree(). NULL: no memory. */
struct route_entry *route_list(u32 *count);

/* The device's address, netmask, MAC or flags are other ones now: its routes go; if it is up and has an address, the
 * one to its network comes, and the link is told (gratuitous ARP). 0 or -ENOMEM. Process context. */
int route_device_update(struct netdev *dev);

/* From now on all dsts are looked up anew; or what the CPUs remember about this address. Any context but hard IRQ. */
void route_changed(void);
void route_forget(be32 daddr);

/* A good source address for packets that leave by `dev`; 0: there is none. */
be32 route_source(const struct netdev *dev);
/* The device whose link has this address on it, or NULL. */
struct netdev *route_link(be32 addr);
