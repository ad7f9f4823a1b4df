/*
 * Packet buffers: where they come from, where they go, and how their bytes are reached wherever those lie.
 *
 * All packet memory together has a cap, so that no flood takes the memory that programs need. A CPU takes credit
 * from the cap's count by the batch, and spends it without meeting the other CPUs. Softirqs may spend all of it,
 * process context seven eighths: else senders could take what the NIC needs to receive the acknowledgements that
 * would free theirs. What waits to be read may take three quarters; beyond that a socket has one buffer, then none:
 * else programs that do not read, and peers that know it, could silence the machine.
 *
 * Steps 1, 5 ... 8, 14. Context: softirq and process. No locks.
 */
#include <net/skbuff.h>

#include <kernel/context.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <net/ip.h>
#include <net/udp.h>

#define CREDIT_BATCH  (128 * KiB)
#define RESERVE_SHARE 8 /* one part in so many is for softirqs alone */
#define MEMORY_SHARE  4 /* the cap: one part in so many of all memory */

#define KEPT_BUFFERS 127 /* free, by each CPU: for a poll's frames and their answers */

#define PAGE_OF_SKB 1U /* page->flags: counts against the cap */

u64 skb_max_memory;

static struct kmem_cache *skb_cache; /* constant after skb_init() */
u64 skb_memory_taken;
static u64 nr_refused; /* atomic */

/* Each change is one instruction, so a softirq may come between any two. */
static DEFINE_PER_CPU(s64, credit);   /* bytes; what skb_memory_taken has and no buffer */
static DEFINE_PER_CPU(s64, nr_pages); /* taken less given back here */

/* ---- the cap -------------------------------------------------------------------------------------- */

static noinline bool credit_take_batch(gfp_t gfp)
{
	u64 limit = READ_ONCE(skb_max_memory);

	if (!(gfp & GFP_ATOMIC))
		limit -= limit / RESERVE_SHARE;
	if (__atomic_add_fetch(&skb_memory_taken, CREDIT_BATCH, __ATOMIC_RELAXED) > limit) {
		__atomic_sub_fetch(&skb_memory_taken, CREDIT_BATCH, __ATOMIC_RELAXED);
		return false;
	}
	this_cpu(credit) += CREDIT_BATCH;
	return true;
}

static noinline void credit_give_batch(void)
{
	this_cpu(credit) -= CREDIT_BATCH;
	__atomic_sub_fetch(&skb_memory_taken, CREDIT_BATCH, __ATOMIC_RELAXED);
}

static inline void uncharge(u32 size)
{
	this_cpu(credit) += size;
	if (unlikely(this_cpu(credit) > (s64)(2 * CREDIT_BATCH)))
		credit_give_batch();
}

static inline bool charge(u32 size, gfp_t gfp)
{
	this_cpu(credit) -= size;
	if (likely(this_cpu(credit) >= 0) || credit_take_batch(gfp))
		return true;
	this_cpu(credit) += size;
	__atomic_add_fetch(&nr_refused, 1, __ATOMIC_RELAXED);
	return false;
}

bool skb_may_wait_scarce(u32 queued)
{
	u64 limit = READ_ONCE(skb_max_memory);

	return !queued && READ_ONCE(skb_memory_taken) <= limit - limit / RESERVE_SHARE;
}

void skb_stats_read(struct skb_stats *stats)
{
	s64 used = (s64)READ_ONCE(skb_memory_taken), pages = 0;

	for_each_cpu(cpu) {
		used -= per_cpu(credit, cpu);
		pages += per_cpu(nr_pages, cpu);
	}
	*stats = (struct skb_stats){
		.buffers = (u64)(used - pages * (s64)PAGE_SIZE) / SKB_OBJECT_SIZE,
		.pages = (u64)pages,
		.max_memory = READ_ONCE(skb_max_memory),
		.refused = READ_ONCE(nr_refused),
	};
}

void skb_init(void)
{
	struct page_stats memory;

	page_stats_read(&memory);
	skb_max_memory = memory.total * PAGE_SIZE / MEMORY_SHARE;
	skb_cache = kmem_cache_create("sk_buff", SKB_OBJECT_SIZE, 64);
	if (!skb_cache)
		panic("no memory for the packet buffers' cache");
	kmem_cache_keep(skb_cache, KEPT_BUFFERS);
}

/* ---- life ------------------------------------------------------------------------------------------ */

struct sk_buff *skb_alloc_raw(gfp_t gfp)
{
	struct sk_buff *skb;

	if (unlikely(!charge(SKB_OBJECT_SIZE, gfp)))
		return NULL;
	skb = kmem_cache_alloc(skb_cache, gfp);
	if (unlikely(!skb))
		uncharge(SKB_OBJECT_SIZE);
	return skb;
}

