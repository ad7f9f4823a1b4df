/*
 * A radix tree of 64-way nodes; each node has a bit for each slot that is used, so that holes are stepped over
 * and empty nodes are seen at once. Its height is at most 9, for 2^51 pages.
 */
#include <fs/page_tree.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

#define SHIFT	   6
#define SLOTS	   (1U << SHIFT)
#define MAX_HEIGHT 10

struct node {
	u64 used; /* bit n: slots[n] is not NULL */
	void *slots[SLOTS];
};

static struct kmem_cache *node_cache;

static u32 slot_of(u64 index, u32 height)
{
	return index >> SHIFT * (height - 1) & (SLOTS - 1);
}

static bool fits(const struct page_tree *tree, u64 index)
{
	return index >> SHIFT * tree->height == 0;
}

struct page *page_tree_find(const struct page_tree *tree, u64 index)
{
	void *at = tree->root;

	if (!fits(tree, index))
		return NULL;
	for (u32 height = tree->height; height && at; height--)
		at = ((struct node *)at)->slots[slot_of(index, height)];
	return at;
}

static struct node *node_alloc(void)
{
	struct node *node = kmem_cache_alloc(node_cache, GFP_ATOMIC);

	if (node)
		memset(node, 0, sizeof(*node));
	return node;
}

/* Put nodes on top until `index` is below the root. */
static int grow(struct page_tree *tree, u64 index)
{
	while (!fits(tree, index)) {
		struct node *node = tree->root ? node_alloc() : NULL;

		if (tree->root && !node)
			return -ENOMEM;
		if (node) {
			node->slots[0] = tree->root;
			node->used = 1;
			tree->root = node;
		}
		tree->height++;
	}
	if (tree->height && !tree->root)
		tree->root = node_alloc();
	return tree->height && !tree->root ? -ENOMEM : 0;
}

/* Free the nodes on the way to `index` that hold nothing. */
static void prune(struct page_tree *tree, u64 index)
{
	struct node *path[MAX_HEIGHT];
	u32 depth = 0;

	for (void *at = tree->root; at && depth < tree->height; depth++) {
		path[depth] = at;
		at = path[depth]->slots[slot_of(index, tree->height - depth)];
		if (!at) {
			depth++;
			break;
		}
	}
	while (depth-- && !path[depth]->used) {
		kmem_cache_free(node_cache, path[depth]);
		if (!depth) {
			tree->root = NULL;
			tree->height = 0;
			return;
		}
		u32 slot = slot_of(index, tree->height - (depth - 1));

		path[depth - 1]->slots[slot] = NULL;
		path[depth - 1]->used &= ~BIT(slot);
	}
}

int page_tree_insert(struct page_tree *tree, u64 index, struct page *page)
{
	struct node *node;
	void **slot;

	if (grow(tree, index) < 0)
		goto no_memory;
	slot = &tree->root;
	for (u32 height = tree->height; height; height--) {
		u32 number = slot_of(index, height);

		node = *slot;
		slot = &node->slots[number];
		if (height > 1 && !*slot)
			*slot = node_alloc();
		if (height > 1 && !*slot)
			goto no_memory;
		node->used |= BIT(number);
	}
	assert(!*slot);
	*slot = page;
	tree->count++;
	return 0;

no_memory:
	prune(tree, index);
	if (!tree->root)
		tree->height = 0;
	return -ENOMEM;
}

struct page *page_tree_remove(struct page_tree *tree, u64 index)
{
	struct page *page;
	struct node *node = NULL;
	void **slot = &tree->root;

	if (!fits(tree, index))
		return NULL;
	for (u32 height = tree->height; height && *slot; height--) {
		node = *slot;
		slot = &node->slots[slot_of(index, height)];
	}
	page = *slot;
	if (!page)
		return NULL;
	*slot = NULL;
	if (node)
		node->used &= ~BIT(slot_of(index, 1));
	tree->count--;
	prune(tree, index);
	return page;
}

struct page *page_tree_next(const struct page_tree *tree, u64 *index)
{
	while (tree->root && fits(tree, *index)) {
		void *at = tree->root;
		u32 height = tree->height;

		while (height) {
			struct node *node = at;
			u32 slot = slot_of(*index, height);
			u64 later = node->used >> slot << slot;
			u32 below = SHIFT * (height - 1);

			if (!later) {
				*index = ((*index >> (below + SHIFT)) + 1) << (below + SHIFT);
				break;
			}
			u32 next = __builtin_ctzll(later);

			if (next != slot)
				*index = ((*index >> (below + SHIFT) << SHIFT) | next) << below;
			at = node->slots[next];
			height--;
		}
		if (!height)
			return at;
	}
	return NULL;
}

void page_tree_init(void)
{
	node_cache = kmem_cache_create("page_tree_node", sizeof(struct node), 0);
	if (!node_cache)
		panic("no memory for the page trees");
}
