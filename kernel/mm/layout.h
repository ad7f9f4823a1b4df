/*
 * The kernel's half of the address space (48 bits):
 *
 *	0xffff888000000000  direct map: RAM and the first MiB, virtual = physical + PAGE_OFFSET
 *	0xffffc90000000000  vmalloc: large tables, device registers
 *	0xffffc97000000000  kernel stacks, a guard area below each
 *	0xffffea0000000000  struct page of every frame, by frame number; mapped where there is RAM
 *	0xffffffff80000000  the kernel image, at physical 0 + the same offset
 *
 * The lower half belongs to user programs; its first page is never mapped.
 */
#pragma once

#include <kernel/lib/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SIZE  (2 * MiB)

#define LOW_MEMORY_END (1 * MiB) /* physical: BIOS data, VGA, ROMs, other CPUs' first code */

#define USER_END      0x00007ffffffff000UL
#define VMALLOC_START 0xffffc90000000000UL
#define VMALLOC_END   0xffffc97000000000UL
#define STACKS_START  0xffffc97000000000UL
#define STACKS_END    0xffffc98000000000UL
#define KERNEL_BASE   0xffffffff80000000UL

#ifdef HOST_TEST /* an arena stands in for RAM: tests/unit/mm_shim.h */
extern unsigned long host_page_offset, host_vmemmap;
#define PAGE_OFFSET   host_page_offset
#define VMEMMAP_START host_vmemmap
#else
#define PAGE_OFFSET   0xffff888000000000UL
#define VMEMMAP_START 0xffffea0000000000UL
#endif

typedef u64 phys_addr_t;

static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(phys + PAGE_OFFSET);
}

/* For addresses in the direct map and in the kernel image. */
static inline phys_addr_t virt_to_phys(const void *virt)
{
	u64 address = (u64)virt;

	return address >= KERNEL_BASE ? address - KERNEL_BASE : address - PAGE_OFFSET;
}

/* From linker.ld; all page aligned. */
#ifndef HOST_TEST
extern char kernel_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[],
	data_end[], kernel_end[];
#else
extern char *kernel_start, *kernel_end;
#endif
