/*
 * The scheduler. Each CPU has a run queue: a tree of the tasks that want to run, ordered by virtual
 * runtime, that is by how much CPU time they have had in proportion to their weight. The leftmost
 * runs. A task that slept comes back with at most half a slice of credit, so what waits for
 * events goes before what computes, but cannot hoard.
 *
 * While a CPU has more than one runnable task a timer limits the stint of each to SLICE_NS; with one or
 * none there is no timer, and an idle CPU halts. The kernel itself is not preempted: a switch
 * happens when a task sleeps, on the way back to user mode, in the idle task, and in cond_resched().
 *
 * Locks: rq->lock, irq-safe; one at a time, except that balancing tries (and only tries) for a second.
 * It is taken by the task that leaves the CPU and released by the one that comes: so whoever holds
 * it knows that no task of this queue is half-way through a switch. Inside it: the timer queue's lock.
 */
#include <kernel/cpu/smp.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/vm.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/softirq.h>
#include <kernel/timer.h>
#include <kernel/trace.h>
#include <kernel/user_mode.h>

#define WAKEUP_CREDIT  (SLICE_NS / 2)
#define PREEMPT_MARGIN (NSEC_PER_MSEC / 2) /* a woken task must be this far behind to interrupt */

struct run_queue {
	spinlock_t lock;

	/* under lock */
	struct rb_root_cached tasks; /* runnable, without `curr` */
	u32 nr_running;		     /* in the tree, and `curr` unless that is idle */
	u64 min_vruntime;	     /* never goes back: where newcomers start */
	struct task *curr, *idle;
	u64 switches, steals;
	u64 idle_ns, idle_since;

	struct timer slice_timer;
};

static DEFINE_PER_CPU(struct run_queue, run_queue);
DEFINE_PER_CPU(struct task *, current_task);
DEFINE_PER_CPU(bool, need_resched);
DEFINE_PER_CPU(bool, sync_wakeup);
u64 idle_cpus;
void (*idle_hook)(void);

static struct run_queue *cpu_rq(u32 cpu)
{
	return &per_cpu(run_queue, cpu);
}

static struct run_queue *this_rq(void)
{
	return this_cpu_ptr(run_queue);
}

/* ---- the tree ---------------------------------------------------------------------------- */

/* vruntime wraps like a sequence number, so compare by difference. */
static bool vruntime_before(const struct rb_node *a, const struct rb_node *b)
{
	return (s64)(rb_entry(a, struct task, run_node)->vruntime -
		     rb_entry(b, struct task, run_node)->vruntime) < 0;
}

static struct task *leftmost(struct run_queue *rq)
{
	struct rb_node *node = rb_first_cached(&rq->tasks);

	return node ? rb_entry(node, struct task, run_node) : NULL;
}

/* Charge the running task for its time since the last look. */
static void update_curr(struct run_queue *rq)
{
	struct task *curr = rq->curr;
	u64 now = clock_ns(), delta = now - curr->exec_start;

	curr->exec_start = now;
	if (curr == rq->idle)
		return;
	curr->runtime += delta;
	curr->vruntime +=
		curr->weight == NICE_0_WEIGHT ? delta : delta * NICE_0_WEIGHT / curr->weight;
	if ((s64)(curr->vruntime - rq->min_vruntime) > 0) {
		struct task *first = leftmost(rq);
		u64 least = curr->vruntime;

		if (first && (s64)(first->vruntime - least) < 0)
			least = first->vruntime;
		if ((s64)(least - rq->min_vruntime) > 0)
			rq->min_vruntime = least;
	}
}

static void resched_cpu(u32 cpu)
{
	per_cpu(need_resched, cpu) = true;
	if (cpu != smp_processor_id())
		smp_send_reschedule(cpu);
}

/* While tasks compete here, look at the clock when the current one's slice is over. */
static void start_slice_timer(struct run_queue *rq)
{
	if (!timer_pending(&rq->slice_timer))
		timer_start(&rq->slice_timer, clock_ns() + SLICE_NS);
}