static noinline void drop_frags(struct sk_buff *skb)
{
	for (u32 i = 0; i < skb->nr_frags; i++)
		skb_page_put(skb->frags[i].page);
	skb->nr_frags = 0;
}

static inline void release_one(struct sk_buff *skb)
{
	if (skb->destructor)
		skb->destructor(skb);
	if (unlikely(skb->nr_frags))
		drop_frags(skb);
	uncharge(SKB_OBJECT_SIZE);
	kmem_cache_free(skb_cache, skb);
}

/* Softirqs that wait are looked for once, not after each. */
static noinline void release_parts(struct sk_buff *part)
{
	local_bh_disable();
	while (part) {
		struct sk_buff *next = part->next_part;

		release_one(part);
		part = next;
	}
	local_bh_enable();
}

/* Parts hang on the first one alone, so there is a row of them to go along, not a tree. */
void skb_release(struct sk_buff *skb)
{
	if (unlikely(skb->next_part))
		release_parts(skb->next_part);
	release_one(skb);
}

/* One buffer's own bytes; its parts are not looked at. */
static struct sk_buff *clone_one(const struct sk_buff *skb, gfp_t gfp)
{
	struct sk_buff *copy = skb_alloc(skb_headroom(skb), gfp);

	if (!copy)
		return NULL;
	copy->len = skb->len;
	copy->data_len = skb->data_len;
	copy->dev = skb->dev;
	copy->tstamp = skb->tstamp;
	memcpy(&copy->mac_header, &skb->mac_header,
	       offsetof(struct sk_buff, frags) - offsetof(struct sk_buff, mac_header));
	memcpy(copy->head, skb->head, skb_headroom(skb) + skb_headlen(skb));
	for (u32 i = 0; i < skb->nr_frags; i++) {
		copy->frags[i] = skb->frags[i];
		copy->truesize += PAGE_SIZE;
		get_page(copy->frags[i].page);
	}
	return copy;
}

struct sk_buff *skb_clone(struct sk_buff *skb, gfp_t gfp)
{
	struct sk_buff *copy = clone_one(skb, gfp), *last = copy;

	if (!copy)
		return NULL;
	for (struct sk_buff *part = skb->next_part; part; part = part->next_part) {
		last->next_part = clone_one(part, gfp);
		if (!last->next_part) {
			skb_put(copy);
			return NULL;
		}
		last = last->next_part;
		copy->truesize += last->truesize;
	}
	return copy;
}

/* ---- pages for frags -------------------------------------------------------------------------------- */

struct page *skb_page_alloc(gfp_t gfp)
{
	struct page *page;

	if (!charge(PAGE_SIZE, gfp))
		return NULL;
	page = alloc_page(gfp);
	if (!page) {
		uncharge(PAGE_SIZE);
		return NULL;
	}
	page->flags = PAGE_OF_SKB;
	this_cpu(nr_pages)++;
	return page;
}

/* Pages of files, too, may be in frags; those are not ours to count. */
void skb_page_put(struct page *page)
{
	bool counted = page->flags & PAGE_OF_SKB;

	if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	free_pages(page, page->order);
	if (counted) {
		this_cpu(nr_pages)--;
		uncharge(PAGE_SIZE);
	}
}

/* ---- all of the data, piece by piece ------------------------------------------------------------------ */

/* A run of bytes in one place: the linear part, then each frag, then the same of the next part. */
struct piece {
	const struct sk_buff *part;
	s32 frag; /* -1: linear */
	const u8 *data;
	u32 size;
};

static __always_inline bool piece_load(struct piece *piece)
{
	const struct sk_buff *part = piece->part;

	if (piece->frag < 0) {
		piece->data = part->data;
		piece->size = skb_headlen(part);
	} else {
		const struct skb_frag *frag = &part->frags[piece->frag];

		piece->data = (const u8 *)page_address(frag->page) + frag->offset;
		piece->size = frag->size;
	}
	return true;
}

static inline bool piece_first(struct piece *piece, const struct sk_buff *skb)
{
	piece->part = skb;
	piece->frag = -1;
	return piece_load(piece);
}

static __always_inline bool piece_next(struct piece *piece)
{
	if (++piece->frag == piece->part->nr_frags) {
		piece->part = piece->part->next_part;
		piece->frag = -1;
		if (!piece->part)
			return false;
	}
	return piece_load(piece);
}

#define for_each_piece(piece, skb) \
	for (bool more_ = piece_first(piece, skb); more_; more_ = piece_next(piece))

