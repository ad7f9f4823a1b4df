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
	const struct iovec *iov; /* in kernel memory */
	size_t offset;		 /* used of iov[0] */
	size_t count;		 /* bytes left in all */
	bool kernel;		 /* the bases are kernel addresses */
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
size_t copy_to_iter(const void *from, size_t size, struct iov_iter *iter);
size_t copy_from_iter(void *to, size_t size, struct iov_iter *iter);
size_t zero_to_iter(size_t size, struct iov_iter *iter);

#define IOV_MAX	     1024
#define MAX_RW_COUNT 0x7ffff000UL /* what one read or write moves at most, as on Linux */

/* Copy an iovec array from a program and check it: lengths, count <= IOV_MAX, sum capped at MAX_RW_COUNT.
 * `fast` is the caller's room for a few; free *allocated with kfree afterwards (NULL if it was not needed, and
 * after a failure). 0 or -errno. */
#define IOV_FAST 8
int iov_iter_import(struct iov_iter *iter, const struct iovec __user *user, u64 count,
		    struct iovec fast[IOV_FAST], struct iovec **allocated);
