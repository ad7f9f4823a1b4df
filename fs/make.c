/* Making names: mkdir, mknod, symlink, link, and what open() makes. */
#include <fs/make.h>

#include <fs/dir.h>
#include <fs/fs_context.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>

#define MAX_LINKS 0x7fffffffU

int may_create(struct dentry *dir)
{
	if (!dir->linked)
		return -ENOENT;
	return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

/* A directory with the set-group-id bit gives its group to what is made in it. */
static u32 inherit_mode(const struct inode *dir, u32 mode)
{
	if (!(dir->mode & S_ISGID))
		return mode;
	if (S_ISDIR(mode))
		return mode | S_ISGID;
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !in_fs_group(dir->gid) &&
	    !is_fs_root())
		mode &= ~S_ISGID;
	return mode;
}

struct inode *make_inode_in(struct inode *dir, u32 mode, u64 rdev, const char *target)
{
	struct inode *inode;

	if (!dir->ops->create)
		return ERR_PTR(-EPERM);
	inode = dir->ops->create(dir, inherit_mode(dir, mode), rdev, target);
	if (!IS_ERR(inode) && (dir->mode & S_ISGID))
		inode->gid = dir->gid;
	return inode;
}

/* Why it cannot get its name; under names_lock. A file that has lost its last name stays lost. */
static int may_publish(const struct dentry *dentry, bool hard_link)
{
	const struct inode *inode = dentry->inode, *dir = dentry->parent->inode;

	if (!dentry->parent->linked || (hard_link && !inode->nlink && !inode->linkable))
		return -ENOENT;
	if (dentry_find(dentry->parent, dentry->name, dentry->name_length))
		return -EEXIST;
	return (S_ISDIR(inode->mode) ? dir : inode)->nlink == MAX_LINKS ? -EMLINK : 0;
}

/* Make it findable, unless its directory has gone or its name was taken meanwhile. */
static int publish(struct dentry *dentry, bool hard_link)
{
	struct inode *dir = dentry->parent->inode;
	int error;

	spin_lock(&names_lock);
	error = may_publish(dentry, hard_link);
	if (!error) {
		dentry_link_locked(dentry);
		dir->nlink += S_ISDIR(dentry->inode->mode);
		dentry->inode->nlink += hard_link;
		dentry->inode->linkable = false;
	}
	spin_unlock(&names_lock);
	if (!error)
		dir_changed(dir, 1);
	return error;
}

struct dentry *make_in(struct dentry *dir, const char *name, size_t length, u32 mode, u64 rdev,
		       const char *target)
{
	struct inode *inode;
	struct dentry *dentry;
	int error = may_create(dir);

	/* Character device 0:0 leads nowhere; as on Linux everybody may make it. */
	if (!error && (S_ISBLK(mode) || (S_ISCHR(mode) && rdev)) && !is_fs_root())
		error = -EPERM;
	if (error)
		return ERR_PTR(error);
	inode = make_inode_in(dir->inode, mode, rdev, target);
	if (IS_ERR(inode))
		return (void *)inode;
	dentry = dentry_create(dir->super, dir, inode, name, length);
	if (!dentry)
		return ERR_PTR(-ENOMEM);
	error = publish(dentry, false);
	if (error) {
		dentry_put(dentry);
		return ERR_PTR(error);
	}
	return dentry;
}

/* To the directory of a name that must not be there yet. */
static int walk_to_new(struct walk *walk, int dirfd, const char *path, bool directory)
{
	struct dentry *there;
	int error = walk_path(walk, dirfd, path, WALK_PARENT, 0);

	if (error)
		return error;
	there = walk->kind == LAST_NORMAL ? lookup_child(walk->at, walk->name, walk->length)
					  : ERR_PTR(-EEXIST);
	if (!IS_ERR(there)) {
		dentry_put(there);
		error = -EEXIST;
	} else if (there != ERR_PTR(-ENOENT) || walk->at->inode->ops->lookup ||
		   (walk->slash && !directory)) {
		error = PTR_ERR(there);
	}
	if (error)
		walk_end(walk);
	return error;
}

struct dentry *make_at(int dirfd, const char *path, u32 mode, u64 rdev, const char *target)
{
	struct walk walk;
	struct dentry *made;
	int error = walk_to_new(&walk, dirfd, path, S_ISDIR(mode));

	if (error)
		return ERR_PTR(error);
	made = make_in(walk.at, walk.name, walk.length, mode, rdev, target);
	walk_end(&walk);
	return made;
}

