/*
 * Pipes: a ring of slots, each a page with some bytes in it. A write fills up the last page and takes
 * new slots for the rest; a read empties pages from the other end. Room is counted in slots: a write
 * of up to PIPE_BUF bytes needs at most one, so it goes in whole or not at all.
 *
 * Context: process. Lock: pipe->lock (a mutex: user memory is copied under it), not held asleep; poll looks
 * without. fifo_lock: inode->pipe and pipe->users.
 */
#include <fs/pipe.h>

#include <fs/ioctl.h>
#include <fs/kvmalloc.h>
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/process.h>

#define DEFAULT_SLOTS 16
#define LOCK_SPINS    200 /* of about 0.1 us */

struct slot {
	struct page *page;
	u16 start, length; /* the bytes that are in it */
	bool packet;	   /* O_DIRECT: a read takes no more than this, and no less */
};

struct pipe {
	struct mutex lock;
	/* under lock; poll reads single words */
	u32 head, tail;	   /* next slot to fill, oldest one; they only grow */
	u32 nr_slots;	   /* a power of two */
	u32 readers, writers; /* open files */
	u32 readers_ever, writers_ever; /* FIFOs: so that an open sees a partner that came and left */
	struct slot *slots;
	struct page *spare; /* the last page that was emptied, for the next write */

	struct wait_queue read_wait, write_wait; /* for bytes, for room; both for partners */
	u32 users; /* under fifo_lock: open files, whichever way they were opened */
};

static DEFINE_SPINLOCK(fifo_lock);
u32 pipe_max_size = 1 * MiB;

/* A reader's file keeps here how many writers there had been when it was opened: a FIFO's reader that
 * never had a writer is not at the end (poll: no HUP). */
static u64 writers_at_open(const struct file *file)
{
	return file->pos;
}

static bool is_empty(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) == READ_ONCE(pipe->tail);
}

static bool is_full(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) - READ_ONCE(pipe->tail) >= READ_ONCE(pipe->nr_slots);
}

static struct slot *slot_at(struct pipe *pipe, u32 position)
{
	return &pipe->slots[position & (pipe->nr_slots - 1)];
}

static void wake(struct wait_queue *wq, u32 key)
{
	if (wait_queue_active(wq))
		wake_up_sync(wq, key);
}

static void wake_readers(struct pipe *pipe)
{
	wake(&pipe->read_wait, EPOLLIN | EPOLLRDNORM);
}

static void wake_writers(struct pipe *pipe)
{
	wake(&pipe->write_wait, EPOLLOUT | EPOLLWRNORM);
}

/*
 * Who holds the lock is mostly on another CPU and about to let go: a sleep and a wake-up would take far longer,
 * and two programs at the two ends of a pipe would spend their lives in them.
 */
static void lock_pipe(struct pipe *pipe)
{
	for (u32 i = 0; i < LOCK_SPINS && nr_cpus > 1; i++) {
		if (mutex_trylock(&pipe->lock))
			return;
		cpu_relax();
	}
	mutex_lock(&pipe->lock);
}

/* ---- memory -------------------------------------------------------------------------------------------- */

static struct pipe *pipe_create(void)
{
	struct pipe *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);

	if (!pipe)
		return NULL;
	pipe->slots = kvmalloc(DEFAULT_SLOTS * sizeof(*pipe->slots));
	if (!pipe->slots) {
		kfree(pipe);
		return NULL;
	}
	mutex_init(&pipe->lock);
	wait_queue_init(&pipe->read_wait);
	wait_queue_init(&pipe->write_wait);
	pipe->nr_slots = DEFAULT_SLOTS;
	return pipe;
}

static void pipe_free(struct pipe *pipe)
{
	while (!is_empty(pipe))
		free_page(slot_at(pipe, pipe->tail++)->page);
	if (pipe->spare)
		free_page(pipe->spare);
	kvfree(pipe->slots);
	kfree(pipe);
}

static struct page *take_page(struct pipe *pipe)
{
	struct page *page = pipe->spare;

