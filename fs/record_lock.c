/*
 * Record locks: advisory locks on ranges of a file's bytes, shared or exclusive. Their owner is a table of
 * descriptors, that is a process, and they go when it closes any descriptor of the file; or, those of the
 * OFD commands, an open file. Files in memory have them.
 *
 * An owner's locks on a file never overlap: a new one replaces what it covers of the old ones, and melts together
 * with its neighbours of the same kind.
 *
 * Context: process. Lock: record_lock, every inode's list of locks, and who waits. Who waits, waits on one queue for
 * all: there are few of them.
 */
#include <fs/record_lock.h>

#include <fs/tmpfs.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <kernel/wait.h>

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

#define MAX_LOCKS 65536 /* all in all */
#define MAX_CHAIN \
	10 /* of owners that wait for each other: a longer circle is not found, as on Linux */
#define OFFSET_MAX INT64_MAX
#define OFD_PID	   (-1)

/* What programs give and get: Linux's struct flock. */
struct user_lock {
	s16 type, whence;
	s64 start, length; /* 0: to the end of all bytes */
	s32 pid;
};

struct record_lock {
	struct list_head link; /* in inode->record_locks */
	const void *owner;
	s32 pid;
	s16 type;
	s64 first, last;
};

/* A call that asks for a lock, or waits for it. */
struct request {
	struct record_lock *lock; /* becomes the inode's */
	struct record_lock
		*spare; /* for the second half of one that is cut in two; may stay unused */
	struct list_head *locks; /* the inode's */
	const void *waits_for;	 /* an owner */
	struct list_head link;	 /* in `waiting` */
};

static DEFINE_SPINLOCK(record_lock);
static DEFINE_WAIT_QUEUE(record_wait);

/* under record_lock */
static LIST_HEAD(waiting);
static u32 nr_locks;

/* ---- under record_lock --------------------------------------------------------------------------------- */

static bool excludes(const struct record_lock *lock, const struct record_lock *wanted)
{
	return lock->owner != wanted->owner && lock->first <= wanted->last &&
	       wanted->first <= lock->last && (lock->type == F_WRLCK || wanted->type == F_WRLCK);
}

/* The first in the file, or NULL. */
static struct record_lock *find_conflict(struct list_head *locks, const struct record_lock *wanted)
{
	struct record_lock *lock, *found = NULL;

	list_for_each_entry(lock, locks, link)
		if (excludes(lock, wanted) && (!found || lock->first < found->first))
			found = lock;
	return found;
}

static void drop(struct record_lock *lock)
{
	list_del(&lock->link);
	kfree(lock);
	nr_locks--;
}

/* Of the same kind, and without a gap between them. */
static bool melts(const struct record_lock *a, const struct record_lock *b)
{
	return a->type == b->type && (a->last == OFFSET_MAX || a->last + 1 >= b->first) &&
	       (b->last == OFFSET_MAX || b->last + 1 >= a->first);
}

/* `old` gives way to `new`, of the same owner. Returns its part behind `new`, made of `spare`, or NULL. */
static struct record_lock *cut(struct record_lock *old, const struct record_lock *new,
			       struct record_lock *spare)
{
	if (old->first >= new->first && old->last <= new->last) {
		drop(old);
	} else if (old->first >= new->first) {
		old->first = new->last + 1;
	} else if (old->last <= new->last) {
		old->last = new->first - 1;
	} else {
		*spare = *old;
		old->last = new->first - 1;
		spare->first = new->last + 1;
		return spare;
	}
	return NULL;
}

static void insert(struct request *request)
{
	struct record_lock *new = request->lock, *old, *next, *behind = NULL;

	list_for_each_entry_safe(old, next, request->locks, link) {
		if (old->owner != new->owner)
			continue;
		if (melts(old, new)) {
			new->first = min(new->first, old->first);
			new->last = max(new->last, old->last);
			drop(old);
		} else if (old->first <= new->last &&new->first <= old->last) {
			behind = cut(old, new, request->spare) ?: behind;
		}
	}
	if (behind) {
		list_add_tail(&behind->link, request->locks);
		request->spare = NULL;
		nr_locks++;
	}
	if (new->type != F_UNLCK) {
		list_add_tail(&new->link, request->locks);
		request->lock = NULL;
		nr_locks++;
	}
}

