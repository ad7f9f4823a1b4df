/*
 * The routing table: few routes, sorted so that the first that matches is the one (longest prefix, then lowest metric,
 * then newest). A lookup happens once for a connected socket, since the answer, a dst, is good until route_generation
 * moves; and for those that send to many, each CPU remembers its last answers.
 *
 * Step "reply". Context: softirq and process; changes: process. Lock: route_lock; the CPU's answers: softirqs off.
 */
#include <net/route.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/random.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/neigh.h>
#include <net/pmtu.h>

u32 route_generation = 1; /* written under route_lock */

struct route {
	struct list_head link;
	struct route_entry entry;
};

static DEFINE_SPINLOCK(route_lock);
/* under route_lock */
static LIST_HEAD(routes);
static u32 nr_routes;

/* ---- addresses ----------------------------------------------------------------------------------------- */

static inline bool same_net(be32 a, be32 b, be32 mask)
{
	return ((a ^ b) & mask) == 0;
}

static inline bool usable(const struct netdev *dev)
{
	return READ_ONCE(dev->flags) & IFF_UP && dev->address;
}

/* A network of two addresses or one has no broadcast address (RFC 3021). */
static bool is_broadcast_of(const struct netdev *dev, be32 addr)
{
	be32 hosts = ~dev->netmask;

	return ntohl(hosts) >= 3 && (addr == (dev->address | hosts) || addr == dev->broadcast);
}

/* One that the device answers to: of the loopback device, any of its network. */
static bool is_address_of(const struct netdev *dev, be32 addr)
{
	return addr == dev->address ||
	       (dev->flags & IFF_LOOPBACK && same_net(addr, dev->address, dev->netmask));
}

enum route_type ip_address_type(be32 addr)
{
	struct netdev *dev;

	if (ip_is_multicast(addr))
		return ROUTE_MULTICAST;
	if (!addr || addr == htonl(~0U))
		return ROUTE_BROADCAST;
	for_each_netdev(dev) {
		if (!usable(dev))
			continue;
		if (is_broadcast_of(dev, addr))
			return ROUTE_BROADCAST;
		if (is_address_of(dev, addr))
			return ROUTE_LOCAL;
	}
	return ROUTE_UNICAST;
}

bool ip_is_local(be32 addr)
{
	enum route_type type = ip_address_type(addr);

	return type == ROUTE_LOCAL || type == ROUTE_BROADCAST;
}

be32 route_source(const struct netdev *dev)
{
	struct netdev *other;

	if (dev->address)
		return dev->address;
	for_each_netdev(other)
		if (usable(other) && !(other->flags & IFF_LOOPBACK))
			return other->address;
	return 0;
}

struct netdev *route_link(be32 addr)
{
	struct netdev *dev;

	for_each_netdev(dev)
		if (usable(dev) && same_net(addr, dev->address, dev->netmask))
			return dev;
	return NULL;
}

/* ---- the table, under route_lock ----------------------------------------------------------------------------- */

static bool goes_before(const struct route_entry *a, const struct route_entry *b)
{
	u32 mask_a = ntohl(a->mask), mask_b = ntohl(b->mask);

	return mask_a != mask_b ? mask_a > mask_b : a->metric <= b->metric;
}

static void insert(struct route *route)
{
	struct list_head *behind = routes.next;

	while (behind != &routes &&
	       !goes_before(&route->entry, &list_entry(behind, struct route, link)->entry))
		behind = behind->next;
	list_add_tail(&route->link, behind);
	nr_routes++;
}

/* The caller frees it. */
static void take_out(struct route *route, struct list_head *gone)
{
	list_move(&route->link, gone);
	nr_routes--;
}

static void changed(void)
{
	WRITE_ONCE(route_generation, route_generation + 1);
}

void route_changed(void)
{
	spin_lock_bh(&route_lock);
	changed();
	spin_unlock_bh(&route_lock);
}

