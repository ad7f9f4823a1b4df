/* sources: */
/*
 * Lists and hash-bucket lists against arrays.
 */
#include <string.h>

#include <kernel/lib/hlist.h>
#include <kernel/lib/list.h>
#include <tests/unit/unit.h>

#define ITEMS 12
#define LISTS 3

struct item {
	int id;
	struct list_head link;
	struct hlist_node node;
};

/* The model of one list: the items in order. */
struct model {
	struct item *item[ITEMS];
	size_t size;
};

static struct item items[ITEMS];
static struct list_head lists[LISTS];
static struct hlist_head buckets[LISTS];
static struct model models[LISTS];

static void start(void)
{
	for (int i = 0; i < LISTS; i++) {
		INIT_LIST_HEAD(&lists[i]);
		INIT_HLIST_HEAD(&buckets[i]);
		models[i].size = 0;
	}
	for (int i = 0; i < ITEMS; i++) {
		items[i].id = i;
		INIT_LIST_HEAD(&items[i].link);
		INIT_HLIST_NODE(&items[i].node);
	}
}

static void model_insert(struct model *model, size_t at, struct item *item)
{
	memmove(&model->item[at + 1], &model->item[at],
		(model->size++ - at) * sizeof(model->item[0]));
	model->item[at] = item;
}

/* Where the item is: the model, and the index in it; NULL if in none. */
static struct model *model_find(const struct item *item, size_t *at)
{
	for (int i = 0; i < LISTS; i++) {
		for (*at = 0; *at < models[i].size; (*at)++) {
			if (models[i].item[*at] == item)
				return &models[i];
		}
	}
	return NULL;
}

static void model_remove(const struct item *item)
{
	size_t at;
	struct model *model = model_find(item, &at);

	if (model)
		memmove(&model->item[at], &model->item[at + 1],
			(--model->size - at) * sizeof(model->item[0]));
}

static void check_list(const struct list_head *head, const struct model *model)
{
	const struct list_head *link;
	struct item *item, *next;
	size_t i = 0;

	CHECK_EQ(list_empty(head), !model->size);
	CHECK_EQ(list_is_singular(head), model->size == 1);
	list_for_each_entry(item, head, link)
		CHECK(item == model->item[i++]);
	CHECK_EQ(i, model->size);
	i = 0;
	list_for_each_entry_safe(item, next, head, link)
		CHECK(item == model->item[i++]);
	CHECK_EQ(i, model->size);
	list_for_each(link, head)
		CHECK(link->next->prev == link && link->prev->next == link);
	CHECK(list_first_entry_or_null(head, struct item, link) ==
	      (model->size ? model->item[0] : NULL));
	if (model->size)
		CHECK(list_last_entry(head, struct item, link) == model->item[model->size - 1]);
}

/* One random operation on a random list, and on its model. */
static void change_lists(void)
{
	int to = (int)unit_random_below(LISTS), from = (to + 1) % LISTS;
	struct item *item = &items[unit_random_below(ITEMS)];
	bool tail = unit_random() % 2;
	size_t at;

	if (unit_random_below(8) == 0) {
		for (size_t i = 0; i < models[from].size; i++)
			model_insert(&models[to], tail ? models[to].size : i, models[from].item[i]);
		models[from].size = 0;
		if (tail)
			list_splice_tail_init(&lists[from], &lists[to]);
		else
			list_splice_init(&lists[from], &lists[to]);
	} else if (!model_find(item, &at)) {
		CHECK(list_empty(&item->link));
		(tail ? list_add_tail : list_add)(&item->link, &lists[to]);
		model_insert(&models[to], tail ? models[to].size : 0, item);
	} else if (unit_random() % 2) {
		(tail ? list_move_tail : list_move)(&item->link, &lists[to]);
		model_remove(item);
		model_insert(&models[to], tail ? models[to].size : 0, item);
	} else {
		list_del_init(&item->link);
		model_remove(item);
	}
}

TEST(list_random_operations)
{
	start();
	for (int round = 0; round < 100000; round++) {
		change_lists();
		for (int i = 0; i < LISTS; i++)
			check_list(&lists[i], &models[i]);
	}
}

TEST(list_safe_walk_survives_removal)
{
	LIST_HEAD(head);
	struct item *item, *next;
	int seen = 0;

	start();
	for (int i = 0; i < ITEMS; i++)
		list_add_tail(&items[i].link, &head);
	list_for_each_entry_safe(item, next, &head, link) {
		CHECK_EQ(item->id, seen++);
		list_del(&item->link);
		CHECK(item->link.next == LIST_POISON);
	}
	CHECK_EQ(seen, ITEMS);
	CHECK(list_empty(&head));
}

static void check_bucket(const struct hlist_head *head, const struct model *model)
{
	struct hlist_node *const *link = &head->first;
	struct hlist_node *next;
	struct item *item;
	size_t i = 0;

	CHECK_EQ(hlist_empty(head), !model->size);
	hlist_for_each_entry(item, head, node) {
		CHECK(item == model->item[i++]);
		CHECK(item->node.pprev == link);
		link = &item->node.next;
	}
	CHECK_EQ(i, model->size);
	i = 0;
	hlist_for_each_entry_safe(item, next, head, node)
		CHECK(item == model->item[i++]);
	CHECK_EQ(i, model->size);
}

static void change_buckets(void)
{
	int to = (int)unit_random_below(LISTS);
	struct item *item = &items[unit_random_below(ITEMS)];
	struct item *other = &items[unit_random_below(ITEMS)];
	size_t at;

	if (model_find(item, &at) || unit_random_below(4) == 0) {
		CHECK_EQ(hlist_unhashed(&item->node), !model_find(item, &at));
		hlist_del_init(&item->node); /* also when it is on none */
		model_remove(item);
		return;
	}
	struct model *model = model_find(other, &at);

	if (!model) {
		hlist_add_head(&item->node, &buckets[to]);
		model_insert(&models[to], 0, item);
	} else if (unit_random() % 2) {
		hlist_add_before(&item->node, &other->node);
		model_insert(model, at, item);
	} else {
		hlist_add_behind(&item->node, &other->node);
		model_insert(model, at + 1, item);
	}
}

TEST(hlist_random_operations)
{
	start();
	for (int round = 0; round < 100000; round++) {
		change_buckets();
		for (int i = 0; i < LISTS; i++)
			check_bucket(&buckets[i], &models[i]);
	}
}

TEST(hlist_safe_walk_survives_removal)
{
	HLIST_HEAD(head);
	struct hlist_node *next;
	struct item *item;
	int seen = ITEMS;

	start();
	for (int i = 0; i < ITEMS; i++)
		hlist_add_head(&items[i].node, &head);
	hlist_for_each_entry_safe(item, next, &head, node) {
		CHECK_EQ(item->id, --seen);
		hlist_del_init(&item->node);
	}
	CHECK_EQ(seen, 0);
	CHECK(hlist_empty(&head));
}
