/*
 * Neighbours: the machines on the links, their MAC addresses, and whether they still answer. Step "reply".
 *
 *	         asked       answered          30 s            sent to          5 s            no answer
 *	(none) ---> INCOMPLETE ---> REACHABLE ---> STALE ---> DELAY ---> PROBE ---> FAILED
 *	                |                ^                      |          |
 *	                '--> FAILED      '---- an answer, or TCP's word ---'
 *
 * A REACHABLE neighbour has its whole Ethernet header ready: sending to it is a copy of 14 bytes, with no lock. Those
 * that nobody sends to have no timer: they are STALE until somebody does.
 */
#pragma once

#include <kernel/lib/hlist.h>
#include <kernel/lib/string.h>
#include <net/netdev.h>

enum neigh_state {
	NUD_INCOMPLETE = 0x01,
	NUD_REACHABLE = 0x02,
	NUD_STALE = 0x04,
	NUD_DELAY = 0x08,
	NUD_PROBE = 0x10,
	NUD_FAILED = 0x20,
	NUD_PERMANENT = 0x80,
};
#define NUD_CONNECTED (NUD_REACHABLE | NUD_PERMANENT)
#define NUD_VALID     (NUD_CONNECTED | NUD_STALE | NUD_DELAY | NUD_PROBE)
/* Its MAC is good, or somebody asks whether it still is: no more to do than to send. */
#define NUD_WATCHED  (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)
#define NUD_IN_TIMER (NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE)

struct neigh {
	u32 refcount; /* atomic: one for the table, one for the timer while it is started, one a user */
	/* constant */
	be32 addr;
	struct netdev *dev;

	/* under neigh_lock; readers of the header look at `sequence` before and after (odd: it is being written) */
	u32 sequence;
	u8 header[ETH_HLEN]; /* its MAC, ours, ETH_P_IP */
	u8 state;	     /* enum neigh_state; readers may look without the lock */
	u8 probes;	     /* sent in this state */
	bool dead;	     /* in the table no more */

	/* under neigh_lock */
	struct hlist_node link;
	u64 updated;   /* when the MAC or state last changed */
	u64 used;      /* when somebody last sent to it in a state that asks */
	u64 confirmed; /* when it last showed that it hears us; written by TCP without the lock */
	u64 reachable; /* for how long that is good */
	struct skb_chain queue; /* what waits for its MAC, data at the IP header */
	u32 queue_bytes;
	struct timer timer;
};

/* The neighbour, with a reference; made if need be. NULL: no memory, or too many that are in use. */
struct neigh *neigh_get(be32 addr, struct netdev *dev) __must_check;
void neigh_free(struct neigh *neigh);
static inline void neigh_hold(struct neigh *neigh)
{
	__atomic_add_fetch(&neigh->refcount, 1, __ATOMIC_RELAXED);
}
static inline void neigh_put(struct neigh *neigh)
{
	if (__atomic_sub_fetch(&neigh->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		neigh_free(neigh);
}

/* To a neighbour that is not known to be there: ask, wait, or send and watch. */
int neigh_send_slow(struct neigh *neigh, struct sk_buff *skb);

static inline void neigh_push_header(const struct neigh *neigh, struct sk_buff *skb)
{
	void *header = skb_push(skb, ETH_HLEN);
	u32 sequence;

	do {
		sequence = READ_ONCE(neigh->sequence);
		barrier();
		memcpy(header, neigh->header, ETH_HLEN);
		barrier();
	} while (unlikely(sequence & 1 || READ_ONCE(neigh->sequence) != sequence));
}

/* Takes the reference; data at the IP header, skb->dev the neighbour's. 0 or -errno. */
static inline int neigh_output(struct neigh *neigh, struct sk_buff *skb)
{
	if (unlikely(!(READ_ONCE(neigh->state) & NUD_WATCHED)))
		return neigh_send_slow(neigh, skb);
	neigh_push_header(neigh, skb);
	return dev_queue_xmit(skb);
}

/* It answered at `when`: a transport's acknowledgement is as good as an ARP reply. */
static inline void neigh_confirm(struct neigh *neigh, u64 when)
{
	WRITE_ONCE(neigh->confirmed, when);
}

/* ---- from ARP: net/arp.c --------------------------------------------------------------------------------- */

/* It has this MAC. `create`: even if we never asked. `override`: whatever we believed so far. */
void neigh_learn(be32 addr, struct netdev *dev, const u8 mac[ETH_ALEN], enum neigh_state state,
		 bool create, bool override);
/* Is there an entry that changed less than neigh_locktime ago? Then the first answer stands. */
bool neigh_locked(be32 addr, struct netdev *dev);

/* ---- from programs, and for /proc/net/arp ------------------------------------------------------------------ */

struct neigh_info {
	be32 addr;
	u8 mac[ETH_ALEN];
	u8 state;
	struct netdev *dev;
};

/* SIOCSARP, SIOCDARP, SIOCGARP. Process context. */
int neigh_set(be32 addr, struct netdev *dev, const u8 mac[ETH_ALEN], bool permanent); /* -ENOBUFS */
int neigh_delete(be32 addr, struct netdev *dev);				      /* -ENXIO */
int neigh_find(be32 addr, struct netdev *dev, struct neigh_info *info);		      /* -ENXIO */
/* All of them; the caller's, by kfree(). NULL: no memory. */
struct neigh_info *neigh_list(u32 *count);
/* Forget all of a device's. */
void neigh_flush(struct netdev *dev);

struct neigh_stats {
	u64 entries, waiting; /* waiting: packets */
	u64 overflows;	      /* too many in use: a new one was refused */
	u64 discarded;	      /* packets that waited and had to make room */
};
void neigh_stats_read(struct neigh_stats *stats);

/* /proc/sys/net/ipv4/neigh/default */
extern u32 neigh_max;		   /* gc_thresh3 */
extern u32 neigh_reachable_ms;	   /* base_reachable_time_ms */
extern u32 neigh_retrans_ms;	   /* retrans_time_ms */
extern u32 neigh_delay_s;	   /* delay_first_probe_time */
extern u32 neigh_unicast_probes;   /* ucast_solicit */
extern u32 neigh_broadcast_probes; /* mcast_solicit */
extern u32 neigh_queue_bytes;	   /* unres_qlen_bytes */
extern u32 neigh_locktime_ms;

void neigh_init(void);
