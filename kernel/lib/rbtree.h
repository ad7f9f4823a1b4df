/*
 * A red-black tree whose nodes live inside the objects they sort (rb_entry finds the object).
 *
 * The caller searches, because only it knows the keys; the tree links and balances:
 *
 *	struct rb_node **link = &root.rb_node, *parent = NULL;
 *
 *	while (*link) {
 *		parent = *link;
 *		link = key < rb_entry(parent, struct item, rb)->key ? &parent->rb_left
 *								      : &parent->rb_right;
 *	}
 *	rb_link_node(&item->rb, parent, link);
 *	rb_insert_color(&item->rb, &root);
 *
 * rb_add() is that loop for a `less` function that the compiler can inline. The caller's lock
 * protects the tree.
 */
#pragma once

#include <kernel/lib/types.h>

struct rb_node {
	uintptr_t rb_parent_color; /* the parent; bit 0 is the colour: nodes are word-aligned */
	union {
		struct {
			struct rb_node *rb_left;
			struct rb_node *rb_right;
		};
		struct rb_node *rb_child[2]; /* the same two, for code that has a mirror image */
	};
};
static_assert(sizeof(struct rb_node) == 24, "an rb_node is three words");

struct rb_root {
	struct rb_node *rb_node;
};

/* A tree that also remembers its first node: a timer queue asks for nothing else. */
struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};

#define RB_ROOT			    ((struct rb_root){ NULL })
#define RB_ROOT_CACHED		    ((struct rb_root_cached){ RB_ROOT, NULL })
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define RB_EMPTY_ROOT(root)	    (!READ_ONCE((root)->rb_node))

/* A node that is in no tree is its own parent, for those who need to know. */
#define RB_CLEAR_NODE(node) ((node)->rb_parent_color = (uintptr_t)(node))
#define RB_EMPTY_NODE(node) ((node)->rb_parent_color == (uintptr_t)(node))

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->rb_parent_color & ~(uintptr_t)1);
}

/* Puts a red leaf at *link; rb_insert_color must follow. */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	*node = (struct rb_node){ .rb_parent_color = (uintptr_t)parent };
	*link = node;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root);
void rb_erase(struct rb_node *node, struct rb_root *root);

/* Puts `new` where `old` is; the keys must be equal. */
void rb_replace_node(struct rb_node *old, struct rb_node *new, struct rb_root *root);

/* In order; NULL at the end. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

static inline struct rb_node *rb_first_cached(const struct rb_root_cached *tree)
{
	return tree->rb_leftmost;
}

static inline void rb_insert_color_cached(struct rb_node *node, struct rb_root_cached *tree,
					  bool leftmost)
{
	if (leftmost)
		tree->rb_leftmost = node;
	rb_insert_color(node, &tree->rb_root);
}

static inline void rb_erase_cached(struct rb_node *node, struct rb_root_cached *tree)
{
	if (tree->rb_leftmost == node)
		tree->rb_leftmost = rb_next(node);
	rb_erase(node, &tree->rb_root);
}

typedef bool rb_less_fn(const struct rb_node *a, const struct rb_node *b);

/* Inserts node behind all that are not greater; true if it became the first. */
static __always_inline bool rb_add(struct rb_node *node, struct rb_root *root, rb_less_fn *less)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(node, parent, link);
	rb_insert_color(node, root);
	return leftmost;
}

static __always_inline bool rb_add_cached(struct rb_node *node, struct rb_root_cached *tree,
					  rb_less_fn *less)
{
	bool leftmost = rb_add(node, &tree->rb_root, less);

	if (leftmost)
		tree->rb_leftmost = node;
	return leftmost;
}
