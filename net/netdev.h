/*
 * A network device, as the protocols see it and as a driver fills it in. Calls from here down to the driver go
 * through netdev_ops; frames come up through netif_receive_skb().
 *
 * Receiving is NAPI's: the interrupt handler calls napi_schedule() and nothing else; NET_RX_SOFTIRQ then calls
 * poll() with a budget until it takes less than the budget: then poll() itself says so by napi_complete(), and
 * unmasks the device. Before the CPU halts, the idle loop looks at the ring for a while (rx_pending), if a frame
 * came just now: QEMU's e1000 interrupts 128 us apart at best. Steps 3 ... 6.
 *
 * Sending: ndo_xmit() puts a frame on the ring, ndo_flush() tells the device of all that were put there. Within a
 * batch (a softirq's run, a sendmmsg) the flush comes once, at its end.
 *
 * Locks, in acquire order: netdev_lock (a mutex: flags and addresses), dev->tx_lock (bh). Destructors of buffers
 * that were sent run under tx_lock: they take none that may be held by somebody who sends.
 */
#pragma once

#include <kernel/context.h>
#include <kernel/cpu/percpu.h>
#include <kernel/spinlock.h>
#include <kernel/timer.h>
#include <net/skbuff.h>

#define ETH_ALEN 6
#define IFNAMSIZ 16

enum napi_state {
	NAPI_IDLE,
	NAPI_POLLING, /* poll() runs; what it has not seen yet, it will see */
	NAPI_WANTED,  /* on a CPU's list, or, while poll() runs, to be polled once more */
};

struct napi {
	int (*poll)(struct napi *napi, int budget); /* frames taken */
	/* Is there a frame on the ring? For the idle loop; NULL: do not look. */
	bool (*rx_pending)(struct napi *napi);
	struct netdev *dev;
	struct list_head link; /* a CPU's poll list: its who made it NAPI_WANTED */
	u32 state;	       /* atomic, enum napi_state */
	bool disabled;	       /* not to be scheduled */
	u64 last_frame;	       /* clock_ns() of the last poll that took one; set by poll() */
};

struct netdev_stats {
	u64 rx_packets, rx_bytes, rx_errors, rx_dropped, rx_fifo, rx_frame, rx_crc, multicast;
	u64 tx_packets, tx_bytes, tx_errors, tx_dropped, tx_fifo, tx_carrier, collisions;
};

struct netdev_ops {
	/* Under tx_lock. Takes the reference, counts it in tx_sent. false: the ring is full, the frame was
	 * not taken; once there is room the driver clears tx_stopped and calls netdev_wake_queue(). */
	bool (*xmit)(struct netdev *dev, struct sk_buff *skb);
	/* Under tx_lock. May take back what has left already, as netdev_wake_queue() says. NULL: xmit() sent it. */
	void (*flush)(struct netdev *dev);
	/* Process context. */
	int (*open)(struct netdev *dev);
	void (*stop)(struct netdev *dev);
	void (*set_rx_mode)(struct netdev *dev); /* flags or multicast list have changed */
	int (*set_mac)(struct netdev *dev, const u8 mac[ETH_ALEN]);
	void (*stats)(struct netdev *dev,
		      struct netdev_stats *stats); /* added to what net/ counts */
	/* Frames sat on the ring for long and none went: drop them, start the sender again. Under tx_lock. */
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

#define NETDEV_CSUM	    1U /* the device does CHECKSUM_PARTIAL */
#define NETDEV_TSO	    2U /* and cuts gso_size packets of TCP */
#define NETDEV_SG	    4U /* and takes frags */
#define NETDEV_ETHERNET_ALL (NETDEV_CSUM | NETDEV_TSO | NETDEV_SG)
#define NETDEV_PARTS	    8U /* takes next_part, too: nothing is cut, nothing is copied */

#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK 772

struct link;

struct netdev {
	const struct netdev_ops *ops; /* the driver's, or a link wrapper's: net/link.h */
	struct link *wrap; /* the wrapper that it has or may get; constant after start-up */
	bool wrapped;	   /* has it: what is received goes there first */
	void *priv;
	char name[IFNAMSIZ];
	u32 index; /* from 1 */
	u32 features;
	u32 mtu;
	u16 type; /* ARPHRD_* */
	u8 mac[ETH_ALEN];
	u32 flags; /* IFF_* less IFF_RUNNING, under netdev_lock; looked at without it */
	bool carrier;

