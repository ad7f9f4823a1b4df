/*
 * Per-CPU data. DEFINE_PER_CPU(type, name) puts one master copy into the section .percpu; boot
 * gives each CPU its own copy of the section (CPU 0 keeps the master) and points GS at it, less the
 * section's address. So `%gs:name`, with the address the linker gave to the master, is this
 * CPU's copy: one instruction, no table.
 *
 * The kernel is not preempted, so between two points where it may sleep "this CPU" does not change.
 * A variable that interrupts or softirqs also write needs them kept out, as any shared data.
 */
#pragma once

#include <kernel/lib/types.h>

#define MAX_CPUS 64

#define DEFINE_PER_CPU(type, name)  __section(".percpu") __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name

#ifdef HOST_TEST /* one CPU, and the master copy is its copy */
#define this_cpu(name)	   (name)
#define per_cpu(name, cpu) (*((void)(cpu), &(name)))
#define this_cpu_ptr(name) (&(name))
#else
/* An lvalue: this_cpu(x) = 1, this_cpu(x)++ are single GS-relative instructions. */
#define this_cpu(name)	   (*(__seg_gs __typeof__(name) *)(uintptr_t) & (name))
/* Any CPU's copy. */
#define per_cpu(name, cpu) (*(__typeof__(name) *)((char *)&(name) + percpu_offset[cpu]))
/* This CPU's copy, by an ordinary pointer. */
#define this_cpu_ptr(name) ((__typeof__(name) *)((char *)&(name) + this_cpu(percpu_this_offset)))
#endif

extern u64 percpu_offset[MAX_CPUS];
DECLARE_PER_CPU(u64, percpu_this_offset);
DECLARE_PER_CPU(u32, cpu_number);

#define smp_processor_id() (this_cpu(cpu_number))

/* How many CPUs run; they are numbered from 0 without gaps. */
extern u32 nr_cpus;

#define for_each_cpu(cpu) for (u32 cpu = 0; cpu < nr_cpus; cpu++)