/* Put a task that is becoming runnable into the queue of its CPU. Under rq->lock. */
static void enqueue_task(struct run_queue *rq, struct task *task)
{
	u64 floor = rq->min_vruntime - WAKEUP_CREDIT;

	if ((s64)(task->vruntime - floor) < 0)
		task->vruntime = floor;
	task->on_run_queue = true;
	rb_add_cached(&task->run_node, &rq->tasks, vruntime_before);
	rq->nr_running++;
}

/* Should `task`, just queued, run at once instead of the CPU's current task? */
static bool should_preempt(struct run_queue *rq, const struct task *task)
{
	struct task *curr = rq->curr;

	if (curr == rq->idle)
		return true;
	update_curr(rq);
	return (s64)(curr->vruntime - task->vruntime) >= (s64)PREEMPT_MARGIN;
}

/* TIMER_SOFTIRQ, on the queue's own CPU or on the one that queued work here. */
static void slice_expired(struct timer *timer)
{
	struct run_queue *rq = container_of(timer, struct run_queue, slice_timer);
	u64 idle, flags = spin_lock_irqsave(&rq->lock);

	update_curr(rq);
	if (rq->nr_running > 1) {
		if (rq->curr->runtime - rq->curr->slice_start >= SLICE_NS)
			resched_cpu(rq->curr->cpu);
		start_slice_timer(rq);
		/* Somebody may have fallen asleep without finding out that we have too much. */
		idle = READ_ONCE(idle_cpus);
		if (idle)
			resched_cpu(__builtin_ctzll(idle));
	}
	spin_unlock_irqrestore(&rq->lock, flags);
}

/* ---- balancing: only by CPUs that have nothing to do ----------------------------------------- */

/* A runnable task of `from` that may run on `cpu`: the one that would wait longest there. */
static struct task *find_stealable(struct run_queue *from, u32 cpu)
{
	for (struct rb_node *node = rb_last(&from->tasks.rb_root); node; node = rb_prev(node)) {
		struct task *task = rb_entry(node, struct task, run_node);

		if (task->allowed_cpus & BIT(cpu))
			return task;
	}
	return NULL;
}

/* Under from->lock and to->lock. */
static void move_task(struct task *task, struct run_queue *from, struct run_queue *to, u32 cpu)
{
	rb_erase_cached(&task->run_node, &from->tasks);
	from->nr_running--;
	task->vruntime += to->min_vruntime - from->min_vruntime;
	task->cpu = cpu;
	enqueue_task(to, task);
	to->steals++;
}

/* Take a waiting task from the CPU that has most of them. Under rq->lock. */
static void steal_task(struct run_queue *rq)
{
	u32 here = smp_processor_id(), most = 0;
	struct run_queue *busiest = NULL;

	for_each_cpu(cpu) {
		struct run_queue *other = cpu_rq(cpu);
		u32 waiting = READ_ONCE(other->nr_running);

		if (cpu != here && waiting > 1 && waiting > most) {
			most = waiting;
			busiest = other;
		}
	}
	/* Only a try: the other CPU may be after us, holding its lock. */
	if (busiest && spin_trylock(&busiest->lock)) {
		struct task *task = find_stealable(busiest, here);

		if (task)
			move_task(task, busiest, rq, here);
		spin_unlock(&busiest->lock);
	}
}

/* ---- the switch --------------------------------------------------------------------------- */

static struct task *pick_next(struct run_queue *rq)
{
	struct task *next;

	if (!rq->nr_running && nr_cpus > 1)
		steal_task(rq);
	next = leftmost(rq);
	if (!next)
		return rq->idle;
	rb_erase_cached(&next->run_node, &rq->tasks);
	return next;
}

