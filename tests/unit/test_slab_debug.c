/* sources: tests/unit/mm_shim.c kernel/lib/string.c kernel/lib/rbtree.c */
/*
 * The checks that only a debug build has. The sources are built into this file, because the others
 * have them without CONFIG_DEBUG.
 */
#define CONFIG_DEBUG 1
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/fault_inject.c>
#include <kernel/mm/memmap.c>
#include <kernel/mm/page_alloc.c>
#include <kernel/mm/paging.c>
#include <kernel/mm/slab.c>
#include <kernel/mm/slab_debug.c>
#include <kernel/mm/vmalloc.c>
#include <kernel/mm/vmap_area.c>
#undef MAX_ALIGN
#include <kernel/mm/kmalloc.c>

static struct kmem_cache *cache;

static unsigned char *fresh_object(size_t size)
{
	mm_shim_zero_struct_pages = true;
	mm_shim_boot();
	cache = kmem_cache_create("victim", size, 0);
	return kmem_cache_alloc(cache, GFP_KERNEL);
}

static bool panic_says(const char *words)
{
	return strstr(mm_shim_panic_text, "victim") && strstr(mm_shim_panic_text, words);
}

TEST(debug_new_objects_are_poisoned)
{
	unsigned char *object = fresh_object(37);

	for (unsigned i = 0; i < 37; i++)
		CHECK_EQ(object[i], 0xa5);
	kmem_cache_free(cache, object);
	for (unsigned i = 0; i < 37; i++)
		CHECK_EQ(object[i], 0x6b);
}

TEST(debug_writes_beyond_are_found)
{
	static const size_t sizes[] = { 1, 7, 8, 37, 64, 100, 1000, 4096 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned char *object = fresh_object(sizes[i]);

		object[sizes[i]] = 0;
		CHECK(PANICS(kmem_cache_free(cache, object)));
		CHECK(panic_says("beyond its end"));
		object = fresh_object(sizes[i]);
		object[-1] = 0;
		CHECK(PANICS(kmem_cache_free(cache, object)));
		CHECK(panic_says("before its start"));
	}
}

TEST(debug_use_after_free_is_found)
{
	unsigned char *object = fresh_object(100);

	kmem_cache_free(cache, object);
	object[50] = 1;
	CHECK(PANICS((void)!kmem_cache_alloc(cache, GFP_KERNEL)));
	CHECK(panic_says("written after free at offset 50"));
}

TEST(debug_wrong_frees_are_found)
{
	unsigned char *object = fresh_object(100);
	struct kmem_cache *other = kmem_cache_create("other", 100, 0);

	CHECK(PANICS(kmem_cache_free(other, object)));
	CHECK(panic_says("belongs to victim"));
	CHECK(PANICS(kmem_cache_free(cache, object + 8)));
	CHECK(panic_says("no object's start"));
	kmem_cache_free(cache, object);
	CHECK(PANICS(kmem_cache_free(cache, object)));
	CHECK(panic_says("freed twice"));
}

TEST(debug_writes_to_free_pages_are_found)
{
	struct page *page;

	mm_shim_zero_struct_pages = true;
	mm_shim_boot();
	page = alloc_pages(1, GFP_KERNEL);
	free_pages(page, 1);
	((char *)page_address(page))[5000] = 1;
	CHECK(PANICS((void)!alloc_pages(1, GFP_KERNEL)));
	CHECK(strstr(mm_shim_panic_text, "was written to"));
	((char *)page_address(page))[5000] = (char)0xfe; /* heal it for those who come later */
}

TEST(debug_build_survives_random_use)
{
	static void *held[1000];

	mm_shim_zero_struct_pages = true;
	mm_shim_boot();
	for (unsigned step = 0; step < 50000; step++) {
		void **slot = &held[unit_random_below(1000)];

		if (*slot) {
			kfree(*slot);
			*slot = NULL;
		} else {
			size_t size = unit_random_below(1ULL << unit_random_below(15));

			*slot = kmalloc(size, GFP_KERNEL);
			CHECK(*slot);
			memset(*slot, 0x77, size);
		}
	}
	for (unsigned i = 0; i < 1000; i++)
		kfree(held[i]);
}
