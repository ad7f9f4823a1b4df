/*
 * Step 4 of the journey: softirqs. A hard interrupt handler only raises one; it runs on the way out of
 * the interrupt, with interrupts enabled, before the interrupted code goes on. Softirqs that keep
 * raising themselves (a flood of packets) may do so MAX_ROUNDS times or for MAX_NS; what remains is
 * handed to the thread ksoftirqd/N, which competes with programs for the CPU like anyone else. So
 * a flood can slow programs down, but never stop them. Timers are not left to it: the thread may have to wait until
 * the running program's slice ends, and that is a timer.
 *
 * Context: softirq (SOFTIRQ_SERVING set), on the stack of whatever was interrupted. No locks:
 * everything here is this CPU's own, and softirq_pending is touched by single instructions or with interrupts off.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/tsc.h>
#include <kernel/panic.h>
#include <kernel/softirq.h>
#include <kernel/trace.h>

#define MAX_ROUNDS 10
#define MAX_NS	   2000000
#define ALL	   (~0U)
#define NOT_LEFT   BIT(TIMER_SOFTIRQ) /* to ksoftirqd */

DEFINE_PER_CPU(u32, softirq_pending);
DEFINE_PER_CPU(bool, ksoftirqd_active);
DEFINE_PER_CPU(u64[NR_SOFTIRQS], softirq_counts);

const char *const softirq_names[NR_SOFTIRQS] = {
	[TIMER_SOFTIRQ] = "TIMER",
	[NET_TX_SOFTIRQ] = "NET_TX",
	[NET_RX_SOFTIRQ] = "NET_RX",
	[CONSOLE_SOFTIRQ] = "CONSOLE",
};

static void (*actions[NR_SOFTIRQS])(void);
void (*softirq_defer)(void);

void open_softirq(enum softirq nr, void (*action)(void))
{
	actions[nr] = action;
}

void raise_softirq(enum softirq nr)
{
	/* One instruction, so that an interrupt's bit cannot get lost between load and store. */
	__asm__ volatile("orl %1, %%gs:%0" : "+m"(softirq_pending) : "ri"(1U << nr) : "cc");
	if (in_process() && softirq_defer)
		softirq_defer();
}

/* Interrupts off. */
static u32 take_pending(u32 which)
{
	u32 pending = this_cpu(softirq_pending) & which;

	this_cpu(softirq_pending) &= ~which;
	return pending;
}

static void run_actions(u32 pending)
{
	while (pending) {
		int nr = __builtin_ctz(pending);

		pending &= pending - 1;
		this_cpu(softirq_counts[nr])++;
		trace(SOFTIRQ_ENTER, nr);
		actions[nr]();
		trace(SOFTIRQ_EXIT, nr);
	}
}

/* Interrupts off on entry and on return. */
static void serve_rounds(u32 which)
{
	u64 deadline = 0;
	int rounds = 0;

	this_cpu(context_count) += SOFTIRQ_SERVING;
	do {
		u32 pending = take_pending(which);

		irq_enable();
		run_actions(pending);
		if (!deadline)
			deadline = clock_ns() + MAX_NS;
		irq_disable();
	} while (this_cpu(softirq_pending) & which && ++rounds < MAX_ROUNDS &&
		 clock_ns() < deadline);
	this_cpu(context_count) -= SOFTIRQ_SERVING;
}

void do_softirq(void)
{
	bool deferred = this_cpu(ksoftirqd_active);
	u32 which = deferred ? NOT_LEFT : ALL;
	u64 flags;

	if (!(this_cpu(softirq_pending) & which))
		return;
	flags = irq_save();
	serve_rounds(which);
	if (this_cpu(softirq_pending) && !deferred)
		softirq_defer();
	irq_restore(flags);
}

void softirq_serve(void)
{
	irq_disable();
	if (this_cpu(softirq_pending))
		serve_rounds(ALL);
	irq_enable();
}
