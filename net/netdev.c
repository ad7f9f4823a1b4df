/*
 * Network devices: which there are, and how a frame gets to one. dev_queue_xmit() puts it on the device's ring, or
 * behind those that wait for room; the device is told once a batch. No timer runs while all that was sent has left.
 *
 * Context: softirq and process. Locks: netdev_lock, then dev->tx_lock; in that whatever the driver and the
 * destructors of buffers take.
 */
#include <net/netdev.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/trace.h>

#define TX_TIMEOUT_NS	  (5 * NSEC_PER_SEC)
#define DEFAULT_QUEUE_LEN 1000

/* Which a program may set; the others are the device's. */
#define CHANGEABLE_FLAGS (IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP)

LIST_HEAD(netdevs);
DEFINE_MUTEX(netdev_lock);
static struct netdev *by_index[MAX_NETDEVS + 1];
static u32 nr_netdevs;

/* This CPU's batch; each change is one instruction, so a softirq may come between any two. */
static DEFINE_PER_CPU(u32, batch_depth);
static DEFINE_PER_CPU(u32, unflushed); /* by index: devices that were sent to in this batch */

static void watchdog_expired(struct timer *timer);

/* ---- the registry --------------------------------------------------------------------------------- */

void netdev_register(struct netdev *dev)
{
	if (nr_netdevs == MAX_NETDEVS)
		panic("netdev: more than %u network devices", MAX_NETDEVS);
	dev->index = ++nr_netdevs;
	spin_lock_init(&dev->tx_lock);
	if (!dev->tx_queue_len)
		dev->tx_queue_len = DEFAULT_QUEUE_LEN;
	timer_init(&dev->watchdog, watchdog_expired);
	by_index[dev->index] = dev;
	list_add_tail(&dev->link, &netdevs);
}

struct netdev *netdev_by_name(const char *name)
{
	struct netdev *dev;

