/*
 * Kernel address ranges: best fit in O(log n), through two trees that share their nodes. Every area is
 * in the tree by address, where a freed one finds its neighbours to merge with; free ones are also in
 * the tree by size.
 *
 * Context: process; retiring also softirq. Lock: vmap_lock, a leaf; nodes are allocated, freed and
 * TLBs flushed without it.
 */
#include <kernel/mm/vmap_area.h>

#include <kernel/cpu/smp.h>
#include <kernel/mm/layout.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

/* So much address space may wait for a flush of all TLBs. The flush interrupts every CPU. */
#define MAX_RETIRED_BYTES (32 * MiB)

static struct kmem_cache *area_cache;
static DEFINE_SPINLOCK(vmap_lock);

static bool address_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct vmap_area, by_address)->start <
	       rb_entry(b, struct vmap_area, by_address)->start;
}

static bool size_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct vmap_area *x = rb_entry(a, struct vmap_area, by_size);
	const struct vmap_area *y = rb_entry(b, struct vmap_area, by_size);

	return x->size != y->size ? x->size < y->size : x->start < y->start;
}

static void add_free(struct vmap_space *space, struct vmap_area *area)
{
	area->free = true;
	rb_add(&area->by_size, &space->by_size, size_less);
}

/* The smallest free area of at least this size, and of those the lowest. */
static struct vmap_area *best_fit(struct vmap_space *space, u64 size)
{
	struct rb_node *node = space->by_size.rb_node;
	struct vmap_area *best = NULL;

	while (node) {
		struct vmap_area *area = rb_entry(node, struct vmap_area, by_size);

		if (area->size >= size) {
			best = area;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* Take `size` bytes from a free area. If some of it is left over, that goes on living in the node it
 * has, and *spare, which is then NULL, becomes the result. */
static struct vmap_area *cut(struct vmap_space *space, u64 size, struct vmap_area **spare)
{
	struct vmap_area *area = best_fit(space, size), *result;

	if (!area)
		return NULL;
	rb_erase(&area->by_size, &space->by_size);
	if (area->size == size) {
		area->free = false;
		return area;
	}
	result = *spare;
	*spare = NULL;
	*result = (struct vmap_area){ .start = area->start, .size = size };
	area->start += size;
	area->size -= size;
	add_free(space, area);
	rb_add(&result->by_address, &space->by_address, address_less);
	return result;
}

/* Let `area` swallow its neighbour if that is free; the neighbour's node goes to `spares`. */
static void merge(struct vmap_space *space, struct vmap_area *area, struct rb_node *neighbour,
		  struct list_head *spares)
{
	struct vmap_area *other;

	if (!neighbour)
		return;
	other = rb_entry(neighbour, struct vmap_area, by_address);
	if (!other->free)
		return;
	rb_erase(&other->by_size, &space->by_size);
	rb_erase(&other->by_address, &space->by_address);
	area->start = min(area->start, other->start);
	area->size += other->size;
	list_add(&other->link, spares);
}

void vmap_area_purge(struct vmap_space *space)
{
	struct vmap_area *area, *next;
	LIST_HEAD(retired);
	LIST_HEAD(spares);

	spin_lock_bh(&vmap_lock);
	list_splice_init(&space->retired, &retired);
	space->retired_bytes = 0;
	spin_unlock_bh(&vmap_lock);
	if (list_empty(&retired))
		return;

	flush_tlb_kernel(VMALLOC_START, STACKS_END);

	spin_lock_bh(&vmap_lock);
	while (!list_empty(&retired)) {
		area = list_first_entry(&retired, struct vmap_area, link);
		list_del(&area->link);
		merge(space, area, rb_prev(&area->by_address), &spares);
		merge(space, area, rb_next(&area->by_address), &spares);
		add_free(space, area);
	}
	spin_unlock_bh(&vmap_lock);
	list_for_each_entry_safe(area, next, &spares, link)
		kmem_cache_free(area_cache, area);
}

struct vmap_area *vmap_area_alloc(struct vmap_space *space, u64 size)
{
	struct vmap_area *spare, *area;

	if (READ_ONCE(space->retired_bytes) > MAX_RETIRED_BYTES)
		vmap_area_purge(space);
	spare = kmem_cache_alloc(area_cache, GFP_KERNEL);
	if (!spare)
		return NULL;
	spin_lock_bh(&vmap_lock);
	area = cut(space, size, &spare);
	spin_unlock_bh(&vmap_lock);
	if (spare)
		kmem_cache_free(area_cache, spare);
	return area;
}

void vmap_area_retire(struct vmap_space *space, struct vmap_area *area)
{
	spin_lock_bh(&vmap_lock);
	list_add(&area->link, &space->retired);
	space->retired_bytes += area->size;
	spin_unlock_bh(&vmap_lock);
}

struct vmap_area *vmap_area_find(struct vmap_space *space, u64 start)
{
	struct vmap_area *found = NULL;
	struct rb_node *node;

	spin_lock_bh(&vmap_lock);
	node = space->by_address.rb_node;
	while (node) {
		struct vmap_area *area = rb_entry(node, struct vmap_area, by_address);

		if (area->start == start) {
			found = area->free ? NULL : area;
			break;
		}
		node = start < area->start ? node->rb_left : node->rb_right;
	}
	spin_unlock_bh(&vmap_lock);
	return found;
}

void vmap_space_init(struct vmap_space *space, u64 start, u64 end)
{
	struct vmap_area *area = kmem_cache_alloc(area_cache, GFP_NOFAIL);

	assert(area);
	*area = (struct vmap_area){ .start = start, .size = end - start };
	*space = (struct vmap_space){ RB_ROOT, RB_ROOT, LIST_HEAD_INIT(space->retired), 0 };
	rb_add(&area->by_address, &space->by_address, address_less);
	add_free(space, area);
}

void vmap_area_init(void)
{
	area_cache = kmem_cache_create("vmap_area", sizeof(struct vmap_area), 0);
	if (!area_cache)
		panic("not enough memory: no cache for vmap areas");
}
