/*
 * TCP's local ports. A tcp_port exists while somebody uses the number: sockets that chose it by bind(), sockets that
 * connect() gave it to, connections that came to a listener and share its port, and what is left of them in TIME_WAIT.
 * All of them are on its lists: bind() asks each whether it shares, everything else costs the same with a hundred
 * thousand of them.
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
	struct hlist_head users;     /* by inet.port_node */
	struct hlist_head remains;   /* in TIME_WAIT */
	struct hlist_head listeners; /* by hashed.hash_node: those of the users that listen */
	u32 nr_users;		     /* and remains */
	u32 nr_connectors; /* of them: connect() gave it to them. They share it if the four differ */
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

static void count_users(struct tcp_port *port, u32 how, int by)
{
	port->nr_users += by;
	port->nr_connectors += how & TCP_F_CONNECTOR ? by : 0;
}

static void free_if_unused(struct tcp_port *port)
{
	if (port->nr_users)
		return;
	hlist_del_init(&port->link);
	clear_bit(port->number, used);
	kmem_cache_free(port_cache, port);
}

/* ---- may they share it? ------------------------------------------------------------------------------------------- */

static struct tcp_port_user user_of(const struct inet_sock *inet)
{
	return (struct tcp_port_user){
		.saddr = inet->rcv_saddr,
		.dev = inet->sk.bound_dev,
		.options = inet->sk.options,
		.uid = inet->sk.uid,
		.state = container_of(inet, struct tcp_sock, inet)->hashed.state,
	};
}

/* Linux's rule: SO_REUSEADDR on both, unless the other one listens; or SO_REUSEPORT on both, and one user. `strict`:
 * nobody else at all, for a port that we may choose. */
static bool conflicts_with(const struct tcp_sock *tp, struct tcp_port_user other, bool strict)
{
	const struct sock *sk = &tp->inet.sk;
	u32 both = sk->options & other.options;

	if (sk->bound_dev && other.dev && sk->bound_dev != other.dev)
		return false;
	if (tp->inet.rcv_saddr && other.saddr && tp->inet.rcv_saddr != other.saddr)
		return false;
	if (strict)
		return true;
	if (both & SK_REUSEADDR && other.state != TCP_LISTEN)
		return false;
	return !(both & SK_REUSEPORT) || (other.state != TCP_TIME_WAIT && sk->uid != other.uid);
}

static bool port_conflicts(const struct tcp_port *port, const struct tcp_sock *tp, bool strict)
{
	const struct tcp_port_remains *remains;
	const struct inet_sock *inet;

	hlist_for_each_entry(inet, &port->users, port_node)
		if (inet != &tp->inet && conflicts_with(tp, user_of(inet), strict))
			return true;
	hlist_for_each_entry(remains, &port->remains, node)
		if (conflicts_with(tp, remains->user, strict))
			return true;
	return false;
}

/* `how`: TCP_F_CONNECTOR, TCP_F_CHILD or neither. */
static void add_user(struct tcp_port *port, struct tcp_sock *tp, u32 how)
{
	hlist_add_head(&tp->inet.port_node, &port->users);
	count_users(port, how, 1);
	tp->flags |= how;
	tp->bound = port;
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
		add_user(port, tp, 0);
		tp->inet.port = number;
		tp->hashed.sport = htons(number);
		error = 0;
	} else {
		free_if_unused(port);
	}
	spin_unlock_bh(&bucket->lock);
	return error;
}

/* From a random one on: those that nobody uses; then those that are used for other addresses. */
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
			if (!try_port(tp, number, true))
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
	if (port && port->nr_users == port->nr_connectors) {
		tp->hashed.sport = htons(number);
		error = hash_connection(tp, &other);
	}
	if (!error) {
		add_user(port, tp, TCP_F_CONNECTOR);
		tp->inet.port = number;
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

void tcp_share_port(struct tcp_sock *child, const struct tcp_sock *listener)
{
	struct tcp_port *port = listener->bound;
	struct port_bucket_tcp *bucket = bucket_of(port->number);

	spin_lock_bh(&bucket->lock);
	add_user(port, child, TCP_F_CHILD);
	spin_unlock_bh(&bucket->lock);
}

void tcp_port_hold(struct tcp_port_remains *remains, const struct tcp_sock *tp)
{
	struct tcp_port *port = tp->bound;
	struct port_bucket_tcp *bucket;

	*remains = (struct tcp_port_remains){
		.port = port,
		.user = user_of(&tp->inet),
		.how = tp->flags & TCP_F_CONNECTOR,
	};
	remains->user.state = TCP_TIME_WAIT;
	if (!port)
		return;
	bucket = bucket_of(port->number);
	spin_lock_bh(&bucket->lock);
	hlist_add_head(&remains->node, &port->remains);
	count_users(port, remains->how, 1);
	spin_unlock_bh(&bucket->lock);
}

static void leave_port(struct tcp_port *port, struct hlist_node *node, u32 how)
{
	struct port_bucket_tcp *bucket = bucket_of(port->number);

	spin_lock_bh(&bucket->lock);
	hlist_del_init(node);
	count_users(port, how, -1);
	free_if_unused(port);
	spin_unlock_bh(&bucket->lock);
}

void tcp_port_release(struct tcp_port_remains *remains)
{
	if (remains->port)
		leave_port(remains->port, &remains->node, remains->how);
}

void tcp_unbind_port(struct tcp_sock *tp)
{
	if (!tp->bound)
		return;
	leave_port(tp->bound, &tp->inet.port_node, tp->flags);
	tp->bound = NULL;
	tp->flags &= ~(TCP_F_CHILD | TCP_F_CONNECTOR);
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
