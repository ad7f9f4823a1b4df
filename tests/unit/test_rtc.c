/* sources: kernel/cpu/rtc.c kernel/lib/civil.c kernel/lib/string.c */
/* Dates against libc's timegm(), and the encodings of the RTC's registers. */
#define _DEFAULT_SOURCE
#include <time.h>

#include <kernel/cpu/acpi.h>
#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/printk.h>
#include <tests/unit/unit.h>

/* What rtc.c's other half, which talks to the hardware, is linked to. */
struct acpi_info acpi;
u64 host_clock_ns;

int printk(const char *format, ...)
{
	return 0;
}

static u64 by_libc(const struct civil_time *time)
{
	struct tm tm = { .tm_year = (int)time->year - 1900,
			 .tm_mon = (int)time->month - 1,
			 .tm_mday = (int)time->day,
			 .tm_hour = (int)time->hour,
			 .tm_min = (int)time->minute,
			 .tm_sec = (int)time->second };

	return (u64)timegm(&tm);
}

TEST(civil_known_dates)
{
	CHECK_EQ(civil_to_unix(&(struct civil_time){ 1970, 1, 1, 0, 0, 0 }), 0);
	CHECK_EQ(civil_to_unix(&(struct civil_time){ 2000, 2, 29, 12, 0, 0 }), 951825600);
	CHECK_EQ(civil_to_unix(&(struct civil_time){ 2026, 1, 1, 0, 0, 0 }), 1767225600);
	CHECK_EQ(civil_to_unix(&(struct civil_time){ 2038, 1, 19, 3, 14, 8 }), 1LL << 31);
}

TEST(civil_every_day_of_four_centuries)
{
	static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	for (u32 year = 1970; year < 2370; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		for (u32 month = 1; month <= 12; month++) {
			u32 length = days[month - 1] + (month == 2 && leap);

			for (u32 day = 1; day <= length; day++) {
				struct civil_time time = { year, month, day, 23, 59, 58 };

				CHECK_EQ(civil_to_unix(&time), by_libc(&time));
			}
		}
	}
}

static void check_decoded(struct rtc_registers registers, u32 year, u32 hour)
{
	struct civil_time time;

	CHECK(rtc_decode(&registers, &time));
	CHECK_EQ(time.year, year);
	CHECK_EQ(time.month, 12);
	CHECK_EQ(time.day, 31);
	CHECK_EQ(time.hour, hour);
	CHECK_EQ(time.minute, 58);
	CHECK_EQ(time.second, 59);
}

enum { BCD_24 = 2, BINARY_24 = 6, BCD_12 = 0, BINARY_12 = 4 };

TEST(rtc_decodes_bcd_and_binary)
{
	check_decoded((struct rtc_registers){ 0x59, 0x58, 0x23, 0x31, 0x12, 0x26, 0x20, BCD_24 },
		      2026, 23);
	check_decoded((struct rtc_registers){ 59, 58, 23, 31, 12, 26, 20, BINARY_24 }, 2026, 23);
	check_decoded((struct rtc_registers){ 59, 58, 23, 31, 12, 99, 19, BINARY_24 }, 1999, 23);
	check_decoded((struct rtc_registers){ 59, 58, 23, 31, 12, 26, 0, BINARY_24 }, 2026, 23);
}

TEST(rtc_decodes_twelve_hours)
{
	static const struct {
		u8 bcd;
		u32 hour;
	} hours[] = { { 0x12, 0 },  { 0x01, 1 },  { 0x11, 11 },
		      { 0x92, 12 }, { 0x81, 13 }, { 0x91, 23 } };

	for (size_t i = 0; i < ARRAY_SIZE(hours); i++)
		check_decoded((struct rtc_registers){ 0x59, 0x58, hours[i].bcd, 0x31, 0x12, 0x26, 0,
						      BCD_12 },
			      2026, hours[i].hour);
	check_decoded((struct rtc_registers){ 59, 58, 0x8b, 31, 12, 26, 0, BINARY_12 }, 2026, 23);
}

TEST(rtc_refuses_impossible_dates)
{
	static const struct rtc_registers bad[] = {
		{ 60, 0, 0, 1, 1, 26, 20, BINARY_24 },	    { 0, 60, 0, 1, 1, 26, 20, BINARY_24 },
		{ 0, 0, 24, 1, 1, 26, 20, BINARY_24 },	    { 0, 0, 0, 0, 1, 26, 20, BINARY_24 },
		{ 0, 0, 0, 32, 1, 26, 20, BINARY_24 },	    { 0, 0, 0, 1, 0, 26, 20, BINARY_24 },
		{ 0, 0, 0, 1, 13, 26, 20, BINARY_24 },	    { 0, 0, 0, 1, 1, 69, 19, BINARY_24 },
		{ 255, 255, 255, 255, 255, 255, 255, 255 },
	};
	struct civil_time time;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!rtc_decode(&bad[i], &time));
}
