/*
 * poll and ppoll. The array is copied in and everybody is asked (fs/poll_wait.c sleeps where that must be). An
 * answer is copied out, and nothing else, where it differs from what stands in the array already: mostly
 * that nothing has happened.
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
	struct pollfd *fds; /* the same as in the program's memory */
	struct pollfd __user *user;
	u32 count;
	bool fault; /* an answer could not be written */
};

static noinline void answer(struct poll_list *list, struct pollfd *pollfd, u32 revents)
{
	pollfd->revents = revents;
	if (put_user(pollfd->revents, &list->user[pollfd - list->fds].revents))
		list->fault = true;
}

/* A descriptor that said something, or did the last time; a negative one says nothing. */
static noinline bool note_events(struct poll_list *list, struct pollfd *pollfd, u32 events)
{
	u32 ready = pollfd->fd >= 0 ? events : 0;

	if (ready != pollfd->revents)
		answer(list, pollfd, ready);
	return ready;
}

/*
 * Mostly nothing has happened and nothing stands in the answer: then that is all there is to do. Once somebody is
 * ready there will be no sleep, and no need to register with the others.
 */
static __always_inline int do_pollfds(struct poll_list *list, bool own, struct poll_table *table)
{
	struct pollfd *pollfd = list->fds, *end = pollfd + list->count;
	struct files *files = current->files;
	int count = 0;

	for (; pollfd < end; pollfd++) {
		u32 wanted = table ? pollfd->events | EPOLLERR | EPOLLHUP : 0;
		u32 events = poll_one(files, own, pollfd->fd, wanted, table);

		events &= pollfd->events | EPOLLERR | EPOLLHUP | EPOLLNVAL;
		if (likely(!(events | pollfd->revents)))
			continue;
		count += note_events(list, pollfd, events);
		if (count)
			table = NULL;
	}
	return count;
}

static int do_poll(void *arg, struct poll_table *table)
{
	bool own = files_own(current->files);

	if (own && !table)
		return do_pollfds(arg, true, NULL);
	return do_pollfds(arg, own, table);
}

/* How many are ready, or -errno; -EINTR: a signal came first. */
static long do_sys_poll(struct pollfd __user *user, u32 count, u64 deadline)
{
	struct pollfd stack[STACK_POLLFDS];
	struct poll_list list = { .fds = stack, .user = user, .count = count };
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
		if (count)
			answer(&list, list.fds, list.fds->revents); /* is it writable at all? */
		if (!list.fault)
			result = poll_until_ready(do_poll, &list, deadline);
		if (list.fault)
			result = -EFAULT;
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

	result = poll_timeout_timespec(&timeout, user_timeout) ?: set_user_sigmask(mask, mask_size);
	if (result)
		return result;
	result = do_sys_poll(fds, count, timeout.deadline);
	return poll_finish(&timeout, result == -EINTR ? -ERESTARTNOHAND : result);
}
