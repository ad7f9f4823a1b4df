/* Memory for tables of any size: contiguous frames while it is small, single ones when it is large. */
#pragma once

#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>

#define KVMALLOC_CONTIGUOUS (32 * KiB)

/* NULL: no memory. Process context; give back with kvfree(). */
static inline void *__must_check kvmalloc(size_t size)
{
	return size <= KVMALLOC_CONTIGUOUS ? kmalloc(size, GFP_KERNEL) : vmalloc(size, GFP_KERNEL);
}

static inline void *__must_check kvzalloc(size_t size)
{
	return size <= KVMALLOC_CONTIGUOUS ? kzalloc(size, GFP_KERNEL) : vzalloc(size);
}

static inline void kvfree(void *memory)
{
	if ((u64)memory >= VMALLOC_START && (u64)memory < VMALLOC_END)
		vfree(memory);
	else
		kfree(memory);
}
