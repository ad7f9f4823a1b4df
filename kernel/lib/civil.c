/* Calendar dates to seconds. */
#include <kernel/lib/civil.h>

#define SECONDS_A_DAY 86400ULL
#define DAYS_TO_1970  719468ULL /* from 0000-03-01 */

/* Counts years from March, so that the leap day is a year's last and every month before it has the same
 * place in every year: 153 days in each five months from March. */
static u64 days_since_march_0(const struct civil_time *time)
{
	u64 year = time->month > 2 ? time->year : time->year - 1;
	u64 month = time->month > 2 ? time->month - 3 : time->month + 9;
	u64 leap_days = year / 4 - year / 100 + year / 400;

	return year * 365 + leap_days + (153 * month + 2) / 5 + time->day - 1;
}

u64 civil_to_unix(const struct civil_time *time)
{
	u64 days = days_since_march_0(time) - DAYS_TO_1970;

	return days * SECONDS_A_DAY + time->hour * 3600ULL + time->minute * 60ULL + time->second;
}
