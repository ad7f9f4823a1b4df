/* sources: tests/unit/mm_shim.c kernel/mm/page_alloc.c kernel/mm/fault_inject.c kernel/mm/memmap.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/paging.c kernel/mm/vmalloc.c kernel/mm/vmap_area.c kernel/lib/string.c kernel/lib/rbtree.c */
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>

#define CPUS	    4
#define MAX_OBJECTS 3000

/* The model: every object in use, filled with a byte of its own. */
static struct {
	unsigned char *at;
	size_t size; /* asked for, and filled */
	unsigned char fill;
	struct kmem_cache *cache; /* NULL: from kmalloc */
} held[MAX_OBJECTS];
static unsigned nr_held;

static void hold(void *object, size_t size, struct kmem_cache *cache)
{
	unsigned char fill = (unsigned char)unit_random();

	for (size_t i = 0; i < size; i++)
		((unsigned char *)object)[i] = fill;
	held[nr_held].at = object;
	held[nr_held].size = size;
	held[nr_held].fill = fill;
	held[nr_held++].cache = cache;
}

/* Overlapping objects would have overwritten each other's fill. */
static void check_fill(unsigned i, size_t size)
{
	for (size_t at = 0; at < size; at++)
		CHECK_EQ(held[i].at[at], held[i].fill);
}

static void drop(unsigned i)
{
	check_fill(i, held[i].size);
	if (held[i].cache)
		kmem_cache_free(held[i].cache, held[i].at);
	else
		kfree(held[i].at);
	held[i] = held[--nr_held];
}

static void drop_all(void)
{
	while (nr_held)
		drop((unsigned)unit_random_below(nr_held));
}

struct find {
	const char *name;
	u64 active;
};

static void find_cache(const struct slab_stats *stats, void *arg)
{
	struct find *find = arg;

	if (!__builtin_strcmp(stats->name, find->name))
		find->active = stats->active_objects;
}

static u64 active_objects(const char *name)
{
	struct find find = { name, ~0ULL };

	slab_stats_for_each(find_cache, &find);
	return find.active;
}

static u64 start(void)
{
	mm_shim_boot();
	return mm_shim_free_pages();
}

TEST(slab_random_objects_of_many_caches_on_many_cpus)
{
	static const struct {
		size_t size, align;
	} shapes[] = { { 1, 0 },    { 8, 8 },	 { 20, 0 },	 { 40, 32 },  { 64, 0 },
		       { 100, 16 }, { 200, 0 },	 { 640, 0 },	 { 1000, 8 }, { 1500, 128 },
		       { 2048, 0 }, { 3000, 0 }, { 4096, 4096 }, { 5000, 0 }, { 8192, 0 } };
	struct kmem_cache *caches[ARRAY_SIZE(shapes)];
	u64 free = start(), steps = 150000;

	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		caches[i] = kmem_cache_create("shape", shapes[i].size, shapes[i].align);
	while (steps--) {
		mm_shim_set_cpu((u32)unit_random_below(CPUS));
		/* up for a while, then down: so that slabs become full and empty */
		if (nr_held < MAX_OBJECTS &&
		    unit_random_below(100) < (steps / 4096 % 2 ? 60 : 40)) {
			unsigned pick = (unsigned)unit_random_below(ARRAY_SIZE(shapes));
			size_t align = shapes[pick].align;
			void *object = kmem_cache_alloc(caches[pick], GFP_KERNEL);

			if (!align)
				align = shapes[pick].size >= 64 ? 64 : 8;
			CHECK(object);
			CHECK_EQ((uintptr_t)object % align, 0);
			hold(object, shapes[pick].size, caches[pick]);
		} else if (nr_held) {
			drop((unsigned)unit_random_below(nr_held));
		}
	}
	drop_all();
	CHECK_EQ(active_objects("shape"), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		kmem_cache_destroy(caches[i]);
	CHECK_EQ(mm_shim_free_pages(), free);
}

TEST(kmalloc_random_sizes)
{
	u64 free = start();

	for (unsigned step = 0; step < 150000; step++) {
		mm_shim_set_cpu((u32)unit_random_below(CPUS));
		if (nr_held < MAX_OBJECTS && unit_random_below(100) < 51) {
			size_t size = unit_random_below(1ULL << unit_random_below(15));
			void *object = kmalloc(size, GFP_KERNEL);

			CHECK(object);
			CHECK(ksize(object) >= size);
			CHECK_EQ((uintptr_t)object % 8, 0);
			hold(object, size, NULL);
		} else if (nr_held) {
			drop((unsigned)unit_random_below(nr_held));
		}
	}
	drop_all();
	CHECK_EQ(mm_shim_free_pages(), free);
}

TEST(kmalloc_each_size_uses_the_smallest_class)
{
	size_t previous = 8;

	mm_shim_boot();
	for (size_t size = 0; size <= 3 * KMALLOC_MAX_CACHED; size++) {
		void *object = kmalloc(size, GFP_KERNEL);
		size_t got = ksize(object);

		CHECK(got >= size);
		CHECK(got >= previous);
		CHECK(got == previous || size == previous + 1);
		CHECK_EQ((uintptr_t)object % (got >= 64 && got % 64 == 0 ? 64 : 8), 0);
		previous = got;
		kfree(object);
	}
}

TEST(kmalloc_until_memory_ends_and_recover)
{
	static const size_t sizes[] = { 64, 1024, 8192, 200000 };
	u64 free = start();

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		void **chain = NULL, **object;
		u64 count = 0;

		while ((object = kmalloc(sizes[i], GFP_KERNEL))) {
			*object = chain;
			chain = object;
			count++;
		}
		CHECK(count * sizes[i] > SHIM_RAM_SIZE * 3 / 4);
		for (; chain; chain = object) {
			object = *chain;
			kfree(chain);
		}
		CHECK_EQ(mm_shim_free_pages(), free);
	}
	CHECK(!kmalloc(4 * MiB + 1, GFP_KERNEL));
	CHECK(!kmalloc(SIZE_MAX, GFP_KERNEL));
	CHECK(!kcalloc(SIZE_MAX / 2, 3, GFP_KERNEL));
	kfree(NULL);
}

