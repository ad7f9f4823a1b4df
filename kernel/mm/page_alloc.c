/*
 * The page allocator: a buddy system below, a short stack of single pages for each CPU on top.
 *
 * A free block of 2^order pages starts at a multiple of its size, so its buddy, the other half of the
 * block one order up, is found by flipping one bit of the frame number. Whether the buddy is free is
 * read from its struct page. That is safe to read even if the buddy is no block's first page now:
 * splitting a block writes the struct page of each half, and what belongs to no block at all was set
 * to PAGE_RESERVED at boot.
 *
 * Context: process and softirq. Locks: local_bh_disable() for the CPU's own stack, then buddy_lock.
 */
#include <kernel/mm/page.h>

#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/memmap.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

#define CPU_PAGES 64
#define CPU_BATCH (CPU_PAGES / 2) /* how many move between a CPU's stack and the buddy system */

static DEFINE_SPINLOCK(buddy_lock);

/* under buddy_lock */
static struct {
	struct list_head blocks[MAX_ORDER + 1];
	u64 count[MAX_ORDER + 1];
	u32 orders; /* bit k: blocks[k] is not empty */
	u64 total;
} buddy;

/* Touched only by its CPU, with softirqs disabled. */
struct cpu_pages {
	u32 count;
	struct page *pages[CPU_PAGES];
};
static DEFINE_PER_CPU(struct cpu_pages, cpu_pages);

static s64 use_counts[NR_PAGE_USES]; /* atomic */

/* ---- poison, in debug builds ------------------------------------------------------------------ */
#if CONFIG_DEBUG

#define POISON		 0xfeedfacefeedfaceULL
#define PAGE_POISONED	 BIT(15) /* in page->flags of each poisoned page while it is free */
#define POISON_MAX_ORDER 3	 /* filling and checking megabytes would slow large tables down */

static void poison_pages(struct page *page, unsigned order)
{
	for (unsigned i = 0; order <= POISON_MAX_ORDER && i < 1U << order; i++) {
		u64 *words = page_address(page + i);

		for (unsigned w = 0; w < PAGE_SIZE / sizeof(u64); w++)
			words[w] = POISON;
		page[i].flags |= PAGE_POISONED;
	}
}

static void check_poison(struct page *page, unsigned order)
{
	for (unsigned i = 0; i < 1U << order; i++) {
		u64 *words = page_address(page + i);

		if (!(page[i].flags & PAGE_POISONED))
			continue;
		page[i].flags &= (u16)~PAGE_POISONED;
		for (unsigned w = 0; w < PAGE_SIZE / sizeof(u64); w++)
			if (words[w] != POISON)
				panic("free page %p was written to: %#llx at offset %#zx",
				      (void *)words, words[w], w * sizeof(u64));
	}
}
#else
static inline void poison_pages(struct page *page, unsigned order)
{
	(void)page, (void)order;
}
static inline void check_poison(struct page *page, unsigned order)
{
	(void)page, (void)order;
}
#endif

/* ---- the buddy system, under buddy_lock --------------------------------------------------------- */

static void insert_block(struct page *page, unsigned order)
{
	page->state = PAGE_FREE;
	page->order = (u8)order;
	list_add(&page->link, &buddy.blocks[order]);
	buddy.count[order]++;
	buddy.orders |= 1U << order;
}

static void remove_block(struct page *page, unsigned order)
{
	page->state = PAGE_RESERVED;
	list_del(&page->link);
	if (--buddy.count[order] == 0)
		buddy.orders &= ~(1U << order);
}

/* A block of this order, split off the smallest one that is large enough; NULL if there is none. */
static struct page *take_block(unsigned order)
{
	u32 candidates = buddy.orders & (~0U << order);
	struct page *page;
	unsigned from;

	if (!candidates)
		return NULL;
	from = (unsigned)__builtin_ctz(candidates);
	page = list_first_entry(&buddy.blocks[from], struct page, link);
	remove_block(page, from);
	while (from > order) {
		from--;
		insert_block(page + (1UL << from), from);
	}
	return page;
}

