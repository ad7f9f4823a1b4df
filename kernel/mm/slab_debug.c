/*
 * The slab allocator's checks in a debug build. A slot is then
 *
 *	| padding | red zone, 8 bytes | object | red zone, 8 to 15 bytes | index of the next free |
 *
 * Both red zones hold one byte value that says whether the object is in use or free, so that they
 * find writes beyond the object and frees of what is free already. A free object is filled with
 * POISON_FREE, which is checked when it is handed out again; a new one with POISON_NEW, so that
 * reading it before it is initialised shows.
 *
 * The caller owns the object at each of these moments; no locks.
 */
#include <kernel/mm/slab_impl.h>

#if CONFIG_DEBUG

#include <kernel/lib/string.h>
#include <kernel/panic.h>

#define RED_ZONE    8
#define RED_USED    0xcc
#define RED_FREE    0xbb
#define POISON_FREE 0x6b
#define POISON_NEW  0xa5

void slab_debug_layout(struct kmem_cache *cache, u32 align)
{
	u32 end;

	cache->object_offset = ALIGN_UP((u32)RED_ZONE, align);
	end = ALIGN_UP(cache->object_offset + cache->object_size, 8);
	cache->link_offset = end + RED_ZONE;
	cache->slot_size = ALIGN_UP(cache->link_offset + 8, align);
}

/* Where the red zones begin and how long the second one is. */
static u8 *left_zone(const struct kmem_cache *cache, char *slot)
{
	return (u8 *)slot + cache->object_offset - RED_ZONE;
}
static u8 *right_zone(const struct kmem_cache *cache, char *slot)
{
	return (u8 *)slot + cache->object_offset + cache->object_size;
}
static u32 right_size(const struct kmem_cache *cache)
{
	return cache->link_offset - cache->object_offset - cache->object_size;
}

static void set_zones(const struct kmem_cache *cache, char *slot, u8 value)
{
	memset(left_zone(cache, slot), value, RED_ZONE);
	memset(right_zone(cache, slot), value, right_size(cache));
}

static void check_bytes(const struct kmem_cache *cache, const char *slot, const u8 *bytes,
			size_t size, u8 value, const char *what)
{
	const char *object = slot + cache->object_offset;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			panic("%s: object %p: %s at offset %td: %#x, should be %#x", cache->name,
			      (void *)object, what, (const char *)&bytes[i] - object, bytes[i],
			      value);
}

static void check_zones(const struct kmem_cache *cache, char *slot, u8 value)
{
	check_bytes(cache, slot, left_zone(cache, slot), RED_ZONE, value,
		    "written before its start");
	check_bytes(cache, slot, right_zone(cache, slot), right_size(cache), value,
		    "written beyond its end");
}

void slab_debug_new_slot(const struct kmem_cache *cache, char *slot)
{
	set_zones(cache, slot, RED_FREE);
	memset(slot + cache->object_offset, POISON_FREE, cache->object_size);
}

void slab_debug_alloc(const struct kmem_cache *cache, void *object)
{
	char *slot = (char *)object - cache->object_offset;

	check_zones(cache, slot, RED_FREE);
	check_bytes(cache, slot, object, cache->object_size, POISON_FREE, "written after free");
	set_zones(cache, slot, RED_USED);
	memset(object, POISON_NEW, cache->object_size);
}

void slab_debug_free(const struct kmem_cache *cache, void *object)
{
	char *slot = (char *)object - cache->object_offset;
	struct page *page = virt_to_page(object);
	size_t offset = (size_t)slot & ((PAGE_SIZE << cache->order) - 1);

	if (page->state != PAGE_SLAB || page->owner != cache)
		panic("%s: object %p: freed here, but belongs to %s", cache->name, object,
		      page->state == PAGE_SLAB ? ((struct kmem_cache *)page->owner)->name
					       : "no cache");
	if (offset % cache->slot_size)
		panic("%s: %p: freed, but is no object's start", cache->name, object);
	if (*left_zone(cache, slot) == RED_FREE && *right_zone(cache, slot) == RED_FREE)
		panic("%s: object %p: freed twice", cache->name, object);
	check_zones(cache, slot, RED_USED);
	set_zones(cache, slot, RED_FREE);
	memset(object, POISON_FREE, cache->object_size);
}
#endif
