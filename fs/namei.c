/*
 * The walk from a path to a dentry. A loop, not a recursion: when it meets a symlink it puts the rest of
 * the path aside and goes on with the link's text. At each point it holds references to where it is
 * and to its root; names_lock is taken for single steps.
 */
#include <fs/namei.h>

#include <fs/fs_context.h>
#include <fs/mount.h>
#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

static struct kmem_cache *path_cache; /* PATH_MAX bytes each */

/* The walk is there now; takes over the reference. */
static void move_to(struct walk *walk, struct dentry *dentry)
{
	dentry_put(walk->at);
	walk->at = dentry;
}

/* ---- begin and end ----------------------------------------------------------------------------------- */

/* The dentry that a descriptor stands for. */
static struct dentry *dirfd_dentry(int dirfd)
{
	struct file *file;
	struct dentry *dentry;

	if (dirfd == AT_FDCWD)
		return fs_cwd_get();
	file = fd_get_any(dirfd);
	if (!file)
		return ERR_PTR(-EBADF);
	dentry = file->dentry;
	if (dentry)
		dentry_get(dentry);
	file_put(file);
	return dentry ?: ERR_PTR(-ENOTDIR);
}

static struct dentry *starting_point(const struct walk *walk, int dirfd, const char *path)
{
	struct dentry *start;

