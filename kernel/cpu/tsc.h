/*
 * The clock: nanoseconds since the kernel was entered, from the CPU's time-stamp counter. Its rate is
 * measured at boot against a timer whose rate is known.
 */
#pragma once

#include <kernel/cpu/asm.h>
#include <kernel/lib/types.h>

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

/* Written once each, by clock_start() and clock_init(). */
extern u64 clock_base; /* the counter at the kernel's entry */
extern u64 clock_mult; /* nanoseconds a tick, times 2^32; 0 until calibrated */
extern u64 tsc_hz;

#define clock_calibrated (clock_mult != 0)

/* Monotonic. 0 before clock_init(). */
#ifdef HOST_TEST
extern u64 host_clock_ns; /* tests move it: tests/unit/net_shim.h */
static inline u64 clock_ns(void)
{
	return host_clock_ns;
}
#else
/* Not C's __int128: to whatever might hold one gcc gives a stack that is aligned to 16 bytes. */
static inline u64 clock_ns(void)
{
	u64 low = rdtsc() - clock_base, high;

	__asm__("mulq %2; shrdq $32, %1, %0" : "+a"(low), "=d"(high) : "rm"(clock_mult) : "cc");
	return low;
}
#endif

/* The value that the counter has, or had, at that time: for a TSC-deadline timer. */
u64 clock_ns_to_tsc(u64 ns);

/* Wait by running in a circle: for the microseconds that a device asks for. */
void clock_delay_ns(u64 ns);

/* The first thing a kernel does: sets the clock to 0. */
void clock_start(void);
/* Calibrates. After acpi_init(); takes a few milliseconds. */
void clock_init(void);
