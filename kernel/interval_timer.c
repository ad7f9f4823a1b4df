/*
 * Interval timers. Locks: timer->lock (softirq-safe); inside it, by `expired`, what sending a
 * signal or waking takes. Outside it: clock_set_wq.lock.
 */
#include <kernel/interval_timer.h>
#include <kernel/wall_clock.h>

/* How often at most a periodic timer interrupts; when its interval is shorter, `times` makes up
 * for it. */
#define PERIOD_MIN_NS (100 * NSEC_PER_USEC)

static void start_no_earlier(struct interval_timer *timer, u64 earliest)
{
	timer_start(&timer->timer, max(clock_deadline(timer->base, timer->expires), earliest));
}

/* How many intervals are over at `now`, which is not before the expiry; the expiry is moved behind
 * it. */
static u64 pass_intervals(struct interval_timer *timer, u64 now)
{
	u64 times = 1 + (now - timer->expires) / timer->interval;

	timer->expires += times * timer->interval;
	return times;
}

/* Softirq. It may have been set anew while we waited for the lock, so it is looked at as if for
 * the first time. */
static void timer_due(struct timer *inner)
{
	struct interval_timer *timer = container_of(inner, struct interval_timer, timer);
	u64 now, times = 1;

	spin_lock_bh(&timer->lock);
	now = clock_now(timer->base);
	if (timer->armed && !timer->held) {
		bool due = now >= timer->expires;

		if (due && timer->interval)
			times = pass_intervals(timer, now);
		else if (due)
			timer->armed = false;
		if (due)
			timer->held = !timer->expired(timer, times) && timer->armed;
		if (timer->armed && !timer->held)
			start_no_earlier(timer, clock_ns() + (due ? PERIOD_MIN_NS : 0));
	}
	spin_unlock_bh(&timer->lock);
}

/* Called by wake_up() on clock_set_wq. */
static bool clock_was_set(struct wait_entry *entry, u32 key)
{
	struct interval_timer *timer = entry->private;

	spin_lock_bh(&timer->lock);
	if (timer->clock_was_set)
		timer->clock_was_set(timer);
	if (timer->armed && !timer->held && clock_is_wall(timer->base))
		start_no_earlier(timer, 0);
	spin_unlock_bh(&timer->lock);
	return true;
}

void interval_timer_init(struct interval_timer *timer, int clock)
{
	spin_lock_init(&timer->lock);
	timer->clock = clock;
	timer->base = clock;
	timer->armed = false;
	timer->held = false;
	timer->interval = 0;
	timer_init(&timer->timer, timer_due);
	timer->on_clock_set = (struct wait_entry){ .func = clock_was_set, .private = timer };
	if (clock_is_wall(clock))
		add_wait_queue(&clock_set_wq, &timer->on_clock_set);
}

void interval_timer_destroy(struct interval_timer *timer)
{
	if (clock_is_wall(timer->clock))
		remove_wait_queue(&clock_set_wq, &timer->on_clock_set);
	spin_lock_bh(&timer->lock);
	timer->armed = false;
	spin_unlock_bh(&timer->lock);
	timer_cancel_sync(&timer->timer);
}

void interval_timer_set(struct interval_timer *timer, u64 value, u64 interval, bool absolute)
{
	timer_cancel(&timer->timer);
	timer->armed = value != 0;
	timer->held = false;
	timer->interval = interval;
	timer->base = absolute ? timer->clock : CLOCK_MONOTONIC;
	timer->expires = absolute ? value : clock_ns_after(value);
	if (timer->armed)
		start_no_earlier(timer, 0);
}

u64 interval_timer_left(const struct interval_timer *timer)
{
	u64 now = clock_now(timer->base);

	if (!timer->armed)
		return 0;
	return timer->expires > now ? timer->expires - now : 1;
}

u64 interval_timer_forward(struct interval_timer *timer)
{
	u64 now = clock_now(timer->base), times = 0;

	if (!timer->held)
		return 0;
	timer->held = false;
	if (now >= timer->expires)
		times = pass_intervals(timer, now);
	start_no_earlier(timer, 0);
	return times;
}
