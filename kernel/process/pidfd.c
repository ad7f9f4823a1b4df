/* pidfds: a process as a file, to be polled for its end. Its wait queue is process->exit_wait. */
#include <fs/file.h>
#include <fs/seq_buf.h>
#include <kernel/lib/errno.h>
#include <kernel/process/pidfd.h>

#define PIDFD_NONBLOCK O_NONBLOCK

static u32 pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *process = file->private_data;

	poll_wait(file, &process->exit_wait, table);
	switch (READ_ONCE(process->exit_state)) {
	case PROCESS_ALIVE:
		return 0;
	case PROCESS_ZOMBIE:
		return EPOLLIN | EPOLLRDNORM;
	default:
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	}
}

static void pidfd_release(struct file *file)
{
	process_put(file->private_data);
}

static void pidfd_show_fdinfo(struct file *file, struct seq_buf *out)
{
	const struct process *process = file->private_data;
	int pid = process->exit_state == PROCESS_REAPED ? -1 : (int)process->tgid;

	seq_printf(out, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
	.anon_name = "anon_inode:[pidfd]",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show_fdinfo,
};

int pidfd_create(struct process *process, u32 flags)
{
	struct file *file = file_create_anon(&pidfd_ops, process, O_RDWR | flags);

	if (!file)
		return -ENOMEM;
	process_get(process);
	return fd_add(file, true);
}

/* The file of a pidfd, referenced; NULL: not one. */
static struct file *pidfd_get(int fd)
{
	struct file *file = fd_get(fd);

	if (file && file->ops != &pidfd_ops) {
		file_put(file);
		file = NULL;
	}
	return file;
}

int pidfd_to_pid(int fd)
{
	struct file *file = pidfd_get(fd);
	int pid;

	if (!file)
		return -EBADF;
	pid = ((struct process *)file->private_data)->tgid;
	file_put(file);
	return pid;
}

long sys_pidfd_open(int pid, u32 flags)
{
	struct process *process;
	int fd;

	if (flags & ~PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	process = process_find(pid);
	if (!process)
		return -ESRCH;
	fd = process->exit_state == PROCESS_REAPED ? -ESRCH : pidfd_create(process, flags);
	process_put(process);
	return fd;
}

long sys_pidfd_send_signal(int fd, int sig, const struct siginfo __user *info, u32 flags)
{
	struct siginfo copy = { .signo = sig, .code = SI_USER };
	struct process *process;
	struct file *file;
	int error = 0;

	if (flags || sig < 0 || sig > NSIG)
		return -EINVAL;
	copy.rt.pid = current_process->tgid;
	copy.rt.uid = current->cred.uid;
	if (info && copy_from_user(&copy, info, sizeof(copy)))
		return -EFAULT;
	if (info && copy.signo != sig)
		return -EINVAL;
	file = pidfd_get(fd);
	if (!file)
		return -EBADF;
	process = file->private_data;
	if (info && process != current_process && (copy.code >= 0 || copy.code == SI_TKILL))
		error = -EPERM;
	else if (!may_signal(process, sig))
		error = -EPERM;
	else if (process->exit_state == PROCESS_REAPED)
		error = -ESRCH;
	else if (sig)
		error = send_signal_process(process, sig, &copy);
	file_put(file);
	return error;
}
