/*
 * Ranges of kernel addresses: who has which. An address space is cut into areas, used and free, without
 * gaps; no two free ones are neighbours.
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/types.h>

struct vmap_area {
	/* constant while the area is in use */
	u64 start, size; /* whole pages */
	u64 mapped;	 /* the user's: how much of it is mapped */

	/* under vmap_lock */
	bool free;
	struct rb_node by_address;
	struct rb_node by_size; /* free ones only: by size, then address */
	struct list_head link;	/* retired ones only */
};

/* under vmap_lock */
struct vmap_space {
	struct rb_root by_address, by_size;
	struct list_head retired;
	u64 retired_bytes;
};

/* Before anything else here. */
void vmap_area_init(void);
/* One free area. Panics without memory: for boot. */
void vmap_space_init(struct vmap_space *space, u64 start, u64 end);

/* The smallest free range that fits, cut to size; NULL: none, or no memory. Process context, for it may
 * have to interrupt the other CPUs. */
struct vmap_area *vmap_area_alloc(struct vmap_space *space, u64 size) __must_check;
/* Nothing is mapped there any more. But other CPUs' TLBs may still know what was, so the range is not
 * used again before they have been flushed; that is put off until it pays. Not in hard IRQ. */
void vmap_area_retire(struct vmap_space *space, struct vmap_area *area);
/* Flush all TLBs, then make the retired areas free. Process context. */
void vmap_area_purge(struct vmap_space *space);
/* The area in use that starts there, or NULL. */
struct vmap_area *vmap_area_find(struct vmap_space *space, u64 start);
