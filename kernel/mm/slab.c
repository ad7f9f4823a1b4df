/*
 * Slab caches: objects of one size, cut from slabs of 2^order pages.
 *
 * Each CPU has a magazine of free objects for each cache and uses it without a lock; half a magazine
 * at a time moves between there and the slabs, under the cache's lock. So CPUs meet once in sixteen
 * allocations at most, and an object that was just freed, still in the CPU's data cache, is the next
 * one handed out.
 *
 * In a slab the free objects form a list by index, written into the objects themselves; how many are
 * out and where the list begins stands in the struct page of the slab's first page.
 *
 * Context: process and softirq. Locks: caches_lock, then a cache's lock; none while pages are
 * allocated or freed.
 */
#include <kernel/mm/slab_impl.h>

#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/panic.h>

#define MAX_SLAB_ORDER	 3
#define MIN_SLAB_OBJECTS 4
#define MAX_SLAB_WASTE	 8	    /* at most one byte in so many, unless the order ends it */
#define EMPTY_SLABS	 2	    /* that a cache keeps for the next burst */
#define KEPT_SHARE	 4	    /* and, of many objects kept, so many times what a CPU keeps */
#define MAGAZINE_BYTES	 (16 * KiB) /* of objects in a magazine, for large ones */
#define CACHE_LINE	 64

static const struct magazine no_magazine; /* always empty and always full */

static DEFINE_SPINLOCK(caches_lock);
static LIST_HEAD(caches); /* under caches_lock */

/* What the other caches are made of. */
static struct kmem_cache cache_cache, magazine_cache, large_magazine_cache;

/* ---- slabs, under cache->lock ------------------------------------------------------------------ */

static u16 *slot_link(const struct kmem_cache *cache, char *slot)
{
	return (u16 *)(slot + cache->link_offset);
}

/* The slab that holds the object: blocks are aligned to their size. */
static struct page *slab_of(const struct kmem_cache *cache, void *object)
{
	return pfn_to_page(ALIGN_DOWN(page_to_pfn(virt_to_page(object)), 1UL << cache->order));
}

static void *slab_pop(const struct kmem_cache *cache, struct page *slab)
{
	char *slot = slab_slot(cache, slab, slab->slab_free);

	slab->slab_free = *slot_link(cache, slot);
	slab->slab_used++;
	return slot + cache->object_offset;
}

/* Up to `wanted` objects; how many there were. */
static u32 slabs_take(struct kmem_cache *cache, void **objects, u32 wanted)
{
	u32 taken = 0;

	while (taken < wanted && !list_empty(&cache->partial)) {
		struct page *slab = list_first_entry(&cache->partial, struct page, link);

		if (slab->slab_used == 0)
			cache->nr_empty--;
		while (taken < wanted && slab->slab_used < cache->objects_per_slab)
			objects[taken++] = slab_pop(cache, slab);
		if (slab->slab_used == cache->objects_per_slab)
			list_del(&slab->link);
	}
	cache->nr_taken += taken;
	return taken;
}

/* Put an object back; a slab that is one empty slab too many goes to `surplus`. */
static void slabs_put(struct kmem_cache *cache, void *object, struct list_head *surplus)
{
	struct page *slab = slab_of(cache, object);
	char *slot = (char *)object - cache->object_offset;

	if (slab->slab_used == cache->objects_per_slab)
		list_add(&slab->link, &cache->partial);
	*slot_link(cache, slot) = slab->slab_free;
	slab->slab_free = (u16)((u32)(slot - slab_slot(cache, slab, 0)) / cache->slot_size);
	slab->slab_used--;
	cache->nr_taken--;
	if (slab->slab_used)
		return;
	if (cache->nr_empty < cache->max_empty) {
		cache->nr_empty++;
		list_move_tail(&slab->link, &cache->partial);
	} else {
		cache->nr_slabs--;
		list_move(&slab->link, surplus);
	}
}

/* Take all empty slabs off the cache. */
static void slabs_collect_empty(struct kmem_cache *cache, struct list_head *surplus)
{
	struct page *slab, *next;

	list_for_each_entry_safe(slab, next, &cache->partial, link) {
		if (slab->slab_used)
			continue;
		list_move(&slab->link, surplus);
		cache->nr_empty--;
		cache->nr_slabs--;
	}
}