/* Cut the piece to what [offset, offset + size) wants of it; false: nothing. Then both are what is left to do. */
static inline bool piece_clip(struct piece *piece, u32 *offset, u32 size)
{
	u32 skip = min(*offset, piece->size);

	*offset -= skip;
	piece->data += skip;
	piece->size = min(piece->size - skip, size);
	return piece->size != 0;
}

bool skb_copy_bits(const struct sk_buff *skb, u32 offset, void *to, u32 size)
{
	struct piece piece;

	if (size > skb->len || offset > skb->len - size)
		return false;
	for_each_piece(&piece, skb) {
		if (!size)
			break;
		if (!piece_clip(&piece, &offset, size))
			continue;
		memcpy(to, piece.data, piece.size);
		to = (u8 *)to + piece.size;
		size -= piece.size;
	}
	return true;
}

size_t skb_copy_pieces_to_iter(const struct sk_buff *skb, u32 offset, struct iov_iter *to,
			       size_t size)
{
	struct piece piece;
	size_t done = 0, copied;

	if (offset >= skb->len)
		return 0;
	size = min_t(size_t, size, skb->len - offset);
	for_each_piece(&piece, skb) {
		if (done == size)
			break;
		if (!piece_clip(&piece, &offset, (u32)(size - done)))
			continue;
		copied = copy_to_iter(piece.data, piece.size, to);
		done += copied;
		if (copied != piece.size)
			break;
	}
	return done;
}

/* A piece that begins at an odd byte has its bytes in the other halves of the words. */
u32 skb_checksum_pieces(const struct sk_buff *skb, u32 offset, u32 size, u32 sum)
{
	struct piece piece;
	bool odd = false;

	for_each_piece(&piece, skb) {
		if (!size)
			break;
		if (!piece_clip(&piece, &offset, size))
			continue;
		if (odd)
			sum = sum << 8 | sum >> 24;
		sum = checksum_add(piece.data, piece.size, sum);
		if (odd)
			sum = sum << 8 | sum >> 24;
		odd ^= piece.size & 1;
		size -= piece.size;
	}
	return sum;
}

/* In UDP 0 would say "no checksum"; all ones are the same number. TCP's 0 is just a number. */
void skb_checksum_help(struct sk_buff *skb)
{
	u32 start = skb->csum_start - skb_headroom(skb);
	u16 sum = checksum_fold(skb_checksum(skb, start, skb->len - start, 0));
	u16 *field = (u16 *)(skb->head + skb->csum_start + skb->csum_offset);

	*field = sum || skb->csum_offset != offsetof(struct udphdr, checksum) ? sum : 0xffff;
	skb->ip_summed = CHECKSUM_NONE;
}

/* ---- more and less of it ----------------------------------------------------------------------------- */

void skb_add_frag(struct sk_buff *skb, struct page *page, u32 offset, u32 size)
{
	assert(skb->nr_frags < MAX_SKB_FRAGS && !skb->next_part);
	skb->frags[skb->nr_frags++] = (struct skb_frag){ page, offset, size };
	skb->len += size;
	skb->data_len += size;
	skb->truesize += PAGE_SIZE;
}

void skb_add_part(struct sk_buff *skb, struct sk_buff *last, struct sk_buff *part)
{
	assert(!last->next_part && !part->next_part && !skb_shared(part));
	last->next_part = part;
	skb->len += part->len;
	skb->data_len += part->len;
	skb->truesize += part->truesize;
}

/* Of one buffer: the bytes from `keep` on go, wherever they are. Its counts are the caller's business. */
static void trim_frags(struct sk_buff *skb, u32 keep)
{
	for (u32 i = 0; i < skb->nr_frags; i++) {
		struct skb_frag *frag = &skb->frags[i];

		if (keep >= frag->size) {
			keep -= frag->size;
			continue;
		}
		if (keep) {
			frag->size = keep;
			keep = 0;
			continue;
		}
		for (u32 rest = i; rest < skb->nr_frags; rest++)
			skb_page_put(skb->frags[rest].page);
		skb->nr_frags = (u8)i;
	}
}

static u32 frags_size(const struct sk_buff *skb)
{
	u32 size = 0;

	for (u32 i = 0; i < skb->nr_frags; i++)
		size += skb->frags[i].size;
	return size;
}

/* One buffer of a row becomes shorter; the first one's counts are the caller's business. */
static void trim_part(struct sk_buff *part, u32 keep)
{
	u32 headlen = skb_headlen(part);

	trim_frags(part, keep > headlen ? keep - headlen : 0);
	part->data_len = keep > headlen ? keep - headlen : 0;
	part->len = keep;
}

