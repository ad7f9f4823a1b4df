/* Timers of CPU time; see kernel/cpu_timer.h. Locks: tree_lock (the threads); process->lock inside
 * it. */
#include <kernel/cpu/tsc.h>
#include <kernel/cpu_timer.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/time.h>

/* No timer of CPU time is more exact than this, nor asks more often. */
#define GRAIN_NS NSEC_PER_MSEC

static const int signal_of[NR_CPU_TIMERS] = {
	[CPU_TIMER_VIRTUAL] = SIGVTALRM,
	[CPU_TIMER_PROF] = SIGPROF,
};

/* ---- reading ------------------------------------------------------------------------------- */

static bool runs_now(const struct task *task)
{
	return per_cpu(current_task, READ_ONCE(task->cpu)) == task;
}

/* User time is added up on the way into the kernel; to that comes what a CPU is running just now. */
static u64 user_tsc(const struct task *task)
{
	u64 tsc, entered, flags = irq_save();

	tsc = READ_ONCE(task->user_tsc);
	entered = READ_ONCE(task->user_entered);
	if (runs_now(task) && entered > READ_ONCE(task->kernel_entered))
		tsc += rdtsc() - entered;
	irq_restore(flags);
	return tsc;
}

void task_cpu_time(struct task *task, u64 *user, u64 *total)
{
	*total = task_runtime(task);
	*user = min((u64)((unsigned __int128)user_tsc(task) * clock_mult >> 32), *total);
}

static void sum_locked(struct process *process, u64 *user, u64 *total)
{
	struct task *task;

	*user = process->dead_utime;
	*total = process->dead_utime + process->dead_stime;
	list_for_each_entry(task, &process->threads, thread_link) {
		u64 task_user, task_total;

		task_cpu_time(task, &task_user, &task_total);
		*user += task_user;
		*total += task_total;
	}
}

void process_cpu_time(struct process *process, u64 *user, u64 *total)
{
	spin_lock_bh(&tree_lock);
	sum_locked(process, user, total);
	spin_unlock_bh(&tree_lock);
}

/* ---- looking ------------------------------------------------------------------------------- */

static void note_left(u64 *left, u64 expires, u64 now)
{
	*left = min(*left, expires > now ? expires - now : 0);
}

/* process->lock held. Signals that are due, as a set; in *left how long until more can be. */
static sigset_t check_timers(struct process *process, u64 user, u64 total, u64 *left)
{
	sigset_t due = 0;

	for (int kind = 0; kind < NR_CPU_TIMERS; kind++) {
		__typeof__(process->cpu_timers.timers[0]) *timer =
			&process->cpu_timers.timers[kind];
		u64 now = kind == CPU_TIMER_VIRTUAL ? user : total;

		if (!timer->expires)
			continue;
		if (now >= timer->expires) {
			due |= sigmask_of(signal_of[kind]);
			timer->expires = timer->interval ? now + timer->interval : 0;
		}
		if (timer->expires)
			note_left(left, timer->expires, now);
	}
	return due;
}

/* The same for the limit: SIGXCPU every second from the soft one on, SIGKILL at the hard one. */
static sigset_t check_limit(struct process *process, u64 total, u64 *left)
{
	const struct rlimit *limit = &process->rlimits[RLIMIT_CPU];
	u64 *next = &process->cpu_timers.next_xcpu;

	if (limit->cur >= RLIM_INFINITY / NSEC_PER_SEC)
		return 0;
	if (limit->max < RLIM_INFINITY / NSEC_PER_SEC && total >= limit->max * NSEC_PER_SEC)
		return sigmask_of(SIGKILL);
	*next = max(*next, limit->cur * NSEC_PER_SEC);
	note_left(left, *next, total);
	if (total < *next)
		return 0;
	*next = total + NSEC_PER_SEC;
	*left = min(*left, NSEC_PER_SEC);
	return sigmask_of(SIGXCPU);
}

static struct task *wants_to_run(const struct process *process)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link)
		if (READ_ONCE(task->on_run_queue))
			return task;
	return NULL;
}

