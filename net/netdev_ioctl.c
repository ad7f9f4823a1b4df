/*
 * What any socket can ask and say about network devices, by ioctl: SIOC[GS]IF*, SIOCGIFCONF. The commands about
 * addresses are AF_INET's, in net/inet_device.c, and run by the same code.
 *
 * Context: process. Lock: netdev_lock, around changes.
 */
#include <net/netdev_ioctl.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mutex.h>
#include <kernel/task.h>
#include <net/route.h>

#define MIN_MTU	     68 /* RFC 791: every host takes that */
#define ETHERNET_MTU 1500
#define LOOPBACK_MTU 65536

/* ---- what the device is ------------------------------------------------------------------------------------- */

static int get_flags(struct netdev *dev, struct ifreq *ifr)
{
	ifr->flags = netdev_flags(dev);
	return 0;
}

static int set_flags(struct netdev *dev, struct ifreq *ifr)
{
	return netdev_change_flags(dev, (u16)ifr->flags) ?: route_device_update(dev);
}

static int get_hwaddr(struct netdev *dev, struct ifreq *ifr)
{
	ifr->hwaddr = (struct sockaddr_hw){ .family = dev->type };
	memcpy(ifr->hwaddr.address, dev->mac, ETH_ALEN);
	return 0;
}

static int set_hwaddr(struct netdev *dev, struct ifreq *ifr)
{
	int error;

	if (!dev->ops->set_mac)
		return -EOPNOTSUPP;
	if (ifr->hwaddr.family != dev->type)
		return -EINVAL;
	/* One host's address: not a group's, not nothing. */
	if (ifr->hwaddr.address[0] & 1 || !memcmp(ifr->hwaddr.address, "\0\0\0\0\0\0", ETH_ALEN))
		return -EADDRNOTAVAIL;
	mutex_lock(&netdev_lock);
	error = dev->ops->set_mac(dev, ifr->hwaddr.address);
	mutex_unlock(&netdev_lock);
	return error ?: route_device_update(dev);
}

static int get_mtu(struct netdev *dev, struct ifreq *ifr)
{
	ifr->number = dev->mtu;
	return 0;
}

static int set_mtu(struct netdev *dev, struct ifreq *ifr)
{
	int limit = dev->flags & IFF_LOOPBACK ? LOOPBACK_MTU : ETHERNET_MTU;

	if (ifr->number < MIN_MTU || ifr->number > limit)
		return -EINVAL;
	WRITE_ONCE(dev->mtu, (u32)ifr->number);
	return route_device_update(dev);
}

static int get_index(struct netdev *dev, struct ifreq *ifr)
{
	ifr->number = dev->index;
	return 0;
}

static int get_tx_queue_len(struct netdev *dev, struct ifreq *ifr)
{
	ifr->number = dev->tx_queue_len;
	return 0;
}

static int set_tx_queue_len(struct netdev *dev, struct ifreq *ifr)
{
	if (ifr->number < 0)
		return -EINVAL;
	WRITE_ONCE(dev->tx_queue_len, (u32)ifr->number);
	return 0;
}

/* There are no metrics of devices, and no memory maps that a program need know. */
static int get_nothing(struct netdev *dev, struct ifreq *ifr)
{
	memset(&ifr->number, 0, sizeof(*ifr) - offsetof(struct ifreq, number));
	return 0;
}

static int not_supported(struct netdev *dev, struct ifreq *ifr)
{
	return -EOPNOTSUPP;
}

/* ---- the ioctls --------------------------------------------------------------------------------------------- */

static const struct netdev_command *find_command(const struct netdev_command *commands,
						 size_t count, u32 command)
{
	for (size_t i = 0; i < count; i++)
		if (commands[i].command == command)
			return &commands[i];
	return NULL;
}

/* The device, for a command that may be about an address of it. ERR_PTR. */
static struct netdev *find_device(const char *name, enum netdev_subject subject)
{
	char base[IFNAMSIZ], *colon;
	struct netdev *dev;

	strlcpy(base, name, sizeof(base));
	colon = strchr(base, ':');
	if (colon)
		*colon = '\0';
	dev = netdev_by_name(base);
	if (!dev)
		return ERR_PTR(-ENODEV);
	return colon && subject != OF_DEVICE ? ERR_PTR(-EADDRNOTAVAIL) : dev;
}

