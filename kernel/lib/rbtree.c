/*
 * Red-black trees: balance at the price of one bit a node. Any context; the caller's lock.
 *
 * Four rules keep the longest way from the root at most twice as long as the shortest:
 *	1. a node is red or black;		2. the root is black, and so is "no node";
 *	3. a red node has no red child;		4. every way from a node down to "no node"
 *						   passes the same number of black nodes.
 * Inserting can break rule 3, erasing can break rule 4; each repair climbs from the damage
 * towards the root, recolouring, and ends after at most three rotations.
 *
 * Every case has a mirror image. The code has each once: `side` is the index into rb_child[] of
 * the side the trouble is on (0 left, 1 right), `!side` the other one.
 */
#include <kernel/lib/rbtree.h>

enum { RED = 0, BLACK = 1 };

static bool is_red(const struct rb_node *node)
{
	return node && !(node->rb_parent_color & BLACK);
}

static void set_color(struct rb_node *node, uintptr_t color)
{
	node->rb_parent_color = (node->rb_parent_color & ~(uintptr_t)BLACK) | color;
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->rb_parent_color = (uintptr_t)parent | (node->rb_parent_color & BLACK);
}

/* Hangs `node` (or nothing) where `old` hung under `parent`. */
static void replace_child(struct rb_node *old, struct rb_node *node, struct rb_node *parent,
			  struct rb_root *root)
{
	if (parent)
		parent->rb_child[parent->rb_right == old] = node;
	else
		root->rb_node = node;
	if (node)
		set_parent(node, parent);
}

/*
 * `node` goes down on `side`, its other child comes up; the order of the keys stays. For side 0:
 *
 *	  node               up
 *	 /    \             /  \
 *	A      up   ==>  node   C
 *	      /  \       /  \
 *	     B    C     A    B
 */
static void rotate(struct rb_node *node, int side, struct rb_root *root)
{
	struct rb_node *up = node->rb_child[!side], *middle = up->rb_child[side];

	replace_child(node, up, rb_parent(node), root);
	node->rb_child[!side] = middle;
	if (middle)
		set_parent(middle, node);
	up->rb_child[side] = node;
	set_parent(node, up);
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent, *grand, *uncle;

	/* node is red; a red parent breaks rule 3, and is not the root: there is a grandparent. */
	while (is_red(parent = rb_parent(node))) {
		grand = rb_parent(parent);
		int side = parent == grand->rb_right;

		uncle = grand->rb_child[!side];
		if (is_red(uncle)) { /* pass the red up: the trouble moves two levels */
			set_color(parent, BLACK);
			set_color(uncle, BLACK);
			set_color(grand, RED);
			node = grand;
			continue;
		}
		if (node == parent->rb_child[!side]) { /* inside: make it an outside one */
			rotate(parent, side, root);
			parent = node;
		}
		set_color(parent, BLACK); /* outside: the parent takes the grandparent's place */
		set_color(grand, RED);
		rotate(grand, !side, root);
		break;
	}
	set_color(root->rb_node, BLACK);
}

/* Every way through `node` (a child of `parent`, or nothing there) is one black node short. */
static void erase_color(struct rb_node *node, struct rb_node *parent, struct rb_root *root)
{
	while (parent && !is_red(node)) {
		int side = parent->rb_right == node;
		struct rb_node *sibling = parent->rb_child[!side]; /* exists, by rule 4 */

		if (is_red(sibling)) { /* make it the parent, and its black child the sibling */
			set_color(sibling, BLACK);
			set_color(parent, RED);
			rotate(parent, side, root);
			sibling = parent->rb_child[!side];
		}
		if (!is_red(sibling->rb_left) && !is_red(sibling->rb_right)) {
			set_color(sibling, RED); /* now both sides are short: go up */
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (!is_red(sibling->rb_child[!side])) {
			rotate(sibling, !side, root); /* only the near nephew is red: it comes up */
			sibling = parent->rb_child[!side];
		}
		/* The parent comes over to the short side, black; the sibling takes its place. */
		set_color(sibling, is_red(parent) ? RED : BLACK);
		set_color(parent, BLACK);
		set_color(sibling->rb_child[!side], BLACK);
		rotate(parent, side, root);
		return;
	}
	if (node)
		set_color(node, BLACK);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	/* With two children the next node, which has no left child, leaves its place instead... */
	struct rb_node *leaving = node->rb_left && node->rb_right ? rb_next(node) : node;
	struct rb_node *child = leaving->rb_left ? leaving->rb_left : leaving->rb_right;
	struct rb_node *parent = rb_parent(leaving);
	bool was_red = is_red(leaving);

	replace_child(leaving, child, parent, root);
	if (leaving != node) { /* ...and takes that of the node, colour and all. */
		rb_replace_node(node, leaving, root);
		if (parent == node)
			parent = leaving;
	}
	if (!was_red)
		erase_color(child, parent, root);
}

void rb_replace_node(struct rb_node *old, struct rb_node *new, struct rb_root *root)
{
	*new = *old;
	replace_child(old, new, rb_parent(old), root);
	for (int side = 0; side < 2; side++) {
		if (new->rb_child[side])
			set_parent(new->rb_child[side], new);
	}
}

/* As far down as it goes on one side. */
static struct rb_node *outermost(struct rb_node *node, int side)
{
	while (node && node->rb_child[side])
		node = node->rb_child[side];
	return node;
}

/* The neighbour in order: innermost of the subtree on that side, or the first ancestor there. */
static struct rb_node *step(const struct rb_node *node, int side)
{
	const struct rb_node *parent;

	if (node->rb_child[side])
		return outermost(node->rb_child[side], !side);
	while ((parent = rb_parent(node)) && node == parent->rb_child[side])
		node = parent;
	return (struct rb_node *)parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->rb_node, 0);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->rb_node, 1);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return step(node, 1);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return step(node, 0);
}
