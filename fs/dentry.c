/*
 * Dentries: what a file is called, and where. A directory of a file system in memory has them in two trees: by
 * name, for the walk, and by cookie, a number that grows, for getdents: so a reader goes on where it was,
 * whatever came and went since.
 *
 * Context: process. Lock: names_lock. Nothing is freed under it: freeing an inode may sleep.
 */
#include <fs/dentry.h>

#include <fs/mount.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

DEFINE_SPINLOCK(names_lock);

static struct kmem_cache *dentry_cache;

struct dentry *dentry_create(struct super *super, struct dentry *parent, struct inode *inode,
			     const char *name, size_t length)
{
	struct dentry *dentry = kmem_cache_alloc(dentry_cache, GFP_KERNEL);
	char *copy = kmalloc(length + 1, GFP_KERNEL);

	if (!dentry || !copy)
		goto no_memory;
	memcpy(copy, name, length);
	copy[length] = 0;
	*dentry = (struct dentry){ .refcount = 1,
				   .super = super,
				   .inode = inode,
				   .parent = parent,
				   .name = copy,
				   .name_length = length };
	if (parent)
		dentry_hold(parent);
	__atomic_add_fetch(&super->users, 1, __ATOMIC_RELAXED);
	return dentry;

no_memory:
	kfree(copy);
	if (dentry)
		kmem_cache_free(dentry_cache, dentry);
	inode_put(inode);
	return NULL;
}

/* ---- references -------------------------------------------------------------------------------------- */

void dentry_hold(struct dentry *dentry)
{
	__atomic_add_fetch(&dentry->refcount, 1, __ATOMIC_RELAXED);
}

/* A child holds its parent, so the last user of a file may free the whole path to it: by a loop. */
void dentry_drop(struct dentry *dentry)
{
	while (dentry && !__atomic_sub_fetch(&dentry->refcount, 1, __ATOMIC_ACQ_REL)) {
		struct dentry *parent = dentry->parent;

		inode_put(dentry->inode);
		kfree(dentry->name);
		kmem_cache_free(dentry_cache, dentry);
		dentry = parent;
	}
}

void dentry_get(struct dentry *dentry)
{
	__atomic_add_fetch(&dentry->super->users, 1, __ATOMIC_RELAXED);
	dentry_hold(dentry);
}

void dentry_put(struct dentry *dentry)
{
	struct super *super = dentry->super;

	/* The dentry's inode keeps `super` until dentry_drop(). */
	if (!__atomic_sub_fetch(&super->users, 1, __ATOMIC_SEQ_CST) && READ_ONCE(super->detached))
		super_end(super);
	dentry_drop(dentry);
}

/* ---- directories ------------------------------------------------------------------------------------- */

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, min(a_length, b_length));

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

struct dentry *dentry_find(struct dentry *dir, const char *name, size_t length)
{
	struct rb_node *node = dir->inode->by_name.rb_node;

	while (node) {
		struct dentry *child = rb_entry(node, struct dentry, by_name);
		int order = compare_names(name, length, child->name, child->name_length);

		if (!order)
			return child;
		node = order < 0 ? node->rb_left : node->rb_right;
	}
	return NULL;
}

struct dentry *dentry_next_child(struct dentry *dir, u64 cookie)
{
	struct rb_node *node = dir->inode->by_cookie.rb_node;
	struct dentry *found = NULL;

	while (node) {
		struct dentry *child = rb_entry(node, struct dentry, by_cookie);

		if (child->cookie >= cookie)
			found = child;
		node = child->cookie >= cookie ? node->rb_left : node->rb_right;
	}
	return found;
}

static bool name_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct dentry *x = rb_entry(a, struct dentry, by_name);
	const struct dentry *y = rb_entry(b, struct dentry, by_name);

	return compare_names(x->name, x->name_length, y->name, y->name_length) < 0;
}

static bool cookie_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct dentry, by_cookie)->cookie <
	       rb_entry(b, struct dentry, by_cookie)->cookie;
}

void dentry_link_locked(struct dentry *dentry)
{
	struct inode *dir = dentry->parent->inode;

	assert(!dentry->linked);
	dentry->cookie = dir->next_cookie++;
	rb_add(&dentry->by_name, &dir->by_name, name_less);
	rb_add(&dentry->by_cookie, &dir->by_cookie, cookie_less);
	dentry->linked = true;
	dentry_hold(dentry);
}

void dentry_unlink_locked(struct dentry *dentry)
{
	struct inode *dir = dentry->parent->inode;

	assert(dentry->linked);
	rb_erase(&dentry->by_name, &dir->by_name);
	rb_erase(&dentry->by_cookie, &dir->by_cookie);
	dentry->linked = false;
}

/* ---- paths ------------------------------------------------------------------------------------------- */

static bool prepend(char **at, char *start, const char *text, size_t length)
{
	if (length > (size_t)(*at - start))
		return false;
	*at -= length;
	memcpy(*at, text, length);
	return true;
}

/* Names from `dentry` up to `root`, or to the very top, written backwards; under names_lock. */
static bool prepend_names(const struct dentry *dentry, const struct dentry *root, char **at,
			  char *start, bool *reached)
{
	while (dentry != root) {
		if (dentry == dentry->super->root) {
			if (!dentry->super->mountpoint)
				break;
			dentry = dentry->super->mountpoint;
			continue;
		}
		if (!prepend(at, start, dentry->name, dentry->name_length) ||
		    !prepend(at, start, "/", 1))
			return false;
		if (!dentry->parent) /* a file that never had a place: memfd */
			break;
		dentry = dentry->parent;
	}
	*reached = dentry == root;
	return true;
}

char *dentry_path_from(struct dentry *dentry, const struct dentry *root, char *buf, size_t size,
		       bool *reached)
{
	static const char deleted[] = " (deleted)";
	char *end = buf + size, *at = end;
	bool met, ok;

	spin_lock(&names_lock);
	ok = prepend(&at, buf, "", 1);
	if (ok && !dentry->linked && dentry != dentry->super->root)
		ok = prepend(&at, buf, deleted, sizeof(deleted) - 1);
	char *names_end = at;

	ok = ok && prepend_names(dentry, root, &at, buf, &met);
	if (ok && at == names_end)
		ok = prepend(&at, buf, "/", 1);
	spin_unlock(&names_lock);
	if (reached)
		*reached = ok && met;
	return ok ? at : ERR_PTR(-ENAMETOOLONG);
}

char *dentry_path(struct dentry *dentry, char *buf, size_t size)
{
	struct dentry *root = NULL;
	char *path;

	if (current->fs) {
		spin_lock(&current->fs->lock);
		root = current->fs->root;
		dentry_get(root);
		spin_unlock(&current->fs->lock);
	}
	path = dentry_path_from(dentry, root, buf, size, NULL);
	if (root)
		dentry_put(root);
	return path;
}

void dentries_init(void)
{
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 0);
	if (!dentry_cache)
		panic("no memory for dentries");
}