	if (!page)
		return alloc_page(GFP_KERNEL);
	pipe->spare = NULL;
	return page;
}

static void give_page(struct pipe *pipe, struct page *page)
{
	if (pipe->spare)
		free_page(page);
	else
		pipe->spare = page;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

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
		give_page(pipe, slot->page);
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

/* Nothing to read. 0: try again, lock held; else the lock is not held and that is read()'s result. */
static int wait_for_bytes(struct pipe *pipe, const struct file *file)
{
	int error = 0;

	mutex_unlock(&pipe->lock);
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	if (wait_event_interruptible(&pipe->read_wait,
				     !is_empty(pipe) || !READ_ONCE(pipe->writers)))
		error = -ERESTARTSYS;
	else
		lock_pipe(pipe);
	return error;
}

static ssize_t pipe_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct pipe *pipe = file->private_data;
	bool was_full;
	ssize_t done;

	if (!to->count)
		return 0;
	lock_pipe(pipe);
	while (is_empty(pipe)) {
		int error;

		if (!pipe->writers) {
			mutex_unlock(&pipe->lock);
			return 0;
		}
		error = wait_for_bytes(pipe, file);
		if (error)
			return error;
	}
	was_full = is_full(pipe);
	done = read_slots(pipe, to);
	was_full = was_full && !is_full(pipe);
	mutex_unlock(&pipe->lock);
	if (was_full)
		wake_writers(pipe);
	return done;
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

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
	if (last->packet || last->start + last->length + odd > PAGE_SIZE)
		return 0;
	done = copy_from_iter((u8 *)page_address(last->page) + last->start + last->length, odd, from);
	if (done < odd)
		return -EFAULT;
	last->length += done;
	return done;
}

