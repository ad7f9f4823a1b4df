/* sources: kernel/lib/rbtree.c */
/*
 * The tree against a sorted array, with the red-black rules checked as it grows and shrinks.
 */
#include <string.h>

#include <kernel/lib/rbtree.h>
#include <tests/unit/unit.h>

#define MAX_ITEMS 1024

struct item {
	int key;
	struct rb_node rb;
};

static struct item items[MAX_ITEMS];
static struct item *model[MAX_ITEMS]; /* what is in the tree, in its order */
static size_t model_size;
static struct item *spare[MAX_ITEMS]; /* what is not */
static size_t spare_size;
static struct rb_root_cached tree;

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, rb)->key < rb_entry(b, struct item, rb)->key;
}

static bool is_black(const struct rb_node *node)
{
	return !node || (node->rb_parent_color & 1);
}

/* The black height of a subtree in which every rule holds. */
static int check_subtree(const struct rb_node *node, const struct rb_node *parent)
{
	if (!node)
		return 0;
	CHECK(rb_parent(node) == parent);
	CHECK(is_black(node) || (is_black(node->rb_left) && is_black(node->rb_right)));

	int left = check_subtree(node->rb_left, node), right = check_subtree(node->rb_right, node);

	CHECK_EQ(left, right);
	return left + is_black(node);
}

static void check_order(void)
{
	struct rb_node *up = rb_first(&tree.rb_root), *down = rb_last(&tree.rb_root);

	CHECK(rb_first_cached(&tree) == up);
	for (size_t i = 0; i < model_size; i++) {
		CHECK(up == &model[i]->rb);
		CHECK(down == &model[model_size - 1 - i]->rb);
		up = rb_next(up);
		down = rb_prev(down);
	}
	CHECK(!up && !down);
}

static void check_tree(void)
{
	CHECK(is_black(tree.rb_root.rb_node));
	check_subtree(tree.rb_root.rb_node, NULL);
	check_order();
}

static void start(size_t count)
{
	tree = RB_ROOT_CACHED;
	model_size = 0;
	spare_size = count;
	for (size_t i = 0; i < count; i++)
		spare[i] = &items[i];
}

/* Equal keys stay in the order of their insertion. */
static void insert(int key)
{
	struct item *item = spare[--spare_size];
	size_t at = 0;

	item->key = key;
	while (at < model_size && model[at]->key <= key)
		at++;
	memmove(&model[at + 1], &model[at], (model_size++ - at) * sizeof(model[0]));
	model[at] = item;
	CHECK_EQ(rb_add_cached(&item->rb, &tree, less), at == 0);
}

static void erase(size_t at)
{
	struct item *item = model[at];

	memmove(&model[at], &model[at + 1], (--model_size - at) * sizeof(model[0]));
	rb_erase_cached(&item->rb, &tree);
	memset(&item->rb, 0xee, sizeof(item->rb)); /* nobody may still look at it */
	spare[spare_size++] = item;
}

static void replace(size_t at)
{
	struct item *old = model[at], *new = spare[spare_size - 1];

	new->key = old->key;
	rb_replace_node(&old->rb, &new->rb, &tree.rb_root);
	if (tree.rb_leftmost == &old->rb)
		tree.rb_leftmost = &new->rb;
	memset(&old->rb, 0xee, sizeof(old->rb));
	model[at] = new;
	spare[spare_size - 1] = old;
}

/* Swings between growing and shrinking, so that the tree is seen at every size. */
static void random_operations(size_t count, int keys, int rounds, int check_every)
{
	start(count);
	for (int round = 0; round < rounds; round++) {
		u64 dice = unit_random_below(100);
		u64 insert_below = round / (4 * (int)count) % 2 ? 35 : 60;

		if (dice < 5 && model_size && spare_size)
			replace(unit_random_below(model_size));
		else if ((dice < insert_below && spare_size) || !model_size)
			insert((int)unit_random_below((u64)keys));
		else
			erase(unit_random_below(model_size));
		if (round % check_every == 0)
			check_tree();
	}
	while (model_size)
		erase(unit_random_below(model_size));
	CHECK(RB_EMPTY_ROOT(&tree.rb_root));
	CHECK(!rb_first_cached(&tree));
}

TEST(an_empty_tree)
{
	struct rb_root root = RB_ROOT;

	CHECK(RB_EMPTY_ROOT(&root));
	CHECK(!rb_first(&root) && !rb_last(&root));
}

TEST(a_cleared_node_is_in_no_tree)
{
	struct rb_root root = RB_ROOT;
	struct item a = { .key = 1 };

	RB_CLEAR_NODE(&a.rb);
	CHECK(RB_EMPTY_NODE(&a.rb));
	rb_add(&a.rb, &root, less);
	CHECK(!RB_EMPTY_NODE(&a.rb));
	CHECK(!rb_next(&a.rb) && !rb_prev(&a.rb));
}

TEST(every_order_of_insertion_and_removal_of_few)
{
	enum { COUNT = 6, ORDERS = 720 };

	for (int order = 0; order < ORDERS * ORDERS; order++) {
		int in = order / ORDERS, out = order % ORDERS;

		start(COUNT);
		for (int n = 1; n <= COUNT; in /= n, n++)
			insert(in % n * 10 + (int)model_size);
		check_tree();
		for (int n = COUNT; n; out /= n, n--) {
			erase((size_t)(out % n));
			check_tree();
		}
	}
}

TEST(ascending_and_descending)
{
	start(MAX_ITEMS);
	for (int i = 0; i < MAX_ITEMS / 2; i++) {
		insert(MAX_ITEMS + i);
		insert(MAX_ITEMS - i);
		check_tree();
	}
	while (model_size) {
		erase(0);
		check_tree();
	}
}

TEST(random_operations_small_tree)
{
	random_operations(20, 10, 200000, 1);
}

TEST(random_operations_distinct_keys)
{
	random_operations(200, 1 << 30, 100000, 5);
}

TEST(random_operations_many_equal_keys)
{
	random_operations(200, 40, 100000, 5);
}

TEST(random_operations_big_tree)
{
	random_operations(MAX_ITEMS, 1 << 20, 100000, 97);
}

TEST(depth_is_logarithmic)
{
	int deepest = 0;

	start(MAX_ITEMS);
	for (int i = 0; i < MAX_ITEMS; i++)
		insert(i);
	for (int i = 0; i < MAX_ITEMS; i++) {
		int depth = 0;

		for (struct rb_node *node = &items[i].rb; node; node = rb_parent(node))
			depth++;
		deepest = max(deepest, depth);
	}
	CHECK(deepest <= 2 * 11); /* 2 log2(n + 1) */
}
