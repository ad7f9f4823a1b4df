/*
 * Root, working directory and umask of a process, and the calls that change or tell them.
 *
 * Context: process. Lock: fs_context.lock.
 */
#include <fs/fs_context.h>

#include <fs/syscalls_path.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

#define DEFAULT_UMASK 022

struct fs_context *init_fs;

static struct fs_context *current_fs(void)
{
	return current->fs ?: init_fs;
}

struct fs_context *fs_context_create(struct dentry *root)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	*fs = (struct fs_context){
		.refcount = 1, .umask = DEFAULT_UMASK, .root = root, .cwd = root
	};
	spin_lock_init(&fs->lock);
	dentry_get(root);
	dentry_get(root);
	return fs;
}

struct fs_context *fs_context_clone(struct fs_context *old)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return ERR_PTR(-ENOMEM);
	spin_lock(&old->lock);
	*fs = (struct fs_context){
		.refcount = 1, .umask = old->umask, .root = old->root, .cwd = old->cwd
	};
	dentry_get(fs->root);
	dentry_get(fs->cwd);
	spin_unlock(&old->lock);
	spin_lock_init(&fs->lock);
	return fs;
}

void fs_context_get(struct fs_context *fs)
{
	__atomic_add_fetch(&fs->refcount, 1, __ATOMIC_RELAXED);
}

void fs_context_put(struct fs_context *fs)
{
	if (__atomic_sub_fetch(&fs->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	dentry_put(fs->root);
	dentry_put(fs->cwd);
	kfree(fs);
}

static struct dentry *get_place(struct dentry **place, spinlock_t *lock)
{
	struct dentry *dentry;

	spin_lock(lock);
	dentry = *place;
	dentry_get(dentry);
	spin_unlock(lock);
	return dentry;
}

struct dentry *fs_root_get(void)
{
	struct fs_context *fs = current_fs();

	return get_place(&fs->root, &fs->lock);
}

struct dentry *fs_cwd_get(void)
{
	struct fs_context *fs = current_fs();

	return get_place(&fs->cwd, &fs->lock);
}

u32 fs_umask(void)
{
	return READ_ONCE(current_fs()->umask);
}

/* Takes over the reference, or the error. */
static int set_place(struct dentry **place, struct dentry *dentry)
{
	struct dentry *old;
	int error;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = inode_permission(dentry->inode, MAY_EXEC);
	if (!error && place == &current_fs()->root && !is_fs_root())
		error = -EPERM;
	if (error) {
		dentry_put(dentry);
		return error;
	}
	spin_lock(&current_fs()->lock);
	old = *place;
	*place = dentry;
	spin_unlock(&current_fs()->lock);
	dentry_put(old);
	return 0;
}

long sys_chdir(const char __user *path)
{
	return set_place(&current_fs()->cwd,
			 user_walk(AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY));
}

long sys_chroot(const char __user *path)
{
	return set_place(&current_fs()->root,
			 user_walk(AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY));
}

long sys_fchdir(int fd)
{
	struct file *file = fd_get_any(fd);
	struct dentry *dentry = ERR_PTR(-ENOTDIR);

	if (!file)
		return -EBADF;
	if (file->dentry && S_ISDIR(file->dentry->inode->mode)) {
		dentry = file->dentry;
		dentry_get(dentry);
	}
	file_put(file);
	return set_place(&current_fs()->cwd, dentry);
}

/* The path with its zero, or why there is none. */
static long copy_cwd(struct dentry *cwd, struct dentry *root, char *buf, char __user *user,
		     u64 size)
{
	static const char prefix[] = "(unreachable)";
	bool reached;
	char *path;
	size_t length;

	if (!cwd->linked)
		return -ENOENT;
	path = dentry_path_from(cwd, root, buf + sizeof(prefix), PATH_MAX - sizeof(prefix),
				&reached);
	if (IS_ERR(path))
		return PTR_ERR(path);
	if (!reached)
		path = memcpy(path - sizeof(prefix) + 1, prefix, sizeof(prefix) - 1);
	length = buf + PATH_MAX - path;
	if (length > size)
		return -ERANGE;
	return copy_to_user(user, path, length) ? -EFAULT : (long)length;
}

long sys_getcwd(char __user *user, u64 size)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct dentry *root, *cwd;
	long result;

	if (!buf)
		return -ENOMEM;
	root = fs_root_get();
	cwd = fs_cwd_get();
	result = copy_cwd(cwd, root, buf, user, size);
	dentry_put(cwd);
	dentry_put(root);
	kfree(buf);
	return result;
}

long sys_umask(u32 mask)
{
	return __atomic_exchange_n(&current_fs()->umask, mask & 0777, __ATOMIC_RELAXED);
}
