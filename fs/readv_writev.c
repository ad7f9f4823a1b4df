/* readv, writev and their kin: one transfer with several pieces of user memory. Context: process; locks as
 * in fs/read_write.c. */
#include <fs/read_write.h>
#include <fs/syscalls_fd.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>

/* What of preadv2's flags means nothing here: polling a disk, and waiting for one. */
#define RWF_HIPRI    0x01U
#define RWF_DSYNC    0x02U
#define RWF_SYNC     0x04U
#define RWF_HARMLESS (RWF_HIPRI | RWF_DSYNC | RWF_SYNC)

#define POS_CURRENT (-1) /* preadv2: where the file's own position is */

/* `pos` is NULL: at the file's own position. */
static long transfer(struct file *file, enum rw rw, const struct iovec __user *user, u64 count,
		     loff_t *pos)
{
	struct iovec fast[IOV_FAST], *allocated;
	struct iov_iter iter;
	long result = rw_allowed(file, rw);

	if (!result)
		result = iov_iter_import(&iter, user, count, fast, &allocated);
	if (result)
		return result;
	if (iter.count)
		result = pos ? rw_at(file, rw, &iter, pos) : rw_here(file, rw, &iter);
	kfree(allocated);
	return result;
}

static long at_current(int number, enum rw rw, const struct iovec __user *user, u64 count)
{
	struct fd fd = fd_borrow(number);
	long result;

	if (!fd.file)
		return -EBADF;
	result = transfer(fd.file, rw, user, count, NULL);
	fd_return(fd);
	return result;
}

static long at_position(int number, enum rw rw, const struct iovec __user *user, u64 count,
			loff_t pos)
{
	struct fd fd;
	long result;

	if (pos < 0)
		return -EINVAL;
	fd = fd_borrow(number);
	if (!fd.file)
		return -EBADF;
	result = rw_needs_position(fd.file) ?: transfer(fd.file, rw, user, count, &pos);
	fd_return(fd);
	return result;
}

static long with_flags(int fd, enum rw rw, const struct iovec __user *user, u64 count, loff_t pos,
		       u32 flags)
{
	if (flags & ~RWF_HARMLESS)
		return -EOPNOTSUPP;
	if (pos == POS_CURRENT)
		return at_current(fd, rw, user, count);
	return at_position(fd, rw, user, count, pos);
}

long sys_readv(int fd, const struct iovec __user *iov, u64 count)
{
	return at_current(fd, RW_READ, iov, count);
}

long sys_writev(int fd, const struct iovec __user *iov, u64 count)
{
	return at_current(fd, RW_WRITE, iov, count);
}

long sys_preadv(int fd, const struct iovec __user *iov, u64 count, loff_t pos)
{
	return at_position(fd, RW_READ, iov, count, pos);
}

long sys_pwritev(int fd, const struct iovec __user *iov, u64 count, loff_t pos)
{
	return at_position(fd, RW_WRITE, iov, count, pos);
}

/* `high` is the upper half of the position where a register has 32 bits. */
long sys_preadv2(int fd, const struct iovec __user *iov, u64 count, loff_t pos, u64 high, u32 flags)
{
	return with_flags(fd, RW_READ, iov, count, pos, flags);
}

long sys_pwritev2(int fd, const struct iovec __user *iov, u64 count, loff_t pos, u64 high,
		  u32 flags)
{
	return with_flags(fd, RW_WRITE, iov, count, pos, flags);
}
