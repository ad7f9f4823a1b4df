/* What slab.c and slab_debug.c share. */
#pragma once

#include <kernel/cpu/percpu.h>
#include <kernel/mm/slab.h>
#include <kernel/spinlock.h>

#define MAGAZINE_ROUNDS	      31  /* so that a magazine is 256 bytes */
#define LARGE_MAGAZINE_ROUNDS 127 /* ... or 1 KiB */

/* A stack of free objects for one CPU. Touched only by that CPU, with softirqs disabled. */
struct magazine {
	u32 count;
	u32 capacity;
	void *rounds[];
};

struct kmem_cache {
	struct magazine *magazine[MAX_CPUS]; /* each slot is its CPU's; no_magazine until needed */

	/* constant after creation */
	const char *name;
	u32 object_size;
	u32 slot_size;	   /* from one object to the next: with alignment and red zones */
	u32 object_offset; /* of the object in its slot */
	u32 link_offset;   /* in a free slot: where the index of the next free one stands */
	u16 objects_per_slab;
	u8 order;	       /* of a slab, in pages */
	u8 magazine_capacity;  /* 0: none */
	u32 max_empty;	       /* slabs that it keeps for the next burst */
	struct list_head link; /* on `caches`, under caches_lock */

	spinlock_t lock;
	/* under lock */
	/* slabs with a free object, the empty ones last; full ones: nowhere */
	struct list_head partial;
	u32 nr_empty;
	u64 nr_slabs;
	u64 nr_taken; /* objects out of the slabs: with callers or in magazines */
};

static inline char *slab_slot(const struct kmem_cache *cache, struct page *slab, u32 index)
{
	return (char *)page_address(slab) + (size_t)index * cache->slot_size;
}

#if CONFIG_DEBUG
#define SLAB_DEBUG true
/* Lays out red zones around the object. */
void slab_debug_layout(struct kmem_cache *cache, u32 align);
/* Each panics, with the names of cache and object, if something is wrong. */
void slab_debug_new_slot(const struct kmem_cache *cache, char *slot);
void slab_debug_alloc(const struct kmem_cache *cache, void *object);
void slab_debug_free(const struct kmem_cache *cache, void *object);
#else
#define SLAB_DEBUG false
static inline void slab_debug_layout(struct kmem_cache *cache, u32 align)
{
	cache->object_offset = 0;
	cache->link_offset = 0;
	cache->slot_size = ALIGN_UP(cache->object_size, align);
}
static inline void slab_debug_new_slot(const struct kmem_cache *cache, char *slot)
{
	(void)cache, (void)slot;
}
static inline void slab_debug_alloc(const struct kmem_cache *cache, void *object)
{
	(void)cache, (void)object;
}
static inline void slab_debug_free(const struct kmem_cache *cache, void *object)
{
	(void)cache, (void)object;
}
#endif
