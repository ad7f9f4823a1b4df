/* sources: tests/unit/mm_shim.c kernel/mm/page_alloc.c kernel/mm/fault_inject.c kernel/mm/memmap.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/paging.c kernel/mm/vmalloc.c kernel/mm/vmap_area.c kernel/lib/string.c kernel/lib/rbtree.c */
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>

#define CPUS 4
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

static u64 active_objects(const char *name)
{
	struct find {
		const char *name;
		u64 active;
	} find = { name, ~0ULL };
	void look(const struct slab_stats *stats, void *arg)
	{
		struct find *wanted = arg;

		if (!__builtin_strcmp(stats->name, wanted->name))
			wanted->active = stats->active_objects;
	}

	slab_stats_for_each(look, &find);
	return find.active;
}
