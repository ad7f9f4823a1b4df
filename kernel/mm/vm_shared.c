/*
 * Memory that belongs to no file and is shared by the processes that inherited it: mmap(MAP_SHARED
 * | MAP_ANONYMOUS). The object holds its pages, and every area that maps it holds the object.
 *
 * Context: process. Lock: memory->lock, inside mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm_impl.h>

#define CHUNK_PAGES 16

struct shared_chunk {
	struct rb_node node;
	u64 index; /* of its first page, divided by CHUNK_PAGES */
	struct page *pages[CHUNK_PAGES];
};

struct shared_memory {
	u32 refcount; /* atomic */
	u64 nr_pages; /* beyond: SIGBUS */
	struct mutex lock;
	struct rb_root chunks; /* under lock */
};

static struct kmem_cache *chunk_cache;

void shared_memory_init(void)
{
	chunk_cache = kmem_cache_create("shared_chunk", sizeof(struct shared_chunk), 0);
}

static struct shared_chunk *chunk_of(struct rb_node *node)
{
	return rb_entry(node, struct shared_chunk, node);
}

/* Under lock. The chunk that has this page, made if need be; NULL: no memory. */
static struct shared_chunk *find_chunk(struct shared_memory *memory, u64 pgoff)
{
	struct rb_node **link = &memory->chunks.rb_node, *parent = NULL;
	u64 index = pgoff / CHUNK_PAGES;
	struct shared_chunk *chunk;

	while (*link) {
		parent = *link;
		if (index == chunk_of(parent)->index)
			return chunk_of(parent);
		link = index < chunk_of(parent)->index ? &parent->rb_left : &parent->rb_right;
	}
	chunk = kmem_cache_alloc(chunk_cache, GFP_KERNEL);
	if (!chunk)
		return NULL;
	*chunk = (struct shared_chunk){ .index = index };
	rb_link_node(&chunk->node, parent, link);
	rb_insert_color(&chunk->node, &memory->chunks);
	return chunk;
}

/* Under lock. */
static struct page *find_page(struct shared_memory *memory, u64 pgoff)
{
	struct shared_chunk *chunk = find_chunk(memory, pgoff);
	struct page **slot;

	if (!chunk)
		return NULL;
	slot = &chunk->pages[pgoff % CHUNK_PAGES];
	if (!*slot)
		*slot = alloc_page(GFP_KERNEL | GFP_ZERO);
	return *slot;
}

static struct page *shared_memory_fault(struct vm_area *area, u64 pgoff, bool write)
{
	struct shared_memory *memory = area->shared;
	struct page *page;

	if (pgoff >= memory->nr_pages)
		return NULL;
	mutex_lock(&memory->lock);
	page = find_page(memory, pgoff);
	if (page)
		get_page(page);
	mutex_unlock(&memory->lock);
	return page ? page : ERR_PTR(-ENOMEM);
}

static void shared_memory_open(struct vm_area *area)
{
	struct shared_memory *memory = area->shared;

	__atomic_add_fetch(&memory->refcount, 1, __ATOMIC_RELAXED);
}

static void free_chunk(struct shared_chunk *chunk)
{
	for (u32 i = 0; i < CHUNK_PAGES; i++)
		if (chunk->pages[i])
			put_page(chunk->pages[i]);
	kmem_cache_free(chunk_cache, chunk);
}

static void shared_memory_close(struct vm_area *area)
{
	struct shared_memory *memory = area->shared;
	struct rb_node *node;

	if (__atomic_sub_fetch(&memory->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	while ((node = memory->chunks.rb_node)) {
		rb_erase(node, &memory->chunks);
		free_chunk(chunk_of(node));
	}
	kfree(memory);
}

static const struct vm_ops shared_memory_ops = {
	.fault = shared_memory_fault,
	.open = shared_memory_open,
	.close = shared_memory_close,
};

int shared_memory_map(struct vm_area *area)
{
	struct shared_memory *memory = kzalloc(sizeof(*memory), GFP_KERNEL);

	if (!memory)
		return -ENOMEM;
	memory->refcount = 1;
	memory->nr_pages = area->pgoff + (area->end - area->start) / PAGE_SIZE;
	mutex_init(&memory->lock);
	area->ops = &shared_memory_ops;
	area->shared = memory;
	return 0;
}

int vm_area_make_anonymous(struct vm_area *area)
{
	return area->flags & VM_SHARED ? shared_memory_map(area) : 0;
}
