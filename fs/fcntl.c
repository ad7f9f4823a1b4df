/* fcntl. Context: process. Locks: the table's (fs/fdtable.c), a pipe's; flags are atomic. */
#include <fs/pipe.h>
#include <fs/record_lock.h>
#include <fs/signal_io.h>
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>

#define F_DUPFD		0
#define F_GETFD		1
#define F_SETFD		2
#define F_GETFL		3
#define F_SETFL		4
#define F_GETLK		5
#define F_SETLK		6
#define F_SETLKW	7
#define F_SETOWN	8
#define F_GETOWN	9
#define F_SETOWN_EX	15
#define F_GETOWN_EX	16
#define F_OFD_GETLK	36
#define F_OFD_SETLK	37
#define F_OFD_SETLKW	38
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ	1031
#define F_GETPIPE_SZ	1032

#define FD_CLOEXEC 1U

struct f_owner_ex {
	s32 type; /* F_OWNER_* */
	s32 pid;
};
enum { F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP };

/* What F_SETFL can change. */
#define SETFL_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

typedef long (*fcntl_t)(int fd, struct file *file, u64 arg);

static long dup_from(struct file *file, u64 arg, bool cloexec)
{
	if ((int)arg < 0 || (u32)arg >= rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	file_get(file);
	return fd_add_from((int)arg, file, cloexec);
}

static long dupfd(int fd, struct file *file, u64 arg)
{
	return dup_from(file, arg, false);
}

static long dupfd_cloexec(int fd, struct file *file, u64 arg)
{
	return dup_from(file, arg, true);
}

static long getfd(int fd, struct file *file, u64 arg)
{
	return fd_get_cloexec(fd) > 0 ? FD_CLOEXEC : 0;
}

static long setfd(int fd, struct file *file, u64 arg)
{
	return fd_set_cloexec(fd, arg & FD_CLOEXEC);
}

static long getfl(int fd, struct file *file, u64 arg)
{
	return file->flags;
}

static long setfl(int fd, struct file *file, u64 arg)
{
	u32 flags = SETFL_FLAGS | (file_signals_io(file) ? O_ASYNC : 0);

	if ((arg & ~file->flags & O_NOATIME) && file->dentry && !inode_owned(file->dentry->inode))
		return -EPERM;
	file_set_flags(file, flags & arg, true);
	file_set_flags(file, flags & ~arg, false);
	return 0;
}

/* A positive number is a process, a negative one a group. */
static bool owner_exists(int owner)
{
	struct process *process;
	bool found = false;

	spin_lock_bh(&tree_lock);
	list_for_each_entry(process, &process_list, all)
		found = found ||
			(owner > 0 ? (int)process->tgid == owner : (int)process->pgrp == -owner);
	spin_unlock_bh(&tree_lock);
	return found;
}

static long set_owner(struct file *file, int owner)
{
	if (owner == INT32_MIN)
		return -EINVAL;
	if (owner && !owner_exists(owner))
		return -ESRCH;
	WRITE_ONCE(file->owner, owner);
	return 0;
}

static long setown(int fd, struct file *file, u64 arg)
{
	return set_owner(file, (int)arg);
}

static long getown(int fd, struct file *file, u64 arg)
{
	return READ_ONCE(file->owner);
}

static long setown_ex(int fd, struct file *file, u64 arg)
{
	struct f_owner_ex owner;

	if (copy_from_user(&owner, (const void __user *)arg, sizeof(owner)))
		return -EFAULT;
	if (owner.type < F_OWNER_TID || owner.type > F_OWNER_PGRP || owner.pid < 0)
		return -EINVAL;
	return set_owner(file, owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid);
}

static long getown_ex(int fd, struct file *file, u64 arg)
{
	s32 pid = READ_ONCE(file->owner);
	struct f_owner_ex owner = { F_OWNER_PID, pid };

	if (pid < 0)
		owner = (struct f_owner_ex){ F_OWNER_PGRP, -pid };
	return copy_to_user((void __user *)arg, &owner, sizeof(owner)) ? -EFAULT : 0;
}

static long getlk(int fd, struct file *file, u64 arg)
{
	return record_lock_get(file, arg, false);
}

static long setlk(int fd, struct file *file, u64 arg)
{
	return record_lock_set(fd, file, arg, false, false);
}

static long setlkw(int fd, struct file *file, u64 arg)
{
	return record_lock_set(fd, file, arg, false, true);
}

static long ofd_getlk(int fd, struct file *file, u64 arg)
{
	return record_lock_get(file, arg, true);
}

static long ofd_setlk(int fd, struct file *file, u64 arg)
{
	return record_lock_set(fd, file, arg, true, false);
}

static long ofd_setlkw(int fd, struct file *file, u64 arg)
{
	return record_lock_set(fd, file, arg, true, true);
}

static long setpipe(int fd, struct file *file, u64 arg)
{
	return pipe_set_size(file, arg);
}

static long getpipe(int fd, struct file *file, u64 arg)
{
	return pipe_get_size(file);
}

static const struct {
	u32 command;
	bool path_too; /* O_PATH files as well */
	fcntl_t run;
} commands[] = {
	{ F_DUPFD, true, dupfd },
	{ F_GETFD, true, getfd },
	{ F_SETFD, true, setfd },
	{ F_GETFL, true, getfl },
	{ F_SETFL, false, setfl },
	{ F_GETLK, false, getlk },
	{ F_SETLK, false, setlk },
	{ F_SETLKW, false, setlkw },
	{ F_SETOWN, false, setown },
	{ F_GETOWN, false, getown },
	{ F_SETOWN_EX, false, setown_ex },
	{ F_GETOWN_EX, false, getown_ex },
	{ F_OFD_GETLK, false, ofd_getlk },
	{ F_OFD_SETLK, false, ofd_setlk },
	{ F_OFD_SETLKW, false, ofd_setlkw },
	{ F_DUPFD_CLOEXEC, true, dupfd_cloexec },
	{ F_SETPIPE_SZ, false, setpipe },
	{ F_GETPIPE_SZ, false, getpipe },
};

static long do_fcntl(int fd, struct file *file, u32 command, u64 arg)
{
	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].command != command)
			continue;
		if ((file->flags & O_PATH) && !commands[i].path_too)
			return -EBADF;
		return commands[i].run(fd, file, arg);
	}
	return file->flags & O_PATH ? -EBADF : -EINVAL;
}

long sys_fcntl(int fd, u32 command, u64 arg)
{
	struct file *file = fd_get_any(fd);
	long result;

	if (!file)
		return -EBADF;
	result = do_fcntl(fd, file, command, arg);
	file_put(file);
	return result;
}
