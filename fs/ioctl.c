/* ioctl: what holds for every descriptor; the rest is the file's own. Context: process; no lock. */
#include <fs/ioctl.h>

#include <fs/signal_io.h>
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>

static long set_flag(struct file *file, u32 flag, const int __user *arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (flag == O_ASYNC && !file_signals_io(file))
		return on ? -ENOTTY : 0;
	file_set_flags(file, flag, on);
	return 0;
}

static long bytes_left(struct file *file, int __user *arg)
{
	return put_user((int)(READ_ONCE(file->dentry->inode->size) - file->pos), arg);
}

static long file_ioctl(struct file *file, u32 command, u64 arg)
{
	if (command == FIONREAD && file->dentry && S_ISREG(file->dentry->inode->mode))
		return bytes_left(file, (int __user *)arg);
	return file->ops->ioctl ? file->ops->ioctl(file, command, arg) : -ENOTTY;
}

static long do_ioctl(struct file *file, int number, u32 command, u64 arg)
{
	switch (command) {
	case FIOCLEX:
		return fd_set_cloexec(number, true);
	case FIONCLEX:
		return fd_set_cloexec(number, false);
	case FIONBIO:
		return set_flag(file, O_NONBLOCK, (const int __user *)arg);
	case FIOASYNC:
		return set_flag(file, O_ASYNC, (const int __user *)arg);
	default:
		return file_ioctl(file, command, arg);
	}
}

long sys_ioctl(int number, u32 command, u64 arg)
{
	struct fd fd = fd_borrow(number);
	long result;

	if (!fd.file)
		return -EBADF;
	result = do_ioctl(fd.file, number, command, arg);
	fd_return(fd);
	return result;
}
