/*
 * Page frames: one struct page each, handed out in blocks of 2^order by a buddy allocator. Any
 * context but hard IRQ may allocate and free.
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/mm/layout.h>

#define MAX_ORDER 10 /* the largest block: 4 MiB */

typedef u32 gfp_t;
#define GFP_KERNEL 0U /* process context: may sleep, later may reclaim */
#define GFP_ATOMIC 1U /* softirq, or a spinlock is held: never sleeps */
#define GFP_ZERO   2U /* filled with zeroes */
#define GFP_NOFAIL 4U /* boot only: the fault injector leaves it alone, NULL panics */

enum page_state {
	PAGE_RESERVED, /* not the allocator's, or inside a larger free block */
	PAGE_FREE,     /* the first of a free block */
	PAGE_CACHED,   /* free, on a CPU's own list */
	PAGE_USED,     /* from here on: the first of a block that has an owner */
	PAGE_SLAB,     /* every page of a slab */
	PAGE_LARGE,    /* from kmalloc */
};

/* Valid are those of the first page of each block and of every page of a slab. Others may hold
 * anything: boot does not initialise what is not looked at. */
struct page {
	u8 state;  /* enum page_state */
	u8 order;  /* of the block */
	u16 flags; /* the owner's; 0 in a new block */
	union {
		u32 refcount;	       /* PAGE_USED: the users of the block */
		struct {	       /* PAGE_SLAB, under the cache's lock, in the first page */
			u16 slab_used; /* objects handed out */
			u16 slab_free; /* index of the first free object */
		};
	};
	struct list_head link; /* free list, slab list, or the owner's */
	void *owner;	       /* PAGE_SLAB: its kmem_cache; otherwise the owner's */
};
static_assert(sizeof(struct page) == 32, "a struct page for each 4 KiB: keep it at 0.8 %");

#define vmemmap ((struct page *)VMEMMAP_START)

#define pfn_to_page(pfn)   (vmemmap + (pfn))
#define page_to_pfn(page)  ((u64)((page)-vmemmap))
#define page_to_phys(page) (page_to_pfn(page) << PAGE_SHIFT)
#define phys_to_page(phys) pfn_to_page((phys) >> PAGE_SHIFT)

/* The page's contents, through the direct map. */
static inline void *page_address(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}
static inline struct page *virt_to_page(const void *virt)
{
	return phys_to_page(virt_to_phys(virt));
}

/* The smallest order whose blocks hold `size` bytes. */
static inline unsigned order_for_size(size_t size)
{
	return size <= PAGE_SIZE ? 0 : 64 - PAGE_SHIFT - __builtin_clzll(size - 1);
}

/* A block of 2^order frames, refcount 1, or NULL. */
struct page *alloc_pages(unsigned order, gfp_t gfp) __must_check;
/* Give a block back whole. Panics if it is not a used block of this order. */
void free_pages(struct page *page, unsigned order);

static inline struct page *alloc_page(gfp_t gfp)
{
	return alloc_pages(0, gfp);
}
static inline void free_page(struct page *page)
{
	free_pages(page, 0);
}

static inline void get_page(struct page *page)
{
	__atomic_add_fetch(&page->refcount, 1, __ATOMIC_RELAXED);
}
/* Drop a reference; the last one frees the block. */
void put_page(struct page *page);

/* Before anything else here. */
void page_alloc_init(void);

/* Give RAM that was reserved at boot, page aligned, to the allocator: when the initrd was read. */
void pages_release_reserved(phys_addr_t start, phys_addr_t end);

/* Put the pages on this CPU's own list back, where they can merge to larger blocks. */
void pages_drain_cpu(void);

/* What frames are used for, where the kernel keeps count. */
enum page_use {
	PAGES_SLAB,
	PAGES_VMALLOC,
	PAGES_TABLES,	     /* of programs */
	PAGES_KERNEL_TABLES, /* they stay: as many as there ever was need for */
	NR_PAGE_USES
};
void page_account(enum page_use use, long pages);

struct page_stats {
	u64 total;    /* frames the allocator was given */
	u64 free;     /* on the free lists and on the CPUs' own lists */
	u64 reserved; /* RAM it was not given: kernel image, struct pages, boot's tables, initrd */
	u64 used[NR_PAGE_USES];
	u64 free_blocks[MAX_ORDER + 1];
};
void page_stats_read(struct page_stats *stats);
