/* Removing names: unlink, rmdir. What is open stays until it is closed. */
#include <fs/remove.h>

#include <fs/dir.h>
#include <fs/syscalls_path.h>

/* In a sticky directory one removes what is one's own. */
static bool kept_by_sticky(const struct inode *dir, const struct inode *victim)
{
	return (dir->mode & S_ISVTX) && !inode_owned(victim) && !inode_owned(dir);
}

int may_delete(struct dentry *dir, struct dentry *victim, bool directory)
{
	int error = inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (kept_by_sticky(dir->inode, victim->inode))
		return -EPERM;
	if (directory != S_ISDIR(victim->inode->mode))
		return directory ? -ENOTDIR : -EISDIR;
	return dir->inode->ops->create ? 0 : -EPERM;
}

bool unlinked_inode(struct inode *inode)
{
	if (S_ISDIR(inode->mode))
		inode->nlink = 0;
	else
		inode->nlink--;
	return !inode->nlink;
}

void forget_name(struct inode *inode)
{
	if (inode->ops->release_name)
		inode->ops->release_name(inode->super);
}

/* Take it out, if it still is what was looked up (-EAGAIN). */
static int take_out(struct dentry *dir, struct dentry *victim)
{
	bool last = true;
	int error = 0;

	spin_lock(&names_lock);
	if (!victim->linked || victim->parent != dir)
		error = -EAGAIN;
	else if (victim->mounted)
		error = -EBUSY;
	else if (!RB_EMPTY_ROOT(&victim->inode->by_name))
		error = -ENOTEMPTY;
	if (!error) {
		dentry_unlink_locked(victim);
		last = unlinked_inode(victim->inode);
		dir->inode->nlink -= S_ISDIR(victim->inode->mode);
	}
	spin_unlock(&names_lock);
	if (error)
		return error;
	if (!last)
		forget_name(victim->inode);
	inode_changed(victim->inode, TIME_CTIME);
	dir_changed(dir->inode, -1);
	dentry_drop(victim);
	return 0;
}

static int remove_in(const struct walk *walk, bool directory)
{
	int error;

	do {
		struct dentry *victim = lookup_child(walk->at, walk->name, walk->length);

		if (IS_ERR(victim))
			return PTR_ERR(victim);
		if (walk->slash && !directory)
			error = S_ISDIR(victim->inode->mode) ? -EISDIR : -ENOTDIR;
		else
			error = may_delete(walk->at, victim, directory);
		if (!error)
			error = take_out(walk->at, victim);
		dentry_put(victim);
	} while (error == -EAGAIN);
	return error;
}

int remove_at(int dirfd, const char *path, bool directory)
{
	static const int rmdir_errors[] = {
		[LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY, [LAST_ROOT] = -EBUSY
	};
	struct walk walk;
	int error = walk_path(&walk, dirfd, path, WALK_PARENT, 0);

	if (error)
		return error;
	if (walk.kind == LAST_NORMAL)
		error = remove_in(&walk, directory);
	else
		error = directory ? rmdir_errors[walk.kind] : -EISDIR;
	walk_end(&walk);
	return error;
}

long sys_unlinkat(int dirfd, const char __user *user, int flags)
{
	char *path;
	long error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	path = path_from_user(user, false);
	if (IS_ERR(path))
		return PTR_ERR(path);
	error = remove_at(dirfd, path, flags & AT_REMOVEDIR);
	path_free(path);
	return error;
}

long sys_unlink(const char __user *path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(const char __user *path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
