/*
 * read, write, pread64, pwrite64, lseek; and reads and writes from inside the kernel.
 *
 * Context: process. Lock: file->pos_lock, across a transfer at the file's own position; a file without
 * one, which may block for ever, is not locked.
 */
#include <fs/read_write.h>

#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>

#define WHENCE_MAX SEEK_HOLE

int rw_allowed(const struct file *file, enum rw rw)
{
	if (rw == RW_READ ? !file_readable(file) : !file_writable(file))
		return -EBADF;
	if (rw == RW_READ ? !file->ops->read : !file->ops->write)
		return -EINVAL;
	return 0;
}

ssize_t rw_at(struct file *file, enum rw rw, struct iov_iter *iter, loff_t *pos)
{
	if (file_has_position(file) && iter->count > (u64)(INT64_MAX - *pos))
		return -EINVAL;
	if (rw == RW_READ)
		return file->ops->read(file, iter, pos);
	return file->ops->write(file, iter, pos);
}

ssize_t rw_here(struct file *file, enum rw rw, struct iov_iter *iter)
{
	loff_t unused = 0;
	ssize_t done;

	if (!file_has_position(file))
		return rw_at(file, rw, iter, &unused);
	mutex_lock(&file->pos_lock);
	done = rw_at(file, rw, iter, &file->pos);
	mutex_unlock(&file->pos_lock);
	return done;
}

/* An iterator over a program's buffer. 0 or -EFAULT. */
static int user_buffer(struct iov_iter *iter, struct iovec *iov, void __user *buffer, size_t size)
{
	if (!user_range_ok((u64)buffer, size))
		return -EFAULT;
	iov_iter_user(iter, iov, buffer, min(size, MAX_RW_COUNT));
	return 0;
}

static __always_inline long read_or_write(int number, enum rw rw, void __user *buffer, size_t size)
{
	struct fd fd = fd_borrow(number);
	struct iov_iter iter;
	struct iovec iov;
	long result;

	if (!fd.file)
		return -EBADF;
	result = rw_allowed(fd.file, rw);
	if (!result)
		result = user_buffer(&iter, &iov, buffer, size);
	if (!result)
		result = rw_here(fd.file, rw, &iter);
	fd_return(fd);
	return result;
}

long sys_read(int fd, void __user *buffer, size_t size)
{
	return read_or_write(fd, RW_READ, buffer, size);
}

long sys_write(int fd, const void __user *buffer, size_t size)
{
	return read_or_write(fd, RW_WRITE, (void __user *)buffer, size);
}

static long read_or_write_at(int number, enum rw rw, void __user *buffer, size_t size, loff_t pos)
{
	struct iov_iter iter;
	struct iovec iov;
	struct fd fd;
	long result;

	if (pos < 0)
		return -EINVAL;
	fd = fd_borrow(number);
	if (!fd.file)
		return -EBADF;
	result = rw_needs_position(fd.file) ?: rw_allowed(fd.file, rw);
	if (!result)
		result = user_buffer(&iter, &iov, buffer, size);
	if (!result)
		result = rw_at(fd.file, rw, &iter, &pos);
	fd_return(fd);
	return result;
}

long sys_pread64(int fd, void __user *buffer, size_t size, loff_t pos)
{
	return read_or_write_at(fd, RW_READ, buffer, size, pos);
}

long sys_pwrite64(int fd, const void __user *buffer, size_t size, loff_t pos)
{
	return read_or_write_at(fd, RW_WRITE, (void __user *)buffer, size, pos);
}

/* ---- lseek ----------------------------------------------------------------------------------- */

loff_t llseek_nothing(struct file *file, loff_t offset, int whence)
{
	return 0;
}

long sys_lseek(int number, loff_t offset, u32 whence)
{
	struct fd fd = fd_borrow(number);
	long result = -EINVAL;

	if (!fd.file)
		return -EBADF;
	if (whence <= WHENCE_MAX) {
		result = -ESPIPE;
		if (fd.file->ops->llseek) {
			mutex_lock(&fd.file->pos_lock);
			result = fd.file->ops->llseek(fd.file, offset, whence);
			mutex_unlock(&fd.file->pos_lock);
		}
	}
	fd_return(fd);
	return result;
}

/* ---- from inside the kernel ------------------------------------------------------------------ */

static ssize_t rw_kernel(struct file *file, enum rw rw, void *buffer, size_t size, loff_t *pos)
{
	struct iov_iter iter;
	struct iovec iov;
	int error = rw_allowed(file, rw);

	if (error)
		return error;
	iov_iter_kernel(&iter, &iov, buffer, min(size, MAX_RW_COUNT));
	return rw_at(file, rw, &iter, pos);
}

ssize_t file_read_kernel(struct file *file, void *buffer, size_t size, loff_t *pos)
{
	return rw_kernel(file, RW_READ, buffer, size, pos);
}

ssize_t file_write_kernel(struct file *file, const void *buffer, size_t size, loff_t *pos)
{
	return rw_kernel(file, RW_WRITE, (void *)buffer, size, pos);
}