/* ---- slabs, no lock held -------------------------------------------------------------------------- */

static void slabs_release(struct list_head *surplus)
{
	struct page *slab, *next;

	list_for_each_entry_safe(slab, next, surplus, link) {
		page_account(PAGES_SLAB, -(1L << slab->order));
		for (u32 i = 1; i < 1U << slab->order; i++)
			slab[i].state = PAGE_RESERVED; /* a stray kfree() shall not find a cache */
		free_pages(slab, slab->order);
	}
}

/* One more slab for the cache; false: no memory. */
static bool slabs_grow(struct kmem_cache *cache, gfp_t gfp)
{
	struct page *slab = alloc_pages(cache->order, gfp & ~GFP_ZERO);

	if (!slab)
		return false;
	page_account(PAGES_SLAB, 1L << cache->order);
	for (u32 i = 0; i < 1U << cache->order; i++) {
		slab[i].state = PAGE_SLAB;
		slab[i].owner = cache;
	}
	slab->slab_used = 0;
	slab->slab_free = 0;
	for (u32 i = 0; i < cache->objects_per_slab; i++) {
		char *slot = slab_slot(cache, slab, i);

		slab_debug_new_slot(cache, slot);
		*slot_link(cache, slot) = (u16)(i + 1);
	}
	spin_lock_bh(&cache->lock);
	list_add_tail(&slab->link, &cache->partial);
	cache->nr_empty++;
	cache->nr_slabs++;
	spin_unlock_bh(&cache->lock);
	return true;
}

/* ---- magazines ------------------------------------------------------------------------------------ */

static inline struct magazine *this_magazine(struct kmem_cache *cache)
{
	return cache->magazine[smp_processor_id()];
}

/* How many objects to move at once. */
static u32 magazine_batch(const struct magazine *magazine)
{
	return (magazine->capacity + 1) / 2;
}

static struct kmem_cache *magazine_source(u32 capacity)
{
	return capacity > MAGAZINE_ROUNDS ? &large_magazine_cache : &magazine_cache;
}

/* Give this CPU a magazine if the cache has magazines. Without memory the CPU works without. */
static void magazine_provide(struct kmem_cache *cache)
{
	struct magazine *magazine;

	if (this_magazine(cache)->capacity || !cache->magazine_capacity)
		return;
	magazine = kmem_cache_alloc(magazine_source(cache->magazine_capacity), GFP_ATOMIC);
	if (!magazine)
		return;
	magazine->count = 0;
	magazine->capacity = cache->magazine_capacity;
	local_bh_disable();
	if (!this_magazine(cache)->capacity) { /* no softirq was faster */
		cache->magazine[smp_processor_id()] = magazine;
		magazine = NULL;
	}
	local_bh_enable();
	if (magazine)
		kmem_cache_free(magazine_source(magazine->capacity), magazine);
}

/* Move the objects that were put there first, `number` of them, to the slabs. Under cache->lock. */
static void magazine_flush(struct kmem_cache *cache, struct magazine *magazine, u32 number,
			   struct list_head *surplus)
{
	for (u32 i = 0; i < number; i++)
		slabs_put(cache, magazine->rounds[i], surplus);
	magazine->count -= number;
	memmove(magazine->rounds, magazine->rounds + number,
		magazine->count * sizeof(magazine->rounds[0]));
}

/* Empty a CPU's magazine and chain it to `chain`, through its first round. This CPU's, with softirqs
 * disabled, or any of a cache that nobody uses. */
static void magazine_remove(struct kmem_cache *cache, u32 cpu, void **chain,
			    struct list_head *surplus)
{
	struct magazine *magazine = cache->magazine[cpu];

	if (!magazine->capacity)
		return;
	spin_lock(&cache->lock);
	magazine_flush(cache, magazine, magazine->count, surplus);
	spin_unlock(&cache->lock);
	cache->magazine[cpu] = (struct magazine *)&no_magazine;
	magazine->rounds[0] = *chain;
	*chain = magazine;
}

static void magazines_free(void *chain)
{
	while (chain) {
		struct magazine *magazine = chain;
		void *next = magazine->rounds[0];

		kmem_cache_free(magazine_source(magazine->capacity), magazine);
		chain = next;
	}
}

