/*
 * Pipes: a ring of slots, each a page with some bytes in it. A write fills up the last page and takes
 * new slots for the rest; a read empties pages from the other end. Room is counted in slots: a write
 * of up to PIPE_BUF bytes needs at most one, so it goes in whole or not at all.
 *
 * Here is what a file of a pipe does; how one is made and opened is in fs/pipe_open.c.
 *
 * Context: process. Lock: pipe->lock (a mutex: user memory is copied under it), not held asleep;
 * poll looks without.
 */
#include <fs/pipe_impl.h>

#include <fs/ioctl.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>

static void wake(struct wait_queue *wq, u32 key)
{
	if (wait_queue_active(wq))
		wake_up_sync(wq, key);
}

void pipe_wake_readers(struct pipe *pipe)
{
	wake(&pipe->read_wait, EPOLLIN | EPOLLRDNORM);
}

void pipe_wake_writers(struct pipe *pipe)
{
	wake(&pipe->write_wait, EPOLLOUT | EPOLLWRNORM);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static struct page *take_page(struct pipe *pipe)
{
	struct page *page = pipe->spare;

	if (!page)
		return alloc_page(GFP_KERNEL);
	pipe->spare = NULL;
	return page;
}

void pipe_give_page(struct pipe *pipe, const struct slot *slot)
{
	if (slot->lent || pipe->spare || READ_ONCE(slot->page->refcount) != 1)
		put_page(slot->page);
	else
		pipe->spare = slot->page;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* From the oldest slot; when it is empty it goes. Bytes, or -EFAULT: then it is as it was. */
static ssize_t read_slot(struct pipe *pipe, struct iov_iter *to)
{
	struct slot *slot = slot_at(pipe, pipe->tail);
	size_t size = min((size_t)slot->length, to->count);

	if (copy_to_iter((u8 *)page_address(slot->page) + slot->start, size, to) < size)
		return -EFAULT;
	slot->start += size;
	slot->length -= size;
	if (slot->packet) {
		to->count = 0;
		slot->length = 0;
	}
	if (!slot->length) {
		pipe_give_page(pipe, slot);
		WRITE_ONCE(pipe->tail, pipe->tail + 1);
	}
	return size;
}

static ssize_t read_slots(struct pipe *pipe, struct iov_iter *to)
{
	ssize_t total = 0;

	while (to->count && !is_empty(pipe)) {
		ssize_t done = read_slot(pipe, to);

		if (done < 0)
			return total ?: done;
		total += done;
	}
	return total;
}

int pipe_wait_for_bytes(struct pipe *pipe, bool block)
{
	while (is_empty(pipe)) {
		bool ended = !pipe->writers;

		mutex_unlock(&pipe->lock);
		if (ended || !block)
			return ended ? 0 : -EAGAIN;
		if (wait_event_interruptible(&pipe->read_wait,
					     !is_empty(pipe) || !READ_ONCE(pipe->writers)))
			return -ERESTARTSYS;
		mutex_lock(&pipe->lock);
	}
	return 1;
}

static ssize_t pipe_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct pipe *pipe = file->private_data;
	bool was_full;
	ssize_t done;

	if (!to->count)
		return 0;
	mutex_lock(&pipe->lock);
	done = pipe_wait_for_bytes(pipe, !(file->flags & O_NONBLOCK));
	if (done <= 0)
		return done;
	was_full = is_full(pipe);
	done = read_slots(pipe, to);
	was_full = was_full && !is_full(pipe);
	mutex_unlock(&pipe->lock);
	if (was_full)
		pipe_wake_writers(pipe);
	return done;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Fill up the last page with the odd bytes at the beginning, if they fit as a whole; the rest are full pages.
 * Bytes, or -EFAULT. */
static ssize_t write_last_slot(struct pipe *pipe, struct iov_iter *from)
{
	size_t odd = from->count % PAGE_SIZE;
	struct slot *last;
	size_t done;

	if (!odd || is_empty(pipe))
		return 0;
	last = slot_at(pipe, pipe->head - 1);
	if (last->packet || last->lent || last->start + last->length + odd > PAGE_SIZE)
		return 0;
	done = copy_from_iter((u8 *)page_address(last->page) + last->start + last->length, odd,
			      from);
	if (done < odd)
		return -EFAULT;
	last->length += done;
	return done;
}

/* One more slot, with up to a page. Bytes, -EFAULT, or -ENOMEM. */
static ssize_t write_new_slot(struct pipe *pipe, struct iov_iter *from, bool packet)
{
	size_t size = min(from->count, PAGE_SIZE);
	struct slot slot = { .page = take_page(pipe), .length = size, .packet = packet };

	if (!slot.page)
		return -ENOMEM;
	if (copy_from_iter(page_address(slot.page), size, from) < size) {
		pipe_give_page(pipe, &slot);
		return -EFAULT;
	}
	*slot_at(pipe, pipe->head) = slot;
	WRITE_ONCE(pipe->head, pipe->head + 1);
	return size;
}

/* As much as fits. Bytes, or -errno; *error is what stopped it, 0 if nothing but the end did. */
static size_t write_slots(struct pipe *pipe, struct iov_iter *from, bool packet, int *error)
{
	size_t total = 0;
	ssize_t done = 0;

	while (from->count && !is_full(pipe)) {
		done = write_new_slot(pipe, from, packet);
		if (done < 0)
			break;
		total += done;
	}
	*error = min_t(ssize_t, done, 0);
	return total;
}

/* The ring is full. 0: try again, lock held; else the lock is not held, and that is write()'s result if it has
 * written nothing. */
static int wait_for_slot(struct pipe *pipe, bool block)
{
	int error = 0;

	mutex_unlock(&pipe->lock);
	if (!block)
		return -EAGAIN;
	pipe_wake_readers(pipe);
	if (wait_event_interruptible(&pipe->write_wait,
				     !is_full(pipe) || !READ_ONCE(pipe->readers)))
		error = -ERESTARTSYS;
	else
		mutex_lock(&pipe->lock);
	return error;
}

int pipe_wait_for_room(struct pipe *pipe, bool block)
{
	while (pipe->readers && is_full(pipe)) {
		int error = wait_for_slot(pipe, block);

		if (error)
			return error;
	}
	if (pipe->readers)
		return 0;
	mutex_unlock(&pipe->lock);
	send_signal_task(current, SIGPIPE, NULL);
	return -EPIPE;
}

/* Lock held at the start, not at the end. Bytes, or -errno. */
static ssize_t write_locked(struct pipe *pipe, struct file *file, struct iov_iter *from)
{
	ssize_t total = pipe->readers ? write_last_slot(pipe, from) : 0;
	int error = 0;

	if (total < 0) {
		mutex_unlock(&pipe->lock);
		return total;
	}
	while (from->count) {
		if (!pipe->readers) {
			error = -EPIPE;
			break;
		}
		total += write_slots(pipe, from, file->flags & O_DIRECT, &error);
		if (error || !from->count)
			break;
		error = wait_for_slot(pipe, !(file->flags & O_NONBLOCK));
		if (error)
			return total ?: error;
	}
	mutex_unlock(&pipe->lock);
	if (error == -EPIPE)
		send_signal_task(current, SIGPIPE, NULL);
	return total ?: error;
}

/* Those who poll edge-triggered want to hear of each write, not only of the first into an empty pipe. */
static ssize_t pipe_write(struct file *file, struct iov_iter *from, loff_t *pos)
{
	struct pipe *pipe = file->private_data;
	ssize_t done;

	if (!from->count)
		return 0;
	mutex_lock(&pipe->lock);
	done = write_locked(pipe, file, from);
	if (done > 0)
		pipe_wake_readers(pipe);
	return done;
}

/* ---- the rest of a file's operations --------------------------------------------------------- */

static __always_inline u32 reader_ready(const struct file *file)
{
	const struct pipe *pipe = file->private_data;
	u32 ready = is_empty(pipe) ? 0 : EPOLLIN | EPOLLRDNORM;

	if (unlikely(!READ_ONCE(pipe->writers)) &&
	    READ_ONCE(pipe->writers_ever) != writers_at_open(file))
		ready |= EPOLLHUP;
	return ready;
}

static __always_inline u32 writer_ready(const struct file *file)
{
	const struct pipe *pipe = file->private_data;
	u32 ready = is_full(pipe) ? 0 : EPOLLOUT | EPOLLWRNORM;

	if (unlikely(!READ_ONCE(pipe->readers)))
		ready |= EPOLLERR;
	return ready;
}

static __always_inline u32 pipe_ready(const struct file *file)
{
	if (likely((file->flags & O_ACCMODE) == O_RDONLY))
		return reader_ready(file);
	return (file_writable(file) ? writer_ready(file) : 0) |
	       (file_readable(file) ? reader_ready(file) : 0);
}

static noinline u32 pipe_register(struct file *file, struct poll_table *table)
{
	struct pipe *pipe = file->private_data;

	if (file_readable(file))
		poll_wait(file, &pipe->read_wait, table);
	if (file_writable(file))
		poll_wait(file, &pipe->write_wait, table);
	return pipe_ready(file);
}

/* Two paths, because the one without a table is walked for each watched descriptor at each call. */
static u32 pipe_poll(struct file *file, struct poll_table *table)
{
	return table ? pipe_register(file, table) : pipe_ready(file);
}

static long pipe_ioctl(struct file *file, u32 command, u64 arg)
{
	struct pipe *pipe = file->private_data;
	int bytes = 0;

	if (command != FIONREAD)
		return -ENOTTY;
	mutex_lock(&pipe->lock);
	for (u32 i = pipe->tail; i != pipe->head; i++)
		bytes += slot_at(pipe, i)->length;
	mutex_unlock(&pipe->lock);
	return put_user(bytes, (int __user *)arg);
}

static struct inode *fifo_of(const struct file *file)
{
	return file->dentry ? file->dentry->inode : NULL;
}

/* One side has gone: who waits on the other one, or polls, must hear of it. */
static void pipe_release(struct file *file)
{
	struct pipe *pipe = file->private_data;
	bool one_side;

	mutex_lock(&pipe->lock);
	pipe->readers -= file_readable(file);
	pipe->writers -= file_writable(file);
	one_side = !pipe->readers != !pipe->writers;
	mutex_unlock(&pipe->lock);
	if (one_side) {
		wake_up_all(&pipe->read_wait);
		wake_up_all(&pipe->write_wait);
	}
	pipe_put(pipe, fifo_of(file));
}

const struct file_ops pipe_ops = {
	.anon_name = "pipe:",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};
