/*
 * Lists for the buckets of hash tables: the head is one pointer, half a list_head's size, at the
 * price of having no way to the tail.
 *
 * pprev points at whatever points at the node, the head or the next field of the one before it:
 * a node leaves its list without knowing which list that is. NULL means "on no list".
 */
#pragma once

#include <kernel/lib/types.h>

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define HLIST_HEAD(name) struct hlist_head name = { NULL }

static inline void INIT_HLIST_HEAD(struct hlist_head *head)
{
	head->first = NULL;
}

static inline void INIT_HLIST_NODE(struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = NULL;
}

static inline bool hlist_unhashed(const struct hlist_node *node)
{
	return !node->pprev;
}

static inline bool hlist_empty(const struct hlist_head *head)
{
	return !READ_ONCE(head->first);
}

/* Puts node where *link points, ahead of what is there. */
static inline void hlist_insert_at(struct hlist_node *node, struct hlist_node **link)
{
	node->next = *link;
	if (node->next)
		node->next->pprev = &node->next;
	node->pprev = link;
	*link = node;
}

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	hlist_insert_at(node, &head->first);
}

static inline void hlist_add_before(struct hlist_node *node, struct hlist_node *next)
{
	hlist_insert_at(node, next->pprev);
}

static inline void hlist_add_behind(struct hlist_node *node, struct hlist_node *prev)
{
	hlist_insert_at(node, &prev->next);
}

static inline void hlist_unlink(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
}

/* Takes node off its list; afterwards it is unhashed. Harmless if it already was. */
static inline void hlist_del_init(struct hlist_node *node)
{
	if (hlist_unhashed(node))
		return;
	hlist_unlink(node);
	INIT_HLIST_NODE(node);
}

/* To the front of another list. It is at no moment unhashed, for who looks at that without the lock. */
static inline void hlist_move_head(struct hlist_node *node, struct hlist_head *head)
{
	hlist_unlink(node);
	hlist_add_head(node, head);
}

#define hlist_entry(ptr, type, member) container_of(ptr, type, member)
#define hlist_entry_safe(ptr, type, member)                              \
	({                                                               \
		struct hlist_node *node_ = (ptr);                        \
		node_ ? hlist_entry(node_, type, member) : (type *)NULL; \
	})

#define hlist_for_each_entry(pos, head, member)                                    \
	for (pos = hlist_entry_safe((head)->first, __typeof__(*pos), member); pos; \
	     pos = hlist_entry_safe(pos->member.next, __typeof__(*pos), member))

/* pos may be taken off or freed in the body; `n` is a struct hlist_node * for the loop's use. */
#define hlist_for_each_entry_safe(pos, n, head, member)                       \
	for (pos = hlist_entry_safe((head)->first, __typeof__(*pos), member); \
	     pos && ({                                                        \
		     n = pos->member.next;                                    \
		     true;                                                    \
	     });                                                              \
	     pos = hlist_entry_safe(n, __typeof__(*pos), member))
