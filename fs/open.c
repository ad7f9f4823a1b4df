/*
 * Opening: from a path and flags to a file. First the walk, which may make the file; then permission; then
 * whatever opening means for that kind of file.
 */
#include <fs/attributes.h>
#include <fs/chrdev.h>
#include <fs/fs_context.h>
#include <fs/make.h>
#include <fs/pipe.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |  \
	 O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
	 O_PATH | TMPFILE_BIT)
#define PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
/* What only matters while it is opened. */
#define PASSING_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

struct open_how {
	u64 flags, mode, resolve;
};

/* ---- a file of what a dentry names ------------------------------------------------------------------- */

static const struct file_ops path_ops; /* O_PATH: a place, nothing to be done with */

static int open_kind(struct inode *inode, struct file *file)
{
	switch (inode->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFSOCK:
	case S_IFBLK:
		return -ENXIO;
	case S_IFCHR:
		return chrdev_open(inode, file);
	case S_IFIFO:
		return fifo_open(inode, file);
	}
	if (inode->file_ops)
		file->ops = inode->file_ops;
	return inode->ops->open ? inode->ops->open(inode, file) : 0;
}

struct file *dentry_open(struct dentry *dentry, u32 flags)
{
	struct file *file = file_create(&path_ops, NULL, flags);
	int error;

	if (!file)
		return ERR_PTR(-ENFILE);
	dentry_get(dentry);
	file->dentry = dentry;
	error = flags & O_PATH ? 0 : open_kind(dentry->inode, file);
	if (error) {
		file->ops = &path_ops; /* there is nothing to be released yet */
		file_put(file);
		return ERR_PTR(error);
	}
	file->flags &= ~PASSING_FLAGS;
	return file;
}

/* ---- the last component ------------------------------------------------------------------------------ */

static bool follows(const struct open_how *how)
{
	u64 exclusive = O_CREAT | O_EXCL;

	return !(how->flags & O_NOFOLLOW) && (how->flags & exclusive) != exclusive;
}

/* Into it, making it if it is not there. The result as of walk_into_last(). */
static int open_or_make(struct walk *walk, const struct open_how *how, bool *made)
{
	struct dentry *dentry;

	if (walk->kind != LAST_NORMAL)
		return walk_into_last(walk, false);
	if (walk->slash)
		return -EISDIR;
	for (;;) {
		dentry = lookup_child(walk->at, walk->name, walk->length);
		if (!IS_ERR(dentry) && !(how->flags & O_EXCL))
			return walk_step(walk, dentry, follows(how));
		if (!IS_ERR(dentry)) {
			dentry_put(dentry);
			return -EEXIST;
		}
		if (dentry != ERR_PTR(-ENOENT) || walk->at->inode->ops->lookup)
			return PTR_ERR(dentry);
		dentry = make_in(walk->at, walk->name, walk->length,
				 S_IFREG | (how->mode & ~fs_umask()), 0, NULL);
		if (!IS_ERR(dentry)) {
			*made = true;
			return walk_step(walk, dentry, false);
		}
		if (dentry != ERR_PTR(-EEXIST))
			return PTR_ERR(dentry);
	}
}

static int walk_to_file(struct walk *walk, const struct open_how *how, bool *made)
{
	int result = 1;

	while (result > 0) {
		result = walk_to_last(walk);
		if (!result && (how->flags & O_CREAT))
			result = open_or_make(walk, how, made);
		else if (!result)
			result = walk_into_last(walk, follows(how));
	}
	return result;
}

/* ---- permission -------------------------------------------------------------------------------------- */

static u32 access_mask(u64 flags)
{
	static const u8 masks[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				    MAY_READ | MAY_WRITE };

	return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

/* For what was there already. */
static int may_open(struct inode *inode, u64 flags)
{
	u32 mask = access_mask(flags);
	int error;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISDIR(inode->mode) && (mask & MAY_WRITE))
		return -EISDIR;
	if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && (inode->super->flags & MS_NODEV))
		return -EACCES;
	error = inode_permission(inode, mask);
	if (!error && (flags & O_NOATIME) && !inode_owned(inode))
		error = -EPERM;
	return error;
}

static int check_kind(struct inode *inode, u64 flags)
{
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if ((flags & O_CREAT) && S_ISDIR(inode->mode))
		return -EISDIR;
	if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	return flags & O_PATH ? 0 : may_open(inode, flags);
}

static struct file *open_found(struct dentry *dentry, u64 flags)
{
	struct inode *inode = dentry->inode;
	struct file *file;
	int error = check_kind(inode, flags);

	if (error)
		return ERR_PTR(error);
	file = dentry_open(dentry, flags);
	if (IS_ERR(file) || !(flags & O_TRUNC) || (flags & O_PATH) || !S_ISREG(inode->mode))
		return file;
	error = truncate_inode(inode, 0);
	if (error) {
		file_put(file);
		return ERR_PTR(error);
	}
	return file;
}

/* A magic link to what has no name. A pipe may be opened once more, from either side; nothing else may. */
static struct file *open_nameless(const struct file *file, u32 flags)
{
	return is_pipe(file) ? pipe_reopen(file, flags) : ERR_PTR(-ENXIO);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

static struct file *open_walk(int dirfd, const char *path, const struct open_how *how)
{
	struct walk walk;
	struct file *file;
	bool made = false;
	int error = walk_begin(&walk, dirfd, path, 0, how->resolve);