static long run_command(const struct netdev_command *command, struct ifreq __user *user)
{
	struct netdev *dev;
	struct ifreq ifr;
	int error;

	if (copy_from_user(&ifr, user, sizeof(ifr)))
		return -EFAULT;
	ifr.name[IFNAMSIZ - 1] = '\0';
	if (command->change && current->cred.euid != 0)
		return -EPERM;
	if (command->change && command->subject == OF_ADDRESS && ifr.addr.family != AF_INET)
		return -EINVAL;
	dev = find_device(ifr.name, command->subject);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	error = command->run(dev, &ifr);
	if (error || command->change)
		return error;
	return copy_to_user(user, &ifr, sizeof(ifr)) ? -EFAULT : 0;
}

long netdev_command_ioctl(const struct netdev_command *commands, size_t count, u32 command, u64 arg)
{
	const struct netdev_command *found = find_command(commands, count, command);

	return found ? run_command(found, (struct ifreq __user *)arg) : -ENOTTY;
}

/* Which device has this index? */
static long name_ioctl(struct ifreq __user *user)
{
	struct netdev *dev;
	struct ifreq ifr;

	if (copy_from_user(&ifr, user, sizeof(ifr)))
		return -EFAULT;
	dev = netdev_by_index(ifr.number);
	if (!dev)
		return -ENODEV;
	memcpy(ifr.name, dev->name, IFNAMSIZ);
	return copy_to_user(user, &ifr, sizeof(ifr)) ? -EFAULT : 0;
}

/* All devices that have an address, as many as there is room for; without a buffer, how much room they need. */
static long conf_ioctl(struct ifconf __user *user)
{
	struct ifconf conf;
	struct netdev *dev;
	u32 used = 0;

	if (copy_from_user(&conf, user, sizeof(conf)))
		return -EFAULT;
	for_each_netdev(dev) {
		struct ifreq ifr = { 0 };

		if (!dev->address)
			continue;
		if (conf.requests && conf.length - (s32)used < (s32)sizeof(ifr))
			break;
		memcpy(ifr.name, dev->name, IFNAMSIZ);
		ifr.addr = (struct sockaddr_in){ .family = AF_INET, .addr = dev->address };
		if (conf.requests &&
		    copy_to_user((u8 __user *)conf.requests + used, &ifr, sizeof(ifr)))
			return -EFAULT;
		used += sizeof(ifr);
	}
	return put_user((s32)used, &user->length);
}

static const struct netdev_command commands[] = {
	{ SIOCGIFFLAGS, false, get_flags, OF_DEVICE },
	{ SIOCSIFFLAGS, true, set_flags, OF_LABEL },
	{ SIOCGIFMETRIC, false, get_nothing, OF_DEVICE },
	{ SIOCGIFMTU, false, get_mtu, OF_DEVICE },
	{ SIOCSIFMTU, true, set_mtu, OF_DEVICE },
	{ SIOCSIFHWADDR, true, set_hwaddr, OF_DEVICE },
	{ SIOCGIFHWADDR, false, get_hwaddr, OF_DEVICE },
	{ SIOCGIFINDEX, false, get_index, OF_DEVICE },
	{ SIOCGIFTXQLEN, false, get_tx_queue_len, OF_DEVICE },
	{ SIOCSIFTXQLEN, true, set_tx_queue_len, OF_DEVICE },
	{ SIOCGIFMAP, false, get_nothing, OF_DEVICE },
	{ SIOCETHTOOL, false, not_supported, OF_DEVICE },
};
static const struct netdev_command private = { .run = not_supported };

long netdev_ioctl(struct sock *sk, u32 command, u64 arg)
{
	if (command == SIOCGIFNAME)
		return name_ioctl((struct ifreq __user *)arg);
	if (command == SIOCGIFCONF)
		return conf_ioctl((struct ifconf __user *)arg);
	if (command - SIOCDEVPRIVATE < 16)
		return run_command(&private, (struct ifreq __user *)arg);
	return netdev_command_ioctl(commands, ARRAY_SIZE(commands), command, arg);
}
