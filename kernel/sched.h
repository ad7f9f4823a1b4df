/* The scheduler: which task runs on which CPU, and when. Steps 11 and 12 of the journey. */
#pragma once

#include <kernel/task.h>

#define NICE_0_WEIGHT 1024
#define SLICE_NS      3000000ULL /* how long a task runs while others wait */

/* Give the CPU to the task that deserves it most. With current->state other than TASK_RUNNING, it
 * sleeps until somebody wakes it. Process context, interrupts on, no spinlock held. */
void schedule(void);

/* Step 11: make a sleeping task runnable. Returns false if it was not asleep. Any context. */
bool wake_up_process(struct task *task);
/* Only if it sleeps interruptibly. */
bool wake_up_interruptible(struct task *task);
/* If it is in one of the states (a mask of BIT(TASK_...)). */
bool wake_up_state(struct task *task, u32 states);
void wake_up_new_task(struct task *task);

/* While set, the waker promises to sleep soon: the woken task may as well wait for this CPU, which spares
 * an interrupt to another one. */
DECLARE_PER_CPU(bool, sync_wakeup);

/* Set when something more deserving than `current` waits for this CPU. */
DECLARE_PER_CPU(bool, need_resched);

/* For loops in the kernel that run long: the kernel is not preempted, it offers. */
static inline void cond_resched(void)
{
	if (unlikely(this_cpu(need_resched)))
		schedule();
}

/* CPU time so far, in ns, the current stint included. */
u64 task_runtime(struct task *task);
/* Its share of the CPU from now on. */
void sched_set_weight(struct task *task, u32 weight);
/* The CPUs it may run on from now on; moves it if it is elsewhere. 0 or -EINVAL (none of them exists). */
int sched_set_affinity(struct task *task, u64 cpus);
void sched_leave_forbidden_cpu(void);

/* Let others of this CPU's run queue go first. */
void yield(void);

/* The two orders matter: state first, then the condition is checked; the waker changes the condition
 * first, then reads the state. The exchange is a full barrier. */
#define set_current_state(new_state) \
	((void)__atomic_exchange_n(&current->state, (new_state), __ATOMIC_SEQ_CST))

#define NO_TIMEOUT (~0ULL)
/* Sleep, in the state already set, until woken or until clock_ns() passes `deadline`. Returns true if
 * there is time left. */
bool schedule_timeout(u64 deadline);
/* Sleep for so long, at least. */
void sleep_ns(u64 ns);

void sched_init(void);
/* Each CPU: make what runs now its idle task ... */
void sched_init_cpu(void);
/* ... and live as that. */
__noreturn void idle_loop(void);
extern u64 idle_cpus; /* bit mask, atomic; a hint */
/* Called, if set, each time before an idle CPU looks for work and halts: interrupts on, process context, may not
 * sleep. Set at start-up. */
extern void (*idle_hook)(void);

struct run_queue_stats {
	u32 running;
	u64 switches, idle_ns, steals;
	struct task *current_task;
};
void run_queue_stats_read(u32 cpu, struct run_queue_stats *stats);

/* From kernel/cpu/switch.S. */
struct task *switch_to(u64 *save_rsp, u64 load_rsp, struct task *prev);
void task_begin(void);
/* What a new task does first: release what the one before it had locked. */
void finish_switch(struct task *prev);
__noreturn void task_main(struct task *prev);
