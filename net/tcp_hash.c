/*
 * Step 7 of the journey for TCP: two addresses and two ports lead to a connection. The table also holds what is not a
 * connection yet (a request) or any more (TIME_WAIT).
 *
 * It grows by linear hashing: one bucket at a time is split in two, the next one in order, so that a segment that arrives
 * meanwhile waits for two buckets at most, not for a table of a million to be built anew.
 *
 *	size = 4, nr = 6		buckets 0 and 1 have been split already, into 0 and 4, 1 and 5
 *	  0 1 2 3 4 5			an entry's bucket: hash mod 8 if that is below 6, else hash mod 4
 *
 * Buckets are in chunks, each twice as large as the one before, so that none of them ever moves.
 *
 * Strangers choose their ports, and an address of theirs may be any; a chain must not become long by that. The hash is keyed
 * (mulhash), and its values stay in here.
 *
 * Context: softirq and process; growing: process. Locks: grow_lock, then two buckets' locks, the old one's first. A
 * lookup takes one bucket's alone.
 */
#include <net/tcp_hash.h>

#include <fs/kvmalloc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <kernel/random.h>

#define FIRST_CHUNK 256U /* buckets; a power of two */
#define MAX_CHUNKS  16	 /* eight million */
#define SPLITS	    4	 /* at most, for each entry that comes */

struct bucket {
	spinlock_t lock;
	struct hlist_head chain;
};

static struct mulhash_key key; /* constant after start-up */
static struct bucket first_chunk[FIRST_CHUNK];
static struct bucket *chunks[MAX_CHUNKS] = { first_chunk }; /* a chunk never goes */
static u32 nr_buckets = FIRST_CHUNK; /* changes under grow_lock and both buckets' locks */
static u32 nr_entries;		     /* atomic */
static DEFINE_MUTEX(grow_lock);

static u32 log2_of(u32 number)
{
	return 31 - __builtin_clz(number);
}

static struct bucket *bucket_at(u32 index)
{
	u32 chunk;

	if (index < FIRST_CHUNK)
		return &first_chunk[index];
	chunk = log2_of(index / FIRST_CHUNK) + 1;
	return &chunks[chunk][index - (FIRST_CHUNK << (chunk - 1))];
}

static u32 index_of(u32 hash, u32 nr)
{
	u32 mask = ~0U >> __builtin_clz(nr), index = hash & mask;

	return index < nr ? index : index & (mask >> 1);
}

u32 tcp_hash(be32 saddr, be32 daddr, be16 sport, be16 dport)
{
	return mulhash((u64)daddr << 32 | saddr, (u32)dport << 16 | sport, &key);
}

/* Softirqs are off. The bucket may be split while we wait for its lock: then it is another one. */
static __always_inline struct bucket *lock_bucket(u32 hash)
{
	for (;;) {
		u32 nr = READ_ONCE(nr_buckets), index = index_of(hash, nr);
		struct bucket *bucket = bucket_at(index);

		spin_lock(&bucket->lock);
		if (likely(nr == READ_ONCE(nr_buckets) ||
			   index == index_of(hash, READ_ONCE(nr_buckets))))
			return bucket;
		spin_unlock(&bucket->lock);
	}
}

/* ---- references ---------------------------------------------------------------------------------------------- */

static struct tcp_sock *connection_of(struct tcp_hashed *hashed)
{
	return container_of(hashed, struct tcp_sock, hashed);
}

void tcp_hashed_get(struct tcp_hashed *hashed)
{
	if (hashed->kind == TCP_HASHED_CONNECTION)
		sock_get(tcp_to_sock(connection_of(hashed)));
	else
		__atomic_add_fetch(&hashed->refcount, 1, __ATOMIC_RELAXED);
}

