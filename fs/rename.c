/*
 * Rename. Everything is looked up and checked under rename_lock, so that no directory moves meanwhile and none
 * can come to be below itself; then the names are checked again and changed in one step under names_lock.
 *
 * Context: process. Locks: rename_lock, names_lock.
 */
#include <fs/dir.h>
#include <fs/make.h>
#include <fs/mount.h>
#include <fs/remove.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define RENAME_NOREPLACE 1U
#define RENAME_EXCHANGE	 2U

struct rename {
	struct walk old, new;
	struct dentry *source;
	struct dentry *target; /* what has the new name, or NULL */
	u32 flags;
	char *name; /* a copy of the new name; the source's old one afterwards */
};

static bool exchanging(const struct rename *rename)
{
	return rename->flags & RENAME_EXCHANGE;
}

static bool is_dir(const struct dentry *dentry)
{
	return S_ISDIR(dentry->inode->mode);
}

/* Under rename_lock, which keeps parents as they are. */
static bool is_above(const struct dentry *above, const struct dentry *dentry)
{
	while (dentry && dentry != above)
		dentry = dentry->parent;
	return dentry;
}

/* ---- may it be? -------------------------------------------------------------------------------------- */

static int look_up_both(struct rename *rename)
{
	struct walk *old = &rename->old, *new = &rename->new;

	rename->source = lookup_child(old->at, old->name, old->length);
	if (IS_ERR(rename->source))
		return PTR_ERR(rename->source);
	rename->target = lookup_child(new->at, new->name, new->length);
	if (rename->target == ERR_PTR(-ENOENT))
		rename->target = NULL;
	return IS_ERR(rename->target) ? PTR_ERR(rename->target) : 0;
}

