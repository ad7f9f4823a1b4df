/*
 * TCP's local ports. A tcp_port exists while somebody uses the number: sockets that chose it by bind(), sockets that
 * connect() gave it to, connections that came to a listener and share its port, and what is left of them in TIME_WAIT.
 * The first two are on its lists, the others are only counted: a server has a hundred thousand of them.
 *
 * Step 7 for a SYN: port -> its listeners -> the one that knows most about the destination.
 *
 * Context: process; lookup softirq. Lock: port_bucket.lock (_bh), the bucket's ports and their lists. Inside it, in
 * connect(), the lock of a bucket of net/tcp_hash.c.
 */
#include <net/tcp_port.h>

#include <kernel/lib/bitmap.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/random.h>
#include <net/tcp_arrival.h>
#include <net/tcp_timewait.h>

#define BUCKET_BITS  10
#define COUNTER_BITS 8

struct tcp_port {
	u16 number;
	/* under the bucket's lock */
	struct hlist_node link;
	struct hlist_head owners;    /* by inet.port_node: chosen by bind() */
	struct hlist_head listeners; /* by hashed.hash_node: those of the owners that listen */
	u32 users;		     /* all of them: owners, connectors, children, TIME_WAITs */
	u32 connectors; /* that connect() gave it to: they share it, if the four differ. Their TIME_WAITs, too */
	u32 children;  /* and all other TIME_WAITs */
	u32 unsharing; /* of the children: without SO_REUSEADDR */
};

struct port_bucket_tcp {
	spinlock_t lock;
	struct hlist_head ports;
};

static struct kmem_cache *port_cache; /* constant after start-up */
static struct port_bucket_tcp buckets[1 << BUCKET_BITS];
static DECLARE_BITMAP(used, 65536); /* atomic: a tcp_port exists */
static struct siphash_key key;	    /* constant after start-up */
static u32 counters[1 << COUNTER_BITS];

static struct port_bucket_tcp *bucket_of(u16 port)
{
	return &buckets[port & ((1 << BUCKET_BITS) - 1)];
}

/* ---- ports, under the bucket's lock -------------------------------------------------------------------------- */

static struct tcp_port *find_port(u16 number)
{
	struct tcp_port *port;

	hlist_for_each_entry(port, &bucket_of(number)->ports, link)
		if (port->number == number)
			return port;
	return NULL;
}

static struct tcp_port *get_port(u16 number)
{
	struct tcp_port *port = find_port(number);

	if (port)
		return port;
	port = kmem_cache_alloc(port_cache, GFP_ATOMIC);
	if (!port)
		return NULL;
	*port = (struct tcp_port){ .number = number };
	hlist_add_head(&port->link, &bucket_of(number)->ports);
	set_bit(number, used);
	return port;
}

static void free_if_unused(struct tcp_port *port)
{
	if (port->users)
		return;
	hlist_del_init(&port->link);
	clear_bit(port->number, used);
	kmem_cache_free(port_cache, port);
}

/* ---- may they share it? ------------------------------------------------------------------------------------------- */

static bool addresses_meet(const struct inet_sock *a, const struct inet_sock *b)
{
	if (a->sk.bound_dev && b->sk.bound_dev && a->sk.bound_dev != b->sk.bound_dev)
		return false;
	return !a->rcv_saddr || !b->rcv_saddr || a->rcv_saddr == b->rcv_saddr;
}

/* Linux's rule: SO_REUSEADDR on both, unless one listens; or SO_REUSEPORT on both, and one user. `strict`: nobody else at
 * all, for a port that we may choose. */
static bool conflicts_with(const struct tcp_sock *tp, const struct tcp_sock *other, bool strict)
{
	u32 both = tp->inet.sk.options & other->inet.sk.options;

	if (!addresses_meet(&tp->inet, &other->inet))
		return false;
	if (strict)
		return true;
	if (both & SK_REUSEADDR && other->hashed.state != TCP_LISTEN)
		return false;
	return !(both & SK_REUSEPORT) || tp->inet.sk.uid != other->inet.sk.uid;
}

