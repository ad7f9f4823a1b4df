/*
 * What `route` and `arp` do: routes and neighbours, by ioctl. And how much waits in a datagram socket.
 *
 * Context: process. No lock of its own.
 */
#include <net/netdev_ioctl.h>

#include <fs/ioctl.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/inet.h>
#include <net/inet_device.h>
#include <net/neigh.h>
#include <net/route.h>

/* ---- routes ------------------------------------------------------------------------------------------------- */

static int device_from_user(const char __user *user, struct netdev **dev)
{
	char name[IFNAMSIZ] = "";
	ssize_t length;

	if (!user)
		return 0;
	length = strncpy_from_user(name, user, sizeof(name));
	if (length < 0)
		return length;
	name[IFNAMSIZ - 1] = '\0';
	*dev = netdev_by_name(name);
	return *dev ? 0 : -ENODEV;
}

static int import_mask(const struct rtentry *from, struct route_entry *entry)
{
	entry->mask = 0xffffffff;
	if (!(from->flags & RTF_HOST)) {
		if (from->mask.family != AF_INET && (from->mask.addr || from->mask.family))
			return -EAFNOSUPPORT;
		entry->mask = from->mask.addr;
	}
	return inet_mask_valid(entry->mask) && !(entry->dest & ~entry->mask) ? 0 : -EINVAL;
}

static int import_route(const struct rtentry *from, struct route_entry *entry)
{
	int error;

	if (from->dest.family != AF_INET)
		return -EAFNOSUPPORT;
	*entry = (struct route_entry){
		.dest = from->dest.addr,
		.metric = from->metric ? from->metric - 1 : 0,
		.flags = from->flags,
		.mtu = from->flags & RTF_MTU ? from->mtu : 0,
	};
	error = import_mask(from, entry) ?: device_from_user(from->dev, &entry->dev);
	if (!error && from->gateway.family == AF_INET)
		entry->gateway = from->gateway.addr;
	return error;
}

long inet_route_ioctl(u32 command, u64 arg)
{
	struct route_entry entry;
	struct rtentry from;
	int error;

	if (!may_net_admin())
		return -EPERM;
	if (copy_from_user(&from, (const void __user *)arg, sizeof(from)))
		return -EFAULT;
	error = import_route(&from, &entry);
	if (error)
		return error;
	if (command == SIOCDELRT)
		return route_delete(&entry);
	if (entry.flags & RTF_GATEWAY && !entry.gateway)
		return -EINVAL;
	return route_add(&entry);
}

/* ---- neighbours --------------------------------------------------------------------------------------------- */

static int get_neigh(struct arpreq *req, struct netdev *dev, struct arpreq __user *user)
{
	struct neigh_info info;
	int error = neigh_find(req->addr.addr, dev, &info);

	if (error)
		return error;
	req->hwaddr = (struct sockaddr_hw){ .family = dev->type };
	memcpy(req->hwaddr.address, info.mac, ETH_ALEN);
	req->flags = (info.state & NUD_VALID ? ATF_COM : 0) |
		     (info.state & NUD_PERMANENT ? ATF_PERM : 0);
	memcpy(req->dev, dev->name, IFNAMSIZ);
	return copy_to_user(user, req, sizeof(*req)) ? -EFAULT : 0;
}

static int set_neigh(const struct arpreq *req, struct netdev *dev)
{
	/* Nobody here answers for others. */
	if (req->flags & ATF_PUBL)
		return -EOPNOTSUPP;
	if (req->hwaddr.family && req->hwaddr.family != dev->type)
		return -EINVAL;
	if (dev->flags & (IFF_NOARP | IFF_LOOPBACK))
		return -EINVAL;
	return neigh_set(req->addr.addr, dev, req->hwaddr.address, req->flags & ATF_PERM);
}

/* The device that is named, or on whose link the address is. ERR_PTR. */
static struct netdev *arp_device(struct arpreq *req, u32 command)
{
	struct netdev *dev = NULL;

	req->dev[IFNAMSIZ - 1] = '\0';
	if (req->dev[0] || command == SIOCGARP)
		dev = netdev_by_name(req->dev);
	else if (!(dev = route_link(req->addr.addr)))
		return ERR_PTR(-ENETUNREACH);
	return dev ?: ERR_PTR(-ENODEV);
}

long inet_arp_ioctl(u32 command, u64 arg)
{
	struct arpreq __user *user = (struct arpreq __user *)arg;
	struct netdev *dev;
	struct arpreq req;

	if (command != SIOCGARP && !may_net_admin())
		return -EPERM;
	if (copy_from_user(&req, user, sizeof(req)))
		return -EFAULT;
	if (req.addr.family != AF_INET)
		return -EPFNOSUPPORT;
	if (!(req.flags & ATF_PUBL) && req.flags & (ATF_NETMASK | ATF_DONTPUB))
		return -EINVAL;
	dev = arp_device(&req, command);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (command == SIOCGARP)
		return get_neigh(&req, dev, user);
	return command == SIOCSARP ? set_neigh(&req, dev) : neigh_delete(req.addr.addr, dev);
}

/* ---- datagrams ---------------------------------------------------------------------------------------------- */

/* How much the next receive would give. */
static u32 first_length(struct sock *sk)
{
	struct sk_buff *skb;
	u32 length;

	spin_lock_bh(&sk->lock);
	skb = skb_peek(&sk->receive_queue);
	length = skb ? skb->len : 0;
	spin_unlock_bh(&sk->lock);
	return length;
}

long inet_datagram_ioctl(struct sock *sk, u32 command, u64 arg)
{
	switch (command) {
	case FIONREAD:
		return put_user((int)first_length(sk), (int __user *)arg);
	case SIOCOUTQ:
		return put_user((int)READ_ONCE(sk->wmem), (int __user *)arg);
	}
	return -ENOTTY;
}