/* It is for who used up the time: sleepers are not disturbed. */
static void send_due(struct process *process, sigset_t due)
{
	struct task *running = wants_to_run(process);

	for (; due; due &= due - 1) {
		int sig = __builtin_ctzll(due) + 1;

		if (running)
			send_signal_to_running(running, sig);
		else
			send_signal_process_locked(process, sig, NULL);
	}
}

static void set_parked(struct process *process)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link)
		WRITE_ONCE(task->cpu_timer_parked, true);
}

/*
 * tree_lock held. Set the timer for when `left` may be used up, by all CPUs together; or park the
 * process:
 *
 *	here				waker, and the CPU that runs the task
 *	parked = true			on_run_queue = true
 *	barrier				lock of the run queue: a barrier
 *	on_run_queue?			parked?
 */
static void look_again(struct process *process, u64 left)
{
	u32 cpus = min(nr_cpus, max(process->nr_threads, 1U));

	if (!wants_to_run(process)) {
		set_parked(process);
		smp_mb();
		if (!wants_to_run(process))
			return;
	}
	timer_start(&process->cpu_timers.look, clock_ns() + max(left / cpus, GRAIN_NS));
}

/* TIMER_SOFTIRQ. */
static void look(struct timer *timer)
{
	struct process *process = container_of(timer, struct process, cpu_timers.look);
	u64 user, total, left = NO_TIMEOUT;
	sigset_t due;

	spin_lock_bh(&tree_lock);
	sum_locked(process, &user, &total);
	spin_lock(&process->lock);
	due = check_timers(process, user, total, &left);
	due |= check_limit(process, total, &left);
	spin_unlock(&process->lock);
	send_due(process, due);
	if (left != NO_TIMEOUT && !process->cpu_timers.stopped)
		look_again(process, left);
	spin_unlock_bh(&tree_lock);
}

void cpu_timer_unpark(struct task *task)
{
	struct cpu_timers *timers = &task->process->cpu_timers;

	task->cpu_timer_parked = false;
	if (!timer_pending(&timers->look))
		timer_start(&timers->look, clock_ns() + GRAIN_NS);
	/* Another thread may be ending the process: one of the two cancels what was just started. */
	if (READ_ONCE(timers->stopped))
		timer_cancel(&timers->look);
}

/* ---- setting ------------------------------------------------------------------------------- */

void cpu_timer_get(struct process *process, enum cpu_timer_kind kind, u64 *interval, u64 *left)
{
	u64 user, total, now, expires;

	process_cpu_time(process, &user, &total);
	now = kind == CPU_TIMER_VIRTUAL ? user : total;
	spin_lock_bh(&process->lock);
	*interval = process->cpu_timers.timers[kind].interval;
	expires = process->cpu_timers.timers[kind].expires;
	spin_unlock_bh(&process->lock);
	*left = !expires ? 0 : expires > now ? expires - now : NSEC_PER_USEC;
}

void cpu_timer_set(struct process *process, enum cpu_timer_kind kind, u64 interval, u64 left)
{
	u64 user, total, now;

	process_cpu_time(process, &user, &total);
	now = kind == CPU_TIMER_VIRTUAL ? user : total;
	spin_lock_bh(&process->lock);
	process->cpu_timers.timers[kind].interval = interval;
	process->cpu_timers.timers[kind].expires = left ? min(now + left, TIME_MAX_NS) : 0;
	spin_unlock_bh(&process->lock);
	if (left)
		cpu_timers_start(process);
}

void cpu_timers_init(struct process *process)
{
	timer_init(&process->cpu_timers.look, look);
}

void cpu_timers_start(struct process *process)
{
	spin_lock_bh(&tree_lock);
	if (!process->cpu_timers.stopped)
		timer_start(&process->cpu_timers.look, clock_ns());
	spin_unlock_bh(&tree_lock);
}

void cpu_timers_stop(struct process *process)
{
	spin_lock_bh(&tree_lock);
	WRITE_ONCE(process->cpu_timers.stopped, true);
	spin_unlock_bh(&tree_lock);
	timer_cancel_sync(&process->cpu_timers.look);
}
