/*
 * Timers: one mechanism, nanosecond expiry, one-shot. The callback runs in TIMER_SOFTIRQ on the CPU that
 * started the timer. Any context may start and cancel.
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/types.h>

struct timer {
	/* under the lock of the CPU's timer queue */
	union {
		struct list_head link; /* among those started of late */
		struct rb_node node;   /* sorted by expiry */
	};
	u64 expires;  /* clock_ns() at which it is due; it never fires earlier */
	bool pending; /* in the queue of `cpu` */
	bool sorted;  /* and there by `node` */
	u16 cpu;
	void (*function)(struct timer *timer); /* constant after timer_init() */
};

void timer_init(struct timer *timer, void (*function)(struct timer *timer));

/* Due at `expires`; moves it when it is pending already, and returns whether it was. */
bool timer_start(struct timer *timer, u64 expires);

/* Returns whether it was pending. The callback may still be running on another CPU ... */
bool timer_cancel(struct timer *timer);
/* ... but not after this. Not from the callback itself, nor holding a lock that it takes. */
bool timer_cancel_sync(struct timer *timer);

static inline bool timer_pending(const struct timer *timer)
{
	return READ_ONCE(timer->pending);
}

/* How many there are on that CPU, for /proc. */
u32 timers_pending(u32 cpu);

/* Once, and for each CPU that starts. */
void timers_init(void);
void timers_init_cpu(void);
