/*
 * Waiting for one of many files: what poll and select have in common.
 *
 *	ask everybody			scan(NULL): is somebody ready? Then that is all.
 *	register on every wait queue	scan(table): each file's poll calls poll_wait(), and answers again
 *	sleep				until an entry's function is called, a signal, or the deadline
 *	ask everybody			scan(NULL); nobody: sleep again
 *	unregister from every one
 *
 * Registering comes before the answer that counts: what becomes ready after it finds our entry.
 */
#pragma once

#include <fs/file.h>
#include <kernel/time.h>

/* A deadline in clock_ns(), or one of: */
#define POLL_ONCE  0ULL /* do not sleep */
#define POLL_NEVER NO_TIMEOUT

/* How many are ready; `table` is to be handed to each file's poll. */
typedef int (*poll_scan_t)(void *arg, struct poll_table *table);

/* What scan() says as soon as that is not 0; 0 after the deadline; -EINTR; -ENOMEM. */
int poll_until_ready(poll_scan_t scan, void *arg, u64 deadline);

/*
 * What one descriptor answers: its events, or EPOLLNVAL. `own` is files_own(); `wanted` matters with a table. This
 * is what each watched descriptor costs, so it looks twice at nothing: O_PATH files, which are to answer
 * EPOLLNVAL as well, are found out where there is no poll.
 */
static __always_inline u32 poll_one(struct files *files, bool own, int number, u32 wanted,
				    struct poll_table *table)
{
	struct fd fd = own ? (struct fd){ files_peek(files, number), false }
			   : fd_borrow_shared(files, number);
	u32 ready;

	if (unlikely(!fd.file))
		return EPOLLNVAL;
	if (table)
		table->key = wanted;
	if (likely(fd.file->ops->poll))
		ready = fd.file->ops->poll(fd.file, table);
	else
		ready = fd.file->flags & O_PATH ? EPOLLNVAL : POLL_ALWAYS;
	fd_return(fd);
	return ready;
}

/* A timeout that is updated with the time left. */
struct poll_timeout {
	u64 deadline;
	void __user *user;		       /* NULL: there is none */
	int (*put)(u64 ns, void __user *user); /* 0 or -EFAULT */
};

/* Fill it in from what the program gave, by get_user_timespec() and its like; `user` NULL: for ever.
 * 0, -EFAULT, -EINVAL. */
int poll_timeout_timespec(struct poll_timeout *timeout, struct timespec __user *user);
static inline u64 poll_deadline(u64 ns)
{
	return ns ? clock_ns_after(ns) : POLL_ONCE;
}
/* The end of a call that may have changed the mask: that goes back, unless a handler is to see it, and the time
 * left is written. An interrupted call has -ERESTARTNOHAND; it cannot start again if the
 * time could not be written. */
long poll_finish(const struct poll_timeout *timeout, long result);
