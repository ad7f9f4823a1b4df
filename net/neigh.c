/*
 * The cache of neighbours: net/neigh.h draws their states. Step "reply".
 *
 * It is bounded: when it is full, an entry that nobody holds makes room, found by a hand that goes round the buckets; so
 * a flood of made-up addresses pushes out its own kind, and what is in use stays. Only if all are held one of those goes
 * that are not in touch. What waits for an answer is bounded
 * too, for each neighbour and in all, and the oldest packet goes first.
 *
 * Context: softirq and process. Lock: neigh_lock; nothing is sent or freed while it is held.
 */
#include <net/neigh.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/random.h>
#include <net/arp.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/snmp.h>

#define HASH_BITS   8
#define NR_BUCKETS  (1U << HASH_BITS)
#define MAX_WAITING 512		       /* packets, over all neighbours */
#define KEEP_TIME   (5 * NSEC_PER_SEC) /* what was used since is not evicted while others can be */
#define LOG_EVERY   (5 * NSEC_PER_SEC)

u32 neigh_max = 1024;
u32 neigh_reachable_ms = 30000;
u32 neigh_retrans_ms = 1000;
u32 neigh_delay_s = 5;
u32 neigh_unicast_probes = 3;
u32 neigh_broadcast_probes = 3;
u32 neigh_queue_bytes = 212992;
u32 neigh_locktime_ms = 1000;

static struct kmem_cache *neigh_cache; /* constant, as the key */
static u32 hash_key;

static DEFINE_SPINLOCK(neigh_lock);
/* under neigh_lock */
static struct hlist_head buckets[NR_BUCKETS];
static u32 nr_neighs, nr_waiting;
static u32 hand; /* the bucket where the search for an entry to evict goes on */
static u64 nr_overflows, nr_discarded, last_log;

/* What is to be done when neigh_lock is free again. */
struct todo {
	enum { ASK_NOBODY, ASK_IT, ASK_ALL } ask;
	u8 mac[ETH_ALEN];
	struct skb_chain send, fail, drop;
};

static void todo_init(struct todo *todo)
{
	*todo = (struct todo){ .ask = ASK_NOBODY };
}

static void todo_do(struct neigh *neigh, struct todo *todo)
{
	struct sk_buff *skb;

	if (todo->ask != ASK_NOBODY)
		arp_request(neigh->dev, neigh->addr, todo->ask == ASK_IT ? todo->mac : NULL);
	while ((skb = skb_chain_take(&todo->send))) {
		neigh_push_header(neigh, skb);
		dev_queue_xmit(skb);
	}
	while ((skb = skb_chain_take(&todo->fail))) {
		icmp_local_error(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH);
		skb_put(skb);
	}
	skb_chain_purge(&todo->drop);
}

static u64 ms(u32 milliseconds)
{
	return milliseconds * NSEC_PER_MSEC;
}

/* ---- entries, under neigh_lock ------------------------------------------------------------------------- */

static struct hlist_head *bucket_of(be32 addr)
{
	return &buckets[hash_u32(addr ^ hash_key, HASH_BITS)];
}

static struct neigh *find(be32 addr, const struct netdev *dev)
{
	struct neigh *neigh;

	hlist_for_each_entry(neigh, bucket_of(addr), link)
		if (neigh->addr == addr && neigh->dev == dev)
			return neigh;
	return NULL;
}

/* A started timer holds a reference, which travels with it when it is started anew. */
static void start_timer(struct neigh *neigh, u64 expires)
{
	if (!timer_start(&neigh->timer, expires))
		neigh_hold(neigh);
}

/* Not the last reference: the caller has one, or the table. */
static void stop_timer(struct neigh *neigh)
{
	if (timer_cancel(&neigh->timer))
		neigh_put(neigh);
}

static void move_waiting(struct neigh *neigh, struct skb_chain *to)
{
	struct sk_buff *skb;

	while ((skb = skb_chain_take(&neigh->queue))) {
		nr_waiting--;
		skb_chain_add(to, skb);
	}
	neigh->queue_bytes = 0;
}

