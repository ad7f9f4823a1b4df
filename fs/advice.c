/* Calls about getting data to a disk or from it: here everything is in memory. */
#include <fs/inode.h>
#include <fs/stat.h>
#include <fs/syscalls_path.h>

#define POSIX_FADV_NOREUSE 5

long sys_sync(void)
{
	return 0;
}

long sys_syncfs(int fd)
{
	struct fd borrowed = fd_borrow(fd);

	if (!borrowed.file)
		return -EBADF;
	fd_return(borrowed);
	return 0;
}

long sys_readahead(int fd, s64 offset, u64 count)
{
	struct fd borrowed = fd_borrow(fd);
	struct file *file = borrowed.file;
	long error = 0;

	if (!file)
		return -EBADF;
	if (!file_readable(file))
		error = -EBADF;
	else if (!file->dentry || !S_ISREG(file->dentry->inode->mode))
		error = -EINVAL;
	fd_return(borrowed);
	return error;
}

long sys_fadvise64(int fd, s64 offset, s64 length, int advice)
{
	struct fd borrowed = fd_borrow(fd);
	struct stat_data stat;
	long error = 0;

	if (!borrowed.file)
		return -EBADF;
	stat_file(borrowed.file, &stat);
	if (S_ISFIFO(stat.mode))
		error = -ESPIPE;
	else if (length < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE)
		error = -EINVAL;
	fd_return(borrowed);
	return error;
}
