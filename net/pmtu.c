/*
 * What ICMP "fragmentation needed" taught about the way to an address. Few entries, each for ten minutes; when there
 * are too many, any one goes. Nothing runs while there are none.
 *
 * Context: softirq. Lock: pmtu_lock.
 */
#include <net/pmtu.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/types.h>
#include <kernel/random.h>
#include <kernel/spinlock.h>
#include <kernel/timer.h>
#include <net/ip.h>
#include <net/route.h>

#define NR_ENTRIES 256
#define NR_TRIES   4 /* places where an address may be */

u32 pmtu_expires_s = 600;

static DEFINE_SPINLOCK(pmtu_lock);
/* under pmtu_lock */
static struct pmtu {
	be32 addr;
	u32 mtu;     /* 0: free */
	u64 expires; /* clock_ns() */
} entries[NR_ENTRIES];
static u32 nr_used;
static struct timer timer; /* started at the first expiry while anything is used */
static u32 hash_key;

static struct pmtu *place(be32 addr, u32 try)
{
	return &entries[(hash_u32(addr ^ hash_key, 8) + try) % NR_ENTRIES];
}
static_assert(NR_ENTRIES == 1 << 8, "place() spreads over all");

static struct pmtu *find(be32 addr)
{
	for (u32 try = 0; try < NR_TRIES; try++)
		if (place(addr, try)->mtu && place(addr, try)->addr == addr)
			return place(addr, try);
	return NULL;
}

static struct pmtu *find_room(be32 addr)
{
	for (u32 try = 0; try < NR_TRIES; try++)
		if (!place(addr, try)->mtu)
			return place(addr, try);
	return place(addr, (u32)random_below(NR_TRIES));
}

u32 pmtu_lookup(be32 daddr)
{
	struct pmtu *entry;
	u32 mtu = 0;

	if (likely(!READ_ONCE(nr_used)))
		return 0;
	spin_lock_bh(&pmtu_lock);
	entry = find(daddr);
	if (entry && clock_ns() < entry->expires)
		mtu = entry->mtu;
	spin_unlock_bh(&pmtu_lock);
	return mtu;
}

/* Under pmtu_lock. */
static void note(be32 daddr, u32 mtu)
{
	struct pmtu *entry = find(daddr);
	u64 expires = clock_ns() + pmtu_expires_s * NSEC_PER_SEC;

	if (entry && entry->mtu <= mtu)
		return;
	if (!entry) {
		entry = find_room(daddr);
		nr_used += !entry->mtu;
	}
	*entry = (struct pmtu){ daddr, mtu, expires };
	if (!timer_pending(&timer))
		timer_start(&timer, expires);
}

void ip_update_pmtu(be32 daddr, u32 mtu)
{
	mtu = max_t(u32, mtu, PMTU_MIN);
	spin_lock_bh(&pmtu_lock);
	note(daddr, mtu);
	spin_unlock_bh(&pmtu_lock);
	route_forget(daddr);
}

/* The way may have become better meanwhile: try again. */
static void expire(struct timer *timer)
{
	u64 now = clock_ns(), next = ~0ULL;

	spin_lock_bh(&pmtu_lock);
	for (struct pmtu *entry = entries; entry < entries + NR_ENTRIES; entry++) {
		if (!entry->mtu)
			continue;
		if (entry->expires <= now) {
			entry->mtu = 0;
			nr_used--;
		} else {
			next = min(next, entry->expires);
		}
	}
	if (nr_used)
		timer_start(timer, next);
	spin_unlock_bh(&pmtu_lock);
	route_changed();
}

void pmtu_init(void)
{
	hash_key = (u32)random_u64();
	timer_init(&timer, expire);
}
