/* The part of taking a spinlock that waits. */
#include <kernel/spinlock.h>

#include <kernel/cpu/tsc.h>
#include <kernel/panic.h>

/* `pause` is what lets the holder run where CPUs are threads, or take turns, of an emulator; but it
 * costs as much as 40 reads there. */
#define READS_A_PAUSE  32
#define PAUSES_A_CHECK 1024
#define DEADLOCK_NS    (10 * NSEC_PER_SEC)

#if CONFIG_DEBUG
/* A lock that nobody releases for so long is never released: better a panic than a silent halt. Who is unlucky
 * may wait longer while others take it in turn. */
static void complain_if_stuck(const spinlock_t *lock, u32 *releases, u64 *since)
{
	u64 now = clock_ns();

	if (*releases != READ_ONCE(lock->releases)) {
		*releases = READ_ONCE(lock->releases);
		*since = now;
	} else if (now - *since > DEADLOCK_NS) {
		panic("spinlock '%s' (%pS) not released for %llu s",
		      lock->class ? lock->class->name : "raw", lock, DEADLOCK_NS / NSEC_PER_SEC);
	}
}
#endif

/* Waits by reading: only a read that saw the lock free is followed by an attempt, so the waiters
 * leave the cache line to the holder. */
void spin_lock_slow(spinlock_t *lock)
{
	LOCK_DEBUG(u32 releases = READ_ONCE(lock->releases); u64 since = clock_ns();)

	for (u32 round = 1; !panicking_here(); round++) {
		for (int i = 0; i < READS_A_PAUSE; i++) {
			if (!spin_is_locked(lock) && spin_lock_try_raw(lock))
				return;
		}
		cpu_relax();
		LOCK_DEBUG(if (round % PAUSES_A_CHECK == 0)
				   complain_if_stuck(lock, &releases, &since);)
	}
}