static void note_idle(struct run_queue *rq, struct task *prev, struct task *next)
{
	u64 bit = BIT(smp_processor_id());

	if (next == rq->idle) {
		__atomic_or_fetch(&idle_cpus, bit, __ATOMIC_RELAXED);
		rq->idle_since = next->exec_start;
	} else if (prev == rq->idle) {
		__atomic_and_fetch(&idle_cpus, ~bit, __ATOMIC_RELAXED);
		rq->idle_ns += next->exec_start - rq->idle_since;
	}
}

/* On the new task's stack: release the queue that the old one locked, and bury it if it is dead. */
void finish_switch(struct task *prev)
{
	bool dead = prev->state == TASK_DEAD;

	spin_unlock_irq(&this_rq()->lock);
	mm_switch_done();
	if (dead)
		put_task(prev);
}

static void context_switch(struct run_queue *rq, struct task *prev, struct task *next)
{
	trace(SCHED_SWITCH, prev->pid, prev->state, next->pid,
	      prev->state == TASK_RUNNING ? NULL : prev->waits_on);
	rq->curr = next;
	rq->switches++;
	if (prev->state == TASK_RUNNING)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	next->exec_start = prev->exec_start;
	next->slice_start = next->runtime;
	note_idle(rq, prev, next);
	switch_user_context(prev, next);
	current = next;
	finish_switch(switch_to(&prev->kernel_rsp, next->kernel_rsp, prev));
}

void schedule(void)
{
	struct run_queue *rq;
	struct task *prev, *next;

	debug_assert(irqs_enabled() && in_process());
	irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	prev = rq->curr;
	this_cpu(need_resched) = false;
	update_curr(rq);

	if (prev->state != TASK_RUNNING) {
		prev->on_run_queue = false;
		rq->nr_running--;
	} else if (prev != rq->idle) {
		rb_add_cached(&prev->run_node, &rq->tasks, vruntime_before);
	}

	next = pick_next(rq);
	if (rq->nr_running > 1)
		start_slice_timer(rq);
	if (next != prev)
		context_switch(rq, prev, next);
	else
		spin_unlock_irq(&rq->lock);
}

/* The first thing a new task does. */
void task_main(struct task *prev)
{
	finish_switch(prev);
	current->entry(current->arg);
	task_exit();
}

