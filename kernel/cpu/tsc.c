/*
 * Calibrating the clock. Three timers have a rate that is known: the HPET (it says so), the ACPI PM
 * timer, and the PIT of the first PC. Each is a counter here; the best one present is read at both
 * ends of a short wait, together with the TSC. See kernel/cpu/tsc.h.
 *
 * Runs once on the boot CPU, with interrupts off.
 */
#include <kernel/cpu/tsc.h>

#include <kernel/cmdline.h>
#include <kernel/cpu/acpi.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/printk.h>

#define WINDOW_MS   2
#define WINDOWS	    10			   /* at most */
#define TOLERANCE   500			   /* two windows must agree to one part in so many */
#define READ_TRIES  16			   /* of which the quickest counts */
#define STUCK_TICKS (100 * 1000 * 1000ULL) /* of the TSC: no reference needs that long for 2 ms */
#define ASSUMED_HZ  NSEC_PER_SEC

u64 clock_base;
u64 clock_mult;
u64 tsc_hz;

struct reference {
	const char *option; /* in clock= */
	const char *name;
	u64 (*start)(void); /* returns its rate in Hz; 0: not there */
	u64 (*read)(void);
	void (*stop)(void);
	u64 mask; /* the counter's width */
};

/* ---- HPET: IA-PC HPET specification, 2.3 --------------------------------------------------------- */

#define HPET_SIZE	  1024
#define HPET_CAPABILITIES 0x000
#define HPET_PERIOD	  0x004 /* femtoseconds a tick */
#define HPET_CONFIG	  0x010
#define HPET_ENABLE	  BIT(0)
#define HPET_COUNTER	  0x0f0
#define HPET_MAX_PERIOD	  100000000
#define FSEC_PER_SEC	  (1000000 * NSEC_PER_SEC)

static volatile u8 *hpet;

static u64 hpet_start(void)
{
	u32 period;

	if (!acpi.hpet_phys)
		return 0;
	hpet = ioremap(acpi.hpet_phys, HPET_SIZE);
	if (!hpet)
		return 0;
	period = mmio_read32(hpet + HPET_PERIOD);
	if (!period || period > HPET_MAX_PERIOD)
		return 0;
	mmio_write32(hpet + HPET_CONFIG, mmio_read32(hpet + HPET_CONFIG) | HPET_ENABLE);
	return FSEC_PER_SEC / period;
}

static u64 hpet_read(void)
{
	return mmio_read32(hpet + HPET_COUNTER);
}

static void hpet_stop(void)
{
	if (hpet)
		iounmap((void *)hpet);
	hpet = NULL;
}

/* ---- ACPI PM timer, ACPI 4.8.3.3 ------------------------------------------------------------------ */

#define PM_TIMER_HZ 3579545

static u64 pm_timer_start(void)
{
	return acpi.pm_timer_port ? PM_TIMER_HZ : 0;
}

static u64 pm_timer_read(void)
{
	return inl(acpi.pm_timer_port);
}

/* ---- PIT channel 2: the one that drives the speaker, so nobody else uses it ----------------------- */

#define PIT_HZ		 1193182
#define PIT_CHANNEL2	 0x42
#define PIT_MODE	 0x43
#define PIT_COUNT_DOWN_2 0xb0 /* channel 2, low byte then high byte, mode 0, binary */
#define PIT_LATCH_2	 0x80
#define SPEAKER_PORT	 0x61
#define SPEAKER_GATE	 BIT(0) /* lets channel 2 count */
#define SPEAKER_ON	 BIT(1)

static u64 pit_start(void)
{
	outb(SPEAKER_PORT, (inb(SPEAKER_PORT) & ~SPEAKER_ON) | SPEAKER_GATE);
	outb(PIT_MODE, PIT_COUNT_DOWN_2);
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	return PIT_HZ;
}

static u64 pit_read(void)
{
	u64 low;

	outb(PIT_MODE, PIT_LATCH_2);
	low = inb(PIT_CHANNEL2);
	return ~((u64)inb(PIT_CHANNEL2) << 8 | low); /* it counts down */
}

static void pit_stop(void)
{
	outb(SPEAKER_PORT, inb(SPEAKER_PORT) & ~SPEAKER_GATE);
}

/* ---- measuring --------------------------------------------------------------------------------- */

/* The best first. */
static const struct reference references[] = {
	{ "hpet", "HPET", hpet_start, hpet_read, hpet_stop, 0xffffffff },
	{ "pmtimer", "the ACPI PM timer", pm_timer_start, pm_timer_read, NULL, 0xffffff },
	{ "pit", "the PIT", pit_start, pit_read, pit_stop, 0xffff },
};
static const struct reference *forced;

struct sample {
	u64 tsc;
	u64 count;
};

/* Both counters at (nearly) the same time. What lies between the two readings may be long, when the
 * hypervisor has something else to do: so the quickest of a few. */
static struct sample take_sample(const struct reference *reference)
{
	u64 quickest = ~0ULL;
	struct sample best = { 0 };

