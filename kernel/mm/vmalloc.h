/* Virtually contiguous memory from single frames, each area followed by an unmapped guard page. */
#pragma once

#include <kernel/mm/page.h>

void *vmalloc(size_t size, gfp_t gfp) __must_check; /* process context only */
void *vzalloc(size_t size) __must_check;
void vfree(void *address); /* NULL is fine; not in hard IRQ */

/* Map device registers, uncached. Fails for want of memory only. Process context. */
void *ioremap(phys_addr_t phys, size_t size) __must_check;
void iounmap(void *address);

/* A kernel stack: KERNEL_STACK_SIZE bytes with a guard area below; each CPU keeps a few for reuse.
 * Returns the lowest address. Process context, both. */
#define KERNEL_STACK_SIZE (16 * KiB)
void *kernel_stack_alloc(void) __must_check;
void kernel_stack_free(void *stack);
/* Give this CPU's spare stacks back, and make what was freed, here or elsewhere, one with its neighbours. */
void vmalloc_drain(void);
/* Is this address in the guard area below some kernel stack? Any context, takes no lock. */
bool is_stack_guard(u64 address);

void vmalloc_init(void);
