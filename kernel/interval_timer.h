/*
 * A timer on one of the clocks that programs can name, once or at intervals, relative or absolute:
 * what POSIX timers and timerfds are made of.
 */
#pragma once

#include <kernel/timer.h>
#include <kernel/wait.h>

struct interval_timer {
	spinlock_t lock;
	int clock; /* constant: as its creator named it */
	/* Softirq, under lock: `times` intervals are over. True: go on; false: not before
	 * interval_timer_forward(). Constant. */
	bool (*expired)(struct interval_timer *timer, u64 times);
	/* Under lock: the wall clock was set. NULL or constant. */
	void (*clock_was_set)(struct interval_timer *timer);

	/* under lock */
	int base; /* the clock that it follows: a relative time does not follow the wall */
	u64 expires, interval; /* on `base` */
	bool armed;
	bool held; /* waits for interval_timer_forward() */
	struct timer timer;

	struct wait_entry on_clock_set; /* of a wall clock, in clock_set_wq */
};

void interval_timer_init(struct interval_timer *timer, int clock);
/* When this returns it neither will expire nor is expiring. Process context, no lock held. */
void interval_timer_destroy(struct interval_timer *timer);

/* ---- under timer->lock --------------------------------------------------------------------- */

/* value 0: stop it. */
void interval_timer_set(struct interval_timer *timer, u64 value, u64 interval, bool absolute);
/* How long until it expires next; 0: it is stopped. */
u64 interval_timer_left(const struct interval_timer *timer);
/* If it was held: go on. How many more intervals have passed meanwhile. */
u64 interval_timer_forward(struct interval_timer *timer);
