/*
 * A mutex: a lock whose waiters sleep. Process context only, no spinlock held; the one that locks
 * unlocks. First come, first served: an unlock hands the mutex to the one that has waited longest.
 */
#pragma once

#include <kernel/lib/errno.h>
#include <kernel/wait.h>

struct mutex {
	u32 state; /* enum mutex_state; leaves and enters MUTEX_CONTENDED under wq.lock only */
	struct wait_queue wq;
	LOCK_DEBUG(struct lock_class *class;)
};

enum mutex_state {
	MUTEX_FREE,
	MUTEX_LOCKED,
	MUTEX_CONTENDED, /* locked, and there may be waiters: the unlock must look */
};

#if CONFIG_DEBUG
/* At file scope, as DEFINE_SPINLOCK. */
#define DEFINE_MUTEX(var)                                                                     \
	struct mutex var = {                                                                  \
		.wq = { .lock = { .class = &(struct lock_class){ .name = #var ".wq.lock" } }, \
			.entries = LIST_HEAD_INIT(var.wq.entries) },                          \
		.class = &(struct lock_class){ .name = #var, .is_mutex = true },              \
	}
#define mutex_init(mutex)                                                                     \
	do {                                                                                  \
		static struct lock_class mutex_class_ = { .name = #mutex, .is_mutex = true }; \
		(mutex)->state = MUTEX_FREE;                                                  \
		(mutex)->class = &mutex_class_;                                               \
		wait_queue_init(&(mutex)->wq);                                                \
	} while (0)
#else
#define DEFINE_MUTEX(var) struct mutex var = { .wq.entries = LIST_HEAD_INIT(var.wq.entries) }
#define mutex_init(mutex)                      \
	do {                                   \
		(mutex)->state = MUTEX_FREE;   \
		wait_queue_init(&(mutex)->wq); \
	} while (0)
#endif

/* When the state was not what the fast path hoped for. */
int mutex_lock_slow(struct mutex *mutex, u32 task_state);
void mutex_unlock_slow(struct mutex *mutex);

static inline bool mutex_change_state(struct mutex *mutex, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&mutex->state, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline void mutex_lock(struct mutex *mutex)
{
	LOCK_DEBUG(lock_acquire(mutex->class, LOCK_WAIT);)
	if (unlikely(!mutex_change_state(mutex, MUTEX_FREE, MUTEX_LOCKED)))
		mutex_lock_slow(mutex, TASK_UNINTERRUPTIBLE);
}

/* While another of the same kind is held, in an order the caller knows. */
static inline void mutex_lock_nested(struct mutex *mutex)
{
	LOCK_DEBUG(lock_acquire(mutex->class, LOCK_NESTED);)
	if (unlikely(!mutex_change_state(mutex, MUTEX_FREE, MUTEX_LOCKED)))
		mutex_lock_slow(mutex, TASK_UNINTERRUPTIBLE);
}

/* 0, or -EINTR if a signal came first: then it is not locked. */
static inline int __must_check mutex_lock_interruptible(struct mutex *mutex)
{
	int error = 0;

	LOCK_DEBUG(lock_acquire(mutex->class, LOCK_WAIT);)
	if (unlikely(!mutex_change_state(mutex, MUTEX_FREE, MUTEX_LOCKED)))
		error = mutex_lock_slow(mutex, TASK_INTERRUPTIBLE);
	LOCK_DEBUG(if (error) lock_release(mutex->class);)
	return error;
}

static inline bool __must_check mutex_trylock(struct mutex *mutex)
{
	if (!mutex_change_state(mutex, MUTEX_FREE, MUTEX_LOCKED))
		return false;
	LOCK_DEBUG(lock_acquire(mutex->class, LOCK_TRY);)
	return true;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	LOCK_DEBUG(lock_release(mutex->class);)
	if (unlikely(!mutex_change_state(mutex, MUTEX_LOCKED, MUTEX_FREE)))
		mutex_unlock_slow(mutex);
}

/* A hint, but for the holder. */
static inline bool mutex_is_locked(const struct mutex *mutex)
{
	return READ_ONCE(mutex->state) != MUTEX_FREE;
}

#if CONFIG_DEBUG
#define mutex_assert_held(mutex) lockdep_assert_held((mutex)->class)
#else
#define mutex_assert_held(mutex) ((void)(mutex))
#endif
