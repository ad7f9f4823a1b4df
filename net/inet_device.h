/* A network device's IPv4 side: its address, and the ioctls by which ifconfig, route and arp work. */
#pragma once

#include <net/netdev.h>

struct sock;

/* Address 0: none. Takes netdev_lock, and tells the routing table. 0 or -ENOMEM. Process context. */
int inet_device_set(struct netdev *dev, be32 address, be32 netmask, be32 broadcast);
/* The mask that an address had before there were masks: by its class. 0: none. */
be32 inet_class_mask(be32 address);
/* Ones, then zeros? */
bool inet_mask_valid(be32 mask);

/* sock_family.ioctl. -ENOTTY: none of these. */
long inet_ioctl(struct sock *sk, u32 command, u64 arg);
/* Its two further tables: SIOCADDRT, SIOCDELRT; SIOCSARP, SIOCGARP, SIOCDARP. */
long inet_route_ioctl(u32 command, u64 arg);
long inet_arp_ioctl(u32 command, u64 arg);