static void discard_oldest(struct neigh *neigh, struct todo *todo)
{
	struct sk_buff *skb = skb_chain_take(&neigh->queue);

	nr_waiting--;
	nr_discarded++;
	neigh->queue_bytes -= skb->truesize;
	snmp_inc(IP_OutDiscards);
	skb_chain_add(&todo->drop, skb);
}

/* Full: the oldest go. Full with what waits for others: it is not taken. */
static bool let_wait(struct neigh *neigh, struct sk_buff *skb, struct todo *todo)
{
	while (neigh->queue.count && (neigh->queue_bytes + skb->truesize > neigh_queue_bytes ||
				      nr_waiting >= MAX_WAITING))
		discard_oldest(neigh, todo);
	if (nr_waiting >= MAX_WAITING) {
		nr_discarded++;
		return false;
	}
	skb_chain_add(&neigh->queue, skb);
	neigh->queue_bytes += skb->truesize;
	nr_waiting++;
	return true;
}

static void write_header(struct neigh *neigh, const u8 mac[ETH_ALEN])
{
	struct ethhdr *eth = (struct ethhdr *)neigh->header;

	WRITE_ONCE(neigh->sequence, neigh->sequence + 1);
	barrier();
	memcpy(eth->dest, mac, ETH_ALEN);
	memcpy(eth->source, neigh->dev->mac, ETH_ALEN);
	eth->protocol = htons(ETH_P_IP);
	barrier();
	WRITE_ONCE(neigh->sequence, neigh->sequence + 1);
}

/* Between half and one and a half times the setting, so that not all are asked at once (RFC 4861 section 6.3.2). */
static u64 reachable_time(void)
{
	return ms(neigh_reachable_ms / 2 + (u32)random_below(neigh_reachable_ms + 1));
}

static void set_state(struct neigh *neigh, enum neigh_state state)
{
	WRITE_ONCE(neigh->state, state);
	if (state == NUD_REACHABLE)
		neigh->reachable = reachable_time();
}

/* Out of the table. The queue's packets go to `fail`. */
static void unlink(struct neigh *neigh, struct skb_chain *fail)
{
	hlist_del_init(&neigh->link);
	nr_neighs--;
	neigh->dead = true;
	set_state(neigh, NUD_FAILED);
	move_waiting(neigh, fail);
	stop_timer(neigh);
}

static bool in_use(const struct neigh *neigh)
{
	return READ_ONCE(neigh->refcount) > 1U + timer_pending(&neigh->timer) || neigh->queue.count;
}

/* Who is connected to many addresses holds their neighbours: one that does not answer, or that nobody sends to, may go
 * all the same (`held`), if it must. */
static bool may_go(const struct neigh *neigh, u64 used_before, bool held)
{
	if (held)
		return neigh->state & (NUD_FAILED | NUD_STALE) && !neigh->queue.count;
	return neigh->state != NUD_PERMANENT && !in_use(neigh) &&
	       (neigh->state == NUD_FAILED || max(neigh->used, neigh->updated) < used_before);
}

static struct neigh *find_victim(u64 used_before, bool held)
{
	struct neigh *neigh;

	for (u32 i = 0; i < NR_BUCKETS; i++) {
		hand = (hand + 1) % NR_BUCKETS;
		hlist_for_each_entry(neigh, &buckets[hand], link)
			if (may_go(neigh, used_before, held))
				return neigh;
	}
	return NULL;
}

static void log_overflow(u64 now)
{
	nr_overflows++;
	if (now - last_log > LOG_EVERY) {
		last_log = now;
		pr_warn("arp: the table is full: %u neighbours in use\n", nr_neighs);
	}
}

/* Room for one more? The one that makes it comes back, to be put; if others hold it, their routes are to be looked up
 * anew. */
static bool make_room(struct neigh **evicted)
{
	u64 now = clock_ns();
	struct skb_chain none = { 0 };

	if (nr_neighs < neigh_max)
		return true;
	*evicted = find_victim(now - KEEP_TIME, false)
			   ?: find_victim(now + 1, false) ?: find_victim(0, true);
	if (*evicted) {
		unlink(*evicted, &none);
		return true;
	}
	log_overflow(now);
	return false;
}

/* ---- what happens in time ---------------------------------------------------------------------------------- */

