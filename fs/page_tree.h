/*
 * The pages of a file, by index: a radix tree that is as high as the highest index needs. The caller's spinlock
 * protects it.
 */
#pragma once

#include <kernel/lib/types.h>

struct page;

struct page_tree {
	void *root; /* height 0: the page of index 0, or NULL; else a node */
	u32 height;
	u64 count; /* pages in it */
};

struct page *page_tree_find(const struct page_tree *tree, u64 index);
/* There must be none at `index`. 0 or -ENOMEM. */
int page_tree_insert(struct page_tree *tree, u64 index, struct page *page);
/* The page that was there, or NULL. */
struct page *page_tree_remove(struct page_tree *tree, u64 index);
/* The first page at *index or above, whose index is stored there; or NULL. */
struct page *page_tree_next(const struct page_tree *tree, u64 *index);

void page_tree_init(void); /* once, before the first use */
