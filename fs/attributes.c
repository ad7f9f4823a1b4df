/* Mode and owner: chmod, chown, and what a change of the contents does to them. */
#include <fs/attributes.h>

#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>

#define UNCHANGED (~0U)

int inode_writable_fs(const struct inode *inode)
{
	return READ_ONCE(inode->super->flags) & MS_RDONLY ? -EROFS : 0;
}

u64 file_size_limit(void)
{
	return current->process ? rlimit(RLIMIT_FSIZE) : RLIM_INFINITY;
}

/* What the mode becomes without them. The set-group-id bit without execution means something else. */
static u32 without_privileges(u32 mode)
{
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		mode &= ~S_ISGID;
	return mode & ~S_ISUID;
}

void inode_drop_privileges(struct inode *inode)
{
	if (is_fs_root() || without_privileges(inode->mode) == inode->mode)
		return;
	spin_lock(&inode->lock);
	inode->mode = without_privileges(inode->mode);
	spin_unlock(&inode->lock);
}

/* Pipes and sockets without a name have a mode and an owner that protect nothing; what is no file in any sense
 * (eventpolls and the like) has none. */
static int change_nameless(const struct file *file)
{
	return !strcmp(file->ops->anon_name, "pipe:") || !strcmp(file->ops->anon_name, "socket:")
		       ? 0
		       : -EOPNOTSUPP;
}

/* ---- chmod ------------------------------------------------------------------------------------------- */

static int change_mode(struct inode *inode, u32 mode)
{
	int error = inode_writable_fs(inode);

	if (error)
		return error;
	if (S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	if (!inode_owned(inode))
		return -EPERM;
	spin_lock(&inode->lock);
	if (!is_fs_root() && !in_fs_group(inode->gid))
		mode &= ~S_ISGID;
	inode->mode = (inode->mode & S_IFMT) | (mode & S_IALLUGO);
	inode->ctime = current_time();
	spin_unlock(&inode->lock);
	return 0;
}

long sys_fchmod(int fd, u32 mode)
{
	struct fd borrowed = fd_borrow(fd);
	long error;

	if (!borrowed.file)
		return -EBADF;
	if (borrowed.file->dentry)
		error = change_mode(borrowed.file->dentry->inode, mode);
	else
		error = change_nameless(borrowed.file);
	fd_return(borrowed);
	return error;
}

long sys_fchmodat2(int dirfd, const char __user *path, u32 mode, u32 flags)
{
	struct dentry *dentry;
	long error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	dentry = user_walk(dirfd, path,
			   (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0));
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = change_mode(dentry->inode, mode);
	dentry_put(dentry);
	return error;
}

long sys_fchmodat(int dirfd, const char __user *path, u32 mode)
{
	return sys_fchmodat2(dirfd, path, mode, 0);
}

long sys_chmod(const char __user *path, u32 mode)
{
	return sys_fchmodat2(AT_FDCWD, path, mode, 0);
}

/* ---- chown ------------------------------------------------------------------------------------------- */

/* Only root gives files away; their owner may give them to a group of his own. */
static bool may_chown(const struct inode *inode, u32 uid, u32 gid)
{
	if (is_fs_root())
		return true;
	if (uid != UNCHANGED && (current->cred.fsuid != inode->uid || uid != inode->uid))
		return false;
	return gid == UNCHANGED ||
	       (current->cred.fsuid == inode->uid && (gid == inode->gid || in_fs_group(gid)));
}

static int change_owner(struct inode *inode, u32 uid, u32 gid)
{
	int error = inode_writable_fs(inode);

	if (error)
		return error;
	if (!may_chown(inode, uid, gid))
		return -EPERM;
	spin_lock(&inode->lock);
	if (uid != UNCHANGED)
		inode->uid = uid;
	if (gid != UNCHANGED)
		inode->gid = gid;
	if (!S_ISDIR(inode->mode))
		inode->mode = without_privileges(inode->mode);
	inode->ctime = current_time();
	spin_unlock(&inode->lock);
	return 0;
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
	struct fd borrowed = fd_borrow(fd);
	long error;

	if (!borrowed.file)
		return -EBADF;
	if (borrowed.file->dentry)
		error = change_owner(borrowed.file->dentry->inode, uid, gid);
	else
		error = change_nameless(borrowed.file);
	fd_return(borrowed);
	return error;
}

long sys_fchownat(int dirfd, const char __user *path, u32 uid, u32 gid, int flags)
{
	struct dentry *dentry;
	long error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	dentry = user_walk(dirfd, path,
			   (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0));
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = change_owner(dentry->inode, uid, gid);
	dentry_put(dentry);
	return error;
}

long sys_chown(const char __user *path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(const char __user *path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