	/* under tx_lock */
	spinlock_t tx_lock;
	struct skb_chain tx_queue; /* what the ring had no room for */
	bool tx_stopped;	   /* the ring was full */
	bool tx_unflushed;	   /* on the ring, and the device does not know */
	u64 tx_sent, tx_done;	   /* frames that the driver put on its ring, and that left it */
	u64 tx_watched;		   /* tx_done when the watchdog began to wait */

	u32 tx_queue_len;      /* limit of tx_queue; more is dropped */
	struct timer watchdog; /* runs only while frames stay on the ring */
	struct list_head link; /* of all devices; never removed */

	/* IPv4's part: net/inet_device.c, under netdev_lock, readers take what they get */
	be32 address, netmask, broadcast;

	struct netdev_stats counts; /* rx_* by the poll that runs, tx_* under tx_lock */
};

#define MAX_NETDEVS 16

/* Name, ops, mac, type, mtu, features filled in; it gets an index. At start-up. */
void netdev_register(struct netdev *dev);
/* Says what changes flags and addresses, one at a time. */
struct mutex;
extern struct mutex netdev_lock;
struct netdev *netdev_by_name(const char *name);
struct netdev *netdev_by_index(u32 index);
extern struct list_head netdevs; /* whole after start-up */
#define for_each_netdev(dev) list_for_each_entry(dev, &netdevs, link)
extern struct netdev *loopback_dev;
/* SIOCSIFFLAGS: IFF_UP opens and stops the device. Process context, takes netdev_lock. 0 or -errno. */
int netdev_change_flags(struct netdev *dev, u32 flags);
/* SIOCGIFFLAGS. */
static inline u32 netdev_flags(const struct netdev *dev)
{
	bool running = dev->flags & IFF_UP && READ_ONCE(dev->carrier);

	return dev->flags | (running ? IFF_RUNNING : 0);
}
void netdev_stats_read(struct netdev *dev, struct netdev_stats *stats);

/* ---- up ------------------------------------------------------------------------------------------- */

void napi_init(struct napi *napi, struct netdev *dev, int (*poll)(struct napi *, int));
/* Hard IRQ or softirq. false: it is scheduled already. */
bool napi_schedule(struct napi *napi);
/* From poll(), which found the ring empty. true: unmask the device. false: somebody has scheduled it since poll()
 * began, so it is about to be called again. */
bool napi_complete(struct napi *napi);
/* From now on it is not polled, or is again. The first waits for a poll to end: process context, may sleep. */
void napi_disable(struct napi *napi);
void napi_enable(struct napi *napi);

/* Does this CPU poll a device? Then protocols may keep frames back, to treat what comes in a row as one: net_poll_over
 * is called before the poll ends. Softirq. */
DECLARE_PER_CPU(bool, net_polling);
extern void (*net_poll_over)(void);

/* A whole frame, dev and tstamp set, data at the Ethernet header. Takes the reference. Softirq. */
void netif_receive_skb(struct sk_buff *skb);
/* The same for what has come through dev->wrap. */
void netif_deliver_skb(struct sk_buff *skb);
/* The same, later and on this CPU's own queue (bounded): from a sender (loopback, a link that delays). */
void netif_rx(struct sk_buff *skb);

/* ---- down ------------------------------------------------------------------------------------------ */

/* A whole frame for skb->dev. Takes the reference; what cannot go is dropped and counted. Cuts and sums what
 * the device does not. Softirq or process context. 0, or -ENOBUFS / -ENETDOWN. */
int dev_queue_xmit(struct sk_buff *skb);
/* Flushes wait until the batch's end; nests; may not sleep in between. */
void net_batch_begin(void);
void net_batch_end(void);
/* In place of net_batch_end(), where a program sends several packets in one call and may sleep between them: net_flush()
 * tells the devices, at the call's end and before it waits for what those frames may bring about. */
void net_batch_leave(void);
void net_flush(void);
/* A driver's poll, under tx_lock, tx_stopped cleared: there is room on the ring again. */
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

/* On the boot CPU, before the first netdev_register(); on each CPU; when there is a /proc. */
void netdev_init(void);
void netdev_init_cpu(void);
void netdev_proc_init(void);

/* ---- between netdev.c and the files beside it -------------------------------------------------------- */

void napi_init_cpu(void);
void napi_start(void);
void loopback_init(void);
/* What this device cannot do, done in software: the frames to send instead, onto `frames`. Takes the reference;
 * leaves `frames` empty if there is no memory. */
void skb_segment(struct sk_buff *skb, u32 features, struct skb_chain *frames);
