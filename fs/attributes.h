/* Owner, mode and size of a file: what changes them together. */
#pragma once

#include <fs/inode.h>

/* Set-user-id and the like do not survive that somebody else changes the file. */
void inode_drop_privileges(struct inode *inode);
/* RLIMIT_FSIZE of the current process. */
u64 file_size_limit(void);
/* May its attributes be changed at all (EROFS)? */
int inode_writable_fs(const struct inode *inode);
/* truncate() without asking for permission. The times change even if the size does not. */
int truncate_inode(struct inode *inode, loff_t size);
