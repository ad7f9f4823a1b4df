/* Several CPUs: starting them, calling them, stopping them. */
#pragma once

#include <kernel/cpu/percpu.h>

/* The local APIC of each CPU. */
extern u32 cpu_apic_id[MAX_CPUS];

/* Give CPU 0 its number and offset. The first thing of all. */
void smp_init_boot_cpu(void);

/* Start the other CPUs of the machine, at most `limit` in all. Each calls entry() on a stack and with
 * per-CPU data of its own; nr_cpus counts it only when entry() has called smp_cpu_ready(). */
void smp_start_cpus(u32 limit, void (*entry)(void));
void smp_cpu_ready(void);

/* Interrupt the CPU so that it looks at need_resched. */
void smp_send_reschedule(u32 cpu);

/* Run fn(arg) on every other CPU, in hard-IRQ context, and wait until all have. Interrupts on, and
 * no lock held that an interrupt handler takes. */
void smp_call_others(void (*fn)(void *arg), void *arg);
/* The same, on those of the bit mask, less this one. */
void smp_call_mask(u64 cpus, void (*fn)(void *arg), void *arg);
/* The handler of VECTOR_CALL. */
void smp_call_interrupt(void *arg);

/* Drop [start, end) of the kernel's map from every CPU's TLB. */
void flush_tlb_kernel(u64 start, u64 end);

/* Halt the others for good, through NMI: for panic. Any context. */
void smp_stop_others(void);
