/* Setting a file's size, and making or freeing room in it. */
#include <fs/attributes.h>
#include <fs/stat.h>
#include <fs/syscalls_path.h>
#include <fs/tmpfs.h>
#include <kernel/process.h>

/* For one who has it open for writing. */
static int inode_set_size(struct inode *inode, loff_t size)
{
	int error;

	if (!inode->ops->truncate)
		return 0; /* one of procfs: it has no size of its own */
	mutex_lock(&inode->writing);
	if (size > inode->size && (u64)size > file_size_limit()) {
		send_signal_task(current, SIGXFSZ, NULL);
		error = -EFBIG;
	} else {
		inode_drop_privileges(inode);
		error = inode->ops->truncate(inode, size);
	}
	if (!error)
		inode_changed(inode, TIME_MTIME | TIME_CTIME);
	mutex_unlock(&inode->writing);
	return error;
}

int truncate_inode(struct inode *inode, loff_t size)
{
	int error = inode_get_writer(inode);

	if (error)
		return error;
	error = inode_set_size(inode, size);
	inode_put_writer(inode);
	return error;
}

static int may_truncate(struct inode *inode)
{
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	return S_ISREG(inode->mode) ? inode_permission(inode, MAY_WRITE) : -EINVAL;
}

long sys_truncate(const char __user *path, s64 size)
{
	struct dentry *dentry;
	long error;

	if (size < 0)
		return -EINVAL;
	dentry = user_walk(AT_FDCWD, path, WALK_FOLLOW);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = may_truncate(dentry->inode);
	if (!error)
		error = truncate_inode(dentry->inode, size);
	dentry_put(dentry);
	return error;
}

long sys_ftruncate(int fd, s64 size)
{
	struct fd borrowed;
	struct file *file;
	long error = -EINVAL;

	if (size < 0)
		return -EINVAL;
	borrowed = fd_borrow(fd);
	file = borrowed.file;
	if (!file)
		return -EBADF;
	if (file->dentry && S_ISREG(file->dentry->inode->mode) && file_writable(file))
		error = inode_set_size(file->dentry->inode, size);
	fd_return(borrowed);
	return error;
}

static int check_fallocate(struct file *file, loff_t offset, loff_t length)
{
	struct stat_data stat;
	loff_t end;

	if (!file_writable(file))
		return -EBADF;
	stat_file(file, &stat);
	if (S_ISFIFO(stat.mode))
		return -ESPIPE;
	if (S_ISDIR(stat.mode))
		return -EISDIR;
	if (!S_ISREG(stat.mode))
		return -ENODEV;
	if (__builtin_add_overflow(offset, length, &end))
		return -EFBIG;
	return file->ops == &tmpfs_file_ops ? 0 : -EOPNOTSUPP;
}

long sys_fallocate(int fd, int mode, s64 offset, s64 length)
{
	struct fd borrowed = fd_borrow(fd);
	long error;

	if (!borrowed.file)
		return -EBADF;
	if (offset < 0 || length <= 0)
		error = -EINVAL;
	else if (mode != 0 && mode != FALLOC_KEEP_SIZE &&
		 mode != (FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE))
		error = -EOPNOTSUPP;
	else
		error = check_fallocate(borrowed.file, offset, length);
	if (!error)
		error = tmpfs_fallocate(borrowed.file->dentry->inode, mode, offset, length);
	fd_return(borrowed);
	return error;
}
