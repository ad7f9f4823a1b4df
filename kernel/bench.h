/*
 * Benchmarks inside the kernel: `bench` on the command line runs them and prints a line for each, in
 * ticks of the TSC; then the machine ends. `make bench` runs them on a QEMU whose TSC counts the
 * instructions that the guest executes.
 *
 * BENCH does something `rounds` times. It is run with one number of rounds and with twice as many,
 * and the difference counts: so it may prepare and clean up as it likes. The cost of the loop itself
 * is subtracted too. `per_round` says how many operations one round is.
 *
 *	BENCH(clock_ns, 1, "read the clock")
 *	{
 *		for (u32 i = 0; i < rounds; i++)
 *			bench_keep(clock_ns());
 *	}
 *
 * BENCH_SPAN lets something happen once and returns how long after its cause it did.
 *
 *	BENCH_SPAN(interrupt_to_handler, "...")
 *	{
 *		u64 start = rdtsc();
 *		...
 *		return handled_at - start;
 *	}
 */
#pragma once

#include <kernel/lib/types.h>

struct bench {
	const char *name, *what;
	u32 per_round;
	void (*loop)(u32 rounds); /* one of the two */
	u64 (*span)(void);
};

#define BENCH_DEFINE(ident, ...)                                          \
	static const struct bench bench_entry_##ident __used __aligned(8) \
		__section(".benches") = { .name = #ident, __VA_ARGS__ }

#define BENCH(ident, per_round_, what_)                                                     \
	static void bench_##ident(u32 rounds);                                              \
	BENCH_DEFINE(ident, .what = what_, .per_round = per_round_, .loop = bench_##ident); \
	static void bench_##ident(u32 rounds)

#define BENCH_SPAN(ident, what_)                                                   \
	static u64 bench_##ident(void);                                            \
	BENCH_DEFINE(ident, .what = what_, .per_round = 1, .span = bench_##ident); \
	static u64 bench_##ident(void)

/* Makes the compiler compute a value that nobody uses. */
#define bench_keep(value) __asm__ volatile("" : : "r"(value))

extern bool bench_wanted;
void bench_run(void);
