/* sources: tests/unit/mm_shim.c kernel/mm/page_alloc.c kernel/mm/fault_inject.c kernel/mm/memmap.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/paging.c kernel/mm/vmalloc.c kernel/mm/vmap_area.c kernel/lib/string.c kernel/lib/rbtree.c */
/*
 * The host cannot use the addresses that vmalloc returns, but the page tables are real: what is mapped
 * is looked up in them.
 */
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/fault_inject.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/mm/vmap_area.h>

#define MAX_AREAS 200

static struct {
	u64 start, size;
	u64 mark;
} held[MAX_AREAS];
static unsigned nr_held;

static u64 *word_at(u64 virt)
{
	return (u64 *)((char *)phys_to_virt(kernel_mapping_phys(virt & PAGE_MASK)) +
		       virt % PAGE_SIZE);
}

static u64 vmalloc_pages(void)
{
	struct page_stats stats;

	page_stats_read(&stats);
	return stats.used[PAGES_VMALLOC];
}

static void hold(u64 start, u64 size)
{
	u64 mark = unit_random();

	CHECK(start >= VMALLOC_START && start + size <= VMALLOC_END);
	CHECK_EQ(kernel_mapping_flags(start + size), 0); /* the guard */
	for (unsigned i = 0; i < nr_held; i++)
		CHECK(start + size <= held[i].start || held[i].start + held[i].size <= start);
	for (u64 at = start; at < start + size; at += PAGE_SIZE)
		*word_at(at) = mark + at;
	held[nr_held].start = start;
	held[nr_held].size = size;
	held[nr_held++].mark = mark;
}

static void drop(unsigned i)
{
	u64 start = held[i].start, size = held[i].size;

	for (u64 at = start; at < start + size; at += PAGE_SIZE)
		CHECK_EQ(*word_at(at), held[i].mark + at);
	vfree((void *)start);
	for (u64 at = start; at < start + size; at += PAGE_SIZE)
		CHECK_EQ(kernel_mapping_flags(at), 0);
	held[i] = held[--nr_held];
}

TEST(vmalloc_random_areas)
{
	unsigned flushes;

	mm_shim_boot();
	flushes = mm_shim_tlb_flushes;
	for (unsigned step = 0; step < 20000; step++) {
		if (nr_held < MAX_AREAS && unit_random_below(100) < 51) {
			u64 size = 1 + unit_random_below(16 * PAGE_SIZE);
			void *area = vmalloc(size, GFP_KERNEL);

			CHECK(area);
			hold((u64)area, ALIGN_UP(size, PAGE_SIZE));
		} else if (nr_held) {
			drop((unsigned)unit_random_below(nr_held));
		}
	}
	while (nr_held)
		drop(0);
	CHECK_EQ(vmalloc_pages(), 0);
	/* about 350 MiB of addresses came and went */
	CHECK(mm_shim_tlb_flushes > flushes && mm_shim_tlb_flushes < flushes + 30);
}

TEST(vmalloc_misuse)
{
	void *area;

	mm_shim_boot();
	CHECK(!vmalloc(0, GFP_KERNEL));
	CHECK(!vmalloc(SIZE_MAX, GFP_KERNEL));
	vfree(NULL);
	area = vzalloc(3 * PAGE_SIZE);
	CHECK(PANICS(vfree((char *)area + PAGE_SIZE)));
	vfree(area);
	CHECK(PANICS(vfree(area)));
}

TEST(vmalloc_without_memory_leaves_nothing_behind)
{
	u64 free;

	mm_shim_boot();
	vfree(vzalloc(20 * PAGE_SIZE)); /* so that the page tables are there */
	free = mm_shim_free_pages();
	CHECK(!vmalloc(SHIM_RAM_SIZE, GFP_KERNEL));
	for (unsigned nth = 1; nth < 30; nth++) {
		void *area;

		fault_inject_nth(nth);
		area = vmalloc(10 * PAGE_SIZE, GFP_KERNEL);
		vfree(area);
		if (nth < 10)
			CHECK(!area);
	}
	fault_inject_nth(0);
	CHECK_EQ(vmalloc_pages(), 0);
	CHECK(mm_shim_free_pages() >= free - 60); /* page tables and nodes of retired areas stay */
}

