/*
 * Memory comes up: from the boot loader's list of RAM to working allocators. One CPU, interrupts off.
 */
#include <kernel/lib/string.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/uaccess.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/printk.h>

/*
 * The buddy allocator writes the struct pages of the blocks it is given, and reads beyond them only
 * the struct pages of possible buddies, within the same aligned block of the largest order. So a
 * block that is free as a whole needs no initialisation, and 16 GiB of RAM cost as little as one.
 * All others start as PAGE_RESERVED. In a debug build every struct page is looked at.
 */
static void init_struct_pages(const struct phys_range *ram)
{
	const u64 block = PAGE_SIZE << MAX_ORDER;

	for (u64 at = ALIGN_DOWN(ram->start, block); at < ram->end; at += block) {
#if !CONFIG_DEBUG
		if (memmap_is_free(at, at + block))
			continue;
#endif
		memset(phys_to_page(at), PAGE_RESERVED, sizeof(struct page) << MAX_ORDER);
	}
}

static void hand_over_free_memory(void)
{
	page_alloc_init();
	for (u32 i = 0; i < boot_info.nr_ram; i++)
		init_struct_pages(&boot_info.ram[i]);
	for (unsigned i = 0; i < memmap.nr_free; i++)
		pages_release_reserved(memmap.free[i].start, memmap.free[i].end);
	page_allocator_ready = true;
}

void mm_init(void)
{
	struct page_stats stats;

	uaccess_init();
	memmap_init();
	paging_init();
	hand_over_free_memory();
	slab_init();
	vmalloc_init();

	page_stats_read(&stats);
	pr_info("memory: %llu MiB of RAM, %llu KiB free, image %zu KiB, no-execute %s\n",
		memmap_total() / MiB, stats.free * PAGE_SIZE / KiB,
		(size_t)(kernel_end - kernel_start) / (size_t)KiB, pte_nx ? "on" : "not supported");
}