/* Would `owner`, waiting for `blocker`, wait for itself? */
static bool is_circle(const void *owner, const void *blocker)
{
	struct request *request;

	for (u32 i = 0; i < MAX_CHAIN && blocker; i++) {
		const void *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each_entry(request, &waiting, link)
			if (request->lock->owner == blocker)
				next = request->waits_for;
		blocker = next;
	}
	return false;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

/* 0, -EAGAIN, -EDEADLK or -ENOLCK. */
static int try_lock(struct request *request, bool wait)
{
	struct record_lock *blocker;
	int error = 0;

	spin_lock(&record_lock);
	if (request->lock->type != F_UNLCK) {
		blocker = find_conflict(request->locks, request->lock);
		if (blocker)
			error = -EAGAIN;
		else if (nr_locks >= MAX_LOCKS)
			error = -ENOLCK;
		request->waits_for = blocker ? blocker->owner : NULL;
	}
	if (error == -EAGAIN && wait && request->lock->pid != OFD_PID &&
	    is_circle(request->lock->owner, request->waits_for))
		error = -EDEADLK;
	if (!error)
		insert(request);
	spin_unlock(&record_lock);
	if (!error)
		wake_up_all(&record_wait);
	return error;
}

/* It is on the list of those who wait before it looks, so that of two that close a circle one sees the other. */
static int lock_and_wait(struct request *request)
{
	int error;

	spin_lock(&record_lock);
	list_add(&request->link, &waiting);
	spin_unlock(&record_lock);
	if (wait_event_interruptible(&record_wait, (error = try_lock(request, true)) != -EAGAIN))
		error = -ERESTARTSYS;
	spin_lock(&record_lock);
	list_del(&request->link);
	spin_unlock(&record_lock);
	return error;
}

static int apply(struct file *file, const struct record_lock *wanted, bool wait)
{
	struct request request = {
		.lock = kmalloc(sizeof(*wanted), GFP_KERNEL),
		.spare = kmalloc(sizeof(*wanted), GFP_KERNEL),
		.locks = &file->dentry->inode->record_locks,
	};
	int error = -ENOMEM;

	if (request.lock && request.spare) {
		*request.lock = *wanted;
		error = wait ? lock_and_wait(&request) : try_lock(&request, false);
	}
	kfree(request.lock);
	kfree(request.spare);
	return error;
}

/* ---- the commands -------------------------------------------------------------------------------------- */

static int find_base(const struct user_lock *user, struct file *file, s64 *base)
{
	switch (user->whence) {
	case SEEK_SET:
		*base = 0;
		return 0;
	case SEEK_CUR:
		*base = file->pos;
		return 0;
	case SEEK_END:
		*base = READ_ONCE(file->dentry->inode->size);
		return 0;
	default:
		return -EINVAL;
	}
}

/* A negative length is that of the bytes before the start. */
static int find_range(struct record_lock *lock, const struct user_lock *user, struct file *file)
{
	s64 base;
	int error = find_base(user, file, &base);

	if (error)
		return error;
	if (__builtin_add_overflow(base, user->start, &base))
		return -EOVERFLOW;
	lock->first = base;
	lock->last = OFFSET_MAX;
	if (user->length > 0 && __builtin_add_overflow(base, user->length - 1, &lock->last))
		return -EOVERFLOW;
	if (user->length < 0) {
		lock->last = base - 1;
		lock->first = base + user->length;
	}
	return base < 0 || lock->first < 0 ? -EINVAL : 0;
}

static int read_lock(struct record_lock *lock, struct user_lock *user, struct file *file, u64 arg,
		     bool ofd)
{
	if (copy_from_user(user, (const void __user *)arg, sizeof(*user)))
		return -EFAULT;
	if (user->type < F_RDLCK || user->type > F_UNLCK || (ofd && user->pid))
		return -EINVAL;
	*lock = (struct record_lock){ .owner = ofd ? (void *)file : (void *)current->files,
				      .pid = ofd ? OFD_PID : (s32)current_process->tgid,
				      .type = user->type };
	return find_range(lock, user, file);
}

static bool has_locks(const struct file *file)
{
	return file->ops == &tmpfs_file_ops;
}

long record_lock_get(struct file *file, u64 arg, bool ofd)
{
	struct record_lock wanted, *found;
	struct user_lock user;
	int error;

	if (!has_locks(file))
		return -ENOLCK;
	error = read_lock(&wanted, &user, file, arg, ofd);
	if (!error && wanted.type == F_UNLCK)
		error = -EINVAL;
	if (error)
		return error;
	user.type = F_UNLCK;
	spin_lock(&record_lock);
	found = find_conflict(&file->dentry->inode->record_locks, &wanted);
	if (found) {
		s64 length = found->last == OFFSET_MAX ? 0 : found->last - found->first + 1;

		user = (struct user_lock){ found->type, SEEK_SET, found->first, length,
					   found->pid };
	}
	spin_unlock(&record_lock);
	return copy_to_user((void __user *)arg, &user, sizeof(user)) ? -EFAULT : 0;
}

/* Another thread may have closed the descriptor meanwhile: then nobody would ever free the lock. */
static int check_open(int fd, struct file *file, const void *owner)
{
	struct file *now = fd_get_any(fd);

	if (now != file)
		record_locks_release(file, owner);
	if (now)
		file_put(now);
	return now == file ? 0 : -EBADF;
}

long record_lock_set(int fd, struct file *file, u64 arg, bool ofd, bool wait)
{
	struct record_lock wanted;
	struct user_lock user;
	int error;

	if (!has_locks(file))
		return -ENOLCK;
	error = read_lock(&wanted, &user, file, arg, ofd);
	if (error)
		return error;
	if ((wanted.type == F_RDLCK && !file_readable(file)) ||
	    (wanted.type == F_WRLCK && !file_writable(file)))
		return -EBADF;
	error = apply(file, &wanted, wait);
	return error ?: check_open(fd, file, wanted.owner);
}

void record_locks_release(struct file *file, const void *owner)
{
	struct list_head *locks = &file->dentry->inode->record_locks;
	struct record_lock *lock, *next;
	bool dropped = false;

	if (list_empty(locks))
		return;
	spin_lock(&record_lock);
	list_for_each_entry_safe(lock, next, locks, link) {
		if (lock->owner == owner) {
			drop(lock);
			dropped = true;
		}
	}
	spin_unlock(&record_lock);
	if (dropped)
		wake_up_all(&record_wait);
}
