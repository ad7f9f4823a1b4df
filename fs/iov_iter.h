/*
 * Where the bytes of a read or write come from or go to: one or several pieces of user memory, or kernel
 * memory (sendfile, exec). A file's read and write see only this.
 */
#pragma once

#include <kernel/mm/uaccess.h>

struct iovec {
	void __user *base;
	u64 length;
};

struct iov_iter {
	/* In kernel memory. What they name lies in user memory, as far as user_range_ok() can tell: it has been asked. */
	const struct iovec *iov;
	size_t offset; /* used of iov[0] */
	size_t count;  /* bytes left in all */
	bool kernel;   /* the bases are kernel addresses */
};

/* One piece of user memory; `iov` is the caller's storage. */
static inline void iov_iter_user(struct iov_iter *iter, struct iovec *iov, void __user *base,
				 size_t size)
{
	*iov = (struct iovec){ base, size };
	*iter = (struct iov_iter){ .iov = iov, .count = size };
}
static inline void iov_iter_kernel(struct iov_iter *iter, struct iovec *iov, void *base,
				   size_t size)
{
	*iov = (struct iovec){ base, size };
	*iter = (struct iov_iter){ .iov = iov, .count = size, .kernel = true };
}

/* Copy and advance; how many bytes were copied (fewer: a fault, or the iterator's end). */
static inline size_t copy_to_iter(const void *from, size_t size, struct iov_iter *iter);
static inline size_t copy_from_iter(void *to, size_t size, struct iov_iter *iter);
size_t zero_to_iter(size_t size, struct iov_iter *iter);

#define IOV_MAX	     1024
#define MAX_RW_COUNT 0x7ffff000UL /* what one read or write moves at most, as on Linux */

/* Copy an iovec array from a program and check it: lengths, count <= IOV_MAX, sum capped at MAX_RW_COUNT.
 * `fast` is the caller's room for a few; free *allocated with kfree afterwards (NULL if it was not needed, and
 * after a failure). 0 or -errno. */
#define IOV_FAST 8
int iov_iter_import(struct iov_iter *iter, const struct iovec __user *user, u64 count,
		    struct iovec fast[IOV_FAST], struct iovec **allocated);

/* ---- copying, where it is short ----------------------------------------------------------------------- */

/* Of kernel memory, or in several runs. */
size_t copy_to_iter_slow(const void *from, size_t size, struct iov_iter *iter);
size_t copy_from_iter_slow(void *to, size_t size, struct iov_iter *iter);

/* Is it the program's, and all of it in the first run? Mostly it is. */
static inline bool iov_iter_is_one_run(const struct iov_iter *iter, size_t size)
{
	return size && size <= iter->count && size <= iter->iov->length - iter->offset &&
	       !iter->kernel;
}

static inline void iov_iter_advance(struct iov_iter *iter, size_t size)
{
	iter->offset += size;
	iter->count -= size;
}

static inline size_t copy_to_iter(const void *from, size_t size, struct iov_iter *iter)
{
	if (unlikely(!iov_iter_is_one_run(iter, size)))
		return copy_to_iter_slow(from, size, iter);
	user_might_sleep();
	size -= user_copy((u8 *)iter->iov->base + iter->offset, from, size);
	iov_iter_advance(iter, size);
	return size;
}

static inline size_t copy_from_iter(void *to, size_t size, struct iov_iter *iter)
{
	if (unlikely(!iov_iter_is_one_run(iter, size)))
		return copy_from_iter_slow(to, size, iter);
	user_might_sleep();
	size -= user_copy(to, (u8 *)iter->iov->base + iter->offset, size);
	iov_iter_advance(iter, size);
	return size;
}