	for_each_netdev(dev)
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

struct netdev *netdev_by_index(u32 index)
{
	return index <= nr_netdevs ? by_index[index] : NULL;
}

/* What waits for room waits in vain. */
static void drop_queue(struct netdev *dev)
{
	struct skb_chain unsent;

	spin_lock_bh(&dev->tx_lock);
	unsent = dev->tx_queue;
	dev->tx_queue = (struct skb_chain){ 0 };
	dev->counts.tx_dropped += unsent.count;
	spin_unlock_bh(&dev->tx_lock);
	skb_chain_purge(&unsent);
}

/* Under netdev_lock. */
static int change_up(struct netdev *dev, bool up)
{
	int error = 0;

	if (!up) {
		WRITE_ONCE(dev->flags, dev->flags & ~IFF_UP);
		drop_queue(dev);
		if (dev->ops->stop)
			dev->ops->stop(dev);
		timer_cancel_sync(&dev->watchdog);
		return 0;
	}
	if (dev->ops->open)
		error = dev->ops->open(dev);
	if (!error)
		WRITE_ONCE(dev->flags, dev->flags | IFF_UP);
	return error;
}

int netdev_change_flags(struct netdev *dev, u32 flags)
{
	u32 changed;
	int error = 0;

	mutex_lock(&netdev_lock);
	changed = (dev->flags ^ flags) & CHANGEABLE_FLAGS;
	if (changed & IFF_UP)
		error = change_up(dev, flags & IFF_UP);
	changed &= ~IFF_UP;
	if (changed) {
		WRITE_ONCE(dev->flags, dev->flags ^ changed);
		if (dev->ops->set_rx_mode)
			dev->ops->set_rx_mode(dev);
	}
	mutex_unlock(&netdev_lock);
	return error;
}

void netdev_set_carrier(struct netdev *dev, bool on)
{
	if (dev->carrier == on)
		return;
	WRITE_ONCE(dev->carrier, on);
	pr_info("%s: link %s\n", dev->name, on ? "up" : "down");
}

void netdev_stats_read(struct netdev *dev, struct netdev_stats *stats)
{
	*stats = dev->counts;
	if (dev->ops->stats)
		dev->ops->stats(dev, stats);
}

/* ---- sending: everything here under tx_lock ---------------------------------------------------------- */

static inline bool transmit(struct netdev *dev, struct sk_buff *skb)
{
	u32 len = skb->len, packets = skb->gso_segs ?: 1;

	if (unlikely(!dev->ops->xmit(dev, skb))) {
		dev->tx_stopped = true;
		return false;
	}
	dev->tx_unflushed = true;
	dev->counts.tx_packets += packets;
	dev->counts.tx_bytes += len;
	return true;
}

/* While frames are on the ring, somebody must look whether they go. */
static void watch(struct netdev *dev)
{
	if (timer_pending(&dev->watchdog))
		return;
	dev->tx_watched = dev->tx_done;
	timer_start(&dev->watchdog, clock_ns() + TX_TIMEOUT_NS);
}

void netdev_wake_queue(struct netdev *dev)
{
	struct sk_buff *skb;

	do {
		while (!dev->tx_stopped && (skb = skb_chain_take(&dev->tx_queue)))
			if (!transmit(dev, skb))
				skb_chain_put_back(&dev->tx_queue, skb);
		if (dev->tx_unflushed) {
			dev->tx_unflushed = false;
			if (dev->ops->flush)
				dev->ops->flush(dev);
		}
	} while (!dev->tx_stopped && dev->tx_queue.first);
	if (dev->tx_sent != dev->tx_done)
		watch(dev);
}

static inline void flush(struct netdev *dev)
{
	if (!dev->tx_unflushed)
		return;
	dev->tx_unflushed = false;
	if (!dev->ops->flush)
		return;
	dev->ops->flush(dev);
	if (unlikely(dev->tx_sent != dev->tx_done || dev->tx_queue.first))
		netdev_wake_queue(dev);
}

static void watchdog_expired(struct timer *timer)
{
	struct netdev *dev = container_of(timer, struct netdev, watchdog);

	spin_lock(&dev->tx_lock);
	if (dev->flags & IFF_UP && dev->tx_sent != dev->tx_done) {
		if (dev->tx_done == dev->tx_watched) {
			pr_warn("%s: the transmitter is stuck, starting it again\n", dev->name);
			dev->ops->tx_timeout(dev);
		}
		netdev_wake_queue(dev);
	}
	spin_unlock(&dev->tx_lock);
}

/* The reference is still the caller's when this fails. */
static inline int send_or_queue(struct netdev *dev, struct sk_buff *skb)
{
	if (unlikely(!(dev->flags & IFF_UP)))
		return -ENETDOWN;
	if (unlikely(!dev->carrier)) {
		dev->counts.tx_carrier++;
		return -ENOLINK;
	}
	/* Whoever finds room on the ring sends what waits before he drops the lock: so nothing waits now. */
	if (likely(!dev->tx_stopped) && likely(transmit(dev, skb)))
		return 0;
	if (dev->tx_queue.count >= dev->tx_queue_len)
		return -ENOBUFS;
	skb_chain_add(&dev->tx_queue, skb);
	return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------- */

static noinline int drop_frame(struct sk_buff *skb, int error)
{
	trace(SKB_DROP, skb, drop_frame);
	skb_put(skb);
	/* As on Linux: without a cable the frame is lost, and its sender is told nothing. */
	return error == -ENOLINK ? 0 : error;
}

static __always_inline int send_frame(struct netdev *dev, struct sk_buff *skb)
{
	int error;

	spin_lock_bh(&dev->tx_lock);
	error = send_or_queue(dev, skb);
	if (this_cpu(batch_depth))
		this_cpu(unflushed) |= 1U << dev->index;
	else
		flush(dev);
	if (unlikely(error))
		dev->counts.tx_dropped++;
	spin_unlock_bh(&dev->tx_lock);
	return likely(!error) ? 0 : drop_frame(skb, error);
}

static noinline int send_segments(struct netdev *dev, struct sk_buff *skb)
{
	struct skb_chain frames = { 0 };
	int error = 0;

	skb_segment(skb, dev->features, &frames);
	if (!frames.first) {
		dev->counts.tx_dropped++;
		return -ENOBUFS;
	}
	net_batch_begin();
	while ((skb = skb_chain_take(&frames))) {
		int failed = send_frame(dev, skb);

		error = error ?: failed;
	}
	net_batch_end();
	return error;
}

int dev_queue_xmit(struct sk_buff *skb)
{
	struct netdev *dev = skb->dev;

	trace(NIC_XMIT, dev->index, skb->len);
	if (unlikely(skb->next_part ||
		     (dev->features & NETDEV_ETHERNET_ALL) != NETDEV_ETHERNET_ALL) &&
	    !(dev->features & NETDEV_PARTS))
		return send_segments(dev, skb);
	return send_frame(dev, skb);
}

void net_batch_begin(void)
{
	this_cpu(batch_depth)++;
}

static noinline void flush_batch(void)
{
	u32 devices;

	local_bh_disable();
	devices = this_cpu(unflushed);
	this_cpu(unflushed) = 0;
	for (; devices; devices &= devices - 1) {
		struct netdev *dev = by_index[__builtin_ctz(devices)];

		spin_lock(&dev->tx_lock);
		flush(dev);
		spin_unlock(&dev->tx_lock);
	}
	local_bh_enable();
}

void net_batch_end(void)
{
	if (--this_cpu(batch_depth) == 0 && this_cpu(unflushed))
		flush_batch();
}

void net_batch_leave(void)
{
	this_cpu(batch_depth)--;
}

void net_flush(void)
{
	struct netdev *dev;

	for_each_netdev(dev) {
		if (!READ_ONCE(dev->tx_unflushed))
			continue;
		spin_lock_bh(&dev->tx_lock);
		flush(dev);
		spin_unlock_bh(&dev->tx_lock);
	}
}

/* ---- start-up ---------------------------------------------------------------------------------------- */

void netdev_init_cpu(void)
{
	napi_init_cpu();
}

void netdev_init(void)
{
	netdev_init_cpu();
	napi_start();
	loopback_init();
}
