/*
 * timerfd: a timer as a file. Reading gives how often it expired since the last read. One that
 * nobody reads expires once and then waits to be read: what passed meanwhile is counted, not waited
 * for.
 *
 * Context: process; expiry: softirq. Locks: the interval timer's lock; inside it the wait queue's.
 */
#include <fs/file.h>
#include <fs/seq_buf.h>
#include <fs/timerfd.h>
#include <kernel/interval_timer.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/wall_clock.h>

#define TFD_TIMER_ABSTIME	1
#define TFD_TIMER_CANCEL_ON_SET 2

struct timerfd {
	struct interval_timer timer;
	struct wait_queue wq;
	/* under timer.lock */
	u64 ticks;
	u32 settime_flags;
	bool cancelled; /* TFD_TIMER_CANCEL_ON_SET, and the clock was set */
};

static struct timerfd *timerfd_of(struct interval_timer *timer)
{
	return container_of(timer, struct timerfd, timer);
}

/* Held until it is read. */
static bool timerfd_expired(struct interval_timer *timer, u64 times)
{
	struct timerfd *timerfd = timerfd_of(timer);

	timerfd->ticks += times;
	wake_up_poll(&timerfd->wq, EPOLLIN);
	return false;
}

static void timerfd_clock_was_set(struct interval_timer *timer)
{
	struct timerfd *timerfd = timerfd_of(timer);

	if (!(timerfd->settime_flags & TFD_TIMER_CANCEL_ON_SET) ||
	    !(timerfd->settime_flags & TFD_TIMER_ABSTIME))
		return;
	timerfd->cancelled = true;
	wake_up_poll(&timerfd->wq, EPOLLIN);
}

static bool is_readable(struct timerfd *timerfd)
{
	return READ_ONCE(timerfd->ticks) || READ_ONCE(timerfd->cancelled);
}

/* The ticks so far, which begin again at 0; 0: none. -ECANCELED. */
static s64 take_ticks(struct timerfd *timerfd)
{
	s64 ticks;

	spin_lock_bh(&timerfd->timer.lock);
	if (timerfd->cancelled) {
		timerfd->cancelled = false;
		timerfd->ticks = 0;
		ticks = -ECANCELED;
	} else {
		ticks = timerfd->ticks;
		timerfd->ticks = 0;
	}
	if (ticks > 0)
		ticks += interval_timer_forward(&timerfd->timer);
	spin_unlock_bh(&timerfd->timer.lock);
	return ticks;
}

static ssize_t timerfd_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct timerfd *timerfd = file->private_data;
	s64 ticks;

	if (to->count < sizeof(ticks))
		return -EINVAL;
	while ((ticks = take_ticks(timerfd)) == 0) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&timerfd->wq, is_readable(timerfd)))
			return -ERESTARTSYS;
	}
	if (ticks < 0)
		return ticks;
	return copy_to_iter(&ticks, sizeof(ticks), to) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
									: -EFAULT;
}

static u32 timerfd_poll(struct file *file, struct poll_table *table)
{
	struct timerfd *timerfd = file->private_data;

	poll_wait(file, &timerfd->wq, table);
	return is_readable(timerfd) ? EPOLLIN : 0;
}

static void timerfd_release(struct file *file)
{
	struct timerfd *timerfd = file->private_data;

	interval_timer_destroy(&timerfd->timer);
	kfree(timerfd);
}

/* Both under timer.lock: what a gettime sees; a held timer goes on. */
static void read_timer(struct timerfd *timerfd, u64 *interval, u64 *left)
{
	timerfd->ticks += interval_timer_forward(&timerfd->timer);
	*interval = timerfd->timer.interval;
	*left = interval_timer_left(&timerfd->timer);
}

static void timerfd_show_fdinfo(struct file *file, struct seq_buf *out)
{
	struct timerfd *timerfd = file->private_data;
	u64 interval, left, ticks;

	spin_lock_bh(&timerfd->timer.lock);
	read_timer(timerfd, &interval, &left);
	ticks = timerfd->ticks;
	spin_unlock_bh(&timerfd->timer.lock);
	seq_printf(out,
		   "clockid: %d\nticks: %llu\nsettime flags: 0%o\n"
		   "it_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
		   timerfd->timer.clock, ticks, timerfd->settime_flags, left / NSEC_PER_SEC,
		   left % NSEC_PER_SEC, interval / NSEC_PER_SEC, interval % NSEC_PER_SEC);
}

static const struct file_ops timerfd_ops = {
	.anon_name = "anon_inode:[timerfd]",
	.read = timerfd_read,
	.llseek = llseek_nothing,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show_fdinfo,
};

static bool is_timerfd_clock(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
	       clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

long sys_timerfd_create(int clock, int flags)
{
	struct timerfd *timerfd;
	struct file *file;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK) || !is_timerfd_clock(clock))
		return -EINVAL;
	timerfd = kzalloc(sizeof(*timerfd), GFP_KERNEL);
	if (!timerfd)
		return -ENOMEM;
	wait_queue_init(&timerfd->wq);
	timerfd->timer.expired = timerfd_expired;
	timerfd->timer.clock_was_set = timerfd_clock_was_set;
	interval_timer_init(&timerfd->timer, clock);
	file = file_create_anon(&timerfd_ops, timerfd, O_RDWR | (flags & O_NONBLOCK));
	if (!file) {
		interval_timer_destroy(&timerfd->timer);
		kfree(timerfd);
		return -ENFILE;
	}
	return fd_add(file, flags & O_CLOEXEC);
}

/* The file behind a descriptor, referenced. */
static struct file *timerfd_get(int fd)
{
	struct file *file = fd_get(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->ops == &timerfd_ops)
		return file;
	file_put(file);
	return ERR_PTR(-EINVAL);
}

static void set_timer(struct timerfd *timerfd, int flags, u64 first, u64 interval)
{
	timerfd->ticks = 0;
	timerfd->cancelled = false;
	timerfd->settime_flags = flags;
	interval_timer_set(&timerfd->timer, first, interval, flags & TFD_TIMER_ABSTIME);
}

long sys_timerfd_settime(int fd, int flags, const struct itimerspec __user *value,
			 struct itimerspec __user *old)
{
	u64 interval, first, old_interval, old_left;
	struct timerfd *timerfd;
	struct file *file;
	int error;

	error = get_user_itimerspec(&interval, &first, value);
	if (error)
		return error;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	file = timerfd_get(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	timerfd = file->private_data;
	spin_lock_bh(&timerfd->timer.lock);
	read_timer(timerfd, &old_interval, &old_left);
	set_timer(timerfd, flags, first, interval);
	spin_unlock_bh(&timerfd->timer.lock);
	file_put(file);
	return old ? put_user_itimerspec(old_interval, old_left, old) : 0;
}

long sys_timerfd_gettime(int fd, struct itimerspec __user *value)
{
	struct file *file = timerfd_get(fd);
	struct timerfd *timerfd;
	u64 interval, left;

	if (IS_ERR(file))
		return PTR_ERR(file);
	timerfd = file->private_data;
	spin_lock_bh(&timerfd->timer.lock);
	read_timer(timerfd, &interval, &left);
	spin_unlock_bh(&timerfd->timer.lock);
	file_put(file);
	return put_user_itimerspec(interval, left, value);
}
