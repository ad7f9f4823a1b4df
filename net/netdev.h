/*
 * A network device, as the protocols see it and as a driver fills it in. Calls from here down to the driver go
 * through netdev_ops; frames come up through netif_receive_skb().
 *
 * Receiving is NAPI's: the interrupt handler calls napi_schedule() and nothing else; NET_RX_SOFTIRQ then calls
 * poll() with a budget until it took less than the budget, and poll() itself unmasks the device before it says so
 * by napi_complete(). Before the CPU halts, the idle loop looks at the rings for a while (rx_pending): QEMU's
 * e1000 interrupts 128 us apart at best. Steps 3 ... 6.
 *
 * Sending: ndo_xmit() puts a frame on the ring, ndo_flush() tells the device of all that were put there. Within a
 * batch (a softirq's run, a sendmmsg) the flush comes once, at its end.
 */
#pragma once

#include <kernel/context.h>
#include <kernel/spinlock.h>
#include <kernel/timer.h>
#include <net/skbuff.h>

#define ETH_ALEN 6
#define IFNAMSIZ 16

struct napi {
	int (*poll)(struct napi *napi, int budget); /* frames taken */
	/* Is there a frame on the ring? For the idle loop; NULL: do not look. */
	bool (*rx_pending)(struct napi *napi);
	struct netdev *dev;
	struct list_head link; /* this CPU's poll list, by the one who set `scheduled` */
	u32 scheduled;	       /* atomic */
	u64 last_frame;	       /* clock_ns() of the last poll that took one */
};

struct netdev_stats {
	u64 rx_packets, rx_bytes, rx_errors, rx_dropped, rx_fifo, rx_frame, rx_crc, multicast;
	u64 tx_packets, tx_bytes, tx_errors, tx_dropped, tx_fifo, tx_carrier, collisions;
};

struct netdev_ops {
	/* Under tx_lock. Takes the reference. false: the ring is full, the frame was not taken, and
	 * netdev_wake_queue() will tell when there is room. */
	bool (*xmit)(struct netdev *dev, struct sk_buff *skb);
	void (*flush)(struct netdev *dev); /* under tx_lock */
	/* Process context. */
	int (*open)(struct netdev *dev);
	void (*stop)(struct netdev *dev);
	void (*set_rx_mode)(struct netdev *dev); /* flags or multicast list have changed */
	int (*set_mac)(struct netdev *dev, const u8 mac[ETH_ALEN]);
	void (*stats)(struct netdev *dev,
		      struct netdev_stats *stats); /* added to what net/ counts */
	/* Frames sat on the ring for long and none went: start the sender again. Softirq. */
	void (*tx_timeout)(struct netdev *dev);
};

/* dev->flags, as SIOCGIFFLAGS shows them. */
#define IFF_UP		0x0001
#define IFF_BROADCAST	0x0002
#define IFF_LOOPBACK	0x0008
#define IFF_POINTOPOINT 0x0010
#define IFF_RUNNING	0x0040
#define IFF_NOARP	0x0080
#define IFF_PROMISC	0x0100
#define IFF_ALLMULTI	0x0200
#define IFF_MULTICAST	0x1000

#define NETDEV_CSUM 1U /* the device does CHECKSUM_PARTIAL */
#define NETDEV_TSO  2U /* and cuts gso_size packets of TCP */
#define NETDEV_SG   4U /* and takes frags */

struct netdev {
	const struct netdev_ops *ops; /* the driver's, or a link wrapper's: net/link.h */
	void *priv;
	char name[IFNAMSIZ];
	u32 index; /* from 1 */
	u32 features;
	u32 mtu;
	u16 type; /* ARPHRD_* */
	u8 mac[ETH_ALEN];
	u32 flags; /* IFF_*, under netdev_lock */
	bool carrier;

	/* under tx_lock */
	spinlock_t tx_lock;
	struct skb_queue tx_queue; /* what the ring had no room for */
	bool tx_stopped;	   /* the ring is full */
	bool tx_unflushed;	   /* on the ring, and the device does not know */
	u64 tx_started;		   /* clock_ns() since when the ring is full */

	u32 tx_queue_len; /* limit of tx_queue; more is dropped */
	struct timer watchdog;
	struct list_head link;	     /* of all devices; never removed */
	struct list_head flush_link; /* this CPU's devices to flush, at the end of its batch */

	/* IPv4's part: net/inet_device.c, under netdev_lock, readers take what they get */
	be32 address, netmask, broadcast;

	struct netdev_stats counts; /* rx_* by the poll that runs, tx_* under tx_lock */
};

/* Name, ops, mac, mtu, features filled in; it gets an index. At start-up. */
void netdev_register(struct netdev *dev);
struct netdev *netdev_by_name(const char *name);
struct netdev *netdev_by_index(u32 index);
extern struct list_head netdevs; /* whole after start-up */
#define for_each_netdev(dev) list_for_each_entry(dev, &netdevs, link)
extern struct netdev *loopback_dev;
/* SIOCSIFFLAGS: IFF_UP opens and stops the device. Process context. 0 or -errno. */
int netdev_change_flags(struct netdev *dev, u32 flags);
void netdev_stats_read(struct netdev *dev, struct netdev_stats *stats);

/* ---- up ------------------------------------------------------------------------------------------- */

void napi_init(struct napi *napi, struct netdev *dev, int (*poll)(struct napi *, int));
/* Hard IRQ or softirq. false: it is scheduled already. */
bool napi_schedule(struct napi *napi);
/* From poll(), which found the ring empty and has unmasked the device. */
void napi_complete(struct napi *napi);

/* A whole frame, dev and tstamp set, data at the Ethernet header. Takes the reference. Softirq. */
void netif_receive_skb(struct sk_buff *skb);
/* The same, later and on this CPU's own queue (bounded): from a sender (loopback, a link that delays). */
void netif_rx(struct sk_buff *skb);

/* ---- down ------------------------------------------------------------------------------------------ */

/* A whole frame for skb->dev. Takes the reference; what cannot go is dropped and counted. Cuts and sums what
 * the device does not. Softirq or process context. 0, or -ENOBUFS / -ENETDOWN. */
int dev_queue_xmit(struct sk_buff *skb);
/* Flushes wait until the batch's end; nests; may not sleep in between. */
void net_batch_begin(void);
void net_batch_end(void);
/* A driver, under tx_lock: there is room on the ring again. */
void netdev_wake_queue(struct netdev *dev);
/* The cable. Any softirq or process context. */
void netdev_set_carrier(struct netdev *dev, bool on);

/* ---- Ethernet --------------------------------------------------------------------------------------- */

struct ethhdr {
	u8 dest[ETH_ALEN], source[ETH_ALEN];
	be16 protocol;
} __packed;
#define ETH_HLEN  14
#define ETH_P_IP  0x0800
#define ETH_P_ARP 0x0806

/* Pushes the header. */
void eth_header(struct sk_buff *skb, const u8 dest[ETH_ALEN], u16 protocol);

/* Says who wants which EtherType: called with data at the network header, softirq. A const table in
 * net/netdev.c, since there are two. */
void arp_rcv(struct sk_buff *skb);
void ip_rcv(struct sk_buff *skb);

void netdev_init(void);
