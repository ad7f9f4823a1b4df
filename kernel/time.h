/* Times as programs give and take them, and what they count from. Inside the kernel time is u64
 * nanoseconds. */
#pragma once

#include <kernel/cpu/tsc.h>
#include <kernel/mm/uaccess.h>

struct timespec {
	s64 sec, nsec;
};
struct itimerspec {
	struct timespec interval, value;
};
struct timeval {
	s64 sec, usec;
};
struct itimerval {
	struct timeval interval, value;
};

#define TIMER_ABSTIME 1

/* The end of time: more does not fit a signed count of nanoseconds, and no clock gets there. */
#define TIME_MAX_NS ((u64)INT64_MAX)

static inline bool timespec_valid(const struct timespec *time)
{
	return time->sec >= 0 && (u64)time->nsec < NSEC_PER_SEC;
}

/* Of valid ones. */
static inline u64 timespec_to_ns(const struct timespec *time)
{
	if ((u64)time->sec >= TIME_MAX_NS / NSEC_PER_SEC)
		return TIME_MAX_NS;
	return time->sec * NSEC_PER_SEC + time->nsec;
}

static inline struct timespec ns_to_timespec(u64 ns)
{
	return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
}

static inline bool timeval_valid(const struct timeval *time)
{
	return time->sec >= 0 && (u64)time->usec < NSEC_PER_SEC / NSEC_PER_USEC;
}

static inline u64 timeval_to_ns(const struct timeval *time)
{
	struct timespec spec = { time->sec, time->usec * NSEC_PER_USEC };

	return timespec_to_ns(&spec);
}

static inline struct timeval ns_to_timeval(u64 ns)
{
	return (struct timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

/* A moment `ns` from now that stays before the end of time. */
static inline u64 clock_ns_after(u64 ns)
{
	u64 now = clock_ns();

	return ns > TIME_MAX_NS - now ? TIME_MAX_NS : now + ns;
}

/* 0, -EFAULT, or -EINVAL. */
int get_user_timespec(u64 *ns, const struct timespec __user *user);
/* 0 or -EFAULT. */
int put_user_timespec(u64 ns, struct timespec __user *user);
/* An interval timer's two times. */
int get_user_itimerspec(u64 *interval, u64 *value, const struct itimerspec __user *user);
int put_user_itimerspec(u64 interval, u64 value, struct itimerspec __user *user);
