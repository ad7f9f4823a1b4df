/*
 * flock: advisory locks on whole files. A lock belongs to an open file, whoever shares its descriptors, and goes
 * with it. Files and directories in memory have them.
 *
 * Context: process. Lock: flock_lock, every inode's list of locks. Who waits, waits on one queue for all: there are
 * few of them.
 */
#include <fs/dir.h>
#include <fs/flock.h>
#include <fs/syscalls_path.h>
#include <fs/tmpfs.h>
#include <kernel/mm/slab.h>
#include <kernel/wait.h>

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

struct flock {
	struct list_head link; /* in inode->flocks */
	struct file *file;
	bool exclusive;
};

static DEFINE_SPINLOCK(flock_lock);
static DEFINE_WAIT_QUEUE(flock_wait);

/* This file's lock, or NULL; under flock_lock. */
static struct flock *find_lock(struct file *file)
{
	struct flock *lock;

	list_for_each_entry(lock, &file->dentry->inode->flocks, link)
		if (lock->file == file)
			return lock;
	return NULL;
}

void flock_release(struct file *file)
{
	struct flock *lock;

	while (!list_empty(&file->dentry->inode->flocks)) {
		spin_lock(&flock_lock);
		lock = find_lock(file);
		if (lock)
			list_del(&lock->link);
		spin_unlock(&flock_lock);
		if (!lock)
			break;
		kfree(lock);
		wake_up_all(&flock_wait);
	}
}

/* Is there none that excludes it? Then it is ours. */
static bool try_lock(struct flock *wanted)
{
	struct list_head *locks = &wanted->file->dentry->inode->flocks;
	struct flock *lock;
	bool free = true;

	spin_lock(&flock_lock);
	list_for_each_entry(lock, locks, link)
		free &= !lock->exclusive && !wanted->exclusive;
	if (free)
		list_add(&wanted->link, locks);
	spin_unlock(&flock_lock);
	return free;
}

/* A lock of another kind is given up first: somebody else may come in between. */
static long lock_file(struct file *file, bool exclusive, bool wait)
{
	struct flock *lock;
	int error = 0;

	spin_lock(&flock_lock);
	lock = find_lock(file);
	bool have_it = lock && lock->exclusive == exclusive;
	spin_unlock(&flock_lock);
	if (have_it)
		return 0;
	lock = kmalloc(sizeof(*lock), GFP_KERNEL);
	if (!lock)
		return -ENOMEM;
	*lock = (struct flock){ .file = file, .exclusive = exclusive };
	flock_release(file);
	if (wait)
		error = wait_event_interruptible(&flock_wait, try_lock(lock)) ? -ERESTARTSYS : 0;
	else
		error = try_lock(lock) ? 0 : -EWOULDBLOCK;
	if (error)
		kfree(lock);
	return error;
}

static long do_flock(struct file *file, int operation)
{
	int kind = operation & ~LOCK_NB;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	if (file->ops != &tmpfs_file_ops && file->ops != &dir_file_ops)
		return -EOPNOTSUPP;
	if (kind != LOCK_UN)
		return lock_file(file, kind == LOCK_EX, !(operation & LOCK_NB));
	flock_release(file);
	return 0;
}

long sys_flock(int fd, int operation)
{
	struct file *file = fd_get(fd);
	long error;

	if (!file)
		return -EBADF;
	error = do_flock(file, operation);
	file_put(file);
	return error;
}
