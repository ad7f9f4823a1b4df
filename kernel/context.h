/*
 * Which context runs on this CPU, in one per-CPU counter:
 *
 *	bits 16..23  hard interrupts nested here
 *	bits  9..15  local_bh_disable() depth
 *	bit   8      a softirq handler runs
 *
 * Hard IRQ, softirq and process are the three contexts of docs/; what each may do stands in
 * DESIGN "Rules". Nothing sleeps while the counter is not zero, so it need not travel with the task.
 */
#pragma once

#include <kernel/cpu/percpu.h>
#include <kernel/lib/types.h>

#define SOFTIRQ_SERVING (1U << 8)
#define BH_DISABLED	(1U << 9)
#define BH_MASK		0x0000ff00U
#define HARDIRQ		(1U << 16)
#define HARDIRQ_MASK	0x00ff0000U

DECLARE_PER_CPU(u32, context_count);

#define in_hardirq()   (this_cpu(context_count) & HARDIRQ_MASK)
#define in_softirq()   (this_cpu(context_count) & BH_MASK) /* serving one, or softirqs disabled */
#define in_interrupt() (this_cpu(context_count) & (HARDIRQ_MASK | BH_MASK))
#define in_process()   (this_cpu(context_count) == 0)

/* One bit a softirq; in the order in which they are served. */
enum softirq {
	TIMER_SOFTIRQ,
	NET_TX_SOFTIRQ,
	NET_RX_SOFTIRQ,
	CONSOLE_SOFTIRQ,
	NR_SOFTIRQS,
};

DECLARE_PER_CPU(u32, softirq_pending);

/* Run the pending softirqs of this CPU, now. Only where no context but "process" is active. */
void do_softirq(void);

#ifdef HOST_TEST
#define do_softirq_thunk() do_softirq()
#else
/* The same, keeping all registers: kernel/thunk.S. The red zone is off, so a call is safe here. */
#define do_softirq_thunk() __asm__ volatile("call do_softirq_thunk" ::: "memory", "cc")
#endif

/* Softirqs raised between these two run at local_bh_enable(): what a softirq also touches is safe. */
static inline void local_bh_disable(void)
{
	this_cpu(context_count) += BH_DISABLED;
	barrier();
}

static inline void local_bh_enable(void)
{
	barrier();
	this_cpu(context_count) -= BH_DISABLED;
	barrier(); /* one instruction: the count is not kept for the question below, which is rarely asked */
	if (unlikely(this_cpu(softirq_pending)) && in_process())
		do_softirq_thunk();
}
