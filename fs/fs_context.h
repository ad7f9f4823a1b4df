/* Where the current task is in the tree. */
#pragma once

#include <fs/dentry.h>

/* References. A kernel thread is where the first process begins. */
struct dentry *fs_root_get(void);
struct dentry *fs_cwd_get(void);
u32 fs_umask(void);

/* The first process's context; references to `root` are taken. NULL: no memory. */
struct fs_context *fs_context_create(struct dentry *root);