/* An object from the slabs, and half a magazine for later. Under cache->lock. */
static void *take_and_refill(struct kmem_cache *cache)
{
	struct magazine *magazine = this_magazine(cache);
	void *object = NULL;

	if (!magazine->capacity) {
		slabs_take(cache, &object, 1);
		return object;
	}
	if (!magazine->count) /* unless a softirq just freed something */
		magazine->count = slabs_take(cache, magazine->rounds, magazine_batch(magazine));
	return magazine->count ? magazine->rounds[--magazine->count] : NULL;
}

static noinline void *alloc_slow(struct kmem_cache *cache, gfp_t gfp)
{
	void *object;

	magazine_provide(cache);
	do {
		spin_lock_bh(&cache->lock);
		object = take_and_refill(cache);
		spin_unlock_bh(&cache->lock);
	} while (!object && slabs_grow(cache, gfp));
	return object;
}

static noinline void free_slow(struct kmem_cache *cache, void *object)
{
	struct magazine *magazine;
	LIST_HEAD(surplus);

	magazine_provide(cache);
	spin_lock_bh(&cache->lock);
	magazine = this_magazine(cache);
	if (!magazine->capacity) {
		slabs_put(cache, object, &surplus);
	} else {
		if (magazine->count == magazine->capacity)
			magazine_flush(cache, magazine, magazine_batch(magazine), &surplus);
		magazine->rounds[magazine->count++] = object;
	}
	spin_unlock_bh(&cache->lock);
	slabs_release(&surplus);
}

/* ---- the interface: objects ------------------------------------------------------------------- */

static __always_inline void *alloc_object(struct kmem_cache *cache, gfp_t gfp)
{
	struct magazine *magazine;
	void *object = NULL;

	local_bh_disable();
	magazine = this_magazine(cache);
	if (likely(magazine->count))
		object = magazine->rounds[--magazine->count];
	local_bh_enable();
	return likely(object) ? object : alloc_slow(cache, gfp);
}

/* With everything that is not wanted every time. */
static noinline void *cache_alloc_uncommon(struct kmem_cache *cache, gfp_t gfp)
{
	void *object = should_fail_alloc(gfp) ? NULL : alloc_object(cache, gfp);

	if (!object)
		return NULL;
	slab_debug_alloc(cache, object);
	if (gfp & GFP_ZERO)
		memset(object, 0, cache->object_size);
	return object;
}

/* On the usual way the compiler needs no stack frame: whatever else there is to call comes last. */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	if (SLAB_DEBUG || unlikely(gfp & GFP_ZERO || fault_inject_active))
		return cache_alloc_uncommon(cache, gfp);
	return alloc_object(cache, gfp);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct magazine *magazine;
	bool room;

	slab_debug_free(cache, object);
	local_bh_disable();
	magazine = this_magazine(cache);
	room = magazine->count < magazine->capacity;
	if (likely(room))
		magazine->rounds[magazine->count++] = object;
	local_bh_enable();
	if (unlikely(!room))
		free_slow(cache, object);
}

/* ---- the interface: caches -------------------------------------------------------------------- */

/* The smallest slab that holds a few objects and wastes little. */
static void choose_slab_size(struct kmem_cache *cache)
{
	u32 size, order = 0;

	for (;; order++) {
		size = (u32)PAGE_SIZE << order;
		if (order == MAX_SLAB_ORDER || (size / cache->slot_size >= MIN_SLAB_OBJECTS &&
						size % cache->slot_size * MAX_SLAB_WASTE <= size))
			break;
	}
	cache->order = (u8)order;
	cache->objects_per_slab = (u16)(size / cache->slot_size);
	assert(cache->objects_per_slab);
}

static void cache_init(struct kmem_cache *cache, const char *name, size_t size, size_t align)
{
	*cache = (struct kmem_cache){ .name = name, .object_size = (u32)size };
	if (!align)
		align = size >= CACHE_LINE ? CACHE_LINE : sizeof(u64);
	slab_debug_layout(cache, (u32)max(align, sizeof(u64)));
	choose_slab_size(cache);
	cache->magazine_capacity = (u8)min_t(size_t, MAGAZINE_BYTES / size, MAGAZINE_ROUNDS);
	cache->max_empty = EMPTY_SLABS;
	spin_lock_init(&cache->lock);
	INIT_LIST_HEAD(&cache->partial);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		cache->magazine[cpu] = (struct magazine *)&no_magazine;
	spin_lock_bh(&caches_lock);
	list_add_tail(&cache->link, &caches);
	spin_unlock_bh(&caches_lock);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *cache = kmem_cache_alloc(&cache_cache, GFP_KERNEL);

	if (cache)
		cache_init(cache, name, size, align);
	return cache;
}