	for (int i = 0; i < READ_TRIES; i++) {
		u64 before = rdtsc();
		u64 count = reference->read() & reference->mask;
		u64 took = rdtsc() - before;

		if (took < quickest) {
			quickest = took;
			best = (struct sample){ .tsc = before + took / 2, .count = count };
		}
	}
	return best;
}

/* Waits until the reference has gone on by `ticks`; false if it does not. */
static bool wait_ticks(const struct reference *reference, u64 from, u64 ticks)
{
	u64 start = rdtsc();

	while (((reference->read() - from) & reference->mask) < ticks) {
		if (rdtsc() - start > STUCK_TICKS)
			return false;
	}
	return true;
}

/* The TSC's rate, seen through one window; 0: the reference stands still. */
static u64 measure_window(const struct reference *reference, u64 hz)
{
	struct sample first = take_sample(reference), last;

	if (!wait_ticks(reference, first.count, hz * WINDOW_MS / 1000))
		return 0;
	last = take_sample(reference);
	return (last.tsc - first.tsc) * hz / ((last.count - first.count) & reference->mask);
}

/* Windows until two in succession agree: in one through which the hypervisor slept, a short counter may
 * have come round without being noticed. */
static u64 measure_windows(const struct reference *reference, u64 hz)
{
	u64 before = measure_window(reference, hz);

	for (int i = 1; before && i < WINDOWS; i++) {
		u64 now = measure_window(reference, hz);

		if (max(now, before) - min(now, before) < before / TOLERANCE)
			return (now + before) / 2;
		before = now;
	}
	pr_warn("clock: %s %s\n", reference->name, before ? "is not steady" : "stands still");
	return 0;
}

/* The TSC's rate by this reference, or 0. */
static u64 measure(const struct reference *reference)
{
	u64 hz = reference->start();
	u64 result = hz ? measure_windows(reference, hz) : 0;

	if (reference->stop)
		reference->stop();
	return result;
}

/* ---- what needs no measuring ---------------------------------------------------------------------- */

#define CPUID_TSC	       0x15 /* EBX / EAX: TSC ticks a crystal tick, ECX: the crystal's Hz */
#define CPUID_HYPERVISOR       0x40000000
#define CPUID_HYPERVISOR_TIME  0x40000010 /* EAX: kHz of the TSC */
#define CPUID_1_ECX_HYPERVISOR BIT(31)

static u64 hz_from_cpuid(void)
{
	u32 regs[4];

	cpuid(0, 0, regs);
	if (regs[0] >= CPUID_TSC) {
		cpuid(CPUID_TSC, 0, regs);
		if (regs[0] && regs[1] && regs[2])
			return (u64)regs[2] * regs[1] / regs[0];
	}
	cpuid(1, 0, regs);
	if (!(regs[2] & CPUID_1_ECX_HYPERVISOR))
		return 0;
	cpuid(CPUID_HYPERVISOR, 0, regs);
	if (regs[0] < CPUID_HYPERVISOR_TIME || regs[0] > CPUID_HYPERVISOR + 0xff)
		return 0;
	cpuid(CPUID_HYPERVISOR_TIME, 0, regs);
	return regs[0] * 1000ULL;
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static void set_rate(u64 hz, const char *source)
{
	tsc_hz = hz;
	clock_mult = (NSEC_PER_SEC << 32) / hz;
	pr_info("clock: TSC %llu.%03llu MHz, %s%s\n", hz / 1000000, hz / 1000 % 1000,
		source ? "against " : "as CPUID says", source ?: "");
}

static bool measure_and_set(const struct reference *reference)
{
	u64 hz = measure(reference);

	if (hz)
		set_rate(hz, reference->name);
	return hz != 0;
}

void clock_start(void)
{
	clock_base = rdtsc();
}

void clock_init(void)
{
	u64 hz = forced ? 0 : hz_from_cpuid();

	if (hz) {
		set_rate(hz, NULL);
		return;
	}
	if (forced) {
		if (measure_and_set(forced))
			return;
		pr_warn("clock: clock=%s: not there\n", forced->option);
	}
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		if (&references[i] != forced && measure_and_set(&references[i]))
			return;
	}
	set_rate(ASSUMED_HZ, "nothing");
	pr_warn("clock: no timer to measure the TSC against: time will be wrong\n");
}

u64 clock_ns_to_tsc(u64 ns)
{
	return clock_base + ns / NSEC_PER_SEC * tsc_hz + ns % NSEC_PER_SEC * tsc_hz / NSEC_PER_SEC;
}

void clock_delay_ns(u64 ns)
{
	u64 end = clock_ns() + ns;

	while (clock_ns() < end)
		cpu_relax();
}

static bool parse_clock(const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		if (!strcmp(value, references[i].option)) {
			forced = &references[i];
			return true;
		}
	}
	return false;
}
BOOT_OPTION(clock, "clock", "hpet, pmtimer or pit: what to measure the TSC against", parse_clock);