static u32 probes_allowed(const struct neigh *neigh)
{
	return neigh->state == NUD_PROBE ? neigh_unicast_probes : neigh_broadcast_probes;
}

static void ask(struct neigh *neigh, struct todo *todo)
{
	const struct ethhdr *eth = (const struct ethhdr *)neigh->header;

	neigh->probes++;
	todo->ask = neigh->state == NUD_PROBE ? ASK_IT : ASK_ALL;
	memcpy(todo->mac, eth->dest, ETH_ALEN);
}

static void reachable_ends(struct neigh *neigh, u64 now)
{
	u64 end = READ_ONCE(neigh->confirmed) + neigh->reachable;

	if (now < end) {
		start_timer(neigh, end);
	} else if (now < neigh->used + neigh_delay_s * NSEC_PER_SEC) {
		set_state(neigh, NUD_DELAY);
		start_timer(neigh, now + neigh_delay_s * NSEC_PER_SEC);
	} else {
		set_state(neigh, NUD_STALE);
	}
}

static void delay_ends(struct neigh *neigh, u64 now)
{
	u64 confirmed = READ_ONCE(neigh->confirmed);

	if (now < confirmed + neigh_delay_s * NSEC_PER_SEC) {
		set_state(neigh, NUD_REACHABLE);
		start_timer(neigh, confirmed + neigh->reachable);
		return;
	}
	set_state(neigh, NUD_PROBE);
	neigh->probes = 0;
}

static void probe_again(struct neigh *neigh, u64 now, struct todo *todo)
{
	if (neigh->probes >= probes_allowed(neigh)) {
		set_state(neigh, NUD_FAILED);
		neigh->updated = now;
		move_waiting(neigh, &todo->fail);
		return;
	}
	ask(neigh, todo);
	start_timer(neigh, now + ms(neigh_retrans_ms));
}

