/*
 * /proc/stat: what the processors did with their time.
 *
 * The scheduler knows how long each CPU was idle, each task how much of its time was its program's. So whenever
 * somebody asks, the busy time of each CPU since the last time is divided into user and system as the
 * busy time of all CPUs was. The sums so kept never go back, which is what top counts on.
 *
 * Context: process. Lock: times_lock.
 */
#include <fs/proc/interrupts.h>
#include <fs/proc/pid.h>
#include <fs/proc/tree.h>

#include <kernel/cpu/rtc.h>
#include <kernel/cpu/tsc.h>
#include <kernel/pid.h>
#include <kernel/process/rusage.h>
#include <kernel/sched.h>
#include <kernel/softirq.h>

struct cpu_time {
	u64 user, system, idle; /* ns */
};

static DEFINE_MUTEX(times_lock);
static struct cpu_time cpu_times[MAX_CPUS]; /* under times_lock */
static u64 user_seen; /* under times_lock: of all processes, at the last look */

/* The time of all programs so far: those that run, and, at their parents, those that are gone. */
static u64 user_time(void)
{
	u64 sum = 0, utime, stime;

	for (u32 pid = 1; (pid = next_pid(pid)); pid++) {
		struct process *process = process_find(pid);

		if (!process)
			continue;
		process_times(process, &utime, &stime);
		sum += utime + READ_ONCE(process->children_utime);
		process_put(process);
		cond_resched();
	}
	return sum;
}

/* Busy since the last look; idle is brought up to date. */
static u64 take_busy(u32 cpu, struct cpu_time *time)
{
	struct run_queue_stats stats;
	u64 busy_before = time->user + time->system, busy;

	run_queue_stats_read(cpu, &stats);
	time->idle = max(time->idle, stats.idle_ns);
	busy = clock_ns() - min(clock_ns(), time->idle);
	return busy - min(busy, busy_before);
}

static void update_times(void)
{
	u64 user = user_time(), new_user = user - min(user, user_seen), busy[MAX_CPUS],
	    all_busy = 0;

	user_seen = max(user, user_seen);
	for_each_cpu(cpu) {
		busy[cpu] = take_busy(cpu, &cpu_times[cpu]);
		all_busy += busy[cpu];
	}
	new_user = min(new_user, all_busy);
	for_each_cpu(cpu) {
		/* in microseconds, so that the product fits */
		u64 share = all_busy ? busy[cpu] / NSEC_PER_USEC * (new_user / NSEC_PER_USEC) /
					       DIV_ROUND_UP(all_busy, NSEC_PER_USEC) * NSEC_PER_USEC
				     : 0;

		cpu_times[cpu].user += share;
		cpu_times[cpu].system += busy[cpu] - share;
	}
}

/* user nice system idle iowait irq softirq steal guest guest_nice */
static void print_times(struct seq_buf *out, const struct cpu_time *time)
{
	seq_printf(out, " %lld 0 %lld %lld 0 0 0 0 0 0\n", ns_to_ticks(time->user),
		   ns_to_ticks(time->system), ns_to_ticks(time->idle));
}

static void print_cpus(struct seq_buf *out)
{
	struct cpu_time sum = { 0 };

	mutex_lock(&times_lock);
	update_times();
	for_each_cpu(cpu) {
		sum.user += cpu_times[cpu].user;
		sum.system += cpu_times[cpu].system;
		sum.idle += cpu_times[cpu].idle;
	}
	seq_printf(out, "cpu ");
	print_times(out, &sum);
	for_each_cpu(cpu) {
		seq_printf(out, "cpu%u", cpu);
		print_times(out, &cpu_times[cpu]);
	}
	mutex_unlock(&times_lock);
}

static u64 irq_sum(const struct irq_stats *stats)
{
	u64 sum = 0;

	for_each_cpu(cpu)
		sum += stats->count[cpu];
	return sum;
}

static void add_count(const struct irq_stats *stats, void *sum)
{
	*(u64 *)sum += irq_sum(stats);
}

static void print_count(const struct irq_stats *stats, void *out)
{
	seq_printf(out, " %llu", irq_sum(stats));
}

static void print_interrupts(struct seq_buf *out)
{
	u64 sum = 0;

	for_each_interrupt(add_count, &sum);
	seq_printf(out, "intr %llu", sum);
	for_each_interrupt(print_count, out);
	seq_putc(out, '\n');
}

static u64 softirq_sum(u32 nr)
{
	u64 sum = 0;

	for_each_cpu(cpu)
		sum += per_cpu(softirq_counts, cpu)[nr];
	return sum;
}

static void print_softirqs(struct seq_buf *out)
{
	u64 sum = 0;

	for (u32 nr = 0; nr < NR_SOFTIRQS; nr++)
		sum += softirq_sum(nr);
	seq_printf(out, "softirq %llu", sum);
	for (u32 nr = 0; nr < NR_SOFTIRQS; nr++)
		seq_printf(out, " %llu", softirq_sum(nr));
	seq_putc(out, '\n');
}

static u32 count_blocked(void)
{
	u32 count = 0;

	for (u32 number = 1; (number = next_task(number)); number++) {
		struct task *task = task_find(number);

		if (!task)
			continue;
		count += task->process && READ_ONCE(task->state) == TASK_UNINTERRUPTIBLE;
		put_task(task);
	}
	return count;
}

static void show_cpu_stat(struct seq_buf *out, const struct proc_entry *entry)
{
	u64 switches = 0;
	u32 running = 0;

	print_cpus(out);
	print_interrupts(out);
	for_each_cpu(cpu) {
		struct run_queue_stats stats;

		run_queue_stats_read(cpu, &stats);
		switches += stats.switches;
		running += stats.running;
	}
	seq_printf(out, "ctxt %llu\nbtime %llu\nprocesses %llu\n", switches,
		   (wall_ns() - clock_ns()) / NSEC_PER_SEC, pids_given());
	seq_printf(out, "procs_running %u\nprocs_blocked %u\n", running, count_blocked());
	print_softirqs(out);
}

static const struct proc_entry files[] = {
	{ "stat", 0444, .show = show_cpu_stat },
};

void proc_cpu_init(void)
{
	PROC_REGISTER("", files);
	proc_cpuinfo_init();
}
