/* Copying between the kernel and what a read or write names. Context: process; no lock: an iterator belongs
 * to one call. */
#include <fs/iov_iter.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

/* The next run of bytes in one piece: where it is, and its length, at most `size`. */
static void *next_run(struct iov_iter *iter, size_t *size)
{
	while (iter->offset == iter->iov->length) {
		iter->iov++;
		iter->offset = 0;
	}
	*size = min(min(*size, iter->count), iter->iov->length - iter->offset);
	return (u8 *)iter->iov->base + iter->offset;
}

/* What is done to each run. They return how many bytes at its end were not done. */

static size_t run_to(void *run, void *buffer, size_t size, bool kernel)
{
	if (unlikely(kernel)) {
		memcpy(run, buffer, size);
		return 0;
	}
	return copy_to_user(run, buffer, size);
}

static size_t run_from(void *run, void *buffer, size_t size, bool kernel)
{
	if (unlikely(kernel)) {
		memcpy(buffer, run, size);
		return 0;
	}
	return copy_from_user(buffer, run, size);
}

static size_t run_zero(void *run, void *buffer, size_t size, bool kernel)
{
	if (unlikely(kernel)) {
		memset(run, 0, size);
		return 0;
	}
	return clear_user(run, size);
}

static __always_inline size_t each_run(struct iov_iter *iter, void *buffer, size_t size,
				       size_t (*action)(void *run, void *buffer, size_t size,
							bool kernel))
{
	size_t done = 0, left = 0;

	while (done < size && iter->count && !left) {
		size_t length = size - done;
		void *run = next_run(iter, &length);

		left = action(run, (u8 *)buffer + done, length, iter->kernel);
		iov_iter_advance(iter, length - left);
		done += length - left;
	}
	return done;
}

size_t copy_to_iter_slow(const void *from, size_t size, struct iov_iter *iter)
{
	return each_run(iter, (void *)from, size, run_to);
}

size_t copy_from_iter_slow(void *to, size_t size, struct iov_iter *iter)
{
	return each_run(iter, to, size, run_from);
}

size_t zero_to_iter(size_t size, struct iov_iter *iter)
{
	return each_run(iter, NULL, size, run_zero);
}

/* A length that is negative as an ssize_t is a mistake; a sum that is too large is merely cut. */
static int check_pieces(struct iovec *iov, u64 count, size_t *sum)
{
	*sum = 0;
	for (u64 i = 0; i < count; i++)
		if ((s64)iov[i].length < 0)
			return -EINVAL;
	for (u64 i = 0; i < count; i++) {
		if (!user_range_ok((u64)iov[i].base, iov[i].length))
			return -EFAULT;
		iov[i].length = min(iov[i].length, MAX_RW_COUNT - *sum);
		*sum += iov[i].length;
	}
	return 0;
}

int iov_iter_import(struct iov_iter *iter, const struct iovec __user *user, u64 count,
		    struct iovec fast[IOV_FAST], struct iovec **allocated)
{
	struct iovec *iov = fast;
	int error;

	*allocated = NULL;
	if (count > IOV_MAX)
		return -EINVAL;
	if (count > IOV_FAST) {
		iov = kmalloc(count * sizeof(*iov), GFP_KERNEL);
		if (!iov)
			return -ENOMEM;
		*allocated = iov;
	}
	*iter = (struct iov_iter){ .iov = iov };
	error = copy_from_user(iov, user, count * sizeof(*iov)) ? -EFAULT : 0;
	if (!error)
		error = check_pieces(iov, count, &iter->count);
	if (error) {
		kfree(*allocated);
		*allocated = NULL;
	}
	return error;
}
