/* Removing names. */
#pragma once

#include <fs/namei.h>

/* unlink() and rmdir() from inside the kernel. */
int remove_at(int dirfd, const char *path, bool directory);
/* May `victim` be taken out of `dir`, as a directory or as something else? */
int may_delete(struct dentry *dir, struct dentry *victim, bool directory);
/* The counts of an inode whose name is gone; under names_lock. False: it has other names, and the one that went
 * is to be returned to the file system (forget_name()). */
bool unlinked_inode(struct inode *inode);
void forget_name(struct inode *inode);

/* fs/rename.c: rename() from inside the kernel. flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
int rename_at(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path, u32 flags);
