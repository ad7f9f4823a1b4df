/*
 * CPU time: reading it while it runs, and timers that count it (ITIMER_VIRTUAL, ITIMER_PROF,
 * RLIMIT_CPU).
 *
 * A timer on the monotonic clock is set for the earliest moment at which the CPU time can be used
 * up, and then looks. When nothing of the process wants to run it is not set again: the process is
 * parked, and the first of its threads that comes back to a CPU sets it. So a process that is
 * blocked costs nothing.
 */
#pragma once

#include <kernel/timer.h>

struct process;
struct task;

enum cpu_timer_kind { CPU_TIMER_VIRTUAL, CPU_TIMER_PROF, NR_CPU_TIMERS };

struct cpu_timers {
	struct timer look;
	bool stopped; /* under tree_lock: the process ends */
	/* under process->lock */
	struct {
		u64 expires; /* in CPU time; 0: off */
		u64 interval;
	} timers[NR_CPU_TIMERS];
	u64 next_xcpu; /* when SIGXCPU is sent again, in CPU time; 0: not yet */
};

/* CPU time of a thread up to now, in ns. */
void task_cpu_time(struct task *task, u64 *user, u64 *total);
/* Of all threads of a process, dead ones included. */
void process_cpu_time(struct process *process, u64 *user, u64 *total);

/* What is left of a timer, and its interval; both 0 when it is off. */
void cpu_timer_get(struct process *process, enum cpu_timer_kind kind, u64 *interval, u64 *left);
void cpu_timer_set(struct process *process, enum cpu_timer_kind kind, u64 interval, u64 left);

void cpu_timers_init(struct process *process);
/* The CPU limit was set or inherited: look after it. */
void cpu_timers_start(struct process *process);
/* The process ends. Process context, no lock held. */
void cpu_timers_stop(struct process *process);
/* The scheduler: a parked task comes to a CPU. Under the run queue's lock. */
void cpu_timer_unpark(struct task *task);
