/* Setting a file's times: one call inside, four of them outside. */
#include <fs/attributes.h>
#include <fs/syscalls_path.h>
#include <kernel/cpu/tsc.h>

/* In tv_nsec. */
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

struct timeval64 {
	s64 sec, usec;
};

struct utimbuf64 {
	s64 atime, mtime;
};

static bool valid(const struct timespec64 *time)
{
	return time->nsec == UTIME_NOW || time->nsec == UTIME_OMIT ||
	       (time->nsec >= 0 && time->nsec < (s64)NSEC_PER_SEC);
}

/* Whoever may write may set them to now; other times only the owner may set. */
static int may_set_times(struct inode *inode, bool now)
{
	int error = inode_writable_fs(inode);

	if (error || inode_owned(inode))
		return error;
	return now ? inode_permission(inode, MAY_WRITE) : -EPERM;
}

static void set_time(struct timespec64 *time, const struct timespec64 *wanted,
		     struct timespec64 now)
{
	if (wanted->nsec == UTIME_NOW)
		*time = now;
	else if (wanted->nsec != UTIME_OMIT)
		*time = *wanted;
}

static int set_times(struct inode *inode, const struct timespec64 times[2])
{
	bool both_now = times[0].nsec == UTIME_NOW && times[1].nsec == UTIME_NOW;
	struct timespec64 now = current_time();
	int error = may_set_times(inode, both_now);

	if (error)
		return error;
	spin_lock(&inode->lock);
	set_time(&inode->atime, &times[0], now);
	set_time(&inode->mtime, &times[1], now);
	inode->ctime = now;
	spin_unlock(&inode->lock);
	return 0;
}

static long set_times_fd(int fd, const struct timespec64 times[2])
{
	struct fd borrowed = fd_borrow(fd);
	long error = 0;

	if (!borrowed.file)
		return -EBADF;
	if (borrowed.file->dentry)
		error = set_times(borrowed.file->dentry->inode, times);
	fd_return(borrowed);
	return error;
}

static long set_times_path(int dirfd, const char __user *path, const struct timespec64 times[2],
			   int flags)
{
	struct dentry *dentry;
	long error;

	dentry = user_walk(dirfd, path,
			   (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0));
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = set_times(dentry->inode, times);
	dentry_put(dentry);
	return error;
}

/* A path of NULL means the descriptor itself. */
static long set_times_at(int dirfd, const char __user *path, const struct timespec64 times[2],
			 int flags)
{
	if (!valid(&times[0]) || !valid(&times[1]) ||
	    (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	if (path || dirfd == AT_FDCWD)
		return set_times_path(dirfd, path, times, flags);
	return flags ? -EINVAL : set_times_fd(dirfd, times);
}

static const struct timespec64 both_now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

long sys_utimensat(int dirfd, const char __user *path, const struct timespec64 __user *user,
		   int flags)
{
	struct timespec64 times[2];

	if (!user)
		return set_times_at(dirfd, path, both_now, flags);
	if (copy_from_user(times, user, sizeof(times)))
		return -EFAULT;
	if (times[0].nsec == UTIME_OMIT && times[1].nsec == UTIME_OMIT)
		return 0; /* as Linux: not even the path is looked at */
	return set_times_at(dirfd, path, times, flags);
}

long sys_futimesat(int dirfd, const char __user *path, const struct timeval64 __user *user)
{
	struct timespec64 times[2];
	struct timeval64 values[2];

	if (!user)
		return set_times_at(dirfd, path, both_now, 0);
	if (copy_from_user(values, user, sizeof(values)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (values[i].usec < 0 || values[i].usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timespec64){ values[i].sec, values[i].usec * NSEC_PER_USEC };
	}
	return set_times_at(dirfd, path, times, 0);
}

long sys_utimes(const char __user *path, const struct timeval64 __user *user)
{
	return sys_futimesat(AT_FDCWD, path, user);
}

long sys_utime(const char __user *path, const struct utimbuf64 __user *user)
{
	struct utimbuf64 values;

	if (!user)
		return set_times_at(AT_FDCWD, path, both_now, 0);
	if (copy_from_user(&values, user, sizeof(values)))
		return -EFAULT;
	return set_times_at(AT_FDCWD, path,
			    (struct timespec64[2]){ { values.atime, 0 }, { values.mtime, 0 } }, 0);
}
