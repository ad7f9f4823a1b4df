/* Caches of equal objects, and kmalloc() on top of them. Any context but hard IRQ. */
#pragma once

#include <kernel/mm/page.h>

struct kmem_cache;

/* align 0: natural (8, or 64 for objects of a cache line and more). Objects come uninitialised, and
 * may be up to 8 KiB. NULL: no memory. The name is not copied. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align) __must_check;
/* Let each CPU keep up to so many free objects (at most 127) for its next burst, and the cache a few times that, until
 * somebody needs the memory: more than is usual for large ones. Before the first allocation. */
void kmem_cache_keep(struct kmem_cache *cache, u32 count);
/* There may be very many of these: slabs that waste the least, even if they are large. Before the first allocation. */
void kmem_cache_pack(struct kmem_cache *cache);
size_t kmem_cache_size(const struct kmem_cache *cache); /* of an object */
/* All objects must have been freed. */
void kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp) __must_check;
void kmem_cache_free(struct kmem_cache *cache, void *object);

/* Up to 4 MiB; above KMALLOC_MAX_CACHED straight from the page allocator. NULL if there is none. */
#define KMALLOC_MAX_CACHED 8192
void *kmalloc(size_t size, gfp_t gfp) __must_check;
void *kzalloc(size_t size, gfp_t gfp) __must_check;
/* NULL too when count * size overflows. */
void *kcalloc(size_t count, size_t size, gfp_t gfp) __must_check;
/* Keeps the contents, of the smaller size; on NULL the old object stays as it is. */
void *krealloc(void *object, size_t size, gfp_t gfp) __must_check;
void kfree(void *object);	  /* NULL is fine */
size_t ksize(const void *object); /* what was really allocated */

struct slab_stats {
	const char *name;
	u32 object_size, objects_per_slab, pages_per_slab;
	u64 active_objects; /* handed out to callers */
	u64 total_objects, slabs;
};
/* Calls `show` for each cache, under a lock: it must not allocate. */
void slab_stats_for_each(void (*show)(const struct slab_stats *stats, void *arg), void *arg);

/* Give this CPU's magazines and all empty slabs back, so that free memory can be counted. What
 * slab_stats say is in use never includes magazines, of any CPU. */
void slab_drain(void);

/* Before any of the above; kmalloc_init() is its second half. */
void slab_init(void);
void kmalloc_init(void);
