/* Making names. */
#pragma once

#include <fs/namei.h>

/* A file of any kind in a directory, by the current task's ids; asks for permission. Referenced; ERR_PTR(-EEXIST)
 * if somebody was faster. */
struct dentry *make_in(struct dentry *dir, const char *name, size_t length, u32 mode, u64 rdev,
		       const char *target);
/* The inode of that, which has no name yet. */
struct inode *make_inode_in(struct inode *dir, u32 mode, u64 rdev, const char *target);
/* The same at the end of a path that is not there yet. The umask is not applied. */
struct dentry *make_at(int dirfd, const char *path, u32 mode, u64 rdev, const char *target);
/* A hard link: a name more for the inode. */
int link_at(struct inode *inode, int dirfd, const char *path);
/* May a name be put into the directory? */
int may_create(struct dentry *dir);
