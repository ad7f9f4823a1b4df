/*
 * The clocks that programs can name. All of them run on clock_ns(), the monotonic clock; the wall
 * clock is an offset from it that root may change, and whoever waits for a wall-clock time is told
 * when that happens.
 */
#pragma once

#include <kernel/time.h>
#include <kernel/wait.h>

enum {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	CLOCK_REALTIME_ALARM,
	CLOCK_BOOTTIME_ALARM,
	CLOCK_TAI = 11,
};

/* Does the clock follow the wall, does it go on by itself (as opposed to CPU time)? */
bool clock_is_wall(int clock);
bool clock_is_timeline(int clock);
/* Of a timeline. */
u64 clock_now(int clock);
/* When, on clock_ns(), will it be `time`? It may have been already. Changes when the wall clock is
 * set. */
u64 clock_deadline(int clock, u64 time);

/* Sleep, in the state already set, until woken or until the clock says `time`; NO_TIMEOUT: until
 * woken. Returns true if there is time left. */
bool schedule_until(int clock, u64 time);

/* Woken when the wall clock was set. */
extern struct wait_queue clock_set_wq;
/* 0 or -EINVAL: time may not begin after the machine did. */
int wall_clock_set(u64 ns);
