/* Mounted file systems: their lives (fs/super.c), and where they are (fs/mount.c). */
#pragma once

#include <fs/dentry.h>

/* Renames that move directories, and mounts: what changes who is above whom. */
extern struct mutex rename_lock;

/* A new instance, with a tree of its own, mounted nowhere. ERR_PTR. */
struct super *super_create(const struct fs_type *type, const char *source, u32 flags,
			   char *options);
/* It is detached and has no users any more: let go of its tree. More than one may call; the first does it. */
void super_end(struct super *super);

/* ERR_PTR(-ENODEV): none of that name. */
const struct fs_type *fs_type_find(const char *name);

/* Put it on a directory: it keeps a reference to it. 0 or -errno. NULL: it becomes the root of all. */
int mount_attach(struct super *super, struct dentry *where);

/* Take it away: it ends with its last user. `root`: a reference of the caller's; without `lazy` the only one that
 * is allowed (-EBUSY). rename_lock held. */
int mount_detach(struct dentry *root, bool lazy);

/* The top of what is mounted on a dentry, or the dentry itself; under names_lock. */
static inline struct dentry *mounted_top(struct dentry *dentry)
{
	while (dentry->mounted)
		dentry = dentry->mounted->root;
	return dentry;
}