static bool port_conflicts(const struct tcp_port *port, const struct tcp_sock *tp, bool strict)
{
	u32 options = tp->inet.sk.options;
	const struct inet_sock *other;

	if (port->connectors)
		return true;
	if (port->children && (strict || ((port->unsharing || !(options & SK_REUSEADDR)) &&
					  !(options & SK_REUSEPORT))))
		return true;
	hlist_for_each_entry(other, &port->owners, port_node) {
		const struct tcp_sock *owner = container_of(other, struct tcp_sock, inet);

		if (owner != tp && conflicts_with(tp, owner, strict))
			return true;
	}
	return false;
}

/* ---- bind() ----------------------------------------------------------------------------------------------------------- */

static int try_port(struct tcp_sock *tp, u16 number, bool strict)
{
	struct port_bucket_tcp *bucket = bucket_of(number);
	struct tcp_port *port;
	int error = -EADDRINUSE;

	spin_lock_bh(&bucket->lock);
	port = get_port(number);
	if (!port) {
		error = -ENOMEM;
	} else if (!port_conflicts(port, tp, strict)) {
		hlist_add_head(&tp->inet.port_node, &port->owners);
		port->users++;
		tp->bound = port;
		tp->inet.port = number;
		tp->hashed.sport = htons(number);
		error = 0;
	} else {
		free_if_unused(port);
	}
	spin_unlock_bh(&bucket->lock);
	return error;
}

/* From a random one on: those that nobody uses; then those that their owners would share. */
static int choose_port(struct tcp_sock *tp)
{
	u32 range = READ_ONCE(ip_local_port_range), low = range & 0xffff,
	    count = (range >> 16) - low + 1;
	u32 start = random_below(count);

	for (u32 pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < count; i++) {
			u16 number = low + (start + i) % count;

			if (pass == 0 && test_bit(number, used))
				continue;
			if (!try_port(tp, number, pass == 0))
				return 0;
		}
	}
	return -EADDRINUSE;
}

int tcp_bind_port(struct tcp_sock *tp, u16 port)
{
	return port ? try_port(tp, port, false) : choose_port(tp);
}

/* ---- connect() ---------------------------------------------------------------------------------------------------------- */

/* Into the table of connections, if the four are free, or if what is left of an old connection gives way. `*other` is who
 * was there, or NULL: the caller puts it, when it holds no bucket's lock, for with a TIME_WAIT goes its port. */
static int hash_connection(struct tcp_sock *tp, struct tcp_hashed **other)
{
	struct tcp_origin origin;

	*other = tcp_hash_add(&tp->hashed);
	if (*other && ((*other)->kind != TCP_HASHED_TIMEWAIT || !tcp_timewait_reuse(*other, tp)))
		return -EADDRNOTAVAIL;
	origin = tcp_secure_origin(tp->hashed.saddr, tp->hashed.daddr, tp->hashed.sport,
				   tp->hashed.dport);
	tp->ts_offset = origin.ts_offset;
	if (!*other)
		tp->write_seq = origin.seq; /* else beyond the old one's */
	return 0;
}

static int connect_bound(struct tcp_sock *tp)
{
	struct tcp_hashed *other;
	int error = hash_connection(tp, &other);

	if (other)
		tcp_hashed_put(other);
	return error;
}

/* A port that only connect() has given away so far can be given once more, to another destination. */
static int try_connect_port(struct tcp_sock *tp, u16 number)
{
	struct port_bucket_tcp *bucket = bucket_of(number);
	struct tcp_hashed *other = NULL;
	struct tcp_port *port;
	int error = -EADDRNOTAVAIL;

	spin_lock_bh(&bucket->lock);
	port = get_port(number);
	if (port && port->users == port->connectors) {
		tp->hashed.sport = htons(number);
		error = hash_connection(tp, &other);
	}
	if (!error) {
		port->users++;
		port->connectors++;
		tp->bound = port;
		tp->inet.port = number;
		tp->flags |= TCP_F_CONNECTOR;
	} else if (port) {
		free_if_unused(port);
	}
	spin_unlock_bh(&bucket->lock);
	if (other)
		tcp_hashed_put(other);
	return error;
}