static void timer_expired(struct timer *timer)
{
	struct neigh *neigh = container_of(timer, struct neigh, timer);
	u64 now = clock_ns();
	struct todo todo;

	todo_init(&todo);
	spin_lock_bh(&neigh_lock);
	if (neigh->state == NUD_REACHABLE)
		reachable_ends(neigh, now);
	else if (neigh->state == NUD_DELAY)
		delay_ends(neigh, now);
	if (neigh->state & (NUD_PROBE | NUD_INCOMPLETE))
		probe_again(neigh, now, &todo);
	spin_unlock_bh(&neigh_lock);
	todo_do(neigh, &todo);
	neigh_put(neigh);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static struct neigh *allocate(be32 addr, struct netdev *dev)
{
	struct neigh *neigh = kmem_cache_alloc(neigh_cache, GFP_ATOMIC | GFP_ZERO);

	if (!neigh)
		return NULL;
	neigh->refcount = 2; /* the table's and the caller's */
	neigh->addr = addr;
	neigh->dev = dev;
	neigh->state = NUD_FAILED; /* nobody has asked yet */
	neigh->updated = neigh->used = clock_ns();
	neigh->queue = (struct skb_chain){ 0 };
	timer_init(&neigh->timer, timer_expired);
	return neigh;
}

void neigh_free(struct neigh *neigh)
{
	kmem_cache_free(neigh_cache, neigh);
}

static struct neigh *lookup(be32 addr, struct netdev *dev)
{
	struct neigh *neigh;

	spin_lock_bh(&neigh_lock);
	neigh = find(addr, dev);
	if (neigh)
		neigh_hold(neigh);
	spin_unlock_bh(&neigh_lock);
	return neigh;
}

/* `fresh` goes in, unless another CPU was faster. NULL: no room. */
static struct neigh *insert(struct neigh *fresh)
{
	struct neigh *neigh, *evicted = NULL;

	spin_lock_bh(&neigh_lock);
	neigh = find(fresh->addr, fresh->dev);
	if (neigh) {
		neigh_hold(neigh);
	} else if (make_room(&evicted)) {
		neigh = fresh;
		hlist_add_head(&fresh->link, bucket_of(fresh->addr));
		nr_neighs++;
	}
	spin_unlock_bh(&neigh_lock);
	if (neigh != fresh)
		neigh_free(fresh);
	if (evicted) {
		if (READ_ONCE(evicted->refcount) > 1)
			route_changed();
		neigh_put(evicted);
	}
	return neigh;
}

struct neigh *neigh_get(be32 addr, struct netdev *dev)
{
	struct neigh *neigh = lookup(addr, dev);

	if (neigh)
		return neigh;
	neigh = allocate(addr, dev);
	return neigh ? insert(neigh) : NULL;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* Under neigh_lock. Where does the packet go? */
static int send_locked(struct neigh *neigh, struct sk_buff *skb, struct todo *todo)
{
	u64 now = clock_ns();

	/* The sender hears of it at once; not by an error from below, too: he may hold his socket's lock. */
	if (neigh->dead) {
		skb_chain_add(&todo->drop, skb);
		return -EHOSTUNREACH;
	}
	neigh->used = now;
	if (neigh->state & NUD_VALID) {
		if (neigh->state == NUD_STALE) {
			set_state(neigh, NUD_DELAY);
			neigh->updated = now;
			start_timer(neigh, now + neigh_delay_s * NSEC_PER_SEC);
		}
		skb_chain_add(&todo->send, skb);
		return 0;
	}
	if (!let_wait(neigh, skb, todo)) {
		skb_chain_add(&todo->drop, skb);
		return -ENOBUFS;
	}
	if (neigh->state == NUD_FAILED) {
		set_state(neigh, NUD_INCOMPLETE);
		neigh->updated = now;
		neigh->probes = 0;
		ask(neigh, todo);
		start_timer(neigh, now + ms(neigh_retrans_ms));
	}
	return 0;
}

int neigh_send_slow(struct neigh *neigh, struct sk_buff *skb)
{
	struct todo todo;
	int error;

	todo_init(&todo);
	spin_lock_bh(&neigh_lock);
	error = send_locked(neigh, skb, &todo);
	spin_unlock_bh(&neigh_lock);
	todo_do(neigh, &todo);
	return error;
}

/* ---- learning ----------------------------------------------------------------------------------------------------- */

static bool mac_is(const struct neigh *neigh, const u8 mac[ETH_ALEN])
{
	return !memcmp(((const struct ethhdr *)neigh->header)->dest, mac, ETH_ALEN);
}

/* An unasked word (STALE) about what we know already changes nothing; one that says otherwise does, if it may. */
static void learn_locked(struct neigh *neigh, const u8 mac[ETH_ALEN], enum neigh_state state,
			 bool override, struct todo *todo)
{
	bool same = mac_is(neigh, mac);
	u64 now = clock_ns();

	if (neigh->dead || neigh->state == NUD_PERMANENT)
		return;
	if (state == NUD_REACHABLE)
		neigh->confirmed = now;
	if (neigh->state & NUD_VALID) {
		if (!same && !override)
			return;
		if (same && state == NUD_STALE)
			return;
	}
	if (neigh->state != state || !same)
		neigh->updated = now;
	if (!same || !(neigh->state & NUD_VALID))
		write_header(neigh, mac);
	set_state(neigh, state);
	neigh->probes = 0;
	if (state == NUD_REACHABLE)
		start_timer(neigh, now + neigh->reachable);
	else
		stop_timer(neigh);
	move_waiting(neigh, &todo->send);
}

/* What waited goes out on its own, so an entry that is STALE from the start is watched from now on. */
static void watch_if_used(struct neigh *neigh, struct todo *todo)
{
	if (neigh->state == NUD_STALE && todo->send.count) {
		set_state(neigh, NUD_DELAY);
		start_timer(neigh, clock_ns() + neigh_delay_s * NSEC_PER_SEC);
	}
}

void neigh_learn(be32 addr, struct netdev *dev, const u8 mac[ETH_ALEN], enum neigh_state state,
		 bool create, bool override)
{
	struct neigh *neigh = create ? neigh_get(addr, dev) : lookup(addr, dev);
	struct todo todo;

	if (!neigh)
		return;
	todo_init(&todo);
	spin_lock_bh(&neigh_lock);
	learn_locked(neigh, mac, state, override, &todo);
	watch_if_used(neigh, &todo);
	spin_unlock_bh(&neigh_lock);
	todo_do(neigh, &todo);
	neigh_put(neigh);
}

bool neigh_locked(be32 addr, struct netdev *dev)
{
	struct neigh *neigh;
	bool locked;

	spin_lock_bh(&neigh_lock);
	neigh = find(addr, dev);
	locked = neigh && clock_ns() < neigh->updated + ms(neigh_locktime_ms);
	spin_unlock_bh(&neigh_lock);
	return locked;
}

/* ---- for programs ---------------------------------------------------------------------------------------------------- */

int neigh_set(be32 addr, struct netdev *dev, const u8 mac[ETH_ALEN], bool permanent)
{
	struct neigh *neigh = neigh_get(addr, dev);
	struct todo todo;

	if (!neigh)
		return -ENOBUFS;
	todo_init(&todo);
	spin_lock_bh(&neigh_lock);
	stop_timer(neigh);
	write_header(neigh, mac);
	set_state(neigh, permanent ? NUD_PERMANENT : NUD_STALE);
	neigh->updated = clock_ns();
	move_waiting(neigh, &todo.send);
	spin_unlock_bh(&neigh_lock);
	todo_do(neigh, &todo);
	neigh_put(neigh);
	return 0;
}

int neigh_delete(be32 addr, struct netdev *dev)
{
	struct neigh *neigh = lookup(addr, dev);
	struct todo todo;

	if (!neigh)
		return -ENXIO;
	todo_init(&todo);
	spin_lock_bh(&neigh_lock);
	stop_timer(neigh);
	set_state(neigh, NUD_FAILED);
	neigh->updated = clock_ns();
	move_waiting(neigh, &todo.fail);
	spin_unlock_bh(&neigh_lock);
	todo_do(neigh, &todo);
	neigh_put(neigh);
	return 0;
}

static void neigh_tell(const struct neigh *neigh, struct neigh_info *info)
{
	*info = (struct neigh_info){ .addr = neigh->addr,
				     .state = neigh->state,
				     .dev = neigh->dev };
	if (neigh->state & NUD_VALID)
		memcpy(info->mac, ((const struct ethhdr *)neigh->header)->dest, ETH_ALEN);
}

int neigh_find(be32 addr, struct netdev *dev, struct neigh_info *info)
{
	struct neigh *neigh;

	spin_lock_bh(&neigh_lock);
	neigh = find(addr, dev);
	if (neigh)
		neigh_tell(neigh, info);
	spin_unlock_bh(&neigh_lock);
	return neigh ? 0 : -ENXIO;
}

struct neigh_info *neigh_list(u32 *count)
{
	u32 room = READ_ONCE(nr_neighs) + 16;
	struct neigh_info *list = kcalloc(room, sizeof(*list), GFP_KERNEL);
	struct neigh *neigh;

	*count = 0;
	if (!list)
		return NULL;
	spin_lock_bh(&neigh_lock);
	for (u32 i = 0; i < NR_BUCKETS; i++)
		hlist_for_each_entry(neigh, &buckets[i], link)
			if (*count < room)
				neigh_tell(neigh, &list[(*count)++]);
	spin_unlock_bh(&neigh_lock);
	return list;
}

/* Each bucket by itself, so that the lock is not held for long. */
void neigh_flush(struct netdev *dev)
{
	for (u32 i = 0; i < NR_BUCKETS; i++) {
		struct hlist_node *next;
		struct neigh *neigh;
		struct todo todo;

		todo_init(&todo);
		spin_lock_bh(&neigh_lock);
		hlist_for_each_entry_safe(neigh, next, &buckets[i], link) {
			if (neigh->dev != dev)
				continue;
			unlink(neigh, &todo.fail);
			neigh_put(neigh);
		}
		spin_unlock_bh(&neigh_lock);
		todo_do(NULL, &todo);
	}
}

void neigh_stats_read(struct neigh_stats *stats)
{
	spin_lock_bh(&neigh_lock);
	*stats = (struct neigh_stats){ nr_neighs, nr_waiting, nr_overflows, nr_discarded };
	spin_unlock_bh(&neigh_lock);
}

void neigh_init(void)
{
	hash_key = (u32)random_u64();
	neigh_cache = kmem_cache_create("neigh", sizeof(struct neigh), 0);
	if (!neigh_cache)
		panic("no memory for the neighbours' cache");
}
