/* Names in directories, for the rooms of the tree: walk, making, removing, renaming, mounting. */
#pragma once

#include <fs/inode.h>
#include <kernel/spinlock.h>

extern spinlock_t names_lock;

/* A dentry that nobody finds yet, with one user's reference. Takes over the inode's reference, also when it
 * fails. NULL: no memory. `parent` may be NULL; it gets a reference. */
struct dentry *dentry_create(struct super *super, struct dentry *parent, struct inode *inode,
			     const char *name, size_t length);

/* Under names_lock. The child, without a reference; or NULL. */
struct dentry *dentry_find(struct dentry *dir, const char *name, size_t length);
/* Its first child whose cookie is not below; or NULL. */
struct dentry *dentry_next_child(struct dentry *dir, u64 cookie);
/* Put it into, take it out of its parent's directory. The directory's own reference goes with that:
 * after dentry_unlink_locked() the caller has it, for dentry_drop(). */
void dentry_link_locked(struct dentry *dentry);
void dentry_unlink_locked(struct dentry *dentry);

/* References that do not make the file system busy: the directory's, a child's. */
void dentry_hold(struct dentry *dentry);
void dentry_drop(struct dentry *dentry);

/* The same as dentry_path(), seen from another root; NULL: from the very top. `reached`, if not NULL, is set to
 * whether `root` was met on the way. names_lock not held. */
char *dentry_path_from(struct dentry *dentry, const struct dentry *root, char *buf, size_t size,
		       bool *reached);

void dentries_init(void);