struct dentry *path_mknod(int dirfd, const char *path, u32 mode, u64 rdev)
{
	return make_at(dirfd, path, mode & ~fs_umask(), rdev, NULL);
}

/* ---- calls ------------------------------------------------------------------------------------------- */

/* make_at() for a program. 0 or -errno. */
static long make_user(int dirfd, const char __user *user, u32 mode, u64 rdev, const char *target)
{
	char *path = path_from_user(user, false);
	struct dentry *made;

	if (IS_ERR(path))
		return PTR_ERR(path);
	made = make_at(dirfd, path, mode, rdev, target);
	path_free(path);
	if (IS_ERR(made))
		return PTR_ERR(made);
	dentry_put(made);
	return 0;
}

long sys_mkdirat(int dirfd, const char __user *path, u32 mode)
{
	return make_user(dirfd, path, S_IFDIR | (mode & (S_ISVTX | 0777) & ~fs_umask()), 0, NULL);
}

long sys_mkdir(const char __user *path, u32 mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, const char __user *path, u32 mode, u32 dev)
{
	u32 type = mode & S_IFMT ?: S_IFREG;

	if (S_ISDIR(type))
		return -EPERM;
	if (!S_ISREG(type) && !S_ISCHR(type) && !S_ISBLK(type) && !S_ISFIFO(type) &&
	    !S_ISSOCK(type))
		return -EINVAL;
	return make_user(dirfd, path, type | (mode & S_IALLUGO & ~fs_umask()), dev, NULL);
}

long sys_mknod(const char __user *path, u32 mode, u32 dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *path)
{
	char *target = path_from_user(user_target, false);
	long error;

	if (IS_ERR(target))
		return PTR_ERR(target);
	error = make_user(dirfd, path, S_IFLNK | 0777, 0, target);
	path_free(target);
	return error;
}

long sys_symlink(const char __user *target, const char __user *path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

/* ---- hard links -------------------------------------------------------------------------------------- */

/* A link to somebody else's file keeps it alive when its owner thinks that it is gone: only for those who
 * could have copied it anyway, and not for what gives its owner's rights. (fs.protected_hardlinks) */
static int may_link(struct inode *inode)
{
	u32 privileged = S_ISGID | S_IXGRP;

	if (inode_owned(inode))
		return 0;
	if (!S_ISREG(inode->mode) || (inode->mode & S_ISUID) ||
	    (inode->mode & privileged) == privileged)
		return -EPERM;
	return inode_permission(inode, MAY_READ | MAY_WRITE) ? -EPERM : 0;
}

static int link_in(struct inode *inode, struct dentry *dir, const char *name, size_t length)
{
	struct dentry *dentry;
	int error = inode->super != dir->super ? -EXDEV : may_link(inode);

	if (!error)
		error = may_create(dir);
	if (!error && (S_ISDIR(inode->mode) || !dir->inode->ops->reserve_name))
		error = -EPERM;
	if (!error)
		error = dir->inode->ops->reserve_name(dir->super);
	if (error)
		return error;
	inode_get(inode);
	dentry = dentry_create(dir->super, dir, inode, name, length);
	error = dentry ? publish(dentry, true) : -ENOMEM;
	if (error)
		dir->inode->ops->release_name(dir->super);
	else
		inode_changed(inode, TIME_CTIME);
	if (dentry)
		dentry_put(dentry);
	return error;
}

int link_at(struct inode *inode, int dirfd, const char *path)
{
	struct walk walk;
	int error = walk_to_new(&walk, dirfd, path, false);

	if (error)
		return error;
	error = link_in(inode, walk.at, walk.name, walk.length);
	walk_end(&walk);
	return error;
}

long sys_linkat(int old_dirfd, const char __user *old_path, int new_dirfd,
		const char __user *new_path, int flags)
{
	struct dentry *old;
	char *path;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !is_fs_root())
		return -ENOENT;
	old = user_walk(old_dirfd, old_path,
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0) |
				(flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0));
	if (IS_ERR(old))
		return PTR_ERR(old);
	path = path_from_user(new_path, false);
	error = IS_ERR(path) ? PTR_ERR(path) : link_at(old->inode, new_dirfd, path);
	path_free(path);
	dentry_put(old);
	return error;
}

long sys_link(const char __user *old_path, const char __user *new_path)
{
	return sys_linkat(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}