/* One more slot, with up to a page. Bytes, -EFAULT, or -ENOMEM. */
static ssize_t write_new_slot(struct pipe *pipe, struct iov_iter *from, bool packet)
{
	size_t size = min(from->count, PAGE_SIZE);
	struct page *page = take_page(pipe);

	if (!page)
		return -ENOMEM;
	if (copy_from_iter(page_address(page), size, from) < size) {
		give_page(pipe, page);
		return -EFAULT;
	}
	*slot_at(pipe, pipe->head) = (struct slot){ .page = page, .length = size, .packet = packet };
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
static int wait_for_room(struct pipe *pipe, const struct file *file)
{
	int error = 0;

	mutex_unlock(&pipe->lock);
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	wake_readers(pipe);
	if (wait_event_interruptible(&pipe->write_wait,
				     !is_full(pipe) || !READ_ONCE(pipe->readers)))
		error = -ERESTARTSYS;
	else
		lock_pipe(pipe);
	return error;
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
		error = wait_for_room(pipe, file);
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
	lock_pipe(pipe);
	done = write_locked(pipe, file, from);
	if (done > 0)
		wake_readers(pipe);
	return done;
}

/* ---- the rest of a file's operations --------------------------------------------------------------------- */

static __always_inline u32 pipe_ready(const struct file *file)
{
	const struct pipe *pipe = file->private_data;
	u32 modes = file->flags + 1, ready = 0; /* as in file_readable() */

	if (modes & 1) {
		if (!is_empty(pipe))
			ready |= EPOLLIN | EPOLLRDNORM;
		if (!READ_ONCE(pipe->writers) && READ_ONCE(pipe->writers_ever) != writers_at_open(file))
			ready |= EPOLLHUP;
	}
	if (modes & 2) {
		if (!is_full(pipe))
			ready |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			ready |= EPOLLERR;
	}
	return ready;
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
	lock_pipe(pipe);
	for (u32 i = pipe->tail; i != pipe->head; i++)
		bytes += slot_at(pipe, i)->length;
	mutex_unlock(&pipe->lock);
	return put_user(bytes, (int __user *)arg);
}

static void put_pipe(struct pipe *pipe, struct inode *inode)
{
	bool last;

	spin_lock(&fifo_lock);
	last = --pipe->users == 0;
	if (last && inode)
		inode->pipe = NULL;
	spin_unlock(&fifo_lock);
	if (last)
		pipe_free(pipe);
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

	lock_pipe(pipe);
	pipe->readers -= file_readable(file);
	pipe->writers -= file_writable(file);
	one_side = !pipe->readers != !pipe->writers;
	mutex_unlock(&pipe->lock);
	if (one_side) {
		wake_up_all(&pipe->read_wait);
		wake_up_all(&pipe->write_wait);
	}
	put_pipe(pipe, fifo_of(file));
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* ---- pipe() ---------------------------------------------------------------------------------------------- */

#define PIPE_FLAGS (O_CLOEXEC | O_NONBLOCK | O_DIRECT)

static struct file *pipe_file(struct pipe *pipe, u32 flags)
{
	struct file *file = file_create_anon(&pipe_ops, pipe, flags, "pipe:");

	if (!file)
		return NULL;
	pipe->users++;
	pipe->readers += file_readable(file);
	pipe->writers += file_writable(file);
	pipe->readers_ever += file_readable(file);
	pipe->writers_ever += file_writable(file);
	return file;
}

/* Both ends have one number. */
int pipe_files(struct file *ends[2], u32 flags)
{
	struct pipe *pipe = pipe_create();

	if (!pipe)
		return -ENFILE;
	ends[0] = pipe_file(pipe, O_RDONLY | (flags & O_NONBLOCK));
	if (!ends[0]) {
		pipe_free(pipe);
		return -ENFILE;
	}
	ends[1] = pipe_file(pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
	if (!ends[1]) {
		file_put(ends[0]);
		return -ENFILE;
	}
	ends[1]->anon_ino = ends[0]->anon_ino;
	return 0;
}

/* Two descriptors that nobody sees before the program knows their numbers. */
static int reserve_two(int fds[2], bool cloexec)
{
	fds[0] = fd_reserve(0, cloexec);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve(0, cloexec);
	if (fds[1] < 0) {
		fd_release(fds[0]);
		return fds[1];
	}
	return 0;
}

long sys_pipe2(int __user *user, u32 flags)
{
	struct file *ends[2];
	int fds[2], error;

	if (flags & ~PIPE_FLAGS)
		return -EINVAL;
	error = pipe_files(ends, flags);
	if (error)
		return error;
	error = reserve_two(fds, flags & O_CLOEXEC);
	if (!error && copy_to_user(user, fds, sizeof(fds))) {
		fd_release(fds[1]);
		fd_release(fds[0]);
		error = -EFAULT;
	}
	for (u32 i = 0; i < 2; i++) {
		if (error)
			file_put(ends[i]);
		else
			fd_install(fds[i], ends[i]);
	}
	return error;
}

long sys_pipe(int __user *fds)
{
	return sys_pipe2(fds, 0);
}

/* ---- FIFOs ----------------------------------------------------------------------------------------------- */

/* The FIFO's pipe, with one user more; made by the first one. NULL: no memory. */
static struct pipe *get_pipe(struct inode *inode)
{
	struct pipe *made = pipe_create(), *pipe;

	if (!made)
		return NULL;
	spin_lock(&fifo_lock);
	if (!inode->pipe)
		inode->pipe = made;
	pipe = inode->pipe;
	pipe->users++;
	spin_unlock(&fifo_lock);
	if (pipe != made)
		pipe_free(made);
	return pipe;
}

/* Until *ever grows: somebody opens the other side, even if he has left again when we look. Lock held. */
static int wait_for_partner(struct pipe *pipe, u32 *ever)
{
	u32 before = *ever;
	int error;

	mutex_unlock(&pipe->lock);
	error = wait_event_interruptible(&pipe->read_wait, READ_ONCE(*ever) != before);
	lock_pipe(pipe);
	return error && *ever == before ? -ERESTARTSYS : 0;
}

/* Each of the three ways to open a FIFO; lock held. */

static int open_to_read(struct pipe *pipe, struct file *file)
{
	if (pipe->writers)
		return 0;
	if (!(file->flags & O_NONBLOCK))
		return wait_for_partner(pipe, &pipe->writers_ever);
	file->pos = pipe->writers_ever;
	return 0;
}

static int open_to_write(struct pipe *pipe, struct file *file)
{
	return pipe->readers ? 0 : wait_for_partner(pipe, &pipe->readers_ever);
}

static int open_both(struct pipe *pipe, struct file *file)
{
	return 0;
}

static int join_pipe(struct pipe *pipe, struct file *file)
{
	static int (*const open_as[])(struct pipe *pipe, struct file *file) = {
		[O_RDONLY] = open_to_read,
		[O_WRONLY] = open_to_write,
		[O_RDWR] = open_both,
	};
	bool reads = file_readable(file), writes = file_writable(file);
	bool first = (reads && !pipe->readers) || (writes && !pipe->writers);
	int error;

	if (!reads && !writes)
		return -EINVAL;
	if (!reads && (file->flags & O_NONBLOCK) && !pipe->readers)
		return -ENXIO;
	pipe->readers += reads;
	pipe->readers_ever += reads;
	pipe->writers += writes;
	pipe->writers_ever += writes;
	if (first)
		wake_up_all(&pipe->read_wait);
	error = open_as[file->flags & O_ACCMODE](pipe, file);
	if (error) {
		pipe->readers -= reads;
		pipe->writers -= writes;
		if (!pipe->readers)
			wake_up_all(&pipe->write_wait);
		if (!pipe->writers)
			wake_up_all(&pipe->read_wait);
	}
	return error;
}

int fifo_open(struct inode *inode, struct file *file)
{
	struct pipe *pipe = get_pipe(inode);
	int error;

	if (!pipe)
		return -ENOMEM;
	lock_pipe(pipe);
	error = join_pipe(pipe, file);
	mutex_unlock(&pipe->lock);
	if (error) {
		put_pipe(pipe, inode);
		return error;
	}
	file->ops = &pipe_ops;
	file->private_data = pipe;
	return 0;
}

/* ---- fcntl ------------------------------------------------------------------------------------------------- */

long pipe_get_size(struct file *file)
{
	struct pipe *pipe = file->private_data;

	return file->ops == &pipe_ops ? (long)(READ_ONCE(pipe->nr_slots) * PAGE_SIZE) : -EBADF;
}

static u32 slots_for(u64 size)
{
	u32 slots = 1;

	while (slots * PAGE_SIZE < size)
		slots *= 2;
	return slots;
}

/* The bytes stay, and their positions; lock held. Returns the old slots, or NULL if they do not fit into the new ones. */
static struct slot *move_slots(struct pipe *pipe, struct slot *slots, u32 nr_slots)
{
	struct slot *old = pipe->slots;

	if (pipe->head - pipe->tail > nr_slots)
		return NULL;
	for (u32 i = pipe->tail; i != pipe->head; i++)
		slots[i & (nr_slots - 1)] = *slot_at(pipe, i);
	pipe->slots = slots;
	WRITE_ONCE(pipe->nr_slots, nr_slots);
	return old;
}

static long resize(struct pipe *pipe, u32 nr_slots)
{
	struct slot *slots = kvmalloc(nr_slots * sizeof(*slots)), *old;
	bool was_full;

	if (!slots)
		return -ENOMEM;
	lock_pipe(pipe);
	was_full = is_full(pipe);
	old = move_slots(pipe, slots, nr_slots);
	was_full = was_full && !is_full(pipe);
	mutex_unlock(&pipe->lock);
	kvfree(old ? old : slots);
	if (was_full)
		wake_writers(pipe);
	return old ? (long)(nr_slots * PAGE_SIZE) : -EBUSY;
}

long pipe_set_size(struct file *file, u64 size)
{
	if (file->ops != &pipe_ops)
		return -EBADF;
	if ((u32)size > BIT(31))
		return -EINVAL;
	if ((u32)size > READ_ONCE(pipe_max_size))
		return -EPERM;
	return resize(file->private_data, slots_for((u32)size));
}
