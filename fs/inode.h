/* What the rooms of the tree share about inodes, beyond fs/vfs.h. */
#pragma once

#include <fs/vfs.h>
#include <kernel/task.h>

#define FIRST_COOKIE 3 /* a directory's position 0 is ".", 1 is ".." */

#define TIME_ATIME 1U
#define TIME_MTIME 2U
#define TIME_CTIME 4U
/* These times are now. Takes inode->lock. */
void inode_changed(struct inode *inode, u32 which);
/* It was read: atime by relatime's rule. */
void inode_read(struct inode *inode);

/* By the ids that count for files. */
bool is_fs_root(void);
bool in_fs_group(u32 gid);

void super_get(struct super *super);
void super_put(struct super *super);

void inodes_init(void);