/* RFC 6056, algorithm 4: for each destination from a secret place on, one after the other, so that the first try is nearly
 * always a free one and nobody outside can tell which. */
int tcp_connect_port(struct tcp_sock *tp)
{
	const struct {
		be32 saddr, daddr;
		u32 dport;
	} flow = { tp->hashed.saddr, tp->hashed.daddr, tp->hashed.dport };
	u32 range = READ_ONCE(ip_local_port_range), low = range & 0xffff,
	    count = (range >> 16) - low + 1;
	u64 hash = siphash(&flow, sizeof(flow), &key);
	u32 *counter = &counters[hash & ((1 << COUNTER_BITS) - 1)], offset = hash >> 32;

	if (tp->bound)
		return connect_bound(tp);
	for (u32 i = 0; i < count; i++) {
		u32 next = __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);

		if (!try_connect_port(tp, low + (offset + next) % count))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

/* ---- children, and the end ------------------------------------------------------------------------------------------------ */

/* One that connect() gave it to, a child, a child that does not share it; or what is left of them. Under the bucket's lock. */
static void count_user(struct tcp_port *port, u32 how, int by)
{
	port->users += by;
	port->connectors += how & TCP_F_CONNECTOR ? by : 0;
	port->children += how & TCP_F_CHILD ? by : 0;
	port->unsharing += how & TCP_F_UNSHARING ? by : 0;
}

/* Like a child, whoever chose its port by bind(), too: none of them is on a list. */
static u32 as_child(const struct tcp_sock *tp)
{
	return TCP_F_CHILD | (tp->inet.sk.options & SK_REUSEADDR ? 0 : TCP_F_UNSHARING);
}

static void add_user(struct tcp_port *port, u32 how)
{
	struct port_bucket_tcp *bucket = bucket_of(port->number);

	spin_lock_bh(&bucket->lock);
	count_user(port, how, 1);
	spin_unlock_bh(&bucket->lock);
}

void tcp_share_port(struct tcp_sock *child, const struct tcp_sock *listener)
{
	u32 how = as_child(child);

	child->bound = listener->bound;
	child->flags |= how;
	add_user(child->bound, how);
}

u32 tcp_port_hold(const struct tcp_sock *tp)
{
	u32 how = tp->flags & TCP_F_CONNECTOR ? TCP_F_CONNECTOR : as_child(tp);

	if (tp->bound)
		add_user(tp->bound, how);
	return how;
}

void tcp_port_release(struct tcp_port *port, u32 how)
{
	struct port_bucket_tcp *bucket;

	if (!port)
		return;
	bucket = bucket_of(port->number);
	spin_lock_bh(&bucket->lock);
	count_user(port, how, -1);
	free_if_unused(port);
	spin_unlock_bh(&bucket->lock);
}

void tcp_unbind_port(struct tcp_sock *tp)
{
	struct tcp_port *port = tp->bound;
	struct port_bucket_tcp *bucket;

	if (!port)
		return;
	bucket = bucket_of(port->number);
	spin_lock_bh(&bucket->lock);
	count_user(port, tp->flags, -1);
	if (!(tp->flags & (TCP_F_CHILD | TCP_F_CONNECTOR)))
		hlist_del_init(&tp->inet.port_node);
	free_if_unused(port);
	tp->bound = NULL;
	tp->flags &= ~(TCP_F_CHILD | TCP_F_UNSHARING | TCP_F_CONNECTOR);
	spin_unlock_bh(&bucket->lock);
}

/* ---- listeners -------------------------------------------------------------------------------------------------------------- */

int tcp_listen_hash(struct tcp_sock *tp)
{
	struct tcp_port *port = tp->bound;
	struct port_bucket_tcp *bucket = bucket_of(port->number);
	int error = -EADDRINUSE;

	spin_lock_bh(&bucket->lock);
	if (!port_conflicts(port, tp, false)) {
		hlist_add_head(&tp->hashed.hash_node, &port->listeners);
		tp->hashed.state = TCP_LISTEN;
		error = 0;
	}
	spin_unlock_bh(&bucket->lock);
	return error;
}

void tcp_listen_unhash(struct tcp_sock *tp)
{
	struct port_bucket_tcp *bucket = bucket_of(tp->bound->number);

	spin_lock_bh(&bucket->lock);
	hlist_del_init(&tp->hashed.hash_node);
	spin_unlock_bh(&bucket->lock);
}

/* How much a listener knows of this destination; 0: it is not meant. */
static u32 listener_score(const struct tcp_sock *tp, const struct tcp_four *four,
			  const struct netdev *dev)
{
	u32 score = 1;

	if (tp->inet.rcv_saddr) {
		if (tp->inet.rcv_saddr != four->saddr)
			return 0;
		score += 2;
	}
	if (tp->inet.sk.bound_dev) {
		if (tp->inet.sk.bound_dev != dev->index)
			return 0;
		score += 4;
	}
	return score;
}

/* Of those that score as `best`, the one that the hash of the four falls to: a peer's SYN and ACK find the same one. */
static struct tcp_sock *balance(struct tcp_port *port, const struct tcp_four *four,
				const struct netdev *dev, u32 score, u32 count)
{
	u32 chosen =
		(u64)tcp_hash(four->saddr, four->daddr, four->sport, four->dport) * count >> 32;
	struct tcp_sock *tp;

	hlist_for_each_entry(tp, &port->listeners, hashed.hash_node)
		if (listener_score(tp, four, dev) == score && chosen-- == 0)
			return tp;
	return NULL;
}

struct tcp_sock *tcp_listen_lookup(const struct tcp_four *four, const struct netdev *dev)
{
	struct port_bucket_tcp *bucket = bucket_of(ntohs(four->sport));
	struct tcp_sock *tp, *best = NULL;
	u32 best_score = 0, count = 0;
	struct tcp_port *port;

	spin_lock_bh(&bucket->lock);
	port = find_port(ntohs(four->sport));
	if (port) {
		hlist_for_each_entry(tp, &port->listeners, hashed.hash_node) {
			u32 score = listener_score(tp, four, dev);

			if (score > best_score) {
				best = tp;
				best_score = score;
				count = 0;
			}
			count += score && score == best_score;
		}
	}
	if (count > 1)
		best = balance(port, four, dev, best_score, count);
	if (best)
		sock_get(tcp_to_sock(best));
	spin_unlock_bh(&bucket->lock);
	return best;
}

/* The one behind `after` in its bucket: ports in order, and their listeners. */
static struct tcp_sock *listener_behind(const struct port_bucket_tcp *bucket,
					const struct tcp_sock *after)
{
	struct tcp_port *port;
	struct tcp_sock *tp;

	hlist_for_each_entry(port, &bucket->ports, link) {
		hlist_for_each_entry(tp, &port->listeners, hashed.hash_node) {
			if (!after)
				return tp;
			if (tp == after)
				after = NULL;
		}
	}
	return NULL;
}

struct tcp_sock *tcp_next_listener(u32 *index, struct tcp_sock *after)
{
	struct tcp_sock *found = NULL;

	for (; *index < ARRAY_SIZE(buckets) && !found; *index += !found) {
		struct port_bucket_tcp *bucket = &buckets[*index];

		spin_lock_bh(&bucket->lock);
		found = listener_behind(bucket, after);
		if (found)
			sock_get(tcp_to_sock(found));
		spin_unlock_bh(&bucket->lock);
		if (after)
			sock_put(tcp_to_sock(after));
		after = NULL;
	}
	return found;
}

void tcp_port_init(void)
{
	port_cache = kmem_cache_create("tcp_port", sizeof(struct tcp_port), 8);
	if (!port_cache)
		panic("no memory for the cache of ports");
	random_fill(&key, sizeof(key));
	for (u32 i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_HLIST_HEAD(&buckets[i].ports);
	}
}
