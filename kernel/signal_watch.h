/* The wait queue of a process's signals: what signalfds, and whoever polls them, wait on. */
#pragma once

#include <kernel/wait.h>

struct signal_watch {
	u32 refcount;	      /* atomic; the sighand holds one */
	struct wait_queue wq; /* woken, under sighand->lock, when a signal is queued */
};

/* The current process's, made if there is none yet. NULL: no memory. */
struct signal_watch *signal_watch_of_current(void);
void signal_watch_get(struct signal_watch *watch);
void signal_watch_put(struct signal_watch *watch); /* NULL is fine */
