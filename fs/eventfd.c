/*
 * eventfd: a 64-bit counter that one side adds to and the other takes from, and that can be polled.
 *
 * Context: process; reads and writes sleep. Lock: event->lock.
 */
#include <fs/seq_buf.h>
#include <fs/syscalls_fd.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>

#define EFD_SEMAPHORE 1U
#define EFD_FLAGS     (EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)
#define COUNT_MAX     (~0ULL - 1)

struct eventfd {
	struct wait_queue wq; /* readers, writers and pollers */
	bool semaphore;	      /* constant: a read takes one */
	u32 id;		      /* constant */
	spinlock_t lock;
	u64 count; /* under lock; poll looks without */
};

static u32 next_id; /* atomic */

/* Take what a read gets. 0: nothing there. */
static u64 take(struct eventfd *event)
{
	u64 taken;

	spin_lock(&event->lock);
	taken = event->semaphore ? min(event->count, 1ULL) : event->count;
	WRITE_ONCE(event->count, event->count - taken);
	spin_unlock(&event->lock);
	return taken;
}

static bool add(struct eventfd *event, u64 value)
{
	bool fits;

	spin_lock(&event->lock);
	fits = value <= COUNT_MAX - event->count;
	if (fits)
		WRITE_ONCE(event->count, event->count + value);
	spin_unlock(&event->lock);
	return fits;
}

static void wake(struct eventfd *event, u32 key)
{
	if (wait_queue_active(&event->wq))
		wake_up_poll(&event->wq, key);
}

static ssize_t eventfd_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct eventfd *event = file->private_data;
	u64 taken;

	if (to->count < sizeof(taken))
		return -EINVAL;
	taken = take(event);
	if (!taken) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&event->wq, (taken = take(event))))
			return -ERESTARTSYS;
	}
	wake(event, EPOLLOUT);
	return copy_to_iter(&taken, sizeof(taken), to) == sizeof(taken) ? (ssize_t)sizeof(taken)
									: -EFAULT;
}

static ssize_t eventfd_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	struct eventfd *event = file->private_data;
	u64 value;

	/* Neither more than one number nor one in several pieces, as on Linux. */
	if (from->iov->length != sizeof(value))
		return -EINVAL;
	if (copy_from_iter(&value, sizeof(value), from) < sizeof(value))
		return -EFAULT;
	if (value > COUNT_MAX)
		return -EINVAL;
	if (!add(event, value)) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&event->wq, add(event, value)))
			return -ERESTARTSYS;
	}
	wake(event, EPOLLIN);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *event = file->private_data;
	u64 count;

	poll_wait(file, &event->wq, table);
	count = READ_ONCE(event->count);
	return (count ? EPOLLIN : 0) | (count < COUNT_MAX ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *file)
{
	kfree(file->private_data);
}

static void eventfd_show(struct file *file, struct seq_buf *out)
{
	struct eventfd *event = file->private_data;

	seq_printf(out, "eventfd-count: %16llx\neventfd-id: %u\neventfd-semaphore: %d\n",
		   READ_ONCE(event->count), event->id, event->semaphore);
}

static const struct file_ops eventfd_ops = {
	.anon_name = "anon_inode:[eventfd]",
	.read = eventfd_read,
	.write = eventfd_write,
	.llseek = llseek_nothing,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show,
};

long sys_eventfd2(u32 count, u32 flags)
{
	struct eventfd *event;
	struct file *file;

	if (flags & ~EFD_FLAGS)
		return -EINVAL;
	event = kzalloc(sizeof(*event), GFP_KERNEL);
	if (!event)
		return -ENOMEM;
	wait_queue_init(&event->wq);
	spin_lock_init(&event->lock);
	event->count = count;
	event->semaphore = flags & EFD_SEMAPHORE;
	event->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	file = file_create_anon(&eventfd_ops, event, O_RDWR | (flags & O_NONBLOCK));
	if (!file) {
		kfree(event);
		return -ENFILE;
	}
	return fd_add(file, flags & O_CLOEXEC);
}

long sys_eventfd(u32 count)
{
	return sys_eventfd2(count, 0);
}