TEST(ioremap_maps_what_was_asked)
{
	u64 at;

	mm_shim_boot();
	at = (u64)ioremap(0xfebc0010, 2 * PAGE_SIZE);
	CHECK_EQ(at % PAGE_SIZE, 0x10);
	for (u64 page = 0; page < 3; page++) {
		CHECK_EQ(kernel_mapping_phys(at - 0x10 + page * PAGE_SIZE),
			 0xfebc0000 + page * PAGE_SIZE);
		CHECK_EQ(kernel_mapping_flags(at + page * PAGE_SIZE), PAGE_KERNEL_IO);
	}
	CHECK_EQ(kernel_mapping_flags(at + 3 * PAGE_SIZE), 0);
	iounmap((void *)at);
	CHECK_EQ(kernel_mapping_flags(at), 0);
}

TEST(kernel_stacks)
{
	static void *stacks[300];

	mm_shim_boot();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(stacks); i++) {
			u64 stack = (u64)(stacks[i] = kernel_stack_alloc());

			CHECK(stack);
			CHECK(stack >= STACKS_START && stack + KERNEL_STACK_SIZE <= STACKS_END);
			for (u64 at = 0; at < KERNEL_STACK_SIZE; at += PAGE_SIZE)
				CHECK(kernel_mapping_flags(stack + at) & PTE_WRITE);
			CHECK(is_stack_guard(stack - 1));
			CHECK(is_stack_guard(stack - PAGE_SIZE));
			CHECK(!is_stack_guard(stack));
			CHECK(!is_stack_guard(stack + KERNEL_STACK_SIZE - 1));
			CHECK_EQ(kernel_mapping_flags(stack - 1), 0);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(stacks); i++)
			kernel_stack_free(stacks[i]);
	}
	CHECK(vmalloc_pages() <= 8 * KERNEL_STACK_SIZE / PAGE_SIZE);
	CHECK(!is_stack_guard(0));
	CHECK(!is_stack_guard(STACKS_END - KERNEL_STACK_SIZE - 1));
}

/* Against a model: the areas that are in use. */
TEST(vmap_areas_never_overlap_and_merge_again)
{
	const u64 start = 0x1000000, size = 512 * MiB;
	static struct vmap_area *areas[500];
	struct vmap_space space;
	struct vmap_area *all;
	unsigned nr = 0;

	mm_shim_boot();
	vmap_space_init(&space, start, start + size);
	for (unsigned step = 0; step < 100000; step++) {
		if (nr < ARRAY_SIZE(areas) && unit_random_below(100) < 52) {
			u64 want = (1 + unit_random_below(128)) * PAGE_SIZE;
			struct vmap_area *area = vmap_area_alloc(&space, want);

			CHECK(area);
			CHECK_EQ(area->size, want);
			CHECK(area->start >= start && area->start + want <= start + size);
			for (unsigned i = 0; i < nr; i++)
				CHECK(area->start >= areas[i]->start + areas[i]->size ||
				      area->start + want <= areas[i]->start);
			areas[nr++] = area;
			CHECK(vmap_area_find(&space, area->start) == area);
			CHECK(!vmap_area_find(&space, area->start + 1));
		} else if (nr) {
			unsigned pick = (unsigned)unit_random_below(nr);

			vmap_area_retire(&space, areas[pick]);
			areas[pick] = areas[--nr];
		}
	}
	while (nr)
		vmap_area_retire(&space, areas[--nr]);
	/* Enough retirement to make the next allocation purge: then all is one piece again. */
	all = vmap_area_alloc(&space, 64 * MiB);
	vmap_area_retire(&space, all);
	all = vmap_area_alloc(&space, PAGE_SIZE);
	vmap_area_retire(&space, all);
	CHECK(space.retired_bytes == PAGE_SIZE);
	CHECK_EQ(rb_entry(rb_last(&space.by_size), struct vmap_area, by_size)->size,
		 size - PAGE_SIZE);
}
