/*
 * Pipes from outside: pipe(), opening a FIFO, and the size of the ring.
 *
 * Context: process. Locks: pipe->lock, as in fs/pipe.c. fifo_lock: inode->pipe and pipe->users.
 */
#include <fs/pipe_impl.h>

#include <fs/kvmalloc.h>
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>

#define DEFAULT_SLOTS 16

static DEFINE_SPINLOCK(fifo_lock);
u32 pipe_max_size = 1 * MiB;

/* ---- memory ---------------------------------------------------------------------------------- */

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
		put_page(slot_at(pipe, pipe->tail++)->page);
	if (pipe->spare)
		free_page(pipe->spare);
	kvfree(pipe->slots);
	kfree(pipe);
}

void pipe_put(struct pipe *pipe, struct inode *inode)
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

/* ---- pipe() ---------------------------------------------------------------------------------- */

#define PIPE_FLAGS (O_CLOEXEC | O_NONBLOCK | O_DIRECT)

/* Lock held. True: it is the first on its side. */
static bool add_end(struct pipe *pipe, const struct file *file)
{
	bool reads = file_readable(file), writes = file_writable(file);
	bool first = (reads && !pipe->readers) || (writes && !pipe->writers);

	pipe->readers += reads;
	pipe->readers_ever += reads;
	pipe->writers += writes;
	pipe->writers_ever += writes;
	return first;
}

/* To be added to the pipe. */
static struct file *pipe_file(struct pipe *pipe, u32 flags)
{
	struct file *file = file_create_anon(&pipe_ops, pipe, flags);

	if (!file)
		return NULL;
	spin_lock(&fifo_lock);
	pipe->users++;
	spin_unlock(&fifo_lock);
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
	add_end(pipe, ends[0]);
	ends[1] = pipe_file(pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
	if (!ends[1]) {
		file_put(ends[0]);
		return -ENFILE;
	}
	add_end(pipe, ends[1]);
	ends[1]->anon_ino = ends[0]->anon_ino;
	return 0;
}

bool is_pipe(const struct file *file)
{
	return file->ops == &pipe_ops && !file->dentry;
}

struct file *pipe_reopen(const struct file *old, u32 flags)
{
	struct pipe *pipe = old->private_data;
	struct file *file;
	bool first;

	if ((flags & O_ACCMODE) > O_RDWR)
		return ERR_PTR(-EINVAL);
	file = pipe_file(pipe, flags);
	if (!file)
		return ERR_PTR(-ENFILE);
	file->anon_ino = old->anon_ino;
	mutex_lock(&pipe->lock);
	first = add_end(pipe, file);
	mutex_unlock(&pipe->lock);
	if (first)
		wake_up_all(&pipe->read_wait);
	return file;
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

/* ---- FIFOs ----------------------------------------------------------------------------------- */

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
	mutex_lock(&pipe->lock);
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
	static int (*const open_as[])(struct pipe * pipe, struct file * file) = {
		[O_RDONLY] = open_to_read,
		[O_WRONLY] = open_to_write,
		[O_RDWR] = open_both,
	};
	bool reads = file_readable(file), writes = file_writable(file);
	int error;

	if (!reads && !writes)
		return -EINVAL;
	if (!reads && (file->flags & O_NONBLOCK) && !pipe->readers)
		return -ENXIO;
	if (add_end(pipe, file))
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
	mutex_lock(&pipe->lock);
	error = join_pipe(pipe, file);
	mutex_unlock(&pipe->lock);
	if (error) {
		pipe_put(pipe, inode);
		return error;
	}
	file->ops = &pipe_ops;
	file->private_data = pipe;
	return 0;
}

/* ---- fcntl ----------------------------------------------------------------------------------- */

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
	mutex_lock(&pipe->lock);
	was_full = is_full(pipe);
	old = move_slots(pipe, slots, nr_slots);
	was_full = was_full && !is_full(pipe);
	mutex_unlock(&pipe->lock);
	kvfree(old ? old : slots);
	if (was_full)
		pipe_wake_writers(pipe);
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
