/*
 * The real-time clock of the PC (Motorola MC146818A): a few bytes of CMOS memory behind an index and a
 * data port, which change under the reader once a second. Read once, on the boot CPU.
 */
#include <kernel/cpu/rtc.h>

#include <kernel/cpu/acpi.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

#define RTC_SECOND	  0x00
#define RTC_MINUTE	  0x02
#define RTC_HOUR	  0x04
#define RTC_DAY		  0x07
#define RTC_MONTH	  0x08
#define RTC_YEAR	  0x09
#define RTC_STATUS_A	  0x0a
#define STATUS_A_UPDATING BIT(7)
#define RTC_STATUS_B	  0x0b
#define STATUS_B_24_HOURS BIT(1)
#define STATUS_B_BINARY	  BIT(2)

#define HOUR_PM BIT(7) /* in a 12-hour clock's hour */

#define UPDATE_TRIES 20000 /* an update takes 2 ms */
#define READ_TRIES   10

static u64 wall_base; /* Unix time in ns when clock_ns() was 0; one word, so it needs no lock */

static u8 cmos_read(u8 index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static u8 from_bcd(u8 value)
{
	return (value >> 4) * 10 + (value & 0xf);
}

static bool plausible(const struct civil_time *time)
{
	return time->year >= 1970 && time->month >= 1 && time->month <= 12 && time->day >= 1 &&
	       time->day <= 31 && time->hour < 24 && time->minute < 60 && time->second < 60;
}

bool rtc_decode(const struct rtc_registers *registers, struct civil_time *time)
{
	bool binary = registers->status_b & STATUS_B_BINARY;
	bool pm = false;
	struct rtc_registers r = *registers;

	if (!(r.status_b & STATUS_B_24_HOURS)) {
		pm = r.hour & HOUR_PM;
		r.hour &= ~HOUR_PM;
	}
	if (!binary) {
		u8 *const fields[] = { &r.second, &r.minute, &r.hour,	&r.day,
				       &r.month,  &r.year,   &r.century };

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			*fields[i] = from_bcd(*fields[i]);
	}
	if (!(r.status_b & STATUS_B_24_HOURS))
		r.hour = r.hour % 12 + (pm ? 12 : 0);
	/* Two digits of a year, and nothing else: this kernel is younger than 2000. */
	*time = (struct civil_time){ .year = (r.century ?: 20) * 100 + r.year,
				     .month = r.month,
				     .day = r.day,
				     .hour = r.hour,
				     .minute = r.minute,
				     .second = r.second };
	return plausible(time);
}

static void read_registers(struct rtc_registers *registers)
{
	for (int i = 0; i < UPDATE_TRIES && (cmos_read(RTC_STATUS_A) & STATUS_A_UPDATING); i++)
		;
	*registers = (struct rtc_registers){
		.second = cmos_read(RTC_SECOND),
		.minute = cmos_read(RTC_MINUTE),
		.hour = cmos_read(RTC_HOUR),
		.day = cmos_read(RTC_DAY),
		.month = cmos_read(RTC_MONTH),
		.year = cmos_read(RTC_YEAR),
		.century = acpi.rtc_century ? cmos_read(acpi.rtc_century) : 0,
		.status_b = cmos_read(RTC_STATUS_B),
	};
}

/* Two readings that are equal: no update came in between. */
static bool read_stable(struct rtc_registers *registers)
{
	struct rtc_registers again;

	for (int i = 0; i < READ_TRIES; i++) {
		read_registers(registers);
		read_registers(&again);
		if (!memcmp(registers, &again, sizeof(again)))
			return true;
	}
	return false;
}

void wall_init(void)
{
	struct rtc_registers registers;
	struct civil_time time;

	if (!read_stable(&registers) || !rtc_decode(&registers, &time)) {
		pr_warn("rtc: no valid date: it is 1970\n");
		return;
	}
	wall_base = civil_to_unix(&time) * NSEC_PER_SEC - clock_ns();
	pr_info("rtc: %04u-%02u-%02u %02u:%02u:%02u UTC\n", time.year, time.month, time.day,
		time.hour, time.minute, time.second);
}

u64 wall_ns(void)
{
	return READ_ONCE(wall_base) + clock_ns();
}

void wall_set(u64 ns)
{
	WRITE_ONCE(wall_base, ns - clock_ns());
}