void yield(void)
{
	struct run_queue *rq = this_rq();
	struct rb_node *last;
	u64 flags = spin_lock_irqsave(&rq->lock);

	last = rb_last(&rq->tasks.rb_root);
	if (last) {
		struct task *task = rb_entry(last, struct task, run_node);

		if ((s64)(task->vruntime - current->vruntime) > 0)
			current->vruntime = task->vruntime;
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	schedule();
}

/* ---- waking --------------------------------------------------------------------------------- */

/*
 * Where a woken task should run. This CPU, if the wake-up comes from an interrupt that found it idle, or from
 * a task that is about to sleep: nobody needs to be interrupted. Its last CPU, if that is idle: its data may still be in that cache.
 * Any idle CPU. Else its last CPU, and it waits there.
 */
static u32 choose_cpu(const struct task *task)
{
	u64 allowed = task->allowed_cpus & (BIT(nr_cpus) - 1);
	u64 idle = READ_ONCE(idle_cpus) & allowed;
	u32 here = smp_processor_id();

	if (idle & BIT(here))
		return here;
	if (this_cpu(sync_wakeup) && this_rq()->nr_running == 1 && allowed & BIT(here))
		return here;
	if (idle & BIT(task->cpu))
		return task->cpu;
	if (idle)
		return __builtin_ctzll(idle);
	return allowed & BIT(task->cpu) ? task->cpu : (u32)__builtin_ctzll(allowed);
}

/* Interrupts off. Lock the queue of the CPU that the task belongs to; it may move meanwhile. */
static struct run_queue *lock_rq_of(struct task *task)
{
	for (;;) {
		u32 cpu = READ_ONCE(task->cpu);
		struct run_queue *rq = cpu_rq(cpu);

		spin_lock(&rq->lock);
		if (likely(task->cpu == cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* Under the lock of the task's queue, which is released. The task is TASK_RUNNING but on no queue, so
 * nobody else will touch it until it is on its new one, that of `cpu`. The interrupt is sent when the lock is free:
 * the first thing that it makes the other CPU do is to take it. */
static void activate(struct task *task, struct run_queue *rq, u32 cpu)
{
	bool preempt;

	if (cpu != task->cpu) {
		struct run_queue *target = cpu_rq(cpu);

		task->vruntime += target->min_vruntime - rq->min_vruntime;
		WRITE_ONCE(task->cpu, cpu);
		spin_unlock(&rq->lock);
		spin_lock(&target->lock);
		rq = target;
	}
	enqueue_task(rq, task);
	preempt = should_preempt(rq, task);
	if (rq->nr_running > 1)
		start_slice_timer(rq);
	spin_unlock(&rq->lock);
	if (preempt)
		resched_cpu(cpu);
}

/*
 * The race with a task that is going to sleep:
 *
 *	sleeper				waker
 *	state = INTERRUPTIBLE
 *	condition? no			condition = true
 *	schedule(): lock rq		wake_up: lock rq
 *
 * Whoever gets the lock first: if the waker, the sleeper is still on the queue, finds itself
 * TASK_RUNNING in schedule() and stays; if the sleeper, it has left the queue and its switch is
 * complete when the lock is free, so it can be queued anywhere.
 */
bool wake_up_state(struct task *task, u32 states)
{
	bool woken = false;
	u64 flags = irq_save();
	struct run_queue *rq = lock_rq_of(task);

	if (!(BIT(task->state) & states)) {
		spin_unlock(&rq->lock);
	} else {
		u32 cpu = task->on_run_queue ? task->cpu : choose_cpu(task);

		woken = true;
		trace(SCHED_WAKEUP, task->pid, cpu);
		WRITE_ONCE(task->state, TASK_RUNNING);
		if (task->on_run_queue)
			spin_unlock(&rq->lock);
		else
			activate(task, rq, cpu);
	}
	irq_restore(flags);
	return woken;
}

bool wake_up_process(struct task *task)
{
	return wake_up_state(task, BIT(TASK_INTERRUPTIBLE) | BIT(TASK_UNINTERRUPTIBLE) |
					   BIT(TASK_KILLABLE));
}

bool wake_up_interruptible(struct task *task)
{
	return wake_up_state(task, BIT(TASK_INTERRUPTIBLE));
}

void wake_up_new_task(struct task *task)
{
	task->vruntime = cpu_rq(task->cpu)->min_vruntime;
	wake_up_process(task);
}

/* ---- changing a task's place ------------------------------------------------------------------ */

u64 task_runtime(struct task *task)
{
	u64 runtime, flags = irq_save();
	struct run_queue *rq = lock_rq_of(task);

	if (task == rq->curr)
		update_curr(rq);
	runtime = task->runtime;
	spin_unlock(&rq->lock);
	irq_restore(flags);
	return runtime;
}

void sched_set_weight(struct task *task, u32 weight)
{
	u64 flags = irq_save();
	struct run_queue *rq = lock_rq_of(task);

	if (task == rq->curr)
		update_curr(rq); /* what it has used so far was at the old price */
	task->weight = weight;
	spin_unlock(&rq->lock);
	irq_restore(flags);
}

/*
 * A task that waits in a tree it may not be in is taken out and put where it may be, here; one that runs on
 * such a CPU moves on its way back to user mode; one that sleeps, when it wakes.
 */
int sched_set_affinity(struct task *task, u64 cpus)
{
	u64 flags;
	struct run_queue *rq;

	if (!(cpus & (BIT(nr_cpus) - 1)))
		return -EINVAL;
	flags = irq_save();
	rq = lock_rq_of(task);
	task->allowed_cpus = cpus;
	if (cpus & BIT(task->cpu) || !task->on_run_queue) {
		spin_unlock(&rq->lock);
	} else if (task == rq->curr) {
		resched_cpu(task->cpu);
		spin_unlock(&rq->lock);
	} else {
		rb_erase_cached(&task->run_node, &rq->tasks);
		rq->nr_running--;
		task->on_run_queue = false;
		activate(task, rq, choose_cpu(task));
	}
	irq_restore(flags);
	if (task == current)
		sched_leave_forbidden_cpu();
	return 0;
}

/* A task cannot be moved while it stands on its stack; so it sleeps for a moment, and wakes elsewhere. */
void sched_leave_forbidden_cpu(void)
{
	while (!(current->allowed_cpus & BIT(smp_processor_id())))
		sleep_ns(1);
}

/* ---- sleeping for a time -------------------------------------------------------------------- */

struct sleep_timer {
	struct timer timer;
	struct task *task;
};

static void sleep_over(struct timer *timer)
{
	wake_up_process(container_of(timer, struct sleep_timer, timer)->task);
}

bool schedule_timeout(u64 deadline)
{
	struct sleep_timer sleep = { .task = current };

	if (deadline == NO_TIMEOUT) {
		schedule();
		return true;
	}
	timer_init(&sleep.timer, sleep_over);
	timer_start(&sleep.timer, deadline);
	schedule();
	timer_cancel_sync(&sleep.timer);
	return clock_ns() < deadline;
}

void sleep_ns(u64 ns)
{
	u64 deadline = clock_ns() + ns;

	do {
		set_current_state(TASK_UNINTERRUPTIBLE);
	} while (schedule_timeout(deadline));
}

/* ---- idle ------------------------------------------------------------------------------------- */

/* Halted until an interrupt. It is switched off between the look at need_resched and the halt, so that
 * a wake-up cannot fall in between; and a wake-up is looked for with interrupts on, after each one. */
void idle_loop(void)
{
	for (;;) {
		if (idle_hook)
			idle_hook();
		irq_disable();
		if (this_cpu(need_resched)) {
			irq_enable();
			schedule();
		} else {
			irq_enable_and_halt();
		}
	}
}

static void reschedule_interrupt(void *arg)
{
	/* need_resched is set already; the way out of the interrupt looks at it. */
}

void run_queue_stats_read(u32 cpu, struct run_queue_stats *stats)
{
	struct run_queue *rq = cpu_rq(cpu);
	u64 flags = spin_lock_irqsave(&rq->lock);

	*stats = (struct run_queue_stats){
		.running = rq->nr_running,
		.switches = rq->switches,
		.idle_ns = rq->idle_ns,
		.steals = rq->steals,
		.current_task = rq->curr,
	};
	if (rq->curr == rq->idle)
		stats->idle_ns += clock_ns() - rq->idle_since;
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_init_cpu(void)
{
	static struct task idle_tasks[MAX_CPUS];
	u32 cpu = smp_processor_id();
	struct task *idle = &idle_tasks[cpu];
	struct run_queue *rq = this_rq();

	*idle = (struct task){ .state = TASK_RUNNING,
			       .cpu = cpu,
			       .on_run_queue = true,
			       .weight = NICE_0_WEIGHT,
			       .allowed_cpus = BIT(cpu),
			       .name = "idle",
			       .refcount = 1 };
	spin_lock_init(&rq->lock);
	timer_init(&rq->slice_timer, slice_expired);
	idle->exec_start = clock_ns();
	rq->curr = idle;
	rq->idle = idle;
	rq->idle_since = idle->exec_start;
	current = idle;
}

#if CONFIG_DEBUG
static struct lockdep_task *lockdep_of_current(void)
{
	return &current->lockdep;
}
#endif

static const char *name_of_current(void)
{
	return current ? current->name : "(none yet)";
}

void sched_init(void)
{
	LOCK_DEBUG(lockdep_current = lockdep_of_current;)
	current_task_name = name_of_current;
	irq_set_local(VECTOR_RESCHEDULE, "reschedule", reschedule_interrupt);
}
