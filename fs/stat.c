/* stat and its kin. Whatever a descriptor stands for has something to tell, if it has a name or not. */
#include <fs/stat.h>

#include <fs/namei.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>

/* Files without a dentry are in no mounted file system; Linux has one for each kind. */
#define NAMELESS_DEV 0

struct stat64 {
	u64 dev, ino, nlink;
	u32 mode, uid, gid, pad;
	u64 rdev;
	s64 size, block_size, blocks;
	struct timespec64 atime, mtime, ctime;
	s64 unused[3];
};
static_assert(sizeof(struct stat64) == 144, "struct stat of x86-64");

void stat_dentry(struct dentry *dentry, struct stat_data *out)
{
	struct inode *inode = dentry->inode;

	spin_lock(&inode->lock);
	*out = (struct stat_data){
		.dev = dentry->super->dev,
		.mount_id = dentry->super->id,
		.mount_root = dentry == dentry->super->root,
		.ino = inode->ino,
		.rdev = inode->rdev,
		.blocks = inode->blocks,
		.mode = inode->mode,
		.uid = inode->uid,
		.gid = inode->gid,
		.nlink = READ_ONCE(inode->nlink),
		.size = inode->size,
		.atime = inode->atime,
		.mtime = inode->mtime,
		.ctime = inode->ctime,
		.btime = inode->btime,
	};
	spin_unlock(&inode->lock);
}

/* By what their names begin with. */
static u32 nameless_mode(const char *name)
{
	if (!strncmp(name, "pipe:", 5))
		return S_IFIFO | 0600;
	if (!strncmp(name, "socket:", 7))
		return S_IFSOCK | 0777;
	return 0600;
}

void stat_file(struct file *file, struct stat_data *out)
{
	if (file->dentry) {
		stat_dentry(file->dentry, out);
		return;
	}
	*out = (struct stat_data){
		.dev = NAMELESS_DEV,
		.ino = file->anon_ino,
		.mode = nameless_mode(file->ops->anon_name),
		.uid = current->cred.fsuid,
		.gid = current->cred.fsgid,
		.nlink = 1,
	};
}

static int stat_fd(int fd, struct stat_data *out)
{
	struct file *file = fd_get_any(fd);

	if (!file)
		return -EBADF;
	stat_file(file, out);
	file_put(file);
	return 0;
}

static int stat_path(int dirfd, const char *path, u32 flags, struct stat_data *out)
{
	struct walk walk;
	int error;

	if (!*path && (flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD)
		return stat_fd(dirfd, out);
	error = walk_path(&walk, dirfd, path,
			  (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  0);
	if (error)
		return error;
	if (walk.file)
		stat_file(walk.file, out);
	else
		stat_dentry(walk.at, out);
	walk_end(&walk);
	return 0;
}

int stat_user(int dirfd, const char __user *user, u32 flags, struct stat_data *out)
{
	char *path;
	int error;

	if (!user && (flags & AT_EMPTY_PATH))
		return stat_path(dirfd, "", flags, out);
	path = path_from_user(user, flags & AT_EMPTY_PATH);
	if (IS_ERR(path))
		return PTR_ERR(path);
	error = stat_path(dirfd, path, flags, out);
	path_free(path);
	return error;
}

static long copy_stat(const struct stat_data *data, struct stat64 __user *out)
{
	struct stat64 stat = {
		.dev = data->dev,
		.ino = data->ino,
		.nlink = data->nlink,
		.mode = data->mode,
		.uid = data->uid,
		.gid = data->gid,
		.rdev = data->rdev,
		.size = data->size,
		.block_size = STAT_BLOCK_SIZE,
		.blocks = data->blocks,
		.atime = data->atime,
		.mtime = data->mtime,
		.ctime = data->ctime,
	};

	return copy_to_user(out, &stat, sizeof(stat)) ? -EFAULT : 0;
}

long sys_newfstatat(int dirfd, const char __user *path, struct stat64 __user *out, int flags)
{
	struct stat_data data;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	error = stat_user(dirfd, path, flags, &data);
	return error ?: copy_stat(&data, out);
}

long sys_stat(const char __user *path, struct stat64 __user *out)
{
	return sys_newfstatat(AT_FDCWD, path, out, 0);
}

long sys_lstat(const char __user *path, struct stat64 __user *out)
{
	return sys_newfstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, struct stat64 __user *out)
{
	struct stat_data data;
	int error = stat_fd(fd, &data);

	return error ?: copy_stat(&data, out);
}

/* ---- readlink ---------------------------------------------------------------------------------------- */

static long copy_link(struct inode *inode, char __user *buf, int size)
{
	char *buffer;
	const char *text = link_text(inode, &buffer);
	long length;

	if (IS_ERR(text))
		return PTR_ERR(text);
	inode_read(inode);
	length = min(strlen(text), (size_t)size);
	if (copy_to_user(buf, text, length))
		length = -EFAULT;
	link_text_free(buffer);
	return length;
}

static long readlink_path(int dirfd, const char *path, char __user *buf, int size)
{
	struct dentry *dentry = path_walk(dirfd, path, WALK_EMPTY);
	long result;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (S_ISLNK(dentry->inode->mode))
		result = copy_link(dentry->inode, buf, size);
	else
		result = *path ? -EINVAL : -ENOENT;
	dentry_put(dentry);
	return result;
}

long sys_readlinkat(int dirfd, const char __user *user, char __user *buf, int size)
{
	char *path;
	long result;

	if (size <= 0)
		return -EINVAL;
	path = path_from_user(user, true);
	if (IS_ERR(path))
		return PTR_ERR(path);
	result = readlink_path(dirfd, path, buf, size);
	path_free(path);
	return result;
}

long sys_readlink(const char __user *path, char __user *buf, int size)
{
	return sys_readlinkat(AT_FDCWD, path, buf, size);
}
