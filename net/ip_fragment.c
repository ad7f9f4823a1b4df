/*
 * Putting fragments together again (RFC 791 section 3.2, RFC 815). Pieces are kept sorted, each in the buffer that it
 * came in; when all are there, the first one gets the others as its parts, and no byte was copied.
 *
 * An honest sender's fragments do not overlap. If two do, the whole datagram is thrown away (RFC 5722, RFC 8900): who
 * looked at it on the way may have seen another one than we. An exact repetition is only a repetition.
 *
 * Everything is bounded: pieces a datagram, time, and memory in all; when that is full, the datagram that has waited
 * longest goes. All wait equally long, so the list by age is also the list by expiry, and one timer serves it.
 *
 * Step 6. Context: softirq. Lock: fragment_lock; errors are sent without it.
 */
#include <net/ip_impl.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/hlist.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/random.h>
#include <net/icmp.h>

#define HASH_BITS     6
#define MAX_PIECES    256
#define MAX_DATAGRAM  65535
#define UNKNOWN_TOTAL (~0U)

u32 ipfrag_high_thresh = 4 * MiB;
u32 ipfrag_time = 30;

struct fragment_key {
	be32 saddr, daddr;
	be16 id;
	u8 protocol;
	u8 zero;
};
static_assert(sizeof(struct fragment_key) == 12, "hashed and compared as bytes");

struct datagram {
	struct hlist_node hash_link;
	struct list_head age_link; /* the oldest first */
	struct fragment_key key;
	u64 expires;
	struct skb_queue pieces; /* by offset */
	u32 received;		 /* bytes of payload */
	u32 total;		 /* of payload, once the last fragment is there */
	u32 memory;
	bool last_seen;
};

/* In a piece's cb: its place in the payload. Its buffer's data is there, too. */
struct piece_place {
	u32 start, end;
};

static struct kmem_cache *datagram_cache; /* constant, as the key */
static struct siphash_key hash_key;

static DEFINE_SPINLOCK(fragment_lock);
/* under fragment_lock */
static struct hlist_head buckets[1 << HASH_BITS];
static LIST_HEAD(by_age);
static u64 nr_datagrams, memory;
static struct timer expiry; /* started while there are any */

static struct piece_place *place_of(struct sk_buff *skb)
{
	return (struct piece_place *)skb->cb;
}

/* ---- datagrams ------------------------------------------------------------------------------------------- */

static struct hlist_head *bucket_of(const struct fragment_key *key)
{
	return &buckets[siphash(key, sizeof(*key), &hash_key) >> (64 - HASH_BITS)];
}

static struct datagram *find(const struct fragment_key *key)
{
	struct datagram *datagram;

	hlist_for_each_entry(datagram, bucket_of(key), hash_link)
		if (!memcmp(&datagram->key, key, sizeof(*key)))
			return datagram;
	return NULL;
}

static void account(struct datagram *datagram, u32 bytes)
{
	datagram->memory += bytes;
	memory += bytes;
}

static struct datagram *create(const struct fragment_key *key)
{
	struct datagram *datagram = kmem_cache_alloc(datagram_cache, GFP_ATOMIC | GFP_ZERO);

	if (!datagram)
		return NULL;
	datagram->key = *key;
	datagram->total = UNKNOWN_TOTAL;
	datagram->expires = clock_ns() + READ_ONCE(ipfrag_time) * NSEC_PER_SEC;
	skb_queue_init(&datagram->pieces);
	hlist_add_head(&datagram->hash_link, bucket_of(key));
	list_add_tail(&datagram->age_link, &by_age);
	if (!nr_datagrams++)
		timer_start(&expiry, datagram->expires);
	account(datagram, sizeof(*datagram));
	return datagram;
}

/* Out of the table; its pieces stay with it. */
static void unlink(struct datagram *datagram)
{
	hlist_del_init(&datagram->hash_link);
	list_del(&datagram->age_link);
	nr_datagrams--;
	memory -= datagram->memory;
}

