/*
 * How many ICMP errors may go: to one address, so that nobody can make us bother a third one whose address he lends;
 * and in all. Both are buckets of tokens that fill with time.
 *
 * Addresses share buckets by a hash that nobody outside can compute. Of the common bucket a few tokens are taken at
 * random, so that an outsider cannot count by it how many errors we sent to others (CVE-2020-25705).
 *
 * Context: softirq and process. Lock: rate_lock.
 */
#include <net/icmp.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/hash.h>
#include <kernel/random.h>
#include <net/snmp.h>

#define HASH_BITS    8
#define BURST	     6 /* errors at once to an address, after silence */
#define RANDOM_TAKEN 3

u32 icmp_ratelimit = 1000;
/* destination unreachable, source quench, time exceeded, parameter problem */
u32 icmp_ratemask = 1 << ICMP_DEST_UNREACH | 1 << ICMP_SOURCE_QUENCH | 1 << ICMP_TIME_EXCEEDED |
		    1 << ICMP_PARAMETERPROB;
u32 icmp_msgs_per_sec = 1000;
u32 icmp_msgs_burst = 50;

static DEFINE_SPINLOCK(rate_lock);
/* under rate_lock */
static struct {
	u64 filled; /* clock_ns(); until then all the time went into tokens */
	u64 time;   /* saved up: ns */
} by_address[1 << HASH_BITS];
static u64 common_filled, common_tokens;
static u32 hash_key; /* constant after icmp_rate_init() */

static bool address_allows(be32 daddr, u64 now)
{
	__auto_type bucket = &by_address[hash_u32(daddr ^ hash_key, HASH_BITS)];
	u64 price = READ_ONCE(icmp_ratelimit) * NSEC_PER_MSEC;

	if (!bucket->filled)
		bucket->time = BURST * price;
	bucket->time = min(bucket->time + (now - bucket->filled), BURST * price);
	bucket->filled = now;
	if (bucket->time < price)
		return false;
	bucket->time -= price;
	return true;
}

static void fill_common(u64 now)
{
	u64 per_second = READ_ONCE(icmp_msgs_per_sec),
	    passed = min(now - common_filled, NSEC_PER_SEC);
	u64 tokens = passed * per_second / NSEC_PER_SEC;

	if (!tokens)
		return;
	common_tokens = min_t(u64, common_tokens + tokens, READ_ONCE(icmp_msgs_burst));
	common_filled = now;
}

static bool common_allows(u64 now)
{
	u64 taken = 1 + random_below(RANDOM_TAKEN);

	fill_common(now);
	if (!common_tokens)
		return false;
	common_tokens -= min(taken, common_tokens);
	return true;
}

/* Path MTU discovery depends on its errors, and the loopback device bothers nobody else. */
static bool is_limited(u8 type, u8 code, const struct netdev *dev)
{
	if (type > ICMP_PARAMETERPROB || !(READ_ONCE(icmp_ratemask) & 1U << type))
		return false;
	return !(type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) &&
	       !(dev->flags & IFF_LOOPBACK);
}

bool icmp_rate_allows(be32 daddr, u8 type, u8 code, const struct netdev *dev)
{
	u64 now = clock_ns();
	bool by_all, by_this = true;

	if (!is_limited(type, code, dev))
		return true;
	spin_lock_bh(&rate_lock);
	by_all = common_allows(now);
	if (by_all)
		by_this = address_allows(daddr, now);
	spin_unlock_bh(&rate_lock);
	if (!by_all)
		snmp_inc(ICMP_OutRateLimitGlobal);
	else if (!by_this)
		snmp_inc(ICMP_OutRateLimitHost);
	return by_all && by_this;
}

void icmp_rate_init(void)
{
	hash_key = (u32)random_u64();
	common_tokens = icmp_msgs_burst;
	common_filled = clock_ns();
}
