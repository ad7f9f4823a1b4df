/*
 * Addresses of devices, and the ioctls of AF_INET sockets.
 *
 * Context: process. Lock: netdev_lock, around changes.
 */
#include <net/inet_device.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet.h>
#include <net/inet_option.h>
#include <net/netdev_ioctl.h>
#include <net/route.h>

bool inet_mask_valid(be32 mask)
{
	u32 holes = ~ntohl(mask);

	return !(holes & (holes + 1));
}

be32 inet_class_mask(be32 address)
{
	u32 top = ntohl(address) >> 28;

	return htonl(!address ? 0 : top < 8 ? 0xff000000 : top < 12 ? 0xffff0000 : 0xffffff00);
}

int inet_device_set(struct netdev *dev, be32 address, be32 netmask, be32 broadcast)
{
	mutex_lock(&netdev_lock);
	WRITE_ONCE(dev->netmask, netmask);
	WRITE_ONCE(dev->broadcast, broadcast);
	WRITE_ONCE(dev->address, address);
	mutex_unlock(&netdev_lock);
	return route_device_update(dev);
}

/* Of a network of two or one, nobody is left to hear a broadcast. */
static be32 broadcast_of(const struct netdev *dev, be32 address, be32 netmask)
{
	bool small = ~ntohl(netmask) <= 1;

	return dev->flags & IFF_BROADCAST && !small ? address | ~netmask : 0;
}

/* ---- addresses -------------------------------------------------------------------------------------------- */

static int put_address(struct ifreq *ifr, be32 address)
{
	inet_fill_sockaddr(&ifr->addr, address, 0);
	return 0;
}

static int get_addr(struct netdev *dev, struct ifreq *ifr)
{
	return dev->address ? put_address(ifr, dev->address) : -EADDRNOTAVAIL;
}

static int get_netmask(struct netdev *dev, struct ifreq *ifr)
{
	return dev->address ? put_address(ifr, dev->netmask) : -EADDRNOTAVAIL;
}

static int get_broadcast(struct netdev *dev, struct ifreq *ifr)
{
	return dev->address ? put_address(ifr, dev->broadcast) : -EADDRNOTAVAIL;
}

static int set_addr(struct netdev *dev, struct ifreq *ifr)
{
	be32 address = ifr->addr.addr, netmask = inet_class_mask(address);

	if (ip_is_multicast(address) || ntohl(address) >= 0xf0000000)
		return -EINVAL;
	return inet_device_set(dev, address, netmask, broadcast_of(dev, address, netmask));
}

/* A broadcast address that followed from the old mask follows the new one. */
static int set_netmask(struct netdev *dev, struct ifreq *ifr)
{
	be32 netmask = ifr->addr.addr, broadcast = dev->broadcast;

	if (!dev->address)
		return -EADDRNOTAVAIL;
	if (!inet_mask_valid(netmask))
		return -EINVAL;
	if (broadcast == broadcast_of(dev, dev->address, dev->netmask))
		broadcast = broadcast_of(dev, dev->address, netmask);
	return inet_device_set(dev, dev->address, netmask, broadcast);
}

static int set_broadcast(struct netdev *dev, struct ifreq *ifr)
{
	if (!dev->address)
		return -EADDRNOTAVAIL;
	return inet_device_set(dev, dev->address, dev->netmask, ifr->addr.addr);
}

static const struct netdev_command commands[] = {
	{ SIOCGIFADDR, false, get_addr, OF_ADDRESS },
	{ SIOCSIFADDR, true, set_addr, OF_ADDRESS },
	{ SIOCGIFDSTADDR, false, get_addr, OF_ADDRESS },
	{ SIOCGIFBRDADDR, false, get_broadcast, OF_ADDRESS },
	{ SIOCSIFBRDADDR, true, set_broadcast, OF_ADDRESS },
	{ SIOCGIFNETMASK, false, get_netmask, OF_ADDRESS },
	{ SIOCSIFNETMASK, true, set_netmask, OF_ADDRESS },
};

long inet_ioctl(struct sock *sk, u32 command, u64 arg)
{
	long result;

	switch (command) {
	case SIOCADDRT:
	case SIOCDELRT:
		return inet_route_ioctl(command, arg);
	case SIOCSARP:
	case SIOCGARP:
	case SIOCDARP:
		return inet_arp_ioctl(command, arg);
	}
	result = netdev_command_ioctl(commands, ARRAY_SIZE(commands), command, arg);
	return result == -ENOTTY ? netdev_ioctl(sk, command, arg) : result;
}