static void discard(struct datagram *datagram)
{
	unlink(datagram);
	skb_queue_purge(&datagram->pieces);
	kmem_cache_free(datagram_cache, datagram);
	snmp_inc(IP_ReasmFails);
}

/* Not the one that is just being worked on. */
static void make_room(const struct datagram *keep)
{
	struct datagram *oldest, *next;

	list_for_each_entry_safe(oldest, next, &by_age, age_link) {
		if (memory <= READ_ONCE(ipfrag_high_thresh))
			break;
		if (oldest != keep)
			discard(oldest);
	}
}

/* ---- a piece comes ------------------------------------------------------------------------------------------ */

enum verdict { PIECE_KEPT, PIECE_REPEATED, DATAGRAM_BAD };

/* Where the piece goes: behind which one? Mostly fragments come in order, so the search begins at the end. */
static enum verdict find_place(struct datagram *datagram, const struct piece_place *place,
			       struct list_head **behind)
{
	struct sk_buff *other;

	for (*behind = datagram->pieces.list.prev; *behind != &datagram->pieces.list;
	     *behind = (*behind)->prev) {
		other = list_entry(*behind, struct sk_buff, link);
		if (place_of(other)->start == place->start && place_of(other)->end == place->end)
			return PIECE_REPEATED;
		if (place_of(other)->end <= place->start)
			return PIECE_KEPT;
		if (place_of(other)->start < place->end) {
			snmp_inc(IPEXT_ReasmOverlaps);
			return DATAGRAM_BAD;
		}
	}
	return PIECE_KEPT;
}

/* What the last fragment says of the length, and what others say, must agree. */
static bool length_agrees(struct datagram *datagram, const struct piece_place *place, bool last)
{
	struct sk_buff *highest;

	if (!last)
		return place->end <= datagram->total;
	if (datagram->last_seen)
		return place->end == datagram->total;
	highest = skb_peek_tail(&datagram->pieces);
	if (highest && place_of(highest)->end > place->end)
		return false;
	datagram->total = place->end;
	datagram->last_seen = true;
	return true;
}

static enum verdict add_piece(struct datagram *datagram, struct sk_buff *skb, bool last)
{
	struct piece_place *place = place_of(skb);
	struct list_head *behind;
	enum verdict verdict;

	if (!length_agrees(datagram, place, last))
		return DATAGRAM_BAD;
	verdict = find_place(datagram, place, &behind);
	if (verdict != PIECE_KEPT)
		return verdict;
	if (datagram->pieces.count == MAX_PIECES)
		return DATAGRAM_BAD;
	list_add(&skb->link, behind);
	datagram->pieces.count++;
	datagram->received += place->end - place->start;
	account(datagram, skb->truesize);
	return PIECE_KEPT;
}

/* Header and place of a fragment: the header comes off. False: no honest sender made this. */
static bool take_apart(struct sk_buff *skb, bool *last)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	u32 header = IP_HLEN(ip), payload = skb->len - header;
	u32 start = (ntohs(ip->fragment) & IP_OFFSET) * 8;

	*last = !(ip->fragment & htons(IP_MF));
	if (!*last)
		payload &= ~7U;
	if (!payload || start + payload + header > MAX_DATAGRAM || skb->next_part ||
	    skb_shared(skb))
		return false;
	skb_trim(skb, header + payload);
	skb_pull(skb, header);
	*place_of(skb) = (struct piece_place){ start, start + payload };
	return true;
}

/* ---- all are there ------------------------------------------------------------------------------------------- */

static struct sk_buff *join(struct datagram *datagram)
{
	struct sk_buff *head = skb_dequeue(&datagram->pieces), *last = head, *skb;
	struct iphdr *ip = ip_hdr(head);

	while ((skb = skb_dequeue(&datagram->pieces))) {
		skb_add_part(head, last, skb);
		last = skb;
	}
	skb_push(head, IP_HLEN(ip));
	head->ip_summed = CHECKSUM_NONE;
	ip->total_length = htons(head->len);
	ip->fragment = 0;
	ip_set_checksum(ip);
	return head;
}

