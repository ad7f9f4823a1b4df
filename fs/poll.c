/*
 * poll and ppoll. The array is copied in, everybody is asked (fs/poll_wait.c sleeps where that must be), and
 * the answers, nothing else, are copied out.
 *
 * Context: process. No lock of its own.
 */
#include <fs/poll_wait.h>

#include <fs/kvmalloc.h>
#include <fs/syscalls_fd.h>
#include <kernel/process.h>

struct pollfd { /* Linux's */
	s32 fd;
	u16 events, revents;
};

#define STACK_POLLFDS 32

struct poll_list {
	struct pollfd *fds;
	u32 count;
};

static u32 do_pollfd(const struct pollfd *pollfd, struct poll_table *table)
{
	u32 wanted = pollfd->events | EPOLLERR | EPOLLHUP, ready;
	struct fd fd;

	if (pollfd->fd < 0)
		return 0;
	fd = fd_borrow(pollfd->fd);
	if (!fd.file)
		return EPOLLNVAL;
	if (table)
		table->key = wanted;
	ready = file_poll(fd.file, table) & wanted;
	fd_return(fd);
	return ready;
}

/* Once somebody is ready there will be no sleep, and no need to register with the others. */
static int do_poll(void *arg, struct poll_table *table)
{
	struct poll_list *list = arg;
	int ready = 0;

	for (struct pollfd *pollfd = list->fds; pollfd < list->fds + list->count; pollfd++) {
		pollfd->revents = do_pollfd(pollfd, ready ? NULL : table);
		ready += pollfd->revents != 0;
	}
	return ready;
}

static int put_revents(struct pollfd __user *user, const struct poll_list *list)
{
	for (u32 i = 0; i < list->count; i++)
		if (put_user(list->fds[i].revents, &user[i].revents))
			return -EFAULT;
	return 0;
}

/* How many are ready, or -errno; -EINTR: a signal came first. */
static long do_sys_poll(struct pollfd __user *user, u32 count, u64 deadline)
{
	struct pollfd stack[STACK_POLLFDS];
	struct poll_list list = { stack, count };
	size_t size = count * sizeof(*list.fds);
	long result = -EFAULT;

	if (count > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (count > STACK_POLLFDS) {
		list.fds = kvmalloc(size);
		if (!list.fds)
			return -ENOMEM;
	}
	if (!copy_from_user(list.fds, user, size)) {
		result = poll_until_ready(do_poll, &list, deadline);
		if (result >= 0 || result == -EINTR)
			result = put_revents(user, &list) ?: result;
	}
	if (list.fds != stack)
		kvfree(list.fds);
	return result;
}

/* After a signal without a handler (SIGSTOP, SIGCONT) poll goes on, until the same deadline. */
static long do_restart_poll(struct task *task);

static long poll_restartable(struct pollfd __user *fds, u32 count, u64 deadline)
{
	long result = do_sys_poll(fds, count, deadline);

	if (result != -EINTR)
		return result;
	current->restart = do_restart_poll;
	current->restart_data[0] = (u64)fds;
	current->restart_data[1] = count;
	current->restart_data[2] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

static long do_restart_poll(struct task *task)
{
	return poll_restartable((struct pollfd __user *)task->restart_data[0],
				task->restart_data[1], task->restart_data[2]);
}

long sys_poll(struct pollfd __user *fds, u32 count, int timeout)
{
	return poll_restartable(fds, count,
				timeout < 0 ? POLL_NEVER : poll_deadline(timeout * NSEC_PER_MSEC));
}

long sys_ppoll(struct pollfd __user *fds, u32 count, struct timespec __user *user_timeout,
	       const sigset_t __user *mask, size_t mask_size)
{
	struct poll_timeout timeout;
	long result;

	result = poll_timeout_timespec(&timeout, user_timeout) ?:
		 set_user_sigmask(mask, mask_size);
	if (result)
		return result;
	result = do_sys_poll(fds, count, timeout.deadline);
	return poll_finish(&timeout, result == -EINTR ? -ERESTARTNOHAND : result);
}
