/* Instances of file systems, from the making of the root to the end of the last file. And their types. */
#include <fs/mount.h>

#include <fs/seq_buf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>
#include <kernel/sched.h>

static LIST_HEAD(fs_types); /* changes at boot only */

void fs_type_register(struct fs_type *type)
{
	list_add_tail(&type->link, &fs_types);
}

const struct fs_type *fs_type_find(const char *name)
{
	const struct fs_type *type;

	list_for_each_entry(type, &fs_types, link)
		if (!strcmp(type->name, name))
			return type;
	return ERR_PTR(-ENODEV);
}

void filesystems_print(struct seq_buf *out)
{
	const struct fs_type *type;

	list_for_each_entry(type, &fs_types, link)
		seq_printf(out, "%s\t%s\n", type->nodev ? "nodev" : "", type->name);
}

void super_get(struct super *super)
{
	__atomic_add_fetch(&super->refcount, 1, __ATOMIC_RELAXED);
}

void super_put(struct super *super)
{
	if (__atomic_sub_fetch(&super->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	kfree(super->source);
	kfree(super);
}

static struct super *super_alloc(const struct fs_type *type, const char *source, u32 flags)
{
	static u32 last_id;
	struct super *super = kzalloc(sizeof(*super), GFP_KERNEL);
	size_t size = strlen(source) + 1;
	char *copy = kmalloc(size, GFP_KERNEL);

	if (!super || !copy) {
		kfree(super);
		kfree(copy);
		return NULL;
	}
	super->refcount = 1;
	super->type = type;
	super->source = memcpy(copy, source, size);
	super->flags = flags;
	super->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	super->dev = makedev(0, super->id);
	INIT_LIST_HEAD(&super->link);
	return super;
}

/* Its first dentry, whose reference is the file system's own. */
static int make_root(struct super *super, char *options)
{
	struct inode *inode = super->type->mount(super, options);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	super->root = dentry_create(super, NULL, inode, "", 0);
	if (!super->root)
		return -ENOMEM;
	super->root->linked = true;
	super->users = 0;
	return 0;
}

struct super *super_create(const struct fs_type *type, const char *source, u32 flags, char *options)
{
	struct super *super = super_alloc(type, source, flags);
	int error;

	if (!super)
		return ERR_PTR(-ENOMEM);
	error = make_root(super, options);
	if (error) {
		super_put(super);
		return ERR_PTR(error);
	}
	error = type->fill ? type->fill(super) : 0;
	if (error) {
		super_end(super);
		return ERR_PTR(error);
	}
	return super;
}

/* The next name to go: the first below `at` with nothing below it, taken out; NULL: nothing is left. */
static struct dentry *unlink_some_leaf(struct dentry *at)
{
	struct dentry *child;

	spin_lock(&names_lock);
	for (child = dentry_next_child(at, 0); child; child = dentry_next_child(at, 0)) {
		if (RB_EMPTY_ROOT(&child->inode->by_name))
			break;
		at = child;
	}
	if (child)
		dentry_unlink_locked(child);
	spin_unlock(&names_lock);
	return child;
}

void super_end(struct super *super)
{
	struct dentry *at = super->root, *leaf;

	if (__atomic_exchange_n(&super->ended, true, __ATOMIC_ACQ_REL))
		return;
	for (;;) {
		/* A directory that was just emptied goes next: start from where the last one was. */
		leaf = unlink_some_leaf(at);
		if (!leaf && at == super->root)
			break;
		at = leaf ? leaf->parent : at->parent;
		if (leaf)
			dentry_drop(leaf);
		cond_resched();
	}
	dentry_drop(super->root);
	super_put(super);
}