/* Copied out: the route may be gone when the lock is. */
static bool find(be32 daddr, u32 oif, struct route_entry *found)
{
	struct route *route;
	bool ok = false;

	spin_lock_bh(&route_lock);
	list_for_each_entry(route, &routes, link) {
		const struct route_entry *entry = &route->entry;

		if (!same_net(daddr, entry->dest, entry->mask) ||
		    (oif && entry->dev && entry->dev->index != oif))
			continue;
		*found = *entry;
		ok = true;
		break;
	}
	spin_unlock_bh(&route_lock);
	return ok;
}

static bool same_route(const struct route_entry *a, const struct route_entry *b)
{
	return a->dest == b->dest && a->mask == b->mask && a->gateway == b->gateway &&
	       a->dev == b->dev && a->metric == b->metric && a->flags == b->flags;
}

static int insert_new(struct route *fresh)
{
	struct route *route;

	if (nr_routes >= MAX_ROUTES)
		return -ENOBUFS;
	list_for_each_entry(route, &routes, link)
		if (same_route(&route->entry, &fresh->entry))
			return -EEXIST;
	insert(fresh);
	changed();
	return 0;
}

static void free_routes(struct list_head *gone)
{
	struct route *route, *next;

	list_for_each_entry_safe(route, next, gone, link)
		kfree(route);
}

/* ---- changes ------------------------------------------------------------------------------------------------ */

static bool mask_has_holes(be32 mask)
{
	u32 hosts = ~ntohl(mask);

	return hosts & (hosts + 1);
}

/* A gateway must be a host on a link. */
static int find_gateway(struct route_entry *entry)
{
	struct netdev *dev = entry->dev ?: route_link(entry->gateway);

	if (ip_address_type(entry->gateway) != ROUTE_UNICAST)
		return -EINVAL;
	if (!dev || !usable(dev) || !same_net(entry->gateway, dev->address, dev->netmask)) {
		struct route_entry to;

		if (!find(entry->gateway, entry->dev ? entry->dev->index : 0, &to) || to.gateway ||
		    to.flags & RTF_REJECT)
			return -ENETUNREACH;
		dev = to.dev;
	}
	entry->dev = dev;
	return 0;
}

static int check(struct route_entry *entry)
{
	entry->flags = RTF_UP | (entry->flags & RTF_REJECT);
	if (mask_has_holes(entry->mask) || entry->dest & ~entry->mask ||
	    ip_is_multicast(entry->dest))
		return -EINVAL;
	if (entry->mask == htonl(~0U))
		entry->flags |= RTF_HOST;
	if (entry->flags & RTF_REJECT) {
		entry->dev = NULL;
		entry->gateway = 0;
		return 0;
	}
	if (entry->gateway) {
		entry->flags |= RTF_GATEWAY;
		return find_gateway(entry);
	}
	if (!entry->dev)
		return -ENODEV;
	return entry->dev->flags & IFF_UP ? 0 : -ENETDOWN;
}

int route_add(const struct route_entry *entry)
{
	struct route *route = kmalloc(sizeof(*route), GFP_KERNEL);
	int error;

	if (!route)
		return -ENOMEM;
	route->entry = *entry;
	error = check(&route->entry);
	if (!error) {
		spin_lock_bh(&route_lock);
		error = insert_new(route);
		spin_unlock_bh(&route_lock);
	}
	if (error)
		kfree(route);
	return error;
}

static bool is_meant(const struct route_entry *entry, const struct route_entry *wanted)
{
	return entry->dest == wanted->dest && entry->mask == wanted->mask &&
	       (!wanted->gateway || entry->gateway == wanted->gateway) &&
	       (!wanted->dev || entry->dev == wanted->dev) &&
	       (!wanted->metric || entry->metric == wanted->metric);
}

int route_delete(const struct route_entry *wanted)
{
	struct route *route;
	LIST_HEAD(gone);
	int error = -ESRCH;

	spin_lock_bh(&route_lock);
	list_for_each_entry(route, &routes, link) {
		if (!is_meant(&route->entry, wanted))
			continue;
		take_out(route, &gone);
		changed();
		error = 0;
		break;
	}
	spin_unlock_bh(&route_lock);
	free_routes(&gone);
	return error;
}