void kmem_cache_keep(struct kmem_cache *cache, u32 count)
{
	cache->magazine_capacity = (u8)min(count, (u32)LARGE_MAGAZINE_ROUNDS);
	cache->max_empty = max((u32)EMPTY_SLABS, KEPT_SHARE * count / cache->objects_per_slab);
}

void kmem_cache_pack(struct kmem_cache *cache)
{
	u32 best = 0;

	for (u32 order = 0; order <= MAX_SLAB_ORDER; order++) {
		u32 objects = ((u32)PAGE_SIZE << order) / cache->slot_size;

		/* in eighths of the largest slab */
		if (objects << (MAX_SLAB_ORDER - order) > best) {
			best = objects << (MAX_SLAB_ORDER - order);
			cache->order = (u8)order;
			cache->objects_per_slab = (u16)objects;
		}
	}
}

size_t kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->object_size;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	void *magazines = NULL;
	LIST_HEAD(surplus);

	spin_lock_bh(&caches_lock);
	list_del(&cache->link);
	spin_unlock_bh(&caches_lock);

	local_bh_disable();
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) /* nobody uses the cache, on any CPU */
		magazine_remove(cache, cpu, &magazines, &surplus);
	local_bh_enable();
	magazines_free(magazines);
	slabs_collect_empty(cache, &surplus);
	slabs_release(&surplus);
	if (cache->nr_taken)
		panic("%s: destroyed with %llu objects in use", cache->name, cache->nr_taken);
	kmem_cache_free(&cache_cache, cache);
}

void slab_stats_for_each(void (*show)(const struct slab_stats *stats, void *arg), void *arg)
{
	struct kmem_cache *cache;

	spin_lock_bh(&caches_lock);
	list_for_each_entry(cache, &caches, link) {
		u64 taken = READ_ONCE(cache->nr_taken), cached = 0;
		struct slab_stats stats = {
			.name = cache->name,
			.object_size = cache->object_size,
			.objects_per_slab = cache->objects_per_slab,
			.pages_per_slab = 1U << cache->order,
			.slabs = READ_ONCE(cache->nr_slabs),
		};

		stats.total_objects = stats.slabs * stats.objects_per_slab;
		for_each_cpu(cpu)
			cached += READ_ONCE(cache->magazine[cpu]->count);
		stats.active_objects = taken > cached ? taken - cached : 0;
		show(&stats, arg);
	}
	spin_unlock_bh(&caches_lock);
}

void slab_drain(void)
{
	void *magazines = NULL;
	struct kmem_cache *cache;
	LIST_HEAD(surplus);

	spin_lock_bh(&caches_lock);
	list_for_each_entry(cache, &caches, link)
		magazine_remove(cache, smp_processor_id(), &magazines, &surplus);
	spin_unlock_bh(&caches_lock);
	magazines_free(magazines); /* before the slabs that hold them are looked at */

	spin_lock_bh(&caches_lock);
	list_for_each_entry(cache, &caches, link) {
		spin_lock(&cache->lock);
		slabs_collect_empty(cache, &surplus);
		spin_unlock(&cache->lock);
	}
	spin_unlock_bh(&caches_lock);
	slabs_release(&surplus);
}

void slab_init(void)
{
	cache_init(&cache_cache, "kmem_cache", sizeof(struct kmem_cache), 0);
	cache_init(&magazine_cache, "magazine",
		   sizeof(struct magazine) + MAGAZINE_ROUNDS * sizeof(void *), 0);
	cache_init(&large_magazine_cache, "large_magazine",
		   sizeof(struct magazine) + LARGE_MAGAZINE_ROUNDS * sizeof(void *), 0);
	/* What the others stand on stands on slabs alone. */
	cache_cache.magazine_capacity = 0;
	magazine_cache.magazine_capacity = 0;
	large_magazine_cache.magazine_capacity = 0;
	kmalloc_init();
}
