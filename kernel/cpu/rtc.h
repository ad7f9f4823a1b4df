/* The date: what the battery-backed clock said at boot, and the CPU's clock on top of it. */
#pragma once

#include <kernel/lib/civil.h>
#include <kernel/lib/types.h>

/* Unix time in nanoseconds; 1970 where the RTC is missing or says nonsense. Any context. */
u64 wall_ns(void);
/* From now on it is that time. The RTC itself stays as it is. */
void wall_set(u64 ns);

/* Reads the RTC. After clock_init(). */
void wall_init(void);

/* The RTC's registers as they are, and their meaning; false: no possible date. */
struct rtc_registers {
	u8 second, minute, hour, day, month, year;
	u8 century; /* 0: the RTC has none */
	u8 status_b;
};
bool rtc_decode(const struct rtc_registers *registers, struct civil_time *time);
