/*
 * sendfile and copy_file_range: from file to file, through a buffer of the kernel; or, where one can lend its pages and
 * the other takes them (a file in memory, a TCP socket), not copied at all.
 *
 * What was read but could not be written is read again next time: the input's position follows
 * what was written. Context: process; locks as in fs/read_write.c.
 */
#include <fs/read_write.h>
#include <fs/syscalls_fd.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>

#define COPY_BUFFER (16 * KiB)

int place_begin(struct place *place, struct file *file, loff_t __user *user)
{
	*place = (struct place){ .file = file, .user = user, .pos = file->pos };
	if (user && get_user(place->pos, user))
		return -EFAULT;
	return place->pos < 0 ? -EINVAL : 0;
}

int place_end(const struct place *place)
{
	if (place->user)
		return put_user(place->pos, place->user);
	if (file_has_position(place->file)) {
		mutex_lock(&place->file->pos_lock);
		place->file->pos = place->pos;
		mutex_unlock(&place->file->pos_lock);
	}
	return 0;
}

static bool is_regular(const struct file *file)
{
	return file->dentry && S_ISREG(file->dentry->inode->mode);
}

/* One of the file's pages. 0: it lends none. */
static ssize_t lend_some(struct place *in, struct place *out, size_t size, bool *full)
{
	struct page *page = NULL;
	size_t length = 0;
	ssize_t done;

	if (in->file->ops->lend_page && out->file->ops->write_page)
		page = in->file->ops->lend_page(in->file, in->pos, &length);
	if (!page)
		return 0;
	length = min(length, size);
	done = out->file->ops->write_page(out->file, page, in->pos & ~PAGE_MASK, length,
					  length < size && in->pos + (loff_t)length <
								   in->file->dentry->inode->size);
	put_page(page);
	if (done > 0)
		in->pos += done;
	*full = done == (ssize_t)length;
	return done;
}

/* One bufferful. What was written, 0 at the end, or -errno; *full: as much as was read. */
static ssize_t copy_some(struct place *in, struct place *out, void **buffer, size_t size,
			 bool *full)
{
	loff_t read_to = in->pos;
	ssize_t got, done;

	if (!*buffer)
		*buffer = kmalloc(COPY_BUFFER, GFP_KERNEL);
	if (!*buffer)
		return -ENOMEM;
	got = file_read_kernel(in->file, *buffer, min(size, (size_t)COPY_BUFFER), &read_to);
	if (got <= 0)
		return got;
	if (out->file->ops->llseek == llseek_nothing) /* eventfd: a number, not a place for data */
		return -EINVAL;
	done = file_write_kernel(out->file, *buffer, got, &out->pos);
	if (done > 0)
		in->pos += done;
	*full = done == got;
	return done;
}

/* An error counts only if nothing was copied before it. */
static ssize_t copy_all(struct place *in, struct place *out, size_t size)
{
	void *buffer = NULL;
	ssize_t done = 0;
	size_t total = 0;
	bool full = true;

	while (total < size && full) {
		done = lend_some(in, out, size - total, &full);
		if (!done)
			done = copy_some(in, out, &buffer, size - total, &full);
		if (done <= 0)
			break;
		total += done;
		if (signal_pending())
			break;
		cond_resched();
	}
	kfree(buffer);
	return total ? (ssize_t)total : done;
}

/* What Linux looks at before it looks at where the data is to go. */
static int input_begin(struct place *place, struct file *file, loff_t __user *offset, size_t size)
{
	*place = (struct place){ .file = file, .user = offset };
	if (offset && get_user(place->pos, offset))
		return -EFAULT;
	if (!file || !file_readable(file))
		return -EBADF;
	if (offset && !file_has_position(file))
		return -ESPIPE;
	if (!offset)
		place->pos = file->pos;
	return place->pos < 0 || (ssize_t)size < 0 ? -EINVAL : 0;
}

static int output_begin(struct place *place, struct file *file)
{
	if (!file)
		return -EBADF;
	return rw_allowed(file, RW_WRITE) ?: place_begin(place, file, NULL);
}

static ssize_t send(struct place *in, struct place *out, size_t size)
{
	const struct file *file = in->file;
	ssize_t done;

	if (!file_has_position(file) || (file->dentry && S_ISDIR(file->dentry->inode->mode)) ||
	    (out->file->flags & O_APPEND))
		return -EINVAL;
	done = copy_all(in, out, min(size, MAX_RW_COUNT));
	if (done <= 0)
		return done;
	return place_end(out) ?: place_end(in) ?: done;
}

long sys_sendfile(int out_number, int in_number, loff_t __user *offset, size_t size)
{
	struct fd in_fd = fd_borrow(in_number), out_fd = fd_borrow(out_number);
	struct place in, out;
	long result;

	result = input_begin(&in, in_fd.file, offset, size) ?: output_begin(&out, out_fd.file);
	if (!result)
		result = send(&in, &out, size);
	fd_return(out_fd);
	fd_return(in_fd);
	return result;
}

/* ---- copy_file_range ------------------------------------------------------------------------- */

static int check_range_files(const struct file *in, const struct file *out)
{
	const struct file *both[] = { in, out };

	for (u32 i = 0; i < ARRAY_SIZE(both); i++)
		if (both[i]->dentry && S_ISDIR(both[i]->dentry->inode->mode))
			return -EISDIR;
	if (!is_regular(in) || !is_regular(out))
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || (out->flags & O_APPEND))
		return -EBADF;
	return 0;
}

static bool overlap(const struct place *in, const struct place *out, size_t size)
{
	return in->file->dentry->inode == out->file->dentry->inode &&
	       in->pos < out->pos + (loff_t)size && out->pos < in->pos + (loff_t)size;
}

/* Not beyond the largest position, nor beyond the input's end: an overlap there would not be one. */
static int limit_range(const struct place *in, const struct place *out, size_t *size)
{
	const struct inode *inode = in->file->dentry->inode;
	loff_t end;

	if (__builtin_add_overflow(in->pos, *size, &end) ||
	    __builtin_add_overflow(out->pos, *size, &end))
		return -EOVERFLOW;
	*size = in->pos < inode->size ? min(*size, (size_t)(inode->size - in->pos)) : 0;
	return overlap(in, out, *size) ? -EINVAL : 0;
}

static ssize_t copy_range(struct file *in_file, loff_t __user *in_offset, struct file *out_file,
			  loff_t __user *out_offset, size_t size)
{
	struct place in, out;
	ssize_t done;
	int error;

	if (place_begin(&in, in_file, in_offset) == -EFAULT ||
	    place_begin(&out, out_file, out_offset) == -EFAULT)
		return -EFAULT;
	error = check_range_files(in_file, out_file);
	if (!error && (in.pos < 0 || out.pos < 0))
		error = in.pos + (loff_t)size < 0 ? -EINVAL : -EOVERFLOW;
	if (!error)
		error = limit_range(&in, &out, &size);
	if (error)
		return error;
	done = copy_all(&in, &out, min(size, MAX_RW_COUNT));
	if (done <= 0)
		return done;
	return place_end(&out) ?: place_end(&in) ?: done;
}

long sys_copy_file_range(int in_number, loff_t __user *in_offset, int out_number,
			 loff_t __user *out_offset, size_t size, u32 flags)
{
	struct fd in = fd_borrow(in_number), out = fd_borrow(out_number);
	long result = -EBADF;

	if (in.file && out.file)
		result = flags ? -EINVAL
			       : copy_range(in.file, in_offset, out.file, out_offset, size);
	fd_return(out);
	fd_return(in);
	return result;
}
