/* What stat() and statx() tell, before it takes their forms. */
#pragma once

#include <fs/inode.h>

struct stat_data {
	u64 dev, ino, rdev, blocks, mount_id;
	u32 mode, uid, gid, nlink;
	s64 size;
	struct timespec64 atime, mtime, ctime, btime;
	bool mount_root;
};

void stat_dentry(struct dentry *dentry, struct stat_data *out);
void stat_file(struct file *file, struct stat_data *out);
/* flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW; the rest is ignored. The path may be NULL with AT_EMPTY_PATH. */
int stat_user(int dirfd, const char __user *path, u32 flags, struct stat_data *out);

#define STAT_BLOCK_SIZE 4096
