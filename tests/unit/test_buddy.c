/* sources: tests/unit/mm_shim.c kernel/mm/page_alloc.c kernel/mm/fault_inject.c kernel/mm/memmap.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/paging.c kernel/mm/vmalloc.c kernel/mm/vmap_area.c kernel/lib/string.c kernel/lib/rbtree.c */
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/fault_inject.h>

#define FRAMES	   (SHIM_RAM_SIZE / PAGE_SIZE)
#define FIRST_PFN  (SHIM_RAM_START / PAGE_SIZE)
#define MAX_BLOCKS 4000

static bool owned[FRAMES];
static struct {
	struct page *page;
	unsigned order;
	u64 mark;
} held[MAX_BLOCKS];
static unsigned nr_held;

static void own(struct page *page, unsigned order, bool now)
{
	u64 first = page_to_pfn(page) - FIRST_PFN;

	CHECK(first + (1UL << order) <= FRAMES);
	CHECK_EQ(page_to_pfn(page) % (1UL << order), 0);
	for (u64 i = 0; i < 1UL << order; i++) {
		CHECK_EQ(owned[first + i], !now);
		owned[first + i] = now;
	}
}

static u64 *last_word(struct page *page, unsigned order)
{
	return (u64 *)((char *)page_address(page) + (PAGE_SIZE << order)) - 1;
}

static bool take(unsigned order)
{
	struct page *page = alloc_pages(order, GFP_KERNEL);

	if (!page)
		return false;
	own(page, order, true);
	held[nr_held].page = page;
	held[nr_held].order = order;
	held[nr_held].mark = unit_random();
	*(u64 *)page_address(page) = held[nr_held].mark;
	*last_word(page, order) = ~held[nr_held].mark;
	nr_held++;
	return true;
}

static void give(unsigned i)
{
	CHECK_EQ(*(u64 *)page_address(held[i].page), held[i].mark);
	CHECK_EQ(*last_word(held[i].page, held[i].order), ~held[i].mark);
	own(held[i].page, held[i].order, false);
	free_pages(held[i].page, held[i].order);
	held[i] = held[--nr_held];
}

static void check_all_is_back(const struct page_stats *before)
{
	struct page_stats after;

	mm_shim_free_pages();
	page_stats_read(&after);
	CHECK_EQ(after.free, before->free);
	for (unsigned order = 0; order <= MAX_ORDER; order++)
		CHECK_EQ(after.free_blocks[order], before->free_blocks[order]);
}

static void start(struct page_stats *before)
{
	mm_shim_boot();
	mm_shim_free_pages();
	page_stats_read(before);
}

TEST(buddy_random_blocks_never_overlap)
{
	struct page_stats before;

	start(&before);
	for (unsigned step = 0; step < 200000; step++) {
		if (nr_held < MAX_BLOCKS && unit_random_below(100) < 52) {
			/* order k half as often as k - 1 */
			u64 coin = unit_random() | 1ULL << MAX_ORDER;

			take((unsigned)__builtin_ctzll(coin));
		} else if (nr_held) {
			give((unsigned)unit_random_below(nr_held));
		}
	}
	while (nr_held)
		give(0);
	check_all_is_back(&before);
}

TEST(buddy_hands_out_every_page_and_merges_them_again)
{
	struct page_stats before, now;
	static struct page *pages[FRAMES];
	static u64 count; /* setjmp() in PANICS keeps no locals */

	start(&before);
	while ((pages[count] = alloc_page(GFP_KERNEL)))
		own(pages[count++], 0, true);
	CHECK_EQ(count, before.free);
	page_stats_read(&now);
	CHECK_EQ(now.free, 0);
	CHECK(!alloc_pages(3, GFP_KERNEL));
	CHECK(PANICS((void)!alloc_page(GFP_NOFAIL)));
	for (u64 i = 0; i < count; i++) { /* in an order that has nothing to do with theirs */
		u64 pick = i + unit_random_below(count - i);
		struct page *page = pages[pick];

		pages[pick] = pages[i];
		own(page, 0, false);
		free_page(page);
	}
	check_all_is_back(&before);
}

TEST(buddy_every_order_to_exhaustion)
{
	struct page_stats before;

	start(&before);
	for (unsigned order = 4; order <= MAX_ORDER; order++) {
		while (take(order))
			;
		CHECK(nr_held > 0);
		while (nr_held)
			give(nr_held - 1);
		check_all_is_back(&before);
	}
	CHECK(!alloc_pages(MAX_ORDER + 1, GFP_KERNEL));
}

TEST(buddy_zeroes_when_asked)
{
	struct page *page;

	mm_shim_boot();
	page = alloc_pages(2, GFP_KERNEL);
	for (u64 *word = page_address(page); word <= last_word(page, 2); word++)
		*word = ~0ULL;
	free_pages(page, 2);
	page = alloc_pages(2, GFP_ZERO);
	for (u64 *word = page_address(page); word <= last_word(page, 2); word++)
		CHECK_EQ(*word, 0);
	free_pages(page, 2);
}

TEST(buddy_wrong_frees_panic)
{
	struct page *page, *block;

	mm_shim_boot();
	page = alloc_page(GFP_KERNEL);
	block = alloc_pages(2, GFP_KERNEL);
	CHECK(PANICS(free_pages(block, 1)));
	free_page(page);
	CHECK(PANICS(free_page(page)));
	pages_drain_cpu();
	CHECK(PANICS(free_page(page)));
	free_pages(block, 2);
	CHECK(PANICS(free_pages(block, 2)));
}

TEST(buddy_last_reference_frees)
{
	struct page_stats before;
	struct page *page;

	start(&before);
	page = alloc_pages(1, GFP_KERNEL);
	get_page(page);
	put_page(page);
	CHECK_EQ(page->state, PAGE_USED);
	put_page(page);
	CHECK(page->state != PAGE_USED);
	check_all_is_back(&before);
}

TEST(buddy_injected_faults)
{
	u64 failed = fault_inject_count();
	struct page *page;

	mm_shim_boot();
	fault_inject_nth(2);
	page = alloc_page(GFP_KERNEL);
	CHECK(page);
	CHECK(!alloc_page(GFP_KERNEL));
	free_page(page);
	page = alloc_page(GFP_KERNEL); /* once only */
	CHECK(page);
	free_page(page);
	CHECK_EQ(fault_inject_count(), failed + 1);

	fault_inject_every(10);
	for (unsigned i = 0; i < 10000; i++) {
		page = alloc_page(GFP_KERNEL);
		if (page)
			free_page(page);
		page = alloc_page(GFP_NOFAIL);
		CHECK(page);
		free_page(page);
	}
	failed = fault_inject_count() - failed;
	CHECK(failed > 900 && failed < 1100);
	fault_inject_every(0);
}

TEST(order_for_size)
{
	static const struct {
		size_t size;
		unsigned order;
	} table[] = { { 0, 0 },	   { 1, 0 },	{ 4096, 0 },	 { 4097, 1 },
		      { 8192, 1 }, { 8193, 2 }, { 4 * MiB, 10 }, { 4 * MiB + 1, 11 } };

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		CHECK_EQ(order_for_size(table[i].size), table[i].order);
}
