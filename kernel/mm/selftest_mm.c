/*
 * Self-tests of memory in the running kernel: what the unit tests on the host cannot see, which is the
 * real map and the real RAM, and a round through each allocator. Process context, one task.
 */
#include <kernel/boot_info.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/selftest.h>

#define NR_OBJECTS 500

static void drain_and_read(struct page_stats *stats)
{
	slab_drain();
	pages_drain_cpu();
	page_stats_read(stats);
}

static bool in_ram(u64 start, u64 end)
{
	for (u32 i = 0; i < boot_info.nr_ram; i++)
		if (boot_info.ram[i].start <= start && end <= boot_info.ram[i].end)
			return true;
	return false;
}

static bool overlaps(u64 start, u64 end, u64 other_start, u64 other_end)
{
	return start < other_end && other_start < end;
}

/* Every block there is, largest first, onto a list. */
static u64 take_everything(struct list_head *blocks)
{
	u64 pages = 0;

	for (int order = MAX_ORDER; order >= 0; order--) {
		struct page *page;

		while ((page = alloc_pages((unsigned)order, GFP_KERNEL))) {
			list_add(&page->link, blocks);
			pages += 1UL << order;
		}
	}
	return pages;
}

static void give_back(struct list_head *blocks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, link)
		free_pages(page, page->order);
	INIT_LIST_HEAD(blocks);
}

static bool block_is_allowed(const struct page *page)
{
	u64 start = page_to_phys(page), end = start + (PAGE_SIZE << page->order);

	return in_ram(start, end) && start >= LOW_MEMORY_END &&
	       !overlaps(start, end, virt_to_phys(kernel_start), virt_to_phys(kernel_end)) &&
	       !overlaps(start, end, boot_info.initrd.start, boot_info.initrd.end);
}

/* Without the pages that wait on the CPUs' own stacks. */
static u64 pages_in_blocks(const struct page_stats *stats)
{
	u64 pages = 0;

	for (unsigned order = 0; order <= MAX_ORDER; order++)
		pages += stats->free_blocks[order] << order;
	return pages;
}

SELFTEST(mm_page_exhaustion)
{
	struct page_stats before, after;
	u64 pages, bad = 0;
	struct page *page;
	LIST_HEAD(blocks);

	drain_and_read(&before);
	pages = take_everything(&blocks);
	list_for_each_entry(page, &blocks, link)
		bad += !block_is_allowed(page);
	give_back(&blocks);
	drain_and_read(&after);
	EXPECT(bad == 0);
	EXPECT(pages == pages_in_blocks(&before));
	EXPECT(after.free == before.free);
	for (unsigned order = 0; order <= MAX_ORDER; order++)
		EXPECT(after.free_blocks[order] == before.free_blocks[order]);
}

SELFTEST(mm_page_orders)
{
	struct page_stats before, after;

	drain_and_read(&before);
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		struct page *page = alloc_pages(order, GFP_ZERO);
		u64 *words = page ? page_address(page) : NULL;
		u64 last = (PAGE_SIZE << order) / sizeof(u64) - 1;

		EXPECT(page);
		EXPECT(virt_to_page(words) == page);
		EXPECT(phys_to_page(page_to_phys(page)) == page);
		EXPECT(page_to_pfn(page) % (1UL << order) == 0);
		EXPECT(words[0] == 0 && words[last] == 0);
		words[0] = words[last] = ~0ULL;
		free_pages(page, order);
	}
	EXPECT(!alloc_pages(MAX_ORDER + 1, GFP_KERNEL));
	drain_and_read(&after);
	EXPECT(after.free == before.free);
}

static void fill(u8 *object, size_t size, u8 seed)
{
	for (size_t i = 0; i < size; i++)
		object[i] = (u8)(seed + i);
}

static bool is_filled(const u8 *object, size_t size, u8 seed)
{
	for (size_t i = 0; i < size; i++)
		if (object[i] != (u8)(seed + i))
			return false;
	return true;
}

SELFTEST(mm_kmalloc)
{
	static u8 *objects[NR_OBJECTS];
	struct page_stats before, after;

	drain_and_read(&before);
	for (u32 i = 0; i < NR_OBJECTS; i++) {
		size_t size = (size_t)i * i % 20000;

		objects[i] = kmalloc(size, GFP_KERNEL);
		EXPECT(objects[i]);
		EXPECT(ksize(objects[i]) >= size);
		fill(objects[i], size, (u8)i);
	}
	for (u32 i = 0; i < NR_OBJECTS; i++) {
		EXPECT(is_filled(objects[i], (size_t)i * i % 20000, (u8)i));
		kfree(objects[i]);
	}
	EXPECT(!kcalloc(1UL << 33, 1UL << 33, GFP_KERNEL));
	drain_and_read(&after);
	EXPECT(after.free == before.free);
	EXPECT(after.used[PAGES_SLAB] == before.used[PAGES_SLAB]);
}

