/*
 * ksoftirqd/N: one thread a CPU that serves the softirqs which the interrupt's way out could not finish
 * within its budget. It is scheduled like any task, so under a flood programs still get their share.
 *
 * ksoftirqd_active tells interrupts to leave the softirqs to the thread: it is set when the thread
 * is woken and cleared, with interrupts off, when it finds nothing left to do.
 */
#include <kernel/cpu/asm.h>
#include <kernel/ksoftirqd.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/softirq.h>

static DEFINE_PER_CPU(struct task *, ksoftirqd);

static void wake_ksoftirqd(void)
{
	if (!this_cpu(ksoftirqd))
		return; /* before the threads start: the next interrupt will serve it */
	this_cpu(ksoftirqd_active) = true;
	wake_up_process(this_cpu(ksoftirqd));
}

static void ksoftirqd_main(void *arg)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		irq_disable();
		if (!this_cpu(softirq_pending)) {
			this_cpu(ksoftirqd_active) = false;
			irq_enable();
			schedule();
			continue;
		}
		irq_enable();
		WRITE_ONCE(current->state, TASK_RUNNING);
		softirq_serve();
		cond_resched();
	}
}

void ksoftirqd_init(void)
{
	for_each_cpu(cpu) {
		struct task *task = kthread_run_on(cpu, ksoftirqd_main, NULL, "ksoftirqd/%u", cpu);

		if (!task)
			panic("no memory for ksoftirqd/%u", cpu);
		per_cpu(ksoftirqd, cpu) = task;
	}
	softirq_defer = wake_ksoftirqd;
}
