/* Tests of what signals and timers are made of; what programs see of them is tested by tests/sys. */
#include <kernel/interval_timer.h>
#include <kernel/lib/errno.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <kernel/signal_impl.h>
#include <kernel/wall_clock.h>

/* ---- queues ---------------------------------------------------------------------------------- */

static int add(struct sigpending *pending, int sig, int code, u64 value, u64 limit)
{
	struct siginfo info = { .signo = sig, .code = code };

	info.rt.value = value;
	return sigpending_add(pending, sig, &info, limit);
}

static u64 first_value(const struct sigpending *pending)
{
	return list_first_entry(&pending->queue, struct sigqueue, link)->info.rt.value;
}

SELFTEST(signal_queue_order)
{
	struct sigpending pending;

	sigpending_init(&pending);
	EXPECT(add(&pending, SIGRTMIN, SI_QUEUE, 1, 10) == 0);
	EXPECT(add(&pending, SIGRTMIN, SI_QUEUE, 2, 10) == 0);
	EXPECT(add(&pending, SIGUSR1, SI_USER, 3, 10) == 0);
	EXPECT(pending.set == (sigmask_of(SIGRTMIN) | sigmask_of(SIGUSR1)));
	EXPECT(pending.count == 3 && first_value(&pending) == 1);
	sigpending_discard(&pending, sigmask_of(SIGRTMIN));
	EXPECT(pending.set == sigmask_of(SIGUSR1));
	EXPECT(pending.count == 1 && first_value(&pending) == 3);
	sigpending_discard(&pending, ~0ULL);
	EXPECT(!pending.set && !pending.count && list_empty(&pending.queue));
}

/* At the limit a value is refused, kill()'s real-time signal loses its siginfo, others ignore it. */
SELFTEST(signal_queue_limit)
{
	struct sigpending pending;

	sigpending_init(&pending);
	EXPECT(add(&pending, SIGRTMIN, SI_QUEUE, 1, 1) == 0);
	EXPECT(add(&pending, SIGRTMIN, SI_QUEUE, 2, 1) == -EAGAIN);
	EXPECT(add(&pending, SIGRTMIN + 1, SI_USER, 3, 1) == 0);
	EXPECT(pending.count == 1 && pending.set & sigmask_of(SIGRTMIN + 1));
	EXPECT(add(&pending, SIGCHLD, SI_USER, 4, 1) == 0);
	EXPECT(pending.count == 2);
	sigpending_discard(&pending, ~0ULL);
	EXPECT(pending.count == 0);
}

SELFTEST(signal_queue_owned)
{
	struct sigqueue timer = { .owned = true, .info.signo = SIGALRM };
	struct sigpending pending;

	sigpending_init(&pending);
	sigpending_add_owned(&pending, &timer);
	EXPECT(add(&pending, SIGALRM, SI_USER, 1, 10) == 0);
	sigpending_remove_owned(&pending, &timer);
	EXPECT(list_empty(&timer.link) && pending.set == sigmask_of(SIGALRM));
	sigpending_add_owned(&pending, &timer);
	sigpending_discard(&pending, ~0ULL);
	EXPECT(list_empty(&timer.link) && !pending.set);
}

/* ---- interval timers --------------------------------------------------------------------------- */

struct counting_timer {
	struct interval_timer timer;
	u64 calls, times;
	bool go_on;
};

static bool count_expiry(struct interval_timer *timer, u64 times)
{
	struct counting_timer *counting = container_of(timer, struct counting_timer, timer);

	counting->calls++;
	counting->times += times;
	return counting->go_on;
}

static void start_counting(struct counting_timer *counting, u64 first, u64 interval, bool go_on)
{
	*counting = (struct counting_timer){ .go_on = go_on };
	counting->timer.expired = count_expiry;
	interval_timer_init(&counting->timer, CLOCK_MONOTONIC);
	spin_lock_bh(&counting->timer.lock);
	interval_timer_set(&counting->timer, first, interval, false);
	spin_unlock_bh(&counting->timer.lock);
}

SELFTEST(interval_timer_periodic)
{
	struct counting_timer counting;
	u64 left;

	start_counting(&counting, NSEC_PER_MSEC, NSEC_PER_MSEC, true);
	sleep_ns(10 * NSEC_PER_MSEC);
	spin_lock_bh(&counting.timer.lock);
	left = interval_timer_left(&counting.timer);
	spin_unlock_bh(&counting.timer.lock);
	interval_timer_destroy(&counting.timer);
	EXPECT(counting.times >= 9 && left > 0 && left <= NSEC_PER_MSEC);
}

/* Faster than it may interrupt: the count is right all the same. */
SELFTEST(interval_timer_fast)
{
	struct counting_timer counting;

	start_counting(&counting, NSEC_PER_USEC, NSEC_PER_USEC, true);
	sleep_ns(5 * NSEC_PER_MSEC);
	interval_timer_destroy(&counting.timer);
	EXPECT(counting.times >= 4000 && counting.calls <= counting.times / 10);
}

/* One that is held does not interrupt again, and knows what it missed. */
SELFTEST(interval_timer_held)
{
	struct counting_timer counting;
	u64 missed;

	start_counting(&counting, NSEC_PER_MSEC, NSEC_PER_MSEC, false);
	sleep_ns(6 * NSEC_PER_MSEC);
	spin_lock_bh(&counting.timer.lock);
	missed = interval_timer_forward(&counting.timer);
	spin_unlock_bh(&counting.timer.lock);
	interval_timer_destroy(&counting.timer);
	EXPECT(counting.calls >= 1 && counting.times + missed >= 5);
}

static bool note_wakeup(struct wait_entry *entry, u32 key)
{
	*(bool *)entry->private = true;
	return true;
}

SELFTEST(wall_clock_set)
{
	u64 before = clock_now(CLOCK_REALTIME), began = clock_ns(), later;
	bool told = false;
	struct wait_entry entry = { .func = note_wakeup, .private = &told };

	add_wait_queue(&clock_set_wq, &entry);
	EXPECT(wall_clock_set(before + 1000 * NSEC_PER_SEC) == 0);
	later = clock_now(CLOCK_REALTIME);
	EXPECT(wall_clock_set(before + (clock_ns() - began)) == 0);
	remove_wait_queue(&clock_set_wq, &entry);
	EXPECT(told && later >= before + 1000 * NSEC_PER_SEC);
	EXPECT(clock_deadline(CLOCK_MONOTONIC, 5) == 5);
	EXPECT(clock_deadline(CLOCK_REALTIME, 0) == 0);
	EXPECT(wall_clock_set(0) == -EINVAL);
}