static void drop_routes_of(const struct netdev *dev, struct list_head *gone)
{
	struct route *route, *next;

	list_for_each_entry_safe(route, next, &routes, link)
		if (route->entry.dev == dev)
			take_out(route, gone);
}

static bool has_network(const struct netdev *dev)
{
	return usable(dev) && !(dev->flags & IFF_LOOPBACK) && dev->netmask != htonl(~0U);
}

int route_device_update(struct netdev *dev)
{
	struct route *route = kzalloc(sizeof(*route), GFP_KERNEL);
	LIST_HEAD(gone);

	if (!route)
		return -ENOMEM;
	INIT_LIST_HEAD(&route->link);
	route->entry = (struct route_entry){
		.dest = dev->address & dev->netmask,
		.mask = dev->netmask,
		.dev = dev,
		.flags = RTF_UP,
	};
	spin_lock_bh(&route_lock);
	drop_routes_of(dev, &gone);
	if (has_network(dev))
		insert(route);
	else
		list_add(&route->link, &gone);
	changed();
	spin_unlock_bh(&route_lock);
	free_routes(&gone);
	neigh_flush(dev);
	if (usable(dev) && dev->carrier)
		arp_announce(dev);
	return 0;
}

/* As Linux lists them: by network, of one network the longest prefix first. */
static bool listed_before(const struct route_entry *a, const struct route_entry *b)
{
	return a->dest != b->dest ? ntohl(a->dest) < ntohl(b->dest) : goes_before(a, b);
}

static void sort(struct route_entry *list, u32 count)
{
	for (u32 i = 1; i < count; i++) {
		struct route_entry entry = list[i];
		u32 at = i;

		for (; at && !listed_before(&list[at - 1], &entry); at--)
			list[at] = list[at - 1];
		list[at] = entry;
	}
}

struct route_entry *route_list(u32 *count)
{
	struct route_entry *list = kcalloc(MAX_ROUTES, sizeof(*list), GFP_KERNEL);
	struct route *route;

	*count = 0;
	if (!list)
		return NULL;
	spin_lock_bh(&route_lock);
	list_for_each_entry(route, &routes, link)
		if (*count < MAX_ROUTES)
			list[(*count)++] = route->entry;
	spin_unlock_bh(&route_lock);
	sort(list, *count);
	return list;
}

/* ---- lookup -------------------------------------------------------------------------------------------------- */

static bool source_ok(be32 saddr)
{
	return ip_address_type(saddr) == ROUTE_LOCAL;
}

static void to_ourselves(struct flow *flow, struct dst *dst)
{
	dst->type = ROUTE_LOCAL;
	dst->dev = loopback_dev;
	dst->saddr = flow->saddr ?: flow->daddr;
	dst->mtu = min(loopback_dev->mtu, IP_MAX_MTU);
}

/* On which link? On the one that was named; the one that the source is on; or where unknown networks are. */
static struct netdev *link_to_many(const struct flow *flow, enum route_type type)
{
	struct netdev *dev;
	struct route_entry entry;

	if (flow->oif)
		return netdev_by_index(flow->oif);
	if (flow->saddr)
		for_each_netdev(dev)
			if (usable(dev) && dev->address == flow->saddr)
				return dev;
	if (type == ROUTE_BROADCAST && flow->daddr != htonl(~0U))
		return route_link(flow->daddr);
	return find(flow->daddr, 0, &entry) ? entry.dev : NULL;
}

static int to_many(struct flow *flow, struct dst *dst, enum route_type type)
{
	struct netdev *dev = link_to_many(flow, type);

	if (!dev || !(dev->flags & IFF_UP))
		return -ENETUNREACH;
	dst->type = type;
	dst->dev = dev;
	dst->saddr = flow->saddr ?: route_source(dev);
	dst->mtu = dev->mtu;
	return 0;
}

/* Without a route, a device that was named is taken at its word: everybody is on its link. */
static int find_hop(const struct flow *flow, struct route_entry *entry)
{
	if (find(flow->daddr, flow->oif, entry))
		return entry->flags & RTF_REJECT ? -EHOSTUNREACH : 0;
	*entry = (struct route_entry){ .dev = flow->oif ? netdev_by_index(flow->oif) : NULL };
	return entry->dev && entry->dev->flags & IFF_UP ? 0 : -ENETUNREACH;
}

