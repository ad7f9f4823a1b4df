/*
 * Walking, building and changing page tables. Any context but hard IRQ; kernel_mapping_flags() also
 * from exceptions.
 *
 * Locks: kernel_map_lock for the tables under kernel_pml4, then the page allocator's.
 */
#include <kernel/mm/paging.h>

#include <kernel/cpu/smp.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/memmap.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

#define PTE_TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED) /* what is below decides */

pte_t kernel_pml4[PTRS_PER_TABLE] __aligned(PAGE_SIZE);
u64 pte_nx;
bool page_allocator_ready;

static DEFINE_SPINLOCK(kernel_map_lock);

/* A zeroed page for a table; 0: no memory. */
static phys_addr_t new_table(gfp_t gfp)
{
	phys_addr_t phys;

	if (page_allocator_ready) {
		struct page *page = alloc_page(gfp | GFP_ZERO);

		if (!page)
			return 0;
		phys = page_to_phys(page);
	} else {
		phys = boot_alloc(PAGE_SIZE);
		memset(phys_to_virt(phys), 0, PAGE_SIZE);
	}
	page_account(PAGES_KERNEL_TABLES, 1);
	return phys;
}

pte_t *page_walk_level(pte_t *table, u64 virt, enum page_level level, bool create, gfp_t gfp)
{
	for (enum page_level at = LEVEL_TOP; at > level; at--) {
		pte_t *entry = &table[level_index(virt, at)];
		pte_t value = READ_ONCE(*entry);

		if (!(value & PTE_PRESENT)) {
			phys_addr_t phys = create ? new_table(gfp) : 0;

			if (!phys)
				return NULL;
			value = phys | PTE_TABLE | (virt < USER_END ? PTE_USER : 0);
			WRITE_ONCE(*entry, value);
		} else if (value & PTE_HUGE) {
			return NULL;
		}
		table = table_of(value);
	}
	return &table[level_index(virt, level)];
}

/* Clear the entries of [virt, end), whose tables exist. */
static void clear_range(u64 virt, u64 end)
{
	for (; virt < end; virt += PAGE_SIZE) {
		pte_t *entry = page_walk(kernel_pml4, virt, false, 0);

		if (entry)
			WRITE_ONCE(*entry, 0);
	}
}

int kernel_map(u64 virt, phys_addr_t phys, size_t size, u64 flags, gfp_t gfp)
{
	u64 at = virt;
	int err = 0;

	spin_lock_bh(&kernel_map_lock);
	for (; at < virt + size; at += PAGE_SIZE, phys += PAGE_SIZE) {
		pte_t *entry = page_walk(kernel_pml4, at, true, gfp | GFP_ATOMIC);

		if (!entry) {
			clear_range(virt, at);
			err = -ENOMEM;
			break;
		}
		debug_assert(!(*entry & PTE_PRESENT));
		WRITE_ONCE(*entry, phys | flags);
	}
	spin_unlock_bh(&kernel_map_lock);
	return err;
}

void kernel_unmap_lazy(u64 virt, size_t size)
{
	spin_lock_bh(&kernel_map_lock);
	clear_range(virt, virt + size);
	spin_unlock_bh(&kernel_map_lock);
}

void kernel_unmap(u64 virt, size_t size)
{
	kernel_unmap_lazy(virt, size);
	flush_tlb_kernel(virt, virt + size);
}

u64 kernel_mapping_flags(u64 virt)
{
	for (enum page_level level = LEVEL_4K; level < LEVEL_TOP; level++) {
		pte_t *entry = page_walk_level(kernel_pml4, virt, level, false, 0);
		pte_t value = entry ? READ_ONCE(*entry) : 0;

		if (value & PTE_PRESENT && (level == LEVEL_4K || value & PTE_HUGE))
			return value & ~PTE_ADDRESS;
	}
	return 0;
}

phys_addr_t kernel_mapping_phys(u64 virt)
{
	pte_t *entry = page_walk(kernel_pml4, virt, false, 0);

	assert(entry && *entry & PTE_PRESENT);
	return *entry & PTE_ADDRESS;
}

int paging_map_trampoline(phys_addr_t phys)
{
	return kernel_map(phys, phys, PAGE_SIZE, PTE_PRESENT | PTE_WRITE, GFP_KERNEL);
}

/* Nothing else is mapped in the lower half of the kernel's table, so its tables go too. */
void paging_unmap_trampoline(phys_addr_t phys)
{
	pte_t *pud = table_of(kernel_pml4[level_index(phys, LEVEL_TOP)]);
	pte_t *pmd = table_of(pud[level_index(phys, LEVEL_1G)]);
	pte_t *table = table_of(pmd[level_index(phys, LEVEL_2M)]);

	kernel_pml4[level_index(phys, LEVEL_TOP)] = 0;
	flush_tlb_kernel(phys, phys + PAGE_SIZE);
	free_page(virt_to_page(table));
	free_page(virt_to_page(pmd));
	free_page(virt_to_page(pud));
	page_account(PAGES_KERNEL_TABLES, -3);
}
