/* access: may the real user do that? Permission is asked for as always, only by other ids. */
#include <fs/inode.h>
#include <fs/syscalls_path.h>

static int may_access(struct inode *inode, u32 mask, bool effective)
{
	struct cred *cred = &current->cred;
	u32 fsuid = cred->fsuid, fsgid = cred->fsgid;
	int error;

	if (!effective) {
		cred->fsuid = cred->uid;
		cred->fsgid = cred->gid;
	}
	error = inode_permission(inode, mask);
	cred->fsuid = fsuid;
	cred->fsgid = fsgid;
	return error;
}

long sys_faccessat2(int dirfd, const char __user *path, int mode, int flags)
{
	u32 walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		   (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct dentry *dentry;
	long error;

	if ((mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC)) ||
	    (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	dentry = user_walk(dirfd, path, walk);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = may_access(dentry->inode, mode, flags & AT_EACCESS);
	dentry_put(dentry);
	return error;
}

long sys_faccessat(int dirfd, const char __user *path, int mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

long sys_access(const char __user *path, int mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}
