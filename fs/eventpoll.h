/* What the rest of the kernel knows of eventpolls: a file that is watched tells them that it goes. */
#pragma once

#include <fs/file.h>

/* Take a file that nobody refers to any more off every eventpoll that watches it. */
void eventpoll_release_slow(struct file *file);

/* Both links pointing home is proof that whoever took the last epitem off is done with the file; one would not be. */
static inline void eventpoll_release(struct file *file)
{
	struct list_head *watchers = &file->watchers;

	if (unlikely(READ_ONCE(watchers->next) != watchers ||
		     READ_ONCE(watchers->prev) != watchers))
		eventpoll_release_slow(file);
}

void eventpoll_init(void);

extern u64 epoll_max_user_watches; /* /proc/sys/fs/epoll/max_user_watches */
