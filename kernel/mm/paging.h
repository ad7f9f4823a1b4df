/*
 * Page tables: the kernel's own map (direct map, image W^X, vmalloc), and the walker that
 * user address spaces use too.
 */
#pragma once

#include <kernel/mm/page.h>

typedef u64 pte_t;

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_PWT	     BIT(3)
#define PTE_PCD	     BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_HUGE     BIT(7)
#define PTE_GLOBAL   BIT(8)
#define PTE_SOFT1    BIT(9) /* free for software */
#define PTE_SOFT2    BIT(10)
#define PTE_SOFT3    BIT(11)
#define PTE_NX	     BIT(63)
#define PTE_ADDRESS  0x000ffffffffff000ULL

#define PTRS_PER_TABLE 512

extern u64 pte_nx; /* PTE_NX, or 0 where the CPU has no such bit */

/* The kernel's own mappings. Accessed and dirty are set from the start: the CPU need not write them. */
#define PTE_KERNEL	 (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL)
#define PAGE_KERNEL	 (PTE_KERNEL | PTE_WRITE | pte_nx)
#define PAGE_KERNEL_RO	 (PTE_KERNEL | pte_nx)
#define PAGE_KERNEL_EXEC PTE_KERNEL
#define PAGE_KERNEL_IO	 (PAGE_KERNEL | PTE_PCD | PTE_PWT)

/* The kernel's top-level table, below 4 GiB. Its upper half never changes after boot: every address
 * space copies those 256 entries once and shares what is below them. */
extern pte_t kernel_pml4[PTRS_PER_TABLE];

/* First thing after the boot tables: takes boot_info, builds the final map, starts the allocators.
 * Expects EFER.NXE (where there is NX), CR0.WP and CR4.PGE set, and nothing in use at a low address. */
void mm_init(void);

/* A level's entries map 4 KiB, 2 MiB, 1 GiB, 512 GiB. */
enum page_level { LEVEL_4K, LEVEL_2M, LEVEL_1G, LEVEL_TOP };

static inline unsigned level_shift(enum page_level level)
{
	return PAGE_SHIFT + 9 * level;
}
static inline unsigned level_index(u64 virt, enum page_level level)
{
	return (virt >> level_shift(level)) % PTRS_PER_TABLE;
}
static inline pte_t *table_of(pte_t entry)
{
	return phys_to_virt(entry & PTE_ADDRESS);
}

/* The entry of this level for `virt`, making tables on the way when `create`. NULL: none there, no
 * memory, or a large page is in the way. The caller's lock keeps two that create apart. */
pte_t *page_walk_level(pte_t *pml4, u64 virt, enum page_level level, bool create,
		       gfp_t gfp) __must_check;

static inline pte_t *page_walk(pte_t *pml4, u64 virt, bool create, gfp_t gfp)
{
	return page_walk_level(pml4, virt, LEVEL_4K, create, gfp);
}

/* 0 or -ENOMEM, with nothing left mapped. Not to be used on what is mapped already. */
int kernel_map(u64 virt, phys_addr_t phys, size_t size, u64 flags, gfp_t gfp) __must_check;
void kernel_unmap(u64 virt, size_t size); /* and shoots the TLBs down */
/* Without that: the caller sees to flush_tlb_kernel() before the addresses are used again. */
void kernel_unmap_lazy(u64 virt, size_t size);

/* The flags of the entry that maps `virt`, large pages too; 0 if unmapped. Takes no lock. */
u64 kernel_mapping_flags(u64 virt);
/* The frame that the kernel's map has at `virt`, which must be mapped by a 4 KiB page. */
phys_addr_t kernel_mapping_phys(u64 virt);

/* While other CPUs start, their first code needs its page mapped where it is. -ENOMEM if it fails. */
int paging_map_trampoline(phys_addr_t phys) __must_check;
void paging_unmap_trampoline(phys_addr_t phys);

/* Builds the final map and goes over to it; the struct pages exist from then on. */
void paging_init(void);
/* From now on page tables come from the page allocator, not from boot_alloc(). */
extern bool page_allocator_ready;