/* Free the block, merged with its buddy as long as that is free too. */
static void put_block(struct page *page, unsigned order)
{
	u64 pfn = page_to_pfn(page);

	while (order < MAX_ORDER) {
		struct page *other = pfn_to_page(pfn ^ (1UL << order));

		if (other->state != PAGE_FREE || other->order != order)
			break;
		remove_block(other, order);
		pfn_to_page(pfn)->state = PAGE_RESERVED;
		pfn &= ~(1UL << order);
		order++;
	}
	insert_block(pfn_to_page(pfn), order);
}

/* ---- the CPU's own pages, softirqs disabled ------------------------------------------------------ */

static void cpu_pages_refill(struct cpu_pages *cpu)
{
	spin_lock(&buddy_lock);
	while (cpu->count < CPU_BATCH) {
		struct page *page = take_block(0);

		if (!page)
			break;
		page->state = PAGE_CACHED;
		cpu->pages[cpu->count++] = page;
	}
	spin_unlock(&buddy_lock);
}

/* Give back the `number` pages that were put there first: their cache lines are the coldest. */
static void cpu_pages_flush(struct cpu_pages *cpu, u32 number)
{
	spin_lock(&buddy_lock);
	for (u32 i = 0; i < number; i++)
		put_block(cpu->pages[i], 0);
	spin_unlock(&buddy_lock);
	cpu->count -= number;
	memmove(cpu->pages, cpu->pages + number, cpu->count * sizeof(cpu->pages[0]));
}

static __always_inline struct page *alloc_single(void)
{
	struct page *page = NULL;
	struct cpu_pages *cpu;

	local_bh_disable();
	cpu = this_cpu_ptr(cpu_pages);
	if (likely(cpu->count))
		page = cpu->pages[--cpu->count];
	local_bh_enable();
	return page;
}

/* The same when the CPU has none. */
static struct page *refill_and_alloc_single(void)
{
	local_bh_disable();
	cpu_pages_refill(this_cpu_ptr(cpu_pages));
	local_bh_enable();
	return alloc_single();
}

static __always_inline bool free_single(struct page *page)
{
	struct cpu_pages *cpu;
	bool room;

	local_bh_disable();
	cpu = this_cpu_ptr(cpu_pages);
	room = cpu->count < CPU_PAGES;
	if (likely(room)) {
		page->state = PAGE_CACHED;
		cpu->pages[cpu->count++] = page;
	}
	local_bh_enable();
	return room;
}

/* The same when the CPU has too many. Softirqs may be faster to use the room that this makes. */
static noinline void flush_and_free_single(struct page *page)
{
	do {
		struct cpu_pages *cpu;

		local_bh_disable();
		cpu = this_cpu_ptr(cpu_pages);
		cpu_pages_flush(cpu, min_t(u32, cpu->count, CPU_BATCH));
		local_bh_enable();
	} while (!free_single(page));
}

void pages_drain_cpu(void)
{
	struct cpu_pages *cpu;

	local_bh_disable();
	cpu = this_cpu_ptr(cpu_pages);
	cpu_pages_flush(cpu, cpu->count);
	local_bh_enable();
}

/* ---- the interface ---------------------------------------------------------------------------- */

void page_alloc_init(void)
{
	for (unsigned order = 0; order <= MAX_ORDER; order++)
		INIT_LIST_HEAD(&buddy.blocks[order]);
}

static struct page *alloc_block(unsigned order)
{
	struct page *page;

	spin_lock_bh(&buddy_lock);
	page = take_block(order);
	spin_unlock_bh(&buddy_lock);
	return page;
}

static noinline void free_block(struct page *page, unsigned order)
{
	spin_lock_bh(&buddy_lock);
	put_block(page, order);
	spin_unlock_bh(&buddy_lock);
}

