/*
 * Local ports: which socket has which, whether two may share one, and which is given to a socket that does not
 * care. One kind of table serves UDP (by port), ping sockets (by the echo's identifier) and raw sockets (by
 * protocol). The lookup of step 7 walks a chain of such a table.
 *
 * Context: process; port_next_match() softirq too. Lock: port_bucket.lock, inside user_lock; nothing inside it.
 */
#include <net/inet.h>

#include <fs/proc/proc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/random.h>

#define RANDOM_TRIES 8
/* Linux pads the lines of /proc/net/udp to this width. */
#define UDP_LINE_WIDTH 127

u32 ip_local_port_range = 60999U << 16 | 32768;
u32 ip_unprivileged_port_start = 1024;

void port_table_init(struct port_table *table, struct port_bucket *buckets, u32 count)
{
	table->buckets = buckets;
	table->mask = count - 1;
	for (u32 i = 0; i < count; i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_HLIST_HEAD(&buckets[i].socks);
	}
}

bool port_conflict_datagram(const struct inet_sock *inet, const struct inet_sock *other)
{
	const struct sock *a = &inet->sk, *b = &other->sk;

	if (a->options & b->options & SK_REUSEADDR)
		return false;
	if (a->bound_dev && b->bound_dev && a->bound_dev != b->bound_dev)
		return false;
	if (inet->rcv_saddr && other->rcv_saddr && inet->rcv_saddr != other->rcv_saddr)
		return false;
	return !(a->options & b->options & SK_REUSEPORT) || a->uid != b->uid;
}

/* Under the bucket's lock. */
static bool port_conflicts(const struct port_table *table, const struct port_bucket *bucket,
			   const struct inet_sock *inet, u16 port)
{
	const struct inet_sock *other;

	if (!table->conflict)
		return false;
	hlist_for_each_entry(other, &bucket->socks, port_node)
		if (other->port == port && table->conflict(inet, other))
			return true;
	return false;
}

static bool try_port(struct port_table *table, struct inet_sock *inet, u16 port)
{
	struct port_bucket *bucket = port_bucket(table, port);
	bool free;

	spin_lock_bh(&bucket->lock);
	free = !port_conflicts(table, bucket, inet, port);
	if (free) {
		inet->port = port;
		sock_get(&inet->sk);
		hlist_add_head(&inet->port_node, &bucket->socks);
		set_bit(port, table->used);
	}
	spin_unlock_bh(&bucket->lock);
	return free;
}

/* The first port in [from, end) that nobody has; *tried counts what others took under our nose. */
static bool scan_free(struct port_table *table, struct inet_sock *inet, u32 from, u32 end)
{
	while ((from = find_next_zero_bit(table->used, end, from)) < end) {
		if (try_port(table, inet, from))
			return true;
		from++;
	}
	return false;
}

/* All are in use; one of their owners may be willing to share. */
static bool scan_shared(struct port_table *table, struct inet_sock *inet, u32 from, u32 end)
{
	for (; from < end; from++)
		if (try_port(table, inet, from))
			return true;
	return false;
}

/* At random, so that nobody can guess it (RFC 6056). Luck is the rule while less than half of them are in use;
 * after that the bit map leads to the next free one. */
static bool choose_port(struct port_table *table, struct inet_sock *inet)
{
	u32 range = READ_ONCE(ip_local_port_range);
	u32 low = table->high ? table->low : range & 0xffff;
	u32 end = (table->high ?: range >> 16) + 1, start;

	for (u32 i = 0; i < RANDOM_TRIES; i++) {
		start = low + random_below(end - low);
		if (!test_bit(start, table->used) && try_port(table, inet, start))
			return true;
	}
	return scan_free(table, inet, start, end) || scan_free(table, inet, low, start) ||
	       scan_shared(table, inet, start, end) || scan_shared(table, inet, low, start);
}

int port_bind(struct port_table *table, struct inet_sock *inet, u16 port)
{
	return (port ? try_port(table, inet, port) : choose_port(table, inet)) ? 0 : -EADDRINUSE;
}

static bool port_has_owner(const struct port_bucket *bucket, u16 port)
{
	const struct inet_sock *inet;

	hlist_for_each_entry(inet, &bucket->socks, port_node)
		if (inet->port == port)
			return true;
	return false;
}

void port_unbind(struct port_table *table, struct inet_sock *inet)
{
	struct port_bucket *bucket = port_bucket(table, inet->port);

	if (!inet->port)
		return;
	spin_lock_bh(&bucket->lock);
	hlist_del_init(&inet->port_node);
	if (!port_has_owner(bucket, inet->port))
		clear_bit(inet->port, table->used);
	inet->port = 0;
	spin_unlock_bh(&bucket->lock);
	sock_put(&inet->sk);
}

/* ---- walks ------------------------------------------------------------------------------------------------ */

/* Where a walk goes on, under the bucket's lock. `after` may have left for another chain, whose links are not
 * ours to follow: as long as it has this port it has not. */
