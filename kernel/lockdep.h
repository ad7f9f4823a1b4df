/*
 * The lock-order checker of the debug build: see kernel/lockdep.c. A lock class is the set of locks
 * that were initialised at one place in the source; orders are learned between classes.
 */
#pragma once

#include <kernel/lib/types.h>

struct lock_class {
	const char *name;
	u16 id;	       /* index into the order matrix; 0 until first taken */
	u16 usage;     /* in which contexts this class was taken: see kernel/lockdep.c */
	bool is_mutex; /* may be held while sleeping; must not be taken in an interrupt */
};

enum lock_how {
	LOCK_WAIT,   /* may wait for it */
	LOCK_TRY,    /* got it without waiting: that cannot deadlock */
	LOCK_NESTED, /* may wait, holding another of this class, in an order the caller knows */
};

/* Call before waiting for a lock, or after a trylock got it. */
void lock_acquire(struct lock_class *class, enum lock_how how);
void lock_release(struct lock_class *class);

/* Complain unless the current context holds a lock of this class. */
void lockdep_assert_held(const struct lock_class *class);

/* Complain if the current context holds any spinlock or runs in an interrupt: it is about to sleep. */
void lockdep_might_sleep(void);

/* The mutexes that a task holds, innermost last. (Spinlocks are kept by CPU: their holder stays.) */
#define LOCKDEP_MAX_MUTEXES 8
struct lockdep_task {
	struct lock_class *held[LOCKDEP_MAX_MUTEXES];
	u8 depth;
};

/* The running task's; set by the scheduler, before that there is one task. */
extern struct lockdep_task *(*lockdep_current)(void);

/* For self-tests: while set, a complaint goes to `report` instead of ending in a panic. */
void lockdep_set_report_hook(void (*report)(const char *complaint));