	if (error)
		return ERR_PTR(error);
	error = walk_to_file(&walk, how, &made);
	if (error)
		file = ERR_PTR(error);
	else if (walk.file)
		file = open_nameless(walk.file, how->flags);
	else if (made)
		file = dentry_open(walk.at, how->flags);
	else
		file = open_found(walk.at, how->flags);
	walk_end(&walk);
	return file;
}

/* O_TMPFILE: a file without a name, in the file system of a directory. */
static struct file *open_tmpfile(int dirfd, const char *path, const struct open_how *how)
{
	struct walk walk;
	struct inode *inode;
	struct dentry *dentry;
	struct file *file;
	int error = walk_path(&walk, dirfd, path, WALK_DIRECTORY | (follows(how) ? WALK_FOLLOW : 0),
			      how->resolve);

	if (error)
		return ERR_PTR(error);
	error = may_create(walk.at);
	inode = error ? ERR_PTR(error)
		      : make_inode_in(walk.at->inode, S_IFREG | (how->mode & ~fs_umask()), 0, NULL);
	if (IS_ERR(inode)) {
		walk_end(&walk);
		return inode == ERR_PTR(-EPERM) ? ERR_PTR(-EOPNOTSUPP) : (void *)inode;
	}
	inode->nlink = 0;
	inode->linkable = !(how->flags & O_EXCL);
	dentry = dentry_create(walk.at->super, walk.at, inode, "#tmpfile", strlen("#tmpfile"));
	file = dentry ? dentry_open(dentry, how->flags) : ERR_PTR(-ENOMEM);
	if (dentry)
		dentry_put(dentry);
	walk_end(&walk);
	return file;
}

static struct file *open_how(int dirfd, const char *path, const struct open_how *how)
{
	if (how->flags & TMPFILE_BIT)
		return open_tmpfile(dirfd, path, how);
	return open_walk(dirfd, path, how);
}

/* Do the flags go together? */
static int check_how(struct open_how *how)
{
	if ((how->flags & TMPFILE_BIT) &&
	    (!(how->flags & O_DIRECTORY) || !(access_mask(how->flags) & MAY_WRITE) ||
	     (how->flags & O_CREAT)))
		return -EINVAL;
	if ((how->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL;
	if (!(how->flags & (O_CREAT | TMPFILE_BIT)))
		how->mode = 0;
	return 0;
}

/* The old calls are tolerant: what they do not know, they do not see. */
static int how_of_flags(struct open_how *how, u32 flags, u32 mode)
{
	*how = (struct open_how){ (flags & OPEN_FLAGS) | O_LARGEFILE, mode & S_IALLUGO, 0 };
	if (how->flags & O_PATH)
		how->flags &= PATH_FLAGS;
	return check_how(how);
}

struct file *file_open_at(int dirfd, const char *path, u32 flags, u32 mode)
{
	struct open_how how;
	int error = how_of_flags(&how, flags, mode);

	return error ? ERR_PTR(error) : open_how(dirfd, path, &how);
}

struct file *file_open(const char *path, u32 flags, u32 mode)
{
	return file_open_at(AT_FDCWD, path, flags, mode);
}

/* ---- calls ------------------------------------------------------------------------------------------- */

static long open_user(int dirfd, const char __user *user, const struct open_how *how)
{
	char *path = path_from_user(user, false);
	struct file *file;
	int fd;

	if (IS_ERR(path))
		return PTR_ERR(path);
	fd = fd_reserve(0, how->flags & O_CLOEXEC);
	if (fd >= 0) {
		file = open_how(dirfd, path, how);
		if (IS_ERR(file)) {
			fd_release(fd);
			fd = PTR_ERR(file);
		} else {
			fd_install(fd, file);
		}
	}
	path_free(path);
	return fd;
}

long sys_openat(int dirfd, const char __user *path, int flags, u32 mode)
{
	struct open_how how;
	int error = how_of_flags(&how, flags, mode);

	return error ?: open_user(dirfd, path, &how);
}

long sys_open(const char __user *path, int flags, u32 mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char __user *path, u32 mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* The new call refuses what it does not know. */
static int check_how_strictly(struct open_how *how)
{
	if ((how->flags & ~(u64)OPEN_FLAGS) || (how->resolve & ~(u64)RESOLVE_ALL))
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if ((how->mode & ~(u64)S_IALLUGO) || (how->mode && !(how->flags & (O_CREAT | TMPFILE_BIT))))
		return -EINVAL;
	if ((how->flags & O_PATH) && (how->flags & ~(u64)PATH_FLAGS))
		return -EINVAL;
	if ((how->resolve & RESOLVE_CACHED) && (how->flags & (O_TRUNC | O_CREAT | TMPFILE_BIT)))
		return -EAGAIN;
	return check_how(how);
}

/* A program may have been made for a later kernel, with more fields: they must be zero. */
static int copy_how(struct open_how *how, const struct open_how __user *user, u64 size)
{
	u8 rest[64];

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(how, user, sizeof(*how)))
		return -EFAULT;
	for (u64 at = sizeof(*how); at < size; at += sizeof(rest)) {
		size_t part = min(sizeof(rest), (size_t)(size - at));

		if (copy_from_user(rest, (const u8 __user *)user + at, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

long sys_openat2(int dirfd, const char __user *path, const struct open_how __user *user, u64 size)
{
	struct open_how how;
	int error = copy_how(&how, user, size);

	if (!error)
		error = check_how_strictly(&how);
	return error ?: open_user(dirfd, path, &how);
}