void skb_trim(struct sk_buff *skb, u32 len)
{
	u32 headlen = skb_headlen(skb), own = headlen + frags_size(skb), keep = len;
	struct sk_buff *last = skb;

	if (len >= skb->len)
		return;
	if (keep < own)
		trim_frags(skb, keep > headlen ? keep - headlen : 0);
	for (; keep > own; own = last->len) {
		keep -= own;
		last = last->next_part;
		if (keep < last->len)
			trim_part(last, keep);
	}
	if (last->next_part) {
		skb_release(last->next_part);
		last->next_part = NULL;
	}
	skb->len = len;
	skb->data_len = len > headlen ? len - headlen : 0;
}

/* The first `size` bytes of the frags of one buffer go; how many are still to go elsewhere. */
static u32 eat_frags(struct sk_buff *skb, u32 size)
{
	u32 gone = 0;

	while (gone < skb->nr_frags && size >= skb->frags[gone].size) {
		size -= skb->frags[gone].size;
		skb_page_put(skb->frags[gone++].page);
	}
	skb->nr_frags -= (u8)gone;
	memmove(skb->frags, skb->frags + gone, skb->nr_frags * sizeof(skb->frags[0]));
	if (skb->nr_frags && size) {
		skb->frags[0].offset += size;
		skb->frags[0].size -= size;
		size = 0;
	}
	return size;
}

/* The first `size` bytes behind the linear part go. The first buffer's counts are the caller's business. */
static void eat_behind_head(struct sk_buff *skb, u32 size)
{
	size = eat_frags(skb, size);
	while (size) {
		struct sk_buff *part = skb->next_part;

		if (size >= part->len) {
			size -= part->len;
			skb->next_part = part->next_part;
			part->next_part = NULL;
			skb_release(part);
			continue;
		}
		u32 linear = min(size, skb_headlen(part));

		skb_pull(part, linear);
		part->len -= size - linear;
		part->data_len -= size - linear;
		eat_frags(part, size - linear);
		size = 0;
	}
}

void skb_eat(struct sk_buff *skb, u32 size)
{
	u32 linear = min(size, skb_headlen(skb));

	assert(size <= skb->len);
	skb_pull(skb, linear);
	if (likely(size == linear))
		return;
	eat_behind_head(skb, size - linear);
	skb->len -= size - linear;
	skb->data_len -= size - linear;
}

/* What moves is in two places until it is eaten behind the head; so `len` stays. */
bool skb_pull_slow(struct sk_buff *skb, u32 size)
{
	u32 headlen = skb_headlen(skb), missing = size - headlen;

	if (size > skb->len || missing > SKB_SIZE - skb_headroom(skb) - headlen)
		return false;
	assert(!skb_shared(skb));
	skb_copy_bits(skb, headlen, skb_tail(skb), missing);
	eat_behind_head(skb, missing);
	skb->data_len -= missing;
	return true;
}

/* ---- filling it from a program -------------------------------------------------------------------------- */

/* Into what is left of the last page. */
static int append_to_frag(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	struct skb_frag *frag = &skb->frags[skb->nr_frags - 1];
	u8 *end = (u8 *)page_address(frag->page) + frag->offset + frag->size;

	if (copy_from_iter(end, size, from) != size)
		return -EFAULT;
	frag->size += size;
	skb->len += size;
	skb->data_len += size;
	return 0;
}

static int append_page(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	struct page *page;

	if (skb->nr_frags == MAX_SKB_FRAGS)
		return -EMSGSIZE;
	page = skb_page_alloc(GFP_KERNEL);
	if (!page)
		return -ENOBUFS;
	if (copy_from_iter(page_address(page), size, from) != size) {
		skb_page_put(page);
		return -EFAULT;
	}
	skb_add_frag(skb, page, 0, size);
	return 0;
}

u32 skb_frag_room(const struct sk_buff *skb)
{
	const struct skb_frag *last;

	if (!skb->nr_frags)
		return 0;
	last = &skb->frags[skb->nr_frags - 1];
	if (!(last->page->flags & PAGE_OF_SKB) || last->page->refcount != 1)
		return 0;
	return PAGE_SIZE - last->offset - last->size;
}

int skb_append_pages(struct sk_buff *skb, struct iov_iter *from, u32 size)
{
	u32 part = min(size, skb_tailroom(skb));
	int error = 0;

	if (part && copy_from_iter(skb_append(skb, part), part, from) != part)
		return -EFAULT;
	for (size -= part; size && !error; size -= part) {
		u32 room = skb_frag_room(skb);

		part = min_t(u32, size, room ?: PAGE_SIZE);
		error = room ? append_to_frag(skb, from, part) : append_page(skb, from, part);
	}
	return error;
}

void skb_queue_purge(struct skb_queue *queue)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(queue)))
		skb_put(skb);
}
