/* close, close_range and the dup family. Context: process; the table's lock is fs/fdtable.c's. */
#include <fs/syscalls_fd.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>

#define CLOSE_RANGE_UNSHARE 2U
#define CLOSE_RANGE_CLOEXEC 4U

long sys_close(int fd)
{
	return fd_close(fd);
}

static int unshare_files(void)
{
	struct files *old = current->files, *files;

	if (__atomic_load_n(&old->refcount, __ATOMIC_ACQUIRE) == 1)
		return 0;
	files = files_clone(old);
	if (IS_ERR(files))
		return PTR_ERR(files);
	spin_lock_bh(&tree_lock);
	current->files = files;
	spin_unlock_bh(&tree_lock);
	files_put(old);
	return 0;
}

long sys_close_range(u32 first, u32 last, u32 flags)
{
	int error, fd;

	if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	error = flags & CLOSE_RANGE_UNSHARE ? unshare_files() : 0;
	if (error)
		return error;
	if (first > NOFILE_MAX)
		return 0;
	fd = files_next(current->files, first);
	while (fd >= 0 && (u32)fd <= last) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			fd_set_cloexec(fd, true);
		else
			fd_close(fd);
		cond_resched();
		fd = files_next(current->files, fd + 1);
	}
	return 0;
}

long sys_dup(int fd)
{
	struct file *file = fd_get_any(fd);

	return file ? fd_add(file, false) : -EBADF;
}

static long replace(int old, int fd, bool cloexec)
{
	struct file *file = fd_get_any(old);

	return file ? fd_replace(fd, file, cloexec) : -EBADF;
}

long sys_dup2(int old, int fd)
{
	if (old == fd)
		return fd_get_cloexec(fd) < 0 ? -EBADF : fd;
	return replace(old, fd, false);
}

long sys_dup3(int old, int fd, u32 flags)
{
	if ((flags & ~O_CLOEXEC) || old == fd)
		return -EINVAL;
	return replace(old, fd, flags & O_CLOEXEC);
}
