/*
 * kmalloc(): a slab cache for each of a few sizes, and whole page blocks above. Which of the two an
 * address came from, and of which size, is read from its struct page.
 *
 * Any context but hard IRQ; no locks of its own.
 */
#include <kernel/mm/slab.h>

#include <kernel/lib/string.h>
#include <kernel/panic.h>

#define GRANULE	  8 /* sizes are rounded up to this before they are looked up */
#define MAX_ALIGN 64

/* Between the powers of two stands their mean, so that at most a third is wasted. */
static const struct {
	u32 size;
	const char *name;
} classes[] = {
	{ 8, "kmalloc-8" },	  { 16, "kmalloc-16" },	    { 24, "kmalloc-24" },
	{ 32, "kmalloc-32" },	  { 48, "kmalloc-48" },	    { 64, "kmalloc-64" },
	{ 96, "kmalloc-96" },	  { 128, "kmalloc-128" },   { 192, "kmalloc-192" },
	{ 256, "kmalloc-256" },	  { 384, "kmalloc-384" },   { 512, "kmalloc-512" },
	{ 768, "kmalloc-768" },	  { 1024, "kmalloc-1024" }, { 1536, "kmalloc-1536" },
	{ 2048, "kmalloc-2048" }, { 3072, "kmalloc-3072" }, { 4096, "kmalloc-4096" },
	{ 6144, "kmalloc-6144" }, { 8192, "kmalloc-8192" },
};
#define NR_CLASSES ARRAY_SIZE(classes)

/* Constant after kmalloc_init(). */
static struct kmem_cache *kmalloc_cache[NR_CLASSES];
static u8 class_of[KMALLOC_MAX_CACHED / GRANULE + 1]; /* by size in granules */

static void *kmalloc_large(size_t size, gfp_t gfp)
{
	unsigned order = order_for_size(size);
	struct page *page = order <= MAX_ORDER ? alloc_pages(order, gfp) : NULL;

	if (!page)
		return NULL;
	page->state = PAGE_LARGE;
	return page_address(page);
}

void *kmalloc(size_t size, gfp_t gfp)
{
	if (unlikely(size > KMALLOC_MAX_CACHED))
		return kmalloc_large(size, gfp);
	return kmem_cache_alloc(kmalloc_cache[class_of[DIV_ROUND_UP(size, GRANULE)]], gfp);
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}

void *kcalloc(size_t count, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return kzalloc(bytes, gfp);
}

size_t ksize(const void *object)
{
	const struct page *page = virt_to_page(object);

	if (page->state == PAGE_SLAB)
		return kmem_cache_size(page->owner);
	assert(page->state == PAGE_LARGE);
	return PAGE_SIZE << page->order;
}

void *krealloc(void *object, size_t size, gfp_t gfp)
{
	size_t old_size = object ? ksize(object) : 0;
	void *copy;

	if (object && size <= old_size && size >= old_size / 4)
		return object;
	copy = kmalloc(size, gfp);
	if (copy && object) {
		memcpy(copy, object, min(size, old_size));
		kfree(object);
	}
	return copy;
}

void kfree(void *object)
{
	struct page *page;

	if (!object)
		return;
	page = virt_to_page(object);
	if (likely(page->state == PAGE_SLAB))
		kmem_cache_free(page->owner, object);
	else if (page->state == PAGE_LARGE && page_address(page) == object)
		free_pages(page, page->order);
	else
		panic("kfree: %p is not from kmalloc, or was freed before", object);
}

void kmalloc_init(void)
{
	unsigned class = 0;

	for (unsigned i = 0; i < NR_CLASSES; i++) {
		u32 size = classes[i].size;
		u32 align = min_t(u32, size & -size, MAX_ALIGN); /* 192 is a multiple of 64 */

		kmalloc_cache[i] = kmem_cache_create(classes[i].name, size, align);
		if (!kmalloc_cache[i])
			panic("not enough memory: no slab caches");
	}
	for (size_t granules = 0; granules < ARRAY_SIZE(class_of); granules++) {
		if (granules * GRANULE > classes[class].size)
			class ++;
		class_of[granules] = (u8) class;
	}
}