static int check_shape(const struct rename *rename)
{
	const struct dentry *source = rename->source, *target = rename->target;

	if ((rename->flags & RENAME_NOREPLACE) && target)
		return -EEXIST;
	if (exchanging(rename) && !target)
		return -ENOENT;
	if (exchanging(rename) && !is_dir(target) && rename->new.slash)
		return -ENOTDIR;
	if (!is_dir(source) && (rename->old.slash || (!exchanging(rename) && rename->new.slash)))
		return -ENOTDIR;
	if (is_above(source, rename->new.at))
		return -EINVAL;
	if (target && is_above(target, rename->old.at))
		return exchanging(rename) ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* A directory that changes its parent has its ".." written. */
static int may_move(const struct rename *rename, const struct dentry *dentry)
{
	if (!is_dir(dentry) || rename->old.at == rename->new.at)
		return 0;
	return inode_permission(dentry->inode, MAY_WRITE);
}

static int check_permission(const struct rename *rename)
{
	struct dentry *source = rename->source, *target = rename->target;
	int error = may_delete(rename->old.at, source, is_dir(source));

	if (!error && !target)
		error = may_create(rename->new.at);
	else if (!error)
		error = may_delete(rename->new.at, target,
				   is_dir(exchanging(rename) ? target : source));
	if (!error)
		error = may_move(rename, source);
	if (!error && exchanging(rename))
		error = may_move(rename, target);
	return error;
}

/* Is everything still as it was looked up, and may the names go? Under names_lock. */
static int check_again(const struct rename *rename)
{
	const struct walk *new = &rename->new;
	const struct dentry *source = rename->source, *target = rename->target;

	if (!source->linked || source->parent != rename->old.at ||
	    dentry_find(new->at, new->name, new->length) != target)
		return -EAGAIN;
	if (!new->at->linked)
		return -ENOENT;
	if (source->mounted || (target && target->mounted))
		return -EBUSY;
	if (target && !exchanging(rename) && !RB_EMPTY_ROOT(&target->inode->by_name))
		return -ENOTEMPTY;
	return 0;
}

/* ---- do it ------------------------------------------------------------------------------------------- */

/* Both have no name in the tree at the moment. */
static void swap_names(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;
	char *name = a->name;
	u16 length = a->name_length;

	a->parent = b->parent;
	a->name = b->name;
	a->name_length = b->name_length;
	b->parent = parent;
	b->name = name;
	b->name_length = length;
}

/* Unlinking gives us the directory's reference, linking takes a new one: it goes back. */
static void relink(struct dentry *dentry)
{
	dentry_link_locked(dentry);
	__atomic_sub_fetch(&dentry->refcount, 1, __ATOMIC_RELEASE);
}

static void exchange_locked(struct rename *rename)
{
	struct dentry *source = rename->source, *target = rename->target;
	int moved = is_dir(source) - is_dir(target);

	dentry_unlink_locked(source);
	dentry_unlink_locked(target);
	swap_names(source, target);
	relink(source);
	relink(target);
	rename->old.at->inode->nlink -= moved;
	rename->new.at->inode->nlink += moved;
}

/* The old parent's reference is the caller's then; the target's, too. */
static void move_locked(struct rename *rename)
{
	struct dentry *source = rename->source, *target = rename->target, *dir = rename->new.at;
	char *name = source->name;

	dentry_unlink_locked(source);
	if (target) {
		dentry_unlink_locked(target);
		dir->inode->nlink -= is_dir(target);
	}
	source->name = rename->name;
	source->name_length = rename->new.length;
	rename->name = name;
	dentry_hold(dir);
	source->parent = dir;
	relink(source);
	rename->old.at->inode->nlink -= is_dir(source);
	dir->inode->nlink += is_dir(source);
}

static void after_exchange(const struct rename *rename)
{
	dir_changed(rename->old.at->inode, 0);
	dir_changed(rename->new.at->inode, 0);
	inode_changed(rename->source->inode, TIME_CTIME);
	inode_changed(rename->target->inode, TIME_CTIME);
}

static void after_move(const struct rename *rename, bool last_name)
{
	struct dentry *target = rename->target;

	dir_changed(rename->old.at->inode, -1);
	dir_changed(rename->new.at->inode, target ? 0 : 1);
	inode_changed(rename->source->inode, TIME_CTIME);
	dentry_drop(rename->old.at);
	if (!target)
		return;
	if (!last_name)
		forget_name(target->inode);
	inode_changed(target->inode, TIME_CTIME);
	dentry_drop(target);
}

static int change_names(struct rename *rename)
{
	bool last_name = true;
	int error;

	spin_lock(&names_lock);
	error = check_again(rename);
	if (!error && exchanging(rename))
		exchange_locked(rename);
	else if (!error)
		move_locked(rename);
	if (!error && !exchanging(rename) && rename->target)
		last_name = unlinked_inode(rename->target->inode);
	spin_unlock(&names_lock);
	if (error)
		return error;
	if (exchanging(rename))
		after_exchange(rename);
	else
		after_move(rename, last_name);
	return 0;
}

static int try_rename(struct rename *rename)
{
	int error = look_up_both(rename);

	if (!error)
		error = check_shape(rename);
	if (!error && !(rename->target && rename->target->inode == rename->source->inode)) {
		error = check_permission(rename);
		if (!error)
			error = change_names(rename);
	}
	if (rename->source && !IS_ERR(rename->source))
		dentry_put(rename->source);
	if (rename->target && !IS_ERR(rename->target))
		dentry_put(rename->target);
	rename->source = rename->target = NULL;
	return error;
}

static int check_ends(const struct rename *rename)
{
	if (rename->old.at->super != rename->new.at->super)
		return -EXDEV;
	if (rename->old.kind != LAST_NORMAL)
		return -EBUSY;
	if (rename->new.kind != LAST_NORMAL)
		return rename->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	return 0;
}

static int rename_walked(struct rename *rename)
{
	int error = check_ends(rename);

	if (error)
		return error;
	rename->name = kmalloc(rename->new.length + 1, GFP_KERNEL);
	if (!rename->name)
		return -ENOMEM;
	memcpy(rename->name, rename->new.name, rename->new.length);
	rename->name[rename->new.length] = 0;
	mutex_lock(&rename_lock);
	do {
		error = try_rename(rename);
	} while (error == -EAGAIN);
	mutex_unlock(&rename_lock);
	kfree(rename->name);
	return error;
}

int rename_at(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path, u32 flags)
{
	struct rename *rename = kzalloc(sizeof(*rename), GFP_KERNEL); /* too big for the stack */
	int error;

	if (!rename)
		return -ENOMEM;
	rename->flags = flags;
	error = walk_path(&rename->old, old_dirfd, old_path, WALK_PARENT, 0);
	if (error)
		goto out_free;
	error = walk_path(&rename->new, new_dirfd, new_path, WALK_PARENT, 0);
	if (error)
		goto out_old;
	error = rename_walked(rename);
	walk_end(&rename->new);
out_old:
	walk_end(&rename->old);
out_free:
	kfree(rename);
	return error;
}

long sys_renameat2(int old_dirfd, const char __user *old_user, int new_dirfd,
		   const char __user *new_user, u32 flags)
{
	char *old_path, *new_path;
	long error;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	old_path = path_from_user(old_user, false);
	new_path = path_from_user(new_user, false);
	if (IS_ERR(old_path))
		error = PTR_ERR(old_path);
	else if (IS_ERR(new_path))
		error = PTR_ERR(new_path);
	else
		error = rename_at(old_dirfd, old_path, new_dirfd, new_path, flags);
	path_free(old_path);
	path_free(new_path);
	return error;
}

long sys_renameat(int old_dirfd, const char __user *old_path, int new_dirfd,
		  const char __user *new_path)
{
	return sys_renameat2(old_dirfd, old_path, new_dirfd, new_path, 0);
}

long sys_rename(const char __user *old_path, const char __user *new_path)
{
	return sys_renameat2(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}
