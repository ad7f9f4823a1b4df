/*
 * Link wrappers: a bad network between a device and its cable, to test protocols on. Any device can be wrapped,
 * loopback too: by link= on the command line and by /proc/sys/net/link/NAME/ at run time; each direction has
 * rules of its own, for which frames are lost, sent twice, overtaken, damaged, marked, late, or how many fit a second. What
 * passes can be logged, and kept as a pcap file (/proc/net/pcap/NAME): as this machine sees it, what it sent
 * before the bad network and what it received behind it.
 *
 * What befalls a frame follows from `seed` and from the frames before it: the same run again ends the same.
 *
 *	dev_queue_xmit -> link_ops.xmit -> [lose, duplicate, corrupt, mark, reorder, delay] -> the driver's xmit
 *	netif_receive_skb -> link_rx -> [the same] -> netif_deliver_skb
 *
 * A device that is not wrapped has its driver's own ops, and costs nothing.
 *
 * Locks: link_lock, a mutex (settings); dev->tx_lock for what is sent, link->rx_lock for what is received, one
 * of them at a time but for a change of settings, which takes both in this order; in them pcap->lock.
 */
#pragma once

#include <net/netdev.h>

#define LINK_MAX_FRAMES 1000 /* that are on their way, in each direction; more are dropped */

enum link_direction { LINK_RX, LINK_TX, LINK_DIRECTIONS };
extern const char *const link_direction_names[LINK_DIRECTIONS];

/* ---- settings: link_settings.c ------------------------------------------------------------------------ */

struct link_rules {
	u64 lose, duplicate, reorder, corrupt, mark; /* chances in a million */
	u64 delay, jitter; /* ns; each frame is late by delay, and 0 to jitter more */
	u64 rate;	   /* bits a second; 0: as fast as they come */
};

struct link_settings {
	struct link_rules rules[LINK_DIRECTIONS];
	u64 seed; /* any change of settings starts the sequence again */
	u64 log;  /* 1: a line for each frame */
	u64 pcap; /* bytes that are kept; 0: none */
};

/* What a value is: how it is written and how much it may be. */
struct link_unit {
	const char *name;
	u64 factor;
};
struct link_setting {
	const char *name;
	size_t offset; /* of a u64 in struct link_settings */
	const struct link_unit *units;
	u64 max;
};
#define NR_LINK_SETTINGS 19
extern const struct link_setting link_settings_table[NR_LINK_SETTINGS];

static inline u64 *link_value(struct link_settings *settings, const struct link_setting *setting)
{
	return (u64 *)((char *)settings + setting->offset);
}
/* "0.5%", "10ms", "2mbit", "1M", "7". 0, -EINVAL, -ERANGE. */
int link_parse_value(const struct link_setting *setting, const char *text, u64 *value);
/* The same way round. The length. */
int link_format_value(const struct link_setting *setting, u64 value, char *buf, size_t size);
/* "rx-lose=1%,log,pcap=1M" into settings, which keep what is not named. 0 or -EINVAL. */
int link_parse_list(const char *list, struct link_settings *settings);

/* ---- what was seen, as a pcap file: link_pcap.c -------------------------------------------------------- */

struct pcap_ring {
	spinlock_t lock;
	/* under lock */
	u8 *bytes; /* records, as in the file; the oldest give way */
	u64 size;
	u64 begin, end; /* of the records that are there; `% size` is where */
	u64 seen, gone; /* frames */
};
#define PCAP_MIN_SIZE (128 * KiB) /* the largest frame fits */
#define PCAP_MAX_SIZE (64 * MiB)

/* A new, empty ring; 0: none. Process context. 0 or -ENOMEM: then it stays as it was. */
int pcap_resize(struct pcap_ring *ring, u64 size);
void pcap_add(struct pcap_ring *ring, const struct sk_buff *skb, u64 time);
/* The file as it is now, to be freed with vfree(). NULL: no memory. */
void *pcap_snapshot(struct pcap_ring *ring, size_t *size);

/* ---- the wrapper: link.c ------------------------------------------------------------------------------- */

struct link_counts {
	u64 passed, lost, duplicated, reordered, corrupted, marked;
	u64 dropped; /* too many on their way, or no memory */
};

/* One direction; under its lock. */
struct link_way {
	struct link_rules rules;
	u64 random; /* where the sequence is */
	struct list_head
		frames; /* struct link_frame: on their way, in the order in which they arrive */
	u32 nr_frames;
	struct link_frame *held; /* one of them, that the next shall overtake; or NULL */
	u64 line_free;		 /* when the last bit will have left, at `rate` */
	struct timer timer;
	struct link_counts counts;
};

struct link {
	/* constant */
	struct netdev *dev;
	const struct netdev_ops *inner; /* the driver's */
	struct netdev_ops ops;		/* the driver's, but for xmit and stop */
	u32 features;			/* the driver's */

	struct link_settings settings; /* under link_lock */

	struct link_way way[LINK_DIRECTIONS];
	spinlock_t rx_lock;
	bool log; /* looked at without a lock */
	struct pcap_ring pcap;
};

/* A device that can be wrapped, and is not yet. */
void link_prepare(struct link *link, struct netdev *dev);
/* From now on; wraps or unwraps the device as is needed. Process context. 0 or -ENOMEM. */
int link_configure(struct link *link, const struct link_settings *settings);

/* netif_receive_skb() for a device with dev->wrapped. Takes the reference. */
void link_rx(struct sk_buff *skb);

/* ---- start-up: link_proc.c ----------------------------------------------------------------------------- */

/* When all devices are registered, and /proc is there. */
void link_init(void);