/* The headers are the first fragment's, and may be longer than others': too long now? */
static bool fits(struct datagram *datagram)
{
	struct sk_buff *head = skb_peek(&datagram->pieces);

	return datagram->total + IP_HLEN(ip_hdr(head)) <= MAX_DATAGRAM;
}

static struct sk_buff *finish(struct datagram *datagram)
{
	struct sk_buff *whole;

	if (!fits(datagram)) {
		discard(datagram);
		return NULL;
	}
	unlink(datagram);
	whole = join(datagram);
	kmem_cache_free(datagram_cache, datagram);
	snmp_inc(IP_ReasmOKs);
	return whole;
}

/* Under fragment_lock; the header is off. Keeps the piece or drops it. */
static struct sk_buff *work_in(const struct fragment_key *key, struct sk_buff *skb, bool last)
{
	struct datagram *datagram = find(key) ?: create(key);
	enum verdict verdict;

	if (!datagram) {
		ip_drop(skb, IP_ReasmFails);
		return NULL;
	}
	verdict = add_piece(datagram, skb, last);
	if (verdict != PIECE_KEPT)
		skb_put(skb);
	if (verdict == DATAGRAM_BAD) {
		discard(datagram);
		return NULL;
	}
	if (datagram->received == datagram->total)
		return finish(datagram);
	make_room(datagram);
	return NULL;
}

struct sk_buff *ip_defragment(struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	const struct fragment_key key = {
		.saddr = ip->saddr, .daddr = ip->daddr, .id = ip->id, .protocol = ip->protocol
	};
	struct sk_buff *whole;
	bool last;

	snmp_inc(IP_ReasmReqds);
	if (!take_apart(skb, &last)) {
		ip_drop(skb, IP_ReasmFails);
		return NULL;
	}
	spin_lock_bh(&fragment_lock);
	whole = work_in(&key, skb, last);
	spin_unlock_bh(&fragment_lock);
	return whole;
}

/* ---- not all have come ------------------------------------------------------------------------------------------ */

/* The first fragment, if it is there: the error's subject. The other pieces go. */
static struct sk_buff *give_up(struct datagram *datagram)
{
	struct sk_buff *first = skb_peek(&datagram->pieces);

	if (first && place_of(first)->start == 0)
		skb_unlink(&datagram->pieces, first);
	else
		first = NULL;
	discard(datagram);
	snmp_inc(IP_ReasmTimeout);
	return first;
}

static void expire(struct timer *timer)
{
	struct skb_queue firsts;
	struct sk_buff *first;

	skb_queue_init(&firsts);
	spin_lock_bh(&fragment_lock);
	while (!list_empty(&by_age)) {
		struct datagram *oldest = list_first_entry(&by_age, struct datagram, age_link);

		if (clock_ns() < oldest->expires) {
			timer_start(timer, oldest->expires);
			break;
		}
		first = give_up(oldest);
		if (first)
			skb_queue_tail(&firsts, first);
	}
	spin_unlock_bh(&fragment_lock);
	while ((first = skb_dequeue(&firsts))) {
		icmp_send(first, ICMP_TIME_EXCEEDED, ICMP_FRAG_TIME_EXCEEDED, 0);
		skb_put(first);
	}
}

void fragment_stats_read(struct fragment_stats *stats)
{
	spin_lock_bh(&fragment_lock);
	*stats = (struct fragment_stats){ nr_datagrams, memory };
	spin_unlock_bh(&fragment_lock);
}

void ip_fragment_init(void)
{
	random_fill(&hash_key, sizeof(hash_key));
	timer_init(&expiry, expire);
	datagram_cache = kmem_cache_create("ip_fragments", sizeof(struct datagram), 0);
	if (!datagram_cache)
		panic("no memory for the fragments' cache");
}
