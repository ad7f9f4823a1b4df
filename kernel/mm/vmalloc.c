/*
 * vmalloc(), ioremap() and kernel stacks: address ranges from vmap_area.c, filled with mappings.
 *
 * Unmapping does not interrupt the other CPUs: their TLBs may remember an address for a while, but
 * nobody gets that address again before they have been flushed (vmap_area.c). The frames are freed
 * at once; only a use after free could tell.
 *
 * Context: process; vfree() also softirq. Locks: none of its own.
 */
#include <kernel/mm/vmalloc.h>

#include <kernel/cpu/percpu.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/vmap_area.h>
#include <kernel/panic.h>

#define GUARD_SIZE PAGE_SIZE

/* A stack lies in the upper half of its slot. The lower half is never mapped, so a guard is told from
 * a stack by one bit of the address. */
#define STACK_SLOT    (2 * KERNEL_STACK_SIZE)
#define CACHED_STACKS 8 /* a CPU keeps: enough for a shell's pipeline */
static_assert(STACKS_START % STACK_SLOT == 0, "slots are aligned to their size");

static struct vmap_space vmalloc_space, stack_space;

/* This CPU's alone, and process context's alone: needs no protection. */
struct stack_cache {
	u32 count;
	void *stacks[CACHED_STACKS];
};
static DEFINE_PER_CPU(struct stack_cache, stack_cache);

/* Free the frames that are mapped in [start, start + size), and unmap them. */
static void unmap_frames(u64 start, u64 size)
{
	for (u64 at = start; at < start + size; at += PAGE_SIZE) {
		phys_addr_t phys = kernel_mapping_phys(at);

		kernel_unmap_lazy(at, PAGE_SIZE);
		free_page(phys_to_page(phys));
	}
	page_account(PAGES_VMALLOC, -(long)(size / PAGE_SIZE));
}

static bool map_frame(u64 virt, gfp_t gfp)
{
	struct page *page = alloc_page(gfp);

	if (!page)
		return false;
	if (kernel_map(virt, page_to_phys(page), PAGE_SIZE, PAGE_KERNEL, gfp & ~GFP_ZERO)) {
		free_page(page);
		return false;
	}
	page_account(PAGES_VMALLOC, 1);
	return true;
}

/* Map fresh frames; all or, when memory ends, none. */
static bool map_frames(u64 start, u64 size, gfp_t gfp)
{
	for (u64 at = start; at < start + size; at += PAGE_SIZE) {
		if (!map_frame(at, gfp)) {
			unmap_frames(start, at - start);
			return false;
		}
	}
	return true;
}

/* ---- vmalloc ---------------------------------------------------------------------------------- */

void *vmalloc(size_t size, gfp_t gfp)
{
	struct vmap_area *area;

	if (size == 0 || size > memmap_total() || should_fail_alloc(gfp))
		return NULL;
	size = ALIGN_UP(size, PAGE_SIZE);
	area = vmap_area_alloc(&vmalloc_space, size + GUARD_SIZE);
	if (!area)
		return NULL;
	if (!map_frames(area->start, size, gfp)) {
		vmap_area_retire(&vmalloc_space, area);
		return NULL;
	}
	area->mapped = size;
	return (void *)area->start;
}

void *vzalloc(size_t size)
{
	return vmalloc(size, GFP_KERNEL | GFP_ZERO);
}

void vfree(void *address)
{
	struct vmap_area *area;

	if (!address)
		return;
	area = vmap_area_find(&vmalloc_space, (u64)address);
	if (!area || !area->mapped)
		panic("vfree: %p is not from vmalloc, or was freed before", address);
	unmap_frames(area->start, area->mapped);
	area->mapped = 0;
	vmap_area_retire(&vmalloc_space, area);
}

/* ---- device registers --------------------------------------------------------------------------- */

void *ioremap(phys_addr_t phys, size_t size)
{
	u64 offset = phys % PAGE_SIZE;
	struct vmap_area *area;

	size = ALIGN_UP(size + offset, PAGE_SIZE);
	area = vmap_area_alloc(&vmalloc_space, size + GUARD_SIZE);
	if (!area)
		return NULL;
	if (kernel_map(area->start, phys - offset, size, PAGE_KERNEL_IO, GFP_KERNEL)) {
		vmap_area_retire(&vmalloc_space, area);
		return NULL;
	}
	return (void *)(area->start + offset);
}

void iounmap(void *address)
{
	struct vmap_area *area = vmap_area_find(&vmalloc_space, (u64)address & PAGE_MASK);

	assert(area && !area->mapped);
	kernel_unmap_lazy(area->start, area->size - GUARD_SIZE);
	vmap_area_retire(&vmalloc_space, area);
}

/* ---- kernel stacks ------------------------------------------------------------------------------ */

void *kernel_stack_alloc(void)
{
	struct stack_cache *cache = this_cpu_ptr(stack_cache);
	struct vmap_area *area;
	u64 stack;

	if (should_fail_alloc(GFP_KERNEL))
		return NULL;
	if (cache->count)
		return cache->stacks[--cache->count];
	area = vmap_area_alloc(&stack_space, STACK_SLOT);
	if (!area)
		return NULL;
	stack = area->start + KERNEL_STACK_SIZE;
	if (!map_frames(stack, KERNEL_STACK_SIZE, GFP_KERNEL)) {
		vmap_area_retire(&stack_space, area);
		return NULL;
	}
	return (void *)stack;
}

static void retire_stack(void *stack)
{
	struct vmap_area *area = vmap_area_find(&stack_space, (u64)stack - KERNEL_STACK_SIZE);

	assert(area);
	unmap_frames((u64)stack, KERNEL_STACK_SIZE);
	vmap_area_retire(&stack_space, area);
}

void kernel_stack_free(void *stack)
{
	struct stack_cache *cache = this_cpu_ptr(stack_cache);

	if (cache->count < CACHED_STACKS)
		cache->stacks[cache->count++] = stack;
	else
		retire_stack(stack);
}

void vmalloc_drain(void)
{
	struct stack_cache *cache = this_cpu_ptr(stack_cache);

	while (cache->count)
		retire_stack(cache->stacks[--cache->count]);
	vmap_area_purge(&stack_space);
	vmap_area_purge(&vmalloc_space);
}

bool is_stack_guard(u64 address)
{
	return address >= STACKS_START && address < STACKS_END &&
	       address % STACK_SLOT < KERNEL_STACK_SIZE &&
	       kernel_mapping_flags(ALIGN_DOWN(address, STACK_SLOT) + KERNEL_STACK_SIZE);
}

void vmalloc_init(void)
{
	vmap_area_init();
	vmap_space_init(&vmalloc_space, VMALLOC_START, VMALLOC_END);
	vmap_space_init(&stack_space, STACKS_START, STACKS_END);
}
