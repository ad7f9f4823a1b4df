/*
 * Spinlocks: test-and-set. Not fair on purpose: where CPUs are threads of an emulator, a queue
 * of waiters stands still behind each one that the host has descheduled.
 *
 *	spin_lock		data that process context alone touches
 *	spin_lock_bh		data that softirqs touch too
 *	spin_lock_irqsave	data that hard interrupts touch too
 *	spin_lock_irqsave_raw	not seen by the checker: what printk and the checker itself need
 *
 * In a debug build each lock belongs to a class (the place where it was initialised) and
 * kernel/lockdep.c checks the order in which classes are taken. The order itself: docs/locking.md.
 */
#pragma once

#include <kernel/context.h>
#include <kernel/cpu/asm.h>
#include <kernel/lib/types.h>

#if CONFIG_DEBUG
#include <kernel/lockdep.h>
#define LOCK_DEBUG(code) code
#else
#define LOCK_DEBUG(code)
#endif

typedef struct spinlock {
	u32 locked;
	LOCK_DEBUG(u32 releases;)
	LOCK_DEBUG(struct lock_class *class;)
} spinlock_t;

#if CONFIG_DEBUG
/* At file scope: there the class, a literal without a name, is static as the lock is. */
#define DEFINE_SPINLOCK(var) spinlock_t var = { .class = &(struct lock_class){ .name = #var } }
#define spin_lock_init(lock)                                         \
	do {                                                         \
		static struct lock_class class_ = { .name = #lock }; \
		(lock)->locked = 0;                                  \
		(lock)->class = &class_;                             \
	} while (0)
#else
#define DEFINE_SPINLOCK(var) spinlock_t var = { 0 }
#define spin_lock_init(lock) ((void)((lock)->locked = 0))
#endif

static inline bool spin_lock_try_raw(spinlock_t *lock)
{
	/* One bit: that is `lock bts`, and a branch on the carry flag. */
	return !(__atomic_fetch_or(&lock->locked, 1, __ATOMIC_ACQUIRE) & 1);
}

/* Wait for a lock that the first attempt did not get. On the CPU that panics, when nobody is left to
 * release it, returns without. */
void spin_lock_slow(spinlock_t *lock);
#ifdef HOST_TEST
#define spin_lock_slow_thunk(lock) spin_lock_slow(lock)
#else
/* The same, keeping all registers: kernel/thunk.S. */
#define spin_lock_slow_thunk(lock) \
	__asm__ volatile("call spin_lock_slow_thunk" ::"D"(lock) : "memory", "cc")
#endif

static inline void spin_lock_raw(spinlock_t *lock)
{
	if (unlikely(!spin_lock_try_raw(lock)))
		spin_lock_slow_thunk(lock);
}

static inline void spin_unlock_raw(spinlock_t *lock)
{
	LOCK_DEBUG(lock->releases++;)
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

static inline void spin_lock(spinlock_t *lock)
{
	LOCK_DEBUG(lock_acquire(lock->class, LOCK_WAIT);)
	spin_lock_raw(lock);
}

/* While a lock of the same class is held already; the caller has an order of its own within the
 * class, say by address. */
static inline void spin_lock_nested(spinlock_t *lock)
{
	LOCK_DEBUG(lock_acquire(lock->class, LOCK_NESTED);)
	spin_lock_raw(lock);
}

static inline bool spin_trylock(spinlock_t *lock)
{
	if (!spin_lock_try_raw(lock))
		return false;
	LOCK_DEBUG(lock_acquire(lock->class, LOCK_TRY);)
	return true;
}

static inline void spin_unlock(spinlock_t *lock)
{
	LOCK_DEBUG(lock_release(lock->class);)
	spin_unlock_raw(lock);
}

static inline void spin_lock_bh(spinlock_t *lock)
{
	local_bh_disable();
	spin_lock(lock);
}

static inline void spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock(lock);
	local_bh_enable();
}

static inline void spin_lock_irq(spinlock_t *lock)
{
	irq_disable();
	spin_lock(lock);
}

static inline void spin_unlock_irq(spinlock_t *lock)
{
	spin_unlock(lock);
	irq_enable();
}

static inline u64 spin_lock_irqsave(spinlock_t *lock)
{
	u64 flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *lock, u64 flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}

static inline u64 spin_lock_irqsave_raw(spinlock_t *lock)
{
	u64 flags = irq_save();

	spin_lock_raw(lock);
	return flags;
}

static inline void spin_unlock_irqrestore_raw(spinlock_t *lock, u64 flags)
{
	spin_unlock_raw(lock);
	irq_restore(flags);
}

static inline bool spin_is_locked(const spinlock_t *lock)
{
	return READ_ONCE(lock->locked);
}