static int to_one(struct flow *flow, struct dst *dst)
{
	struct route_entry entry;
	u32 pmtu;
	int error = find_hop(flow, &entry);

	if (error)
		return error;
	if (ip_is_loopback(flow->saddr) && !(entry.dev->flags & IFF_LOOPBACK))
		return -EINVAL;
	dst->type = ROUTE_UNICAST;
	dst->dev = entry.dev;
	dst->saddr = flow->saddr ?: route_source(entry.dev);
	dst->mtu = entry.mtu ? min(entry.mtu, entry.dev->mtu) : entry.dev->mtu;
	pmtu = pmtu_lookup(flow->daddr);
	if (pmtu)
		dst->mtu = min(dst->mtu, pmtu);
	if (!(entry.dev->flags & (IFF_NOARP | IFF_LOOPBACK))) {
		dst->neigh = neigh_get(entry.gateway ?: flow->daddr, entry.dev);
		if (!dst->neigh)
			return -ENOBUFS;
	}
	return 0;
}

static int lookup(struct flow *flow, struct dst *dst)
{
	enum route_type type = ip_address_type(flow->daddr);

	*dst = (struct dst){ .generation = READ_ONCE(route_generation) };
	if (flow->saddr && !source_ok(flow->saddr))
		return ip_is_multicast(flow->saddr) ? -EINVAL : -ENETUNREACH;
	switch (type) {
	case ROUTE_LOCAL:
		to_ourselves(flow, dst);
		return 0;
	case ROUTE_UNICAST:
		return to_one(flow, dst);
	default:
		return to_many(flow, dst, type);
	}
}

/* ---- the answers that each CPU remembers ------------------------------------------------------------------------- */

#define ANSWER_BITS 4

struct answer {
	be32 saddr, daddr; /* as asked */
	u32 oif;
	struct dst dst; /* dev NULL: none */
};
static DEFINE_PER_CPU(struct answer[1 << ANSWER_BITS], answers); /* softirqs off */

void dst_drop(struct dst *dst)
{
	if (dst->neigh)
		neigh_put(dst->neigh);
	*dst = (struct dst){ 0 };
}

static void dst_copy(struct dst *to, const struct dst *from)
{
	if (to->neigh)
		neigh_put(to->neigh);
	*to = *from;
	if (to->neigh)
		neigh_hold(to->neigh);
}

static inline bool fits(const struct answer *answer, const struct flow *flow)
{
	return answer->daddr == flow->daddr && answer->saddr == flow->saddr &&
	       answer->oif == flow->oif && dst_valid(&answer->dst);
}

static noinline int learn(struct answer *answer, struct flow *flow)
{
	struct dst dst;
	int error = lookup(flow, &dst);

	if (error)
		return error;
	dst_drop(&answer->dst);
	*answer = (struct answer){ flow->saddr, flow->daddr, flow->oif, dst };
	return 0;
}

/* Other CPUs' answers too: they see a generation that was never one, now or the next time that they ask. */
void route_forget(be32 daddr)
{
	for_each_cpu(cpu) {
		struct answer *slot = &per_cpu(answers, cpu)[hash_u32(daddr, ANSWER_BITS)];

		if (READ_ONCE(slot->daddr) == daddr)
			WRITE_ONCE(slot->dst.generation, 0);
	}
}

int ip_route(struct flow *flow)
{
	struct answer *slot;
	int error = 0;

	if (!flow->daddr)
		flow->daddr = flow->saddr ?: htonl(0x7f000001);
	local_bh_disable();
	slot = &(*this_cpu_ptr(answers))[hash_u32(flow->daddr, ANSWER_BITS)];
	if (unlikely(!fits(slot, flow)))
		error = learn(slot, flow);
	if (likely(!error)) {
		dst_copy(&flow->dst, &slot->dst);
		flow->saddr = slot->dst.saddr;
	} else {
		dst_drop(&flow->dst);
	}
	local_bh_enable();
	return error;
}
