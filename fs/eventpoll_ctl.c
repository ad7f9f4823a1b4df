/*
 * The system calls of epoll: what a program may ask for, and the errno where it may not.
 *
 * Context: process. Locks: epnested_mutex, ep->mtx.
 */
#include <fs/eventpoll_impl.h>

#include <fs/poll_wait.h>
#include <fs/syscalls_fd.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>

#define EP_MAX_EVENTS ((int)(INT32_MAX / sizeof(struct epoll_event)))

/* What may stand beside EPOLLEXCLUSIVE. */
#define EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

DEFINE_MUTEX(epnested_mutex);
LIST_HEAD(eventpolls);

/* ---- create ---------------------------------------------------------------------------------------- */

static struct eventpoll *ep_alloc(void)
{
	struct eventpoll *ep = kzalloc(sizeof(*ep), GFP_KERNEL);

	if (!ep)
		return NULL;
	ep->user = ep_user_get();
	if (!ep->user) {
		kfree(ep);
		return NULL;
	}
	ep->refcount = 1;
	mutex_init(&ep->mtx);
	spin_lock_init(&ep->lock);
	INIT_LIST_HEAD(&ep->rdllist);
	wait_queue_init(&ep->wq);
	wait_queue_init(&ep->poll_wait);
	INIT_LIST_HEAD(&ep->visit_link);
	INIT_LIST_HEAD(&ep->all_link);
	return ep;
}

long sys_epoll_create1(int flags)
{
	struct eventpoll *ep;
	struct file *file;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	ep = ep_alloc();
	if (!ep)
		return -ENOMEM;
	file = file_create_anon(&eventpoll_file_ops, ep, O_RDWR);
	if (!file) {
		ep_user_put(ep->user);
		ep_put(ep);
		return -ENFILE;
	}
	spin_lock(&watchers_lock);
	ep->file = file;
	list_add_tail(&ep->all_link, &eventpolls);
	spin_unlock(&watchers_lock);
	return fd_add(file, flags & O_CLOEXEC);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* ---- ctl --------------------------------------------------------------------------------------------- */

/* What can be said without a lock. */
static int check_ctl(const struct file *file, int op, const struct file *target, u32 events)
{
	if (!target->ops->poll)
		return -EPERM;
	if (file == target || !is_file_epoll(file))
		return -EINVAL;
	if (op == EPOLL_CTL_DEL || !(events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && (is_file_epoll(target) || events & ~EXCLUSIVE_OK))
		return -EINVAL;
	return 0;
}

/* Under ep->mtx. */
static int do_ctl(struct eventpoll *ep, int op, struct file *target, int fd,
		  struct epoll_event *event)
{
	struct epitem *epi = ep_find(ep, target, fd);

	event->events |= EPOLLERR | EPOLLHUP;
	switch (op) {
	case EPOLL_CTL_ADD:
		return epi ? -EEXIST : ep_insert(ep, target, fd, event);
	case EPOLL_CTL_DEL:
		if (!epi)
			return -ENOENT;
		ep_remove(ep, epi);
		return 0;
	case EPOLL_CTL_MOD:
		if (!epi)
			return -ENOENT;
		if (epi->events & EPOLLEXCLUSIVE)
			return -EINVAL;
		ep_modify(ep, epi, event);
		return 0;
	default:
		return -EINVAL;
	}
}

static int locked_ctl(struct eventpoll *ep, int op, struct file *target, int fd,
		      struct epoll_event *event)
{
	bool nested = op == EPOLL_CTL_ADD && is_file_epoll(target);
	int error = 0;

	if (nested) {
		mutex_lock(&epnested_mutex);
		error = ep_check_nesting(ep, target->private_data);
	}
	if (!error) {
		mutex_lock(&ep->mtx);
		error = do_ctl(ep, op, target, fd, event);
		mutex_unlock(&ep->mtx);
	}
	if (nested)
		mutex_unlock(&epnested_mutex);
	return error;
}

long sys_epoll_ctl(int epfd, int op, int fd, const struct epoll_event __user *user)
{
	struct epoll_event event = { 0 };
	struct fd ep_fd, target;
	int error = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, user, sizeof(event)))
		return -EFAULT;
	ep_fd = fd_borrow(epfd);
	target = fd_borrow(fd);
	if (ep_fd.file && target.file)
		error = check_ctl(ep_fd.file, op, target.file, event.events);
	if (!error)
		error = locked_ctl(ep_fd.file->private_data, op, target.file, fd, &event);
	fd_return(target);
	fd_return(ep_fd);
	return error;
}

/* ---- wait --------------------------------------------------------------------------------------------- */

static __always_inline long do_epoll_wait(int epfd, struct epoll_event __user *events, int max,
					  u64 deadline)
{
	struct fd fd = fd_borrow(epfd);
	long result = -EINVAL;

	if (!fd.file)
		return -EBADF;
	if (max <= 0 || max > EP_MAX_EVENTS)
		result = -EINVAL;
	else if (!user_range_ok((u64)events, max * sizeof(*events)))
		result = -EFAULT;
	else if (is_file_epoll(fd.file))
		result = ep_poll(fd.file->private_data, events, max, deadline);
	fd_return(fd);
	return result;
}

static u64 deadline_ms(int timeout)
{
	return timeout < 0 ? POLL_NEVER : poll_deadline(timeout * NSEC_PER_MSEC);
}

long sys_epoll_wait(int epfd, struct epoll_event __user *events, int max, int timeout)
{
	return do_epoll_wait(epfd, events, max, deadline_ms(timeout));
}

static long do_epoll_pwait(int epfd, struct epoll_event __user *events, int max, u64 deadline,
			   const sigset_t __user *mask, size_t mask_size)
{
	long result = set_user_sigmask(mask, mask_size);

	if (result)
		return result;
	result = do_epoll_wait(epfd, events, max, deadline);
	restore_user_sigmask(result == -EINTR);
	return result;
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int max, int timeout,
		     const sigset_t __user *mask, size_t mask_size)
{
	if (!mask) /* mostly: it is what C libraries make of epoll_wait() */
		return sys_epoll_wait(epfd, events, max, timeout);
	return do_epoll_pwait(epfd, events, max, deadline_ms(timeout), mask, mask_size);
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int max,
		      struct timespec __user *timeout, const sigset_t __user *mask,
		      size_t mask_size)
{
	u64 deadline = POLL_NEVER, ns;
	int error;

	if (timeout) {
		error = get_user_timespec(&ns, timeout);
		if (error)
			return error;
		deadline = poll_deadline(ns);
	}
	return do_epoll_pwait(epfd, events, max, deadline, mask, mask_size);
}