/* Singles that wait on this CPU's stack may be what keeps a larger block from merging. */
static struct page *alloc_block_hard(unsigned order, gfp_t gfp)
{
	struct page *page;

	pages_drain_cpu();
	page = alloc_block(order);
	if (!page && (gfp & GFP_NOFAIL))
		panic("not enough memory: no block of %lu KiB is free",
		      (PAGE_SIZE << order) / 1024);
	return page;
}

static struct page *prepare_block(struct page *page, unsigned order)
{
	check_poison(page, order);
	page->state = PAGE_USED;
	page->order = (u8)order;
	page->flags = 0;
	page->refcount = 1;
	return page;
}

/* With everything that is not wanted every time. */
static noinline struct page *alloc_pages_uncommon(unsigned order, gfp_t gfp)
{
	struct page *page;

	if (order > MAX_ORDER || should_fail_alloc(gfp))
		return NULL;
	page = order == 0 ? alloc_single() : alloc_block(order);
	if (!page && order == 0)
		page = refill_and_alloc_single();
	if (!page)
		page = alloc_block_hard(order, gfp);
	if (!page)
		return NULL;
	prepare_block(page, order);
	if (gfp & GFP_ZERO)
		memset(page_address(page), 0, PAGE_SIZE << order);
	return page;
}

/* On the usual way the compiler needs no stack frame: whatever else there is to call comes last. */
struct page *alloc_pages(unsigned order, gfp_t gfp)
{
	struct page *page;

	if (order || unlikely(gfp & GFP_ZERO || fault_inject_active))
		return alloc_pages_uncommon(order, gfp);
	page = alloc_single();
	return likely(page) ? prepare_block(page, 0) : alloc_pages_uncommon(0, gfp);
}

static __noreturn noinline void bad_free(const struct page *page, unsigned order)
{
	panic("free_pages: frame %#llx, order %u, is in state %u with order %u: freed twice?",
	      page_to_pfn(page), order, page->state, page->order);
}

void free_pages(struct page *page, unsigned order)
{
	if (unlikely(page->state < PAGE_USED || page->order != order))
		bad_free(page, order);
	poison_pages(page, order);
	if (order)
		free_block(page, order);
	else if (unlikely(!free_single(page)))
		flush_and_free_single(page);
}

void put_page(struct page *page)
{
	debug_assert(page->state == PAGE_USED && page->refcount > 0);
	if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		free_pages(page, page->order);
}

void pages_release_reserved(phys_addr_t start, phys_addr_t end)
{
	u64 pfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	spin_lock_bh(&buddy_lock);
	buddy.total += last - pfn;
	while (pfn < last) {
		unsigned fits = 63 - (unsigned)__builtin_clzll(last - pfn);
		unsigned order = min_t(unsigned, fits, MAX_ORDER);

		if (pfn)
			order = min_t(unsigned, order, (unsigned)__builtin_ctzll(pfn));
		put_block(pfn_to_page(pfn), order);
		pfn += 1UL << order;
	}
	spin_unlock_bh(&buddy_lock);
}

void page_account(enum page_use use, long pages)
{
	__atomic_add_fetch(&use_counts[use], pages, __ATOMIC_RELAXED);
}

/* The counts of several CPUs are read one after the other: exact only while nothing else allocates. */
void page_stats_read(struct page_stats *stats)
{
	*stats = (struct page_stats){ 0 };
	spin_lock_bh(&buddy_lock);
	stats->total = buddy.total;
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		stats->free_blocks[order] = buddy.count[order];
		stats->free += buddy.count[order] << order;
	}
	spin_unlock_bh(&buddy_lock);
	stats->reserved = memmap_total() / PAGE_SIZE - stats->total;
	for_each_cpu(cpu)
		stats->free += READ_ONCE(per_cpu(cpu_pages, cpu).count);
	for (unsigned use = 0; use < NR_PAGE_USES; use++)
		stats->used[use] = (u64)READ_ONCE(use_counts[use]);
}