TEST(kzalloc_and_krealloc)
{
	static const size_t sizes[] = { 5, 100, 5000, 50000, 900000, 30000, 700, 3 };
	unsigned char *object = NULL;
	size_t size = 0;
	u64 free = start();

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		object = krealloc(object, sizes[i], GFP_KERNEL);
		CHECK(object);
		for (size_t at = 0; at < min(size, sizes[i]); at++)
			CHECK_EQ(object[at], (unsigned char)at);
		size = sizes[i];
		for (size_t at = 0; at < size; at++)
			object[at] = (unsigned char)at;
	}
	kfree(object);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		object = kzalloc(sizes[i], GFP_KERNEL);
		for (size_t at = 0; at < sizes[i]; at++)
			CHECK_EQ(object[at], 0);
		kfree(object);
	}
	CHECK_EQ(mm_shim_free_pages(), free);
}

/* Allocated on one CPU and freed on another: every object passes both magazines and the slabs. */
TEST(slab_objects_cross_cpus)
{
	u64 free = start();

	for (unsigned round = 0; round < 2000; round++) {
		mm_shim_set_cpu(0);
		for (unsigned i = 0; i < 50; i++)
			hold(kmalloc(128, GFP_ATOMIC), 128, NULL);
		mm_shim_set_cpu(1);
		drop_all();
	}
	CHECK_EQ(active_objects("kmalloc-128"), 0);
	CHECK_EQ(mm_shim_free_pages(), free);
}

/* Whichever allocation below fails (magazine, slab page, object), nothing is lost. */
TEST(slab_every_failure_path)
{
	struct kmem_cache *cache;
	u64 free = start();

	for (unsigned nth = 1; nth < 60; nth++) {
		mm_shim_free_pages();
		fault_inject_nth(nth);
		cache = kmem_cache_create("failing", 512, 0);
		for (unsigned i = 0; cache && i < 20; i++) {
			void *object = kmem_cache_alloc(cache, GFP_KERNEL);

			if (object)
				hold(object, 512, cache);
		}
		drop_all();
		if (cache)
			kmem_cache_destroy(cache);
		CHECK_EQ(mm_shim_free_pages(), free);
	}
	fault_inject_nth(0);
}

TEST(slab_misuse_panics)
{
	struct kmem_cache *cache;
	void *object;
	struct page *page;

	mm_shim_boot();
	page = alloc_page(GFP_KERNEL);
	CHECK(PANICS(kfree(page_address(page))));
	free_page(page);
	object = kmalloc(100000, GFP_KERNEL);
	CHECK(PANICS(kfree((char *)object + PAGE_SIZE * 8)));
	kfree(object);
	CHECK(PANICS(kfree(object)));
	cache = kmem_cache_create("used", 32, 0);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	CHECK(object);
	CHECK(PANICS(kmem_cache_destroy(cache)));
	CHECK_STR(mm_shim_panic_text, "used: destroyed with 1 objects in use");
}