SELFTEST(mm_slab_cache)
{
	static void *objects[NR_OBJECTS];
	struct page_stats before, after;
	struct kmem_cache *cache;

	drain_and_read(&before);
	cache = kmem_cache_create("selftest", 200, 0);
	EXPECT(cache);
	for (u32 i = 0; i < NR_OBJECTS; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(objects[i] && (u64)objects[i] % 64 == 0);
	}
	for (u32 i = 0; i < NR_OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	kmem_cache_destroy(cache);
	drain_and_read(&after);
	EXPECT(after.free == before.free);
}

SELFTEST(mm_vmalloc)
{
	struct page_stats before, after;
	u64 *words;

	page_stats_read(&before);
	for (size_t pages = 1; pages < 600; pages += 97) {
		size_t count = pages * PAGE_SIZE / sizeof(u64);

		words = vzalloc(pages * PAGE_SIZE);
		EXPECT(words);
		for (size_t i = 0; i < count; i++)
			EXPECT(words[i] == 0);
		for (size_t i = 0; i < count; i++)
			words[i] = i;
		for (size_t i = 0; i < count; i++)
			EXPECT(words[i] == i);
		EXPECT(kernel_mapping_flags((u64)words) == PAGE_KERNEL);
		EXPECT(kernel_mapping_flags((u64)words + pages * PAGE_SIZE) == 0);
		vfree(words);
		EXPECT(kernel_mapping_flags((u64)words) == 0);
	}
	page_stats_read(&after);
	EXPECT(after.used[PAGES_VMALLOC] == before.used[PAGES_VMALLOC]);
}

/* The address range comes back after TLBs were flushed: the new contents must be seen, not the old. */
SELFTEST(mm_vmalloc_reuses_addresses)
{
	const size_t size = 1 * MiB;

	for (u32 round = 0; round < 200; round++) {
		u32 *area = vmalloc(size, GFP_KERNEL);

		EXPECT(area);
		for (size_t at = 0; at < size / sizeof(u32); at += PAGE_SIZE / sizeof(u32))
			area[at] = round;
		for (size_t at = 0; at < size / sizeof(u32); at += PAGE_SIZE / sizeof(u32)) {
			phys_addr_t phys = kernel_mapping_phys((u64)&area[at]);

			EXPECT(*(u32 *)phys_to_virt(phys) == round);
		}
		vfree(area);
	}
}

SELFTEST(mm_kernel_stacks)
{
	static void *stacks[20];

	for (u32 i = 0; i < ARRAY_SIZE(stacks); i++) {
		stacks[i] = kernel_stack_alloc();
		EXPECT(stacks[i]);
		memset(stacks[i], 0x55, KERNEL_STACK_SIZE);
		EXPECT(is_stack_guard((u64)stacks[i] - 1));
		EXPECT(!is_stack_guard((u64)stacks[i]));
		EXPECT(kernel_mapping_flags((u64)stacks[i] - 1) == 0);
	}
	for (u32 i = 0; i < ARRAY_SIZE(stacks); i++)
		kernel_stack_free(stacks[i]);
}

/* Do all pages of [start, end) have these of the flags that decide on protection? */
static bool protected_as(u64 start, u64 end, u64 wanted)
{
	const u64 mask = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_NX;

	for (u64 at = start; at < end; at += PAGE_SIZE)
		if ((kernel_mapping_flags(at) & mask) != (wanted & mask))
			return false;
	return true;
}

static u64 alias(const char *image)
{
	return (u64)phys_to_virt(virt_to_phys(image));
}

SELFTEST(mm_write_xor_execute)
{
	EXPECT(protected_as((u64)text_start, (u64)text_end, PAGE_KERNEL_EXEC));
	EXPECT(protected_as((u64)rodata_start, (u64)rodata_end, PAGE_KERNEL_RO));
	EXPECT(protected_as((u64)data_start, (u64)kernel_end, PAGE_KERNEL));
	EXPECT(protected_as(alias(text_start), alias(rodata_end), PAGE_KERNEL_RO));
	EXPECT(protected_as(alias(data_start), alias(kernel_end), PAGE_KERNEL));
	EXPECT(protected_as((u64)phys_to_virt(0), (u64)phys_to_virt(LOW_MEMORY_END), PAGE_KERNEL));
	EXPECT(protected_as((u64)virt_to_page(text_start), (u64)virt_to_page(kernel_end),
			    PAGE_KERNEL));
	EXPECT(protected_as(0, 16 * PAGE_SIZE, 0));
	EXPECT(kernel_mapping_flags((u64)kernel_end + PAGE_SIZE) == 0);
}

SELFTEST(mm_direct_map_is_ram)
{
	for (u32 i = 0; i < boot_info.nr_ram; i++) {
		const struct phys_range *ram = &boot_info.ram[i];
		u64 behind = (u64)phys_to_virt(ram->end);
		bool gap = i + 1 == boot_info.nr_ram || boot_info.ram[i + 1].start > ram->end;

		EXPECT(kernel_mapping_flags((u64)phys_to_virt(ram->start)) & PTE_PRESENT);
		EXPECT(kernel_mapping_flags(behind - 1) & PTE_PRESENT);
		if (gap && ram->end >= LOW_MEMORY_END)
			EXPECT(kernel_mapping_flags(behind) == 0);
	}
}

/* In turn each allocation of a sequence fails, and the sequence leaves nothing behind. */
SELFTEST(mm_fault_injection)
{
	struct page_stats before, after;
	u64 failed = fault_inject_count();

	drain_and_read(&before);
	for (u64 nth = 1; nth <= 30; nth++) {
		struct page *page;
		void *object, *area;

		fault_inject_nth(nth);
		page = alloc_pages(1, GFP_KERNEL);
		object = kmalloc(300, GFP_KERNEL);
		area = vmalloc(4 * PAGE_SIZE, GFP_KERNEL);
		fault_inject_nth(0);
		if (page)
			free_pages(page, 1);
		kfree(object);
		vfree(area);
		EXPECT(nth != 1 || !page);
		EXPECT(nth != 2 || !object);
	}
	EXPECT(fault_inject_count() >= failed + 8);
	drain_and_read(&after);
	EXPECT(after.used[PAGES_VMALLOC] == before.used[PAGES_VMALLOC]);
	EXPECT(after.used[PAGES_SLAB] <= before.used[PAGES_SLAB] + 2); /* nodes of retired areas */
}