static struct hlist_node *next_node(const struct port_bucket *bucket, const struct inet_sock *after,
				    u16 port)
{
	if (!after)
		return bucket->socks.first;
	return after->port == port ? after->port_node.next : NULL;
}

struct inet_sock *port_next_match(struct port_table *table, u16 port, struct inet_sock *after,
				  bool (*match)(const struct inet_sock *inet, const void *packet),
				  const void *packet)
{
	struct port_bucket *bucket = port_bucket(table, port);
	struct inet_sock *inet;

	spin_lock_bh(&bucket->lock);
	inet = hlist_entry_safe(next_node(bucket, after, port), struct inet_sock, port_node);
	while (inet && !(inet->port == port && match(inet, packet)))
		inet = hlist_entry_safe(inet->port_node.next, struct inet_sock, port_node);
	if (inet)
		sock_get(&inet->sk);
	spin_unlock_bh(&bucket->lock);
	if (after)
		sock_put(&after->sk);
	return inet;
}

struct inet_sock *port_next(struct port_table *table, u32 *bucket, struct inet_sock *after)
{
	struct inet_sock *inet = NULL;
	struct hlist_node *node;

	for (; *bucket <= table->mask && !inet; *bucket += !inet) {
		struct port_bucket *chain = &table->buckets[*bucket];
		u16 port = after ? READ_ONCE(after->port) : 0;

		spin_lock_bh(&chain->lock);
		if (!after)
			node = chain->socks.first;
		else
			node = port && port_bucket(table, port) == chain
				       ? next_node(chain, after, port)
				       : NULL;
		inet = hlist_entry_safe(node, struct inet_sock, port_node);
		if (inet)
			sock_get(&inet->sk);
		spin_unlock_bh(&chain->lock);
		if (after)
			sock_put(&after->sk);
		after = NULL;
	}
	return inet;
}

/* 7 is TCP_CLOSE, 1 TCP_ESTABLISHED: what Linux calls the states of all sockets. */
static void show_socket(struct seq_buf *out, const struct inet_sock *inet)
{
	const struct sock *sk = &inet->sk;

	seq_printf(out, " %08X:%04X %08X:%04X %02X %08X:%08X 00:00000000 00000000", inet->rcv_saddr,
		   inet->port, inet->daddr, ntohs(inet->dport), inet->daddr ? 1 : 7,
		   READ_ONCE(sk->wmem), READ_ONCE(sk->rmem));
	/* Ours is not counted; where it is in memory is nobody's business. */
	seq_printf(out, " %5u        0 %llu %u 0000000000000000 %u", sk->uid, sk->ino,
		   READ_ONCE(sk->refcount) - 1, READ_ONCE(sk->drops));
}

void port_show(struct port_table *table, struct seq_buf *out, int width)
{
	struct inet_sock *inet = NULL;
	u32 bucket = 0;

	seq_printf(out,
		   "%*s  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
		   "retrnsmt   uid  timeout inode ref pointer drops%*s\n",
		   width - 4, "", width > 4 ? 12 : 0, "");
	while ((inet = port_next(table, &bucket, inet))) {
		size_t start = out->length;

		seq_printf(out, "%*u:", width, bucket);
		show_socket(out, inet);
		for (; width > 4 && out->length - start < UDP_LINE_WIDTH && !out->failed;)
			seq_putc(out, ' ');
		seq_putc(out, '\n');
	}
}

/* ---- /proc/sys/net/ipv4 ----------------------------------------------------------------------------------- */

int inet_parse_pair(const char *text, u64 *low, u64 *high)
{
	int error = parse_u64(text, &text, low);

	if (error)
		return error;
	while (*text == ' ' || *text == '\t')
		text++;
	return parse_u64(text, NULL, high);
}

static void show_port_range(struct seq_buf *out, const struct proc_entry *entry)
{
	u32 range = READ_ONCE(ip_local_port_range);

	seq_printf(out, "%u\t%u\n", range & 0xffff, range >> 16);
}

static int write_port_range(char *text, const struct proc_entry *entry)
{
	u64 low, high;
	int error = inet_parse_pair(text, &low, &high);

	if (error)
		return error;
	if (!low || low > high || high > 65535)
		return -EINVAL;
	WRITE_ONCE(ip_local_port_range, (u32)(high << 16 | low));
	return 0;
}

static int write_unprivileged_start(char *text, const struct proc_entry *entry)
{
	u64 port;
	int error = parse_u64(text, NULL, &port);

	if (error || port > 65535)
		return -EINVAL;
	WRITE_ONCE(ip_unprivileged_port_start, (u32)port);
	return 0;
}

static const struct proc_entry ipv4_files[] = {
	{ "ip_local_port_range", 0644, .show = show_port_range, .write = write_port_range },
	{ "ip_unprivileged_port_start", 0644, .show = proc_show_u32,
	  .write = write_unprivileged_start, .data = &ip_unprivileged_port_start },
};

void inet_port_init(void)
{
	PROC_REGISTER("sys/net/ipv4", ipv4_files);
}
