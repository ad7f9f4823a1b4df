/*
 * splice and tee: from a pipe to a file, from a file to a pipe, from pipe to pipe; pages change hands, and bytes are
 * not copied where they need not be. A file that can lends its pages (file_ops.lend_page), and one that can takes
 * them by reference (file_ops.write_page): so a file goes through a pipe into a TCP socket without a copy.
 *
 * A pipe is locked while the other side blocks, as on Linux: its other users wait, too.
 *
 * Context: process. Locks: one pipe->lock, or two of them in order of their addresses; inside it those of the file.
 */
#include <fs/pipe_impl.h>
#include <fs/read_write.h>
#include <fs/syscalls_fd.h>
#include <kernel/lib/errno.h>
#include <kernel/process.h>

#define SPLICE_F_MOVE	  1 /* as we like */
#define SPLICE_F_NONBLOCK 2 /* of the pipe; a socket's is its own */
#define SPLICE_F_MORE	  4
#define SPLICE_F_GIFT	  8
#define SPLICE_F_ALL	  15

static struct pipe *pipe_of(const struct file *file)
{
	return file->ops == &pipe_ops ? file->private_data : NULL;
}

static bool may_block(const struct file *file, u32 flags)
{
	return !(flags & SPLICE_F_NONBLOCK) && !(file->flags & O_NONBLOCK);
}

/* ---- into a pipe ----------------------------------------------------------------------------------------- */

/* The reference goes to the pipe, which is locked and has room. */
static void put_slot(struct pipe *pipe, struct page *page, u32 start, u32 length, bool lent)
{
	*slot_at(pipe, pipe->head) =
		(struct slot){ .page = page, .start = start, .length = length, .lent = lent };
	WRITE_ONCE(pipe->head, pipe->head + 1);
}

/* Bytes that are copied: a page of them. */
static ssize_t copy_page(struct pipe *pipe, struct file *in, loff_t *pos, size_t size)
{
	struct page *page = alloc_page(GFP_KERNEL);
	ssize_t done;

	if (!page)
		return -ENOMEM;
	done = file_read_kernel(in, page_address(page), min(size, PAGE_SIZE), pos);
	if (done > 0)
		put_slot(pipe, page, 0, done, false);
	else
		put_page(page);
	return done;
}

static ssize_t fill_slot(struct pipe *pipe, struct file *in, loff_t *pos, size_t size)
{
	struct page *page;
	size_t length = 0;

	page = in->ops->lend_page ? in->ops->lend_page(in, *pos, &length) : NULL;
	if (!page)
		return copy_page(pipe, in, pos, size);
	length = min(length, size);
	put_slot(pipe, page, *pos & ~PAGE_MASK, length, true);
	*pos += length;
	return length;
}

/* As many pages as there are free slots; from a socket, what there is. */
static ssize_t fill_slots(struct pipe *pipe, struct file *in, loff_t *pos, size_t size)
{
	bool whole = file_has_position(in);
	ssize_t done = 0, total = 0;

	while (size && !is_full(pipe)) {
		done = fill_slot(pipe, in, pos, size);
		if (done <= 0)
			break;
		total += done;
		size -= done;
		if (!whole)
			break;
	}
	return total ?: done;
}

static ssize_t file_to_pipe(struct file *in, loff_t *pos, struct file *out, size_t size, u32 flags)
{
	struct pipe *pipe = pipe_of(out);
	ssize_t done;

	mutex_lock(&pipe->lock);
	done = pipe_wait_for_room(pipe, may_block(out, flags));
	if (!done) {
		done = fill_slots(pipe, in, pos, size);
		mutex_unlock(&pipe->lock);
	}
	if (done > 0)
		pipe_wake_readers(pipe);
	return done;
}

/* ---- out of a pipe ---------------------------------------------------------------------------------------- */

static void advance(struct pipe *pipe, struct slot *slot, u32 size)
{
	slot->start += size;
	slot->length -= size;
	if (slot->length)
		return;
	pipe_give_page(pipe, slot);
	WRITE_ONCE(pipe->tail, pipe->tail + 1);
}

/* Of the oldest slot. */
static ssize_t drain_slot(struct pipe *pipe, struct file *out, loff_t *pos, size_t size, u32 flags)
{
	struct slot *slot = slot_at(pipe, pipe->tail);
	u32 length = min(size, (size_t)slot->length);
	bool more =
		flags & SPLICE_F_MORE || (length < size && READ_ONCE(pipe->head) - pipe->tail > 1);
	ssize_t done;

	if (out->ops->write_page)
		done = out->ops->write_page(out, slot->page, slot->start, length, more);
	else
		done = file_write_kernel(out, (u8 *)page_address(slot->page) + slot->start, length,
					 pos);
	if (done > 0)
		advance(pipe, slot, done);
	return done;
}

static ssize_t drain_slots(struct pipe *pipe, struct file *out, loff_t *pos, size_t size, u32 flags)
{
	ssize_t done = 0, total = 0;

	while (size && !is_empty(pipe)) {
		done = drain_slot(pipe, out, pos, size, flags);
		if (done <= 0)
			break;
		total += done;
		size -= done;
		if (signal_pending())
			break;
	}
	return total ?: done;
}

