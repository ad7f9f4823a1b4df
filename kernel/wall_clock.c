/* Clocks; see kernel/wall_clock.h. No locks but the wait queue's: the offset is a single word. */
#include <kernel/cpu/rtc.h>
#include <kernel/lib/errno.h>
#include <kernel/wall_clock.h>

DEFINE_WAIT_QUEUE(clock_set_wq);

static const enum clock_kind {
	NO_TIMELINE,
	MONOTONIC,
	WALL
} clock_kinds[] = {
	[CLOCK_REALTIME] = WALL,
	[CLOCK_MONOTONIC] = MONOTONIC,
	[CLOCK_MONOTONIC_RAW] = MONOTONIC,
	[CLOCK_REALTIME_COARSE] = WALL,
	[CLOCK_MONOTONIC_COARSE] = MONOTONIC,
	[CLOCK_BOOTTIME] = MONOTONIC,
	[CLOCK_REALTIME_ALARM] = WALL,
	[CLOCK_BOOTTIME_ALARM] = MONOTONIC,
	[CLOCK_TAI] = WALL,
};

static enum clock_kind kind_of(int clock)
{
	return (u32)clock < ARRAY_SIZE(clock_kinds) ? clock_kinds[clock] : NO_TIMELINE;
}

bool clock_is_wall(int clock)
{
	return kind_of(clock) == WALL;
}

bool clock_is_timeline(int clock)
{
	return kind_of(clock) != NO_TIMELINE;
}

u64 clock_now(int clock)
{
	return clock_is_wall(clock) ? wall_ns() : clock_ns();
}

u64 clock_deadline(int clock, u64 time)
{
	u64 offset;

	if (!clock_is_wall(clock) || time == TIME_MAX_NS)
		return time;
	offset = wall_ns() - clock_ns();
	return time > offset ? time - offset : 0;
}

bool schedule_until(int clock, u64 time)
{
	struct wait_entry entry = { .func = default_wake_function, .private = current };
	bool time_left;

	if (!clock_is_wall(clock) || time == NO_TIMEOUT)
		return schedule_timeout(time);
	add_wait_queue(&clock_set_wq, &entry);
	schedule_timeout(clock_deadline(clock, time));
	time_left = clock_now(clock) < time;
	remove_wait_queue(&clock_set_wq, &entry);
	return time_left;
}

int wall_clock_set(u64 ns)
{
	if (ns < clock_ns() || ns >= TIME_MAX_NS)
		return -EINVAL;
	wall_set(ns);
	wake_up_all(&clock_set_wq);
	return 0;
}

/* ---- times from and to programs ------------------------------------------------------------ */

int get_user_timespec(u64 *ns, const struct timespec __user *user)
{
	struct timespec time;

	if (copy_from_user(&time, user, sizeof(time)))
		return -EFAULT;
	if (!timespec_valid(&time))
		return -EINVAL;
	*ns = timespec_to_ns(&time);
	return 0;
}

int put_user_timespec(u64 ns, struct timespec __user *user)
{
	struct timespec time = ns_to_timespec(ns);

	return copy_to_user(user, &time, sizeof(time)) ? -EFAULT : 0;
}

int get_user_itimerspec(u64 *interval, u64 *value, const struct itimerspec __user *user)
{
	struct itimerspec times;

	if (copy_from_user(&times, user, sizeof(times)))
		return -EFAULT;
	if (!timespec_valid(&times.interval) || !timespec_valid(&times.value))
		return -EINVAL;
	*interval = timespec_to_ns(&times.interval);
	*value = timespec_to_ns(&times.value);
	return 0;
}

int put_user_itimerspec(u64 interval, u64 value, struct itimerspec __user *user)
{
	struct itimerspec times = { ns_to_timespec(interval), ns_to_timespec(value) };

	return copy_to_user(user, &times, sizeof(times)) ? -EFAULT : 0;
}
