/* Calendar dates to seconds. */
#pragma once

#include <kernel/lib/types.h>

/* A date and time of the Gregorian calendar, UTC. */
struct civil_time {
	u32 year;	/* 1970 and later */
	u32 month, day; /* from 1 */
	u32 hour, minute, second;
};

/* Seconds since 1970-01-01 00:00:00. */
u64 civil_to_unix(const struct civil_time *time);