	if (*path == '/' && !(walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
		return fs_root_get();
	start = dirfd_dentry(dirfd);
	if (!IS_ERR(start) && *path && !S_ISDIR(start->inode->mode)) {
		dentry_put(start);
		return ERR_PTR(-ENOTDIR);
	}
	return start;
}

int walk_begin(struct walk *walk, int dirfd, const char *path, u32 flags, u32 resolve)
{
	walk->rest = path;
	walk->flags = flags;
	walk->resolve = resolve;
	walk->file = NULL;
	walk->depth = walk->nr_links = 0;
	if (!*path && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (*path == '/' && (resolve & RESOLVE_BENEATH))
		return -EXDEV;
	walk->at = starting_point(walk, dirfd, path);
	if (IS_ERR(walk->at))
		return PTR_ERR(walk->at);
	if (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		walk->root = walk->at;
		dentry_get(walk->root);
	} else {
		walk->root = fs_root_get();
	}
	return 0;
}

static void pop_link(struct walk *walk)
{
	struct link *link = &walk->links[--walk->depth];

	walk->rest = link->rest;
	dentry_put(link->dentry);
	link_text_free(link->text);
}

void walk_end(struct walk *walk)
{
	while (walk->depth)
		pop_link(walk);
	if (walk->file)
		file_put(walk->file);
	dentry_put(walk->at);
	dentry_put(walk->root);
}

/* ---- one step ---------------------------------------------------------------------------------------- */

/* A dentry of a file system that keeps none. */
static struct dentry *make_child(struct dentry *dir, const char *name, size_t length)
{
	struct inode *inode = dir->inode->ops->lookup(dir->inode, name, length);
	struct dentry *child;

	if (IS_ERR(inode))
		return (void *)inode;
	child = dentry_create(dir->super, dir, inode, name, length);
	if (!child)
		return ERR_PTR(-ENOMEM);
	child->linked = true;
	return child;
}

struct dentry *lookup_child(struct dentry *dir, const char *name, size_t length)
{
	struct dentry *child;

	if (dir->inode->ops->lookup)
		return make_child(dir, name, length);
	spin_lock(&names_lock);
	child = dentry_find(dir, name, length);
	if (child)
		dentry_get(child);
	spin_unlock(&names_lock);
	return child ?: ERR_PTR(-ENOENT);
}

/* To the top of what is mounted here. */
static int cross_mounts(struct walk *walk)
{
	struct dentry *top = walk->at;

	if (!READ_ONCE(top->mounted))
		return 0;
	if (walk->resolve & RESOLVE_NO_XDEV)
		return -EXDEV;
	spin_lock(&names_lock);
	top = mounted_top(top);
	dentry_get(top);
	spin_unlock(&names_lock);
	move_to(walk, top);
	return 0;
}

/* "..": out of mounted file systems first; at the root of all, and at ours, it is where we are. */
static int step_up(struct walk *walk)
{
	struct dentry *up = walk->at;

	if (up == walk->root && (walk->resolve & RESOLVE_BENEATH))
		return -EXDEV;
	spin_lock(&names_lock);
	while (up != walk->root && !up->parent && up->super->mountpoint)
		up = up->super->mountpoint;
	if (up != walk->root && up->parent)
		up = up->parent;
	dentry_get(up);
	spin_unlock(&names_lock);
	bool crossed = up->super != walk->at->super;

	move_to(walk, up);
	return crossed && (walk->resolve & RESOLVE_NO_XDEV) ? -EXDEV : cross_mounts(walk);
}

/* ---- symlinks ---------------------------------------------------------------------------------------- */

/* Go on at the dentry, or end at the file, that /proc/PID/fd/N and its like stand for. */
static int follow_magic(struct walk *walk, struct inode *inode)
{
	struct dentry *target = NULL;

	if (walk->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return walk->resolve & RESOLVE_NO_MAGICLINKS ? -ELOOP : -EXDEV;
	if (inode->ops->follow) {
		target = inode->ops->follow(inode);
	} else {
		struct file *file = inode->ops->follow_file(inode);

		if (IS_ERR(file))
			return PTR_ERR(file);
		if (!file->dentry) {
			walk->file = file;
			return 0;
		}
		target = file->dentry;
		dentry_get(target);
		file_put(file);
	}
	if (IS_ERR(target))
		return PTR_ERR(target);
	if ((walk->resolve & RESOLVE_NO_XDEV) && target->super != walk->at->super) {
		dentry_put(target);
		return -EXDEV;
	}
	move_to(walk, target);
	return 0;
}

const char *link_text(struct inode *inode, char **buffer)
{
	ssize_t length;

	*buffer = NULL;
	if (inode->target)
		return inode->target;
	*buffer = kmem_cache_alloc(path_cache, GFP_KERNEL);
	if (!*buffer)
		return ERR_PTR(-ENOMEM);
	length =
		inode->ops->readlink ? inode->ops->readlink(inode, *buffer, PATH_MAX - 1) : -EINVAL;
	if (length < 0) {
		path_free(*buffer);
		return ERR_PTR(length);
	}
	(*buffer)[length] = 0;
	return *buffer;
}

void link_text_free(char *buffer)
{
	path_free(buffer);
}

/* A link that begins with a slash begins at the root. */
static int restart_at_root(struct walk *walk)
{
	if (walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	if ((walk->resolve & RESOLVE_NO_XDEV) && walk->at->super != walk->root->super)
		return -EXDEV;
	dentry_get(walk->root);
	move_to(walk, walk->root);
	return 0;
}

/* Takes over the reference. 1: go on with its text; 0: a magic link, followed. */
static int follow_link(struct walk *walk, struct dentry *dentry)
{
	struct inode *inode = dentry->inode;
	const char *text;
	char *buffer;
	int error = -ELOOP;

	if ((walk->resolve & RESOLVE_NO_SYMLINKS) || walk->nr_links++ >= MAX_SYMLINKS)
		goto out;
	inode_read(inode);
	if (inode->ops->follow || inode->ops->follow_file) {
		error = follow_magic(walk, inode);
		goto out;
	}
	text = link_text(inode, &buffer);
	error = IS_ERR(text) ? PTR_ERR(text) : *text ? 0 : -ENOENT;
	if (error)
		goto out;
	walk->links[walk->depth++] = (struct link){ walk->rest, dentry, buffer };
	walk->rest = text;
	error = *text == '/' ? restart_at_root(walk) : 0;
	return error ?: 1;

out:
	dentry_put(dentry);
	return error;
}

int walk_step(struct walk *walk, struct dentry *child, bool follow)
{
	if (S_ISLNK(child->inode->mode) && follow)
		return follow_link(walk, child);
	move_to(walk, child);
	return cross_mounts(walk);
}

/* ---- the loop ---------------------------------------------------------------------------------------- */

static const char *skip_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return text;
}

/* Is nothing but slashes left, here and behind each symlink that we are in? Are there any? */
static bool at_the_end(const struct walk *walk, bool *slash)
{
	*slash = *walk->rest == '/';
	if (*skip_slashes(walk->rest))
		return false;
	for (u32 i = walk->depth; i--;) {
		*slash |= *walk->links[i].rest == '/';
		if (*skip_slashes(walk->links[i].rest))
			return false;
	}
	return true;
}

/* Take the next component off the path. */
static void next_component(struct walk *walk)
{
	const char *name = skip_slashes(walk->rest);

	while (!*name && walk->depth) {
		pop_link(walk);
		name = skip_slashes(walk->rest);
	}
	walk->name = name;
	while (*name && *name != '/')
		name++;
	walk->rest = name;
	walk->length = name - walk->name;
	walk->kind = LAST_NORMAL;
	if (walk->length == 0)
		walk->kind = LAST_ROOT;
	else if (walk->name[0] == '.' && walk->length == 1)
		walk->kind = LAST_DOT;
	else if (walk->name[0] == '.' && walk->name[1] == '.' && walk->length == 2)
		walk->kind = LAST_DOTDOT;
}

/* The directory in which the next component is looked for. */
static int may_search(const struct walk *walk)
{
	if (walk->file || !S_ISDIR(walk->at->inode->mode))
		return -ENOTDIR;
	return inode_permission(walk->at->inode, MAY_EXEC);
}

/* Whatever walk->kind is. */
static int into_component(struct walk *walk, bool follow)
{
	struct dentry *child;

	if (walk->kind == LAST_DOTDOT)
		return step_up(walk);
	if (walk->kind != LAST_NORMAL)
		return 0;
	child = lookup_child(walk->at, walk->name, walk->length);
	return IS_ERR(child) ? PTR_ERR(child) : walk_step(walk, child, follow);
}

int walk_to_last(struct walk *walk)
{
	for (;;) {
		int error;

		next_component(walk);
		if (walk->kind == LAST_ROOT) {
			walk->slash = false;
			return 0;
		}
		error = may_search(walk);
		if (!error && walk->length > NAME_MAX)
			error = -ENAMETOOLONG;
		if (error)
			return error;
		if (at_the_end(walk, &walk->slash))
			return 0;
		error = into_component(walk, true);
		if (error < 0)
			return error;
	}
}

int walk_into_last(struct walk *walk, bool follow)
{
	int result = into_component(walk, follow || walk->slash);

	if (!result && walk->slash && (walk->file || !S_ISDIR(walk->at->inode->mode)))
		return -ENOTDIR;
	return result;
}

int walk_path(struct walk *walk, int dirfd, const char *path, u32 flags, u32 resolve)
{
	int error = walk_begin(walk, dirfd, path, flags, resolve);
	int again = 1;

	if (error)
		return error;
	while (again > 0 && !error) {
		error = walk_to_last(walk);
		if (error || (flags & WALK_PARENT))
			break;
		again = walk_into_last(walk, flags & WALK_FOLLOW);
		error = min(again, 0);
	}
	if (!error && (flags & WALK_DIRECTORY) && !S_ISDIR(walk->at->inode->mode))
		error = -ENOTDIR;
	if (error)
		walk_end(walk);
	return error;
}

struct dentry *path_walk(int dirfd, const char *path, u32 flags)
{
	struct walk walk;
	struct dentry *dentry;
	int error = walk_path(&walk, dirfd, path, flags, 0);

	if (error)
		return ERR_PTR(error);
	dentry = walk.at;
	dentry_get(dentry);
	if (walk.file) {
		dentry_put(dentry);
		dentry = ERR_PTR(-EOPNOTSUPP);
	}
	walk_end(&walk);
	return dentry;
}

/* ---- paths from programs ----------------------------------------------------------------------------- */

char *path_from_user(const char __user *user, bool empty_ok)
{
	char *path = kmem_cache_alloc(path_cache, GFP_KERNEL);
	ssize_t length;

	if (!path)
		return ERR_PTR(-ENOMEM);
	length = strncpy_from_user(path, user, PATH_MAX);
	if (length >= 0 && length < PATH_MAX && (length || empty_ok))
		return path;
	kmem_cache_free(path_cache, path);
	return ERR_PTR(length < 0 ? length : length ? -ENAMETOOLONG : -ENOENT);
}

void path_free(char *path)
{
	if (path && !IS_ERR(path))
		kmem_cache_free(path_cache, path);
}

struct dentry *user_walk(int dirfd, const char __user *user, u32 flags)
{
	char *path = path_from_user(user, flags & WALK_EMPTY);
	struct dentry *dentry;

	if (IS_ERR(path))
		return (void *)path;
	dentry = path_walk(dirfd, path, flags);
	path_free(path);
	return dentry;
}

void paths_init(void)
{
	path_cache = kmem_cache_create("path", PATH_MAX, 0);
	if (!path_cache)
		panic("no memory for paths");
}
