/*
 * Load averages, without a tick: they are brought up to date when somebody asks, from how long the CPUs have
 * been busy since the last time. An idle machine pays nothing for them.
 *
 * Locks: load_lock.
 */
#include <kernel/cpu/tsc.h>
#include <kernel/process/loadavg.h>
#include <kernel/sched.h>

#define PERIOD_NS (5 * NSEC_PER_SEC)
#define MAX_STEPS 1024 /* after so many periods nothing of the old value is left */

/* exp(-5 s / 1, 5, 15 min) in fixed point. */
static const u64 decay[3] = { 1884, 2014, 2037 };

static DEFINE_SPINLOCK(load_lock);
static u64 averages[3];			  /* under load_lock */
static u64 updated_at, runtime_at_update; /* under load_lock */

/* Task-nanoseconds run so far, and how many wait right now. */
static u64 busy_ns(u32 *waiting)
{
	u64 busy = 0;

	*waiting = 0;
	for_each_cpu(cpu) {
		struct run_queue_stats stats;

		run_queue_stats_read(cpu, &stats);
		busy += clock_ns() - min(clock_ns(), stats.idle_ns);
		*waiting += stats.running > 1 ? stats.running - 1 : 0;
	}
	return busy;
}

static void update(void)
{
	u32 waiting;
	u64 now = clock_ns(), busy = busy_ns(&waiting), elapsed = now - updated_at, load, steps;

	if (elapsed < PERIOD_NS)
		return;
	load = (((busy - runtime_at_update) << LOAD_SHIFT) / elapsed) +
	       ((u64)waiting << LOAD_SHIFT);
	steps = min(elapsed / PERIOD_NS, (u64)MAX_STEPS);
	for (int i = 0; i < 3; i++)
		for (u64 step = 0; step < steps; step++)
			averages[i] =
				(averages[i] * decay[i] + load * ((1 << LOAD_SHIFT) - decay[i])) >>
				LOAD_SHIFT;
	updated_at = now;
	runtime_at_update = busy;
}

u64 load_average(int which)
{
	u64 average;

	spin_lock_bh(&load_lock);
	update();
	average = averages[which];
	spin_unlock_bh(&load_lock);
	return average;
}