void tcp_hashed_put(struct tcp_hashed *hashed)
{
	if (hashed->kind == TCP_HASHED_CONNECTION)
		sock_put(tcp_to_sock(connection_of(hashed)));
	else if (__atomic_sub_fetch(&hashed->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		tcp_hashed_free(hashed);
}

/* ---- lookup, insert, remove ------------------------------------------------------------------------------------ */

static bool matches(const struct tcp_hashed *hashed, const struct tcp_four *four)
{
	return hashed->sport == four->sport && hashed->dport == four->dport &&
	       hashed->daddr == four->daddr && hashed->saddr == four->saddr;
}

static inline struct tcp_hashed *find(struct bucket *bucket, const struct tcp_four *four)
{
	struct tcp_hashed *hashed;

	hlist_for_each_entry(hashed, &bucket->chain, hash_node)
		if (matches(hashed, four))
			return hashed;
	return NULL;
}

struct tcp_hashed *tcp_hash_lookup(const struct tcp_four *four)
{
	struct bucket *bucket =
		lock_bucket(tcp_hash(four->saddr, four->daddr, four->sport, four->dport));
	struct tcp_hashed *found = find(bucket, four);

	if (found)
		tcp_hashed_get(found);
	spin_unlock(&bucket->lock);
	return found;
}

static void link(struct bucket *bucket, struct tcp_hashed *hashed)
{
	tcp_hashed_get(hashed);
	hlist_add_head(&hashed->hash_node, &bucket->chain);
	__atomic_add_fetch(&nr_entries, 1, __ATOMIC_RELAXED);
}

static void unlink(struct tcp_hashed *hashed)
{
	hlist_del_init(&hashed->hash_node);
	__atomic_sub_fetch(&nr_entries, 1, __ATOMIC_RELAXED);
}

struct tcp_hashed *tcp_hash_add(struct tcp_hashed *hashed)
{
	const struct tcp_four four = { hashed->saddr, hashed->daddr, hashed->sport, hashed->dport };
	struct bucket *bucket;
	struct tcp_hashed *other;

	hashed->hash = tcp_hash(four.saddr, four.daddr, four.sport, four.dport);
	local_bh_disable();
	bucket = lock_bucket(hashed->hash);
	other = find(bucket, &four);
	if (other)
		tcp_hashed_get(other);
	else
		link(bucket, hashed);
	spin_unlock_bh(&bucket->lock);
	return other;
}

bool tcp_hash_replace(struct tcp_hashed *old, struct tcp_hashed *new)
{
	struct bucket *bucket;
	bool there;

	new->hash = old->hash;
	local_bh_disable();
	bucket = lock_bucket(old->hash);
	there = !hlist_unhashed(&old->hash_node);
	if (there) {
		unlink(old);
		link(bucket, new);
	}
	spin_unlock_bh(&bucket->lock);
	if (there)
		tcp_hashed_put(old);
	return there;
}

bool tcp_hash_remove(struct tcp_hashed *hashed)
{
	struct bucket *bucket;
	bool there;

	/* Who was never put in has no hash; whoever is in stays until somebody gets here. */
	if (hlist_unhashed(&hashed->hash_node))
		return false;
	local_bh_disable();
	bucket = lock_bucket(hashed->hash);
	there = !hlist_unhashed(&hashed->hash_node);
	if (there)
		unlink(hashed);
	spin_unlock_bh(&bucket->lock);
	if (there)
		tcp_hashed_put(hashed);
	return there;
}

/* ---- growing ---------------------------------------------------------------------------------------------------- */

static void init_buckets(struct bucket *buckets, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_HLIST_HEAD(&buckets[i].chain);
	}
}

/* The chunk that bucket `index`, a power of two, begins. */
static bool add_chunk(u32 index)
{
	u32 chunk = log2_of(index / FIRST_CHUNK) + 1;
	struct bucket *buckets;

	if (chunk == MAX_CHUNKS)
		return false;
	if (chunks[chunk])
		return true;
	buckets = kvmalloc(index * sizeof(*buckets));
	if (!buckets)
		return false; /* chains become longer, that is all */
	init_buckets(buckets, index);
	chunks[chunk] = buckets;
	return true;
}

/* Bucket `nr` takes its part of the one that it was so far. */
static void split(u32 nr)
{
	struct bucket *old = bucket_at(nr - (1U << log2_of(nr))), *new = bucket_at(nr);
	struct tcp_hashed *hashed;
	struct hlist_node *next;

	spin_lock_bh(&old->lock);
	spin_lock_nested(&new->lock);
	hlist_for_each_entry_safe(hashed, next, &old->chain, hash_node) {
		if (index_of(hashed->hash, nr + 1) == nr)
			hlist_move_head(&hashed->hash_node, &new->chain);
	}
	WRITE_ONCE(nr_buckets, nr + 1);
	spin_unlock(&new->lock);
	spin_unlock_bh(&old->lock);
}

void tcp_hash_grow(void)
{
	if (READ_ONCE(nr_entries) <= READ_ONCE(nr_buckets) || !mutex_trylock(&grow_lock))
		return;
	for (u32 i = 0; i < SPLITS && READ_ONCE(nr_entries) > nr_buckets; i++) {
		u32 nr = nr_buckets;

		if ((nr & (nr - 1)) == 0 && !add_chunk(nr))
			break;
		split(nr);
	}
	mutex_unlock(&grow_lock);
}

/* ---- listing ----------------------------------------------------------------------------------------------------- */

struct tcp_hashed *tcp_hash_next(u32 *index, struct tcp_hashed *after)
{
	struct tcp_hashed *found = NULL;

	for (; *index < READ_ONCE(nr_buckets) && !found; *index += !found) {
		struct bucket *bucket = bucket_at(*index);
		struct hlist_node *node;

		spin_lock_bh(&bucket->lock);
		node = bucket->chain.first;
		/* Gone, or in the other half by now: this bucket's rest is left out. */
		if (after)
			node = !hlist_unhashed(&after->hash_node) &&
					       index_of(after->hash, nr_buckets) == *index
				       ? after->hash_node.next
				       : NULL;
		found = hlist_entry_safe(node, struct tcp_hashed, hash_node);
		if (found)
			tcp_hashed_get(found);
		spin_unlock_bh(&bucket->lock);
		if (after)
			tcp_hashed_put(after);
		after = NULL;
	}
	return found;
}

void tcp_hash_init(void)
{
	random_fill(&key, sizeof(key));
	init_buckets(first_chunk, FIRST_CHUNK);
}
