/* fsync and its kin: checks, since what Pollux stores is in memory. Context: process; no lock. */
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>

#define SYNC_FILE_RANGE_FLAGS 7U

long sys_fsync(int number)
{
	struct fd fd = fd_borrow(number);
	long result = -EINVAL;

	if (!fd.file)
		return -EBADF;
	if (fd.file->ops->fsync)
		result = fd.file->ops->fsync(fd.file);
	fd_return(fd);
	return result;
}

long sys_fdatasync(int fd)
{
	return sys_fsync(fd);
}

static bool has_range(const struct file *file)
{
	u32 mode = file->dentry ? file->dentry->inode->mode : 0;

	return S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode);
}

long sys_sync_file_range(int number, loff_t offset, loff_t size, u32 flags)
{
	struct fd fd = fd_borrow(number);
	long result = 0;
	loff_t end;

	if (!fd.file)
		return -EBADF;
	if ((flags & ~SYNC_FILE_RANGE_FLAGS) || offset < 0 || size < 0 ||
	    __builtin_add_overflow(offset, size, &end))
		result = -EINVAL;
	else if (!has_range(fd.file))
		result = -ESPIPE;
	fd_return(fd);
	return result;
}