static ssize_t pipe_to_file(struct file *in, struct file *out, loff_t *pos, size_t size, u32 flags)
{
	struct pipe *pipe = pipe_of(in);
	ssize_t done;

	mutex_lock(&pipe->lock);
	done = pipe_wait_for_bytes(pipe, may_block(in, flags));
	if (done <= 0)
		return done;
	done = drain_slots(pipe, out, pos, size, flags);
	mutex_unlock(&pipe->lock);
	if (done > 0)
		pipe_wake_writers(pipe);
	return done;
}

/* ---- between pipes ---------------------------------------------------------------------------------------- */

static void lock_both(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock_nested(a < b ? &b->lock : &a->lock);
}

/* A part of a slot, or all of it, for the other pipe too. Two share the page then: neither may write behind the bytes. */
static void share_slot(struct slot *slot, struct pipe *to, u32 length)
{
	get_page(slot->page);
	slot->lent = true;
	put_slot(to, slot->page, slot->start, length, true);
}

/* Both locked. keep: tee. */
static ssize_t move_slots(struct pipe *from, struct pipe *to, size_t size, bool keep)
{
	u32 at = from->tail;
	ssize_t total = 0;

	while (size && at != from->head && !is_full(to)) {
		struct slot *slot = slot_at(from, at++);
		u32 length = min(size, (size_t)slot->length);

		share_slot(slot, to, length);
		if (!keep)
			advance(from, slot, length);
		total += length;
		size -= length;
	}
	return total;
}

/* 1: one has something, the other room, as it was a moment ago. 0: the end; or -errno. */
static int wait_for_both(struct file *in, struct file *out, u32 flags)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	int result;

	mutex_lock(&from->lock);
	result = pipe_wait_for_bytes(from, may_block(in, flags));
	if (result <= 0)
		return result;
	mutex_unlock(&from->lock);
	mutex_lock(&to->lock);
	result = pipe_wait_for_room(to, may_block(out, flags));
	if (result)
		return result;
	mutex_unlock(&to->lock);
	return 1;
}

static ssize_t pipe_to_pipe(struct file *in, struct file *out, size_t size, u32 flags, bool keep)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	ssize_t done = 0;

	if (from == to)
		return -EINVAL;
	while (!done) {
		done = wait_for_both(in, out, flags);
		if (done <= 0)
			return done;
		lock_both(from, to);
		done = move_slots(from, to, size, keep);
		mutex_unlock(&from->lock);
		mutex_unlock(&to->lock);
	}
	pipe_wake_readers(to);
	if (!keep)
		pipe_wake_writers(from);
	return done;
}

/* ---- the calls --------------------------------------------------------------------------------------------- */

/* At a position of the program's, or the file's own. */
static ssize_t at_position(struct file *in, struct file *out, loff_t __user *user, size_t size,
			   u32 flags)
{
	struct file *file = pipe_of(in) ? out : in;
	struct place place;
	ssize_t done;
	int error;

	if (user && !file_has_position(file))
		return -EINVAL;
	error = place_begin(&place, file, user);
	if (error)
		return error;
	if (pipe_of(in))
		done = pipe_to_file(in, out, &place.pos, size, flags);
	else
		done = file_to_pipe(in, &place.pos, out, size, flags);
	return done > 0 ? place_end(&place) ?: done : done;
}

static ssize_t splice(struct file *in, loff_t __user *in_offset, struct file *out,
		      loff_t __user *out_offset, size_t size, u32 flags)
{
	if ((pipe_of(in) && in_offset) || (pipe_of(out) && out_offset))
		return -ESPIPE;
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (!pipe_of(in) && !pipe_of(out))
		return -EINVAL;
	if (pipe_of(in) && pipe_of(out))
		return pipe_to_pipe(in, out, size, flags, false);
	if (pipe_of(in) ? !out->ops->write || out->flags & O_APPEND : !in->ops->read)
		return -EINVAL;
	return at_position(in, out, in_offset ?: out_offset, size, flags);
}

long sys_splice(int in_number, loff_t __user *in_offset, int out_number, loff_t __user *out_offset,
		size_t size, u32 flags)
{
	struct fd in, out;
	long result = -EBADF;

	if (!size)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	in = fd_borrow(in_number);
	out = fd_borrow(out_number);
	if (in.file && out.file)
		result = splice(in.file, in_offset, out.file, out_offset, min(size, MAX_RW_COUNT),
				flags);
	fd_return(out);
	fd_return(in);
	return result;
}

static ssize_t tee(struct file *in, struct file *out, size_t size, u32 flags)
{
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (!pipe_of(in) || !pipe_of(out))
		return -EINVAL;
	return pipe_to_pipe(in, out, size, flags, true);
}

long sys_tee(int in_number, int out_number, size_t size, u32 flags)
{
	struct fd in, out;
	long result = -EBADF;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!size)
		return 0;
	in = fd_borrow(in_number);
	out = fd_borrow(out_number);
	if (in.file && out.file)
		result = tee(in.file, out.file, min(size, MAX_RW_COUNT), flags);
	fd_return(out);
	fd_return(in);
	return result;
}
