/*
 * Timers. Each CPU keeps its own, and programs its local APIC's one-shot timer for the first of them;
 * with no timer pending the APIC is silent and an idle CPU sleeps until a device interrupts it. The
 * APIC's interrupt only raises TIMER_SOFTIRQ; callbacks run there, without the queue's lock, so they
 * may start and cancel timers themselves.
 *
 * Most timers are there in case an answer does not come. It comes, and they are cancelled. So a timer
 * that is started goes to the end of a list, and is not compared with any other but that for which
 * the APIC is programmed. Only when that is due need we know which one comes next: then those still in
 * the list move to a red-black tree ordered by expiry. Most never see it.
 *
 * Locks: queue->lock (irq-safe, because the scheduler starts its slice timer under a run queue's
 * lock with interrupts off). Nothing is taken inside it.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/lapic.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/softirq.h>
#include <kernel/spinlock.h>
#include <kernel/timer.h>

#define NEVER (~0ULL)

struct timer_queue {
	spinlock_t lock;
	/* under lock */
	struct list_head started;     /* since the APIC's last interrupt, in that order */
	struct rb_root_cached sorted; /* those from before it, by expiry */
	u32 count;		      /* in both */
	struct timer *running;	      /* its callback is being called, here */
	u64 programmed; /* when the APIC will interrupt: at the first expiry or before, or NEVER */
};

static DEFINE_PER_CPU(struct timer_queue, timer_queue);

static bool expires_before(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct timer, node)->expires < rb_entry(b, struct timer, node)->expires;
}

/* Make the APIC interrupt no later than this. Too early is harmless: nothing is due then, and it is
 * programmed again. So a later expiry, or a timer that is cancelled, needs no write to the device. */
static void program(struct timer_queue *queue, u64 expires)
{
	if (expires >= queue->programmed)
		return;
	queue->programmed = expires;
	lapic_timer_arm(expires);
}

void timer_init(struct timer *timer, void (*function)(struct timer *timer))
{
	timer->function = function;
	timer->pending = false;
	timer->cpu = 0;
}

/* Interrupts off. Lock the queue that the timer belongs to; it may move until we have the lock. */
static struct timer_queue *lock_queue_of(struct timer *timer)
{
	for (;;) {
		u16 cpu = READ_ONCE(timer->cpu);
		struct timer_queue *queue = &per_cpu(timer_queue, cpu);

		spin_lock(&queue->lock);
		if (likely(timer->cpu == cpu))
			return queue;
		spin_unlock(&queue->lock);
	}
}

static bool dequeue(struct timer_queue *queue, struct timer *timer)
{
	if (!timer->pending)
		return false;
	if (timer->sorted)
		rb_erase_cached(&timer->node, &queue->sorted);
	else
		list_unlink(&timer->link);
	queue->count--;
	WRITE_ONCE(timer->pending, false);
	return true;
}

bool timer_start(struct timer *timer, u64 expires)
{
	u64 flags = irq_save();
	struct timer_queue *here = this_cpu_ptr(timer_queue), *queue;
	bool was_pending = false;

	/* A CPU can program its own APIC only, so the timer comes here first. */
	while ((queue = lock_queue_of(timer)) != here) {
		was_pending |= dequeue(queue, timer);
		WRITE_ONCE(timer->cpu, smp_processor_id());
		spin_unlock(&queue->lock);
	}
	was_pending |= dequeue(here, timer);
	timer->expires = expires;
	WRITE_ONCE(timer->pending, true);
	timer->sorted = false;
	list_add_tail(&timer->link, &here->started);
	here->count++;
	program(here, expires);
	spin_unlock_irqrestore(&here->lock, flags);
	return was_pending;
}

bool timer_cancel(struct timer *timer)
{
	u64 flags = irq_save();
	struct timer_queue *queue = lock_queue_of(timer);
	bool was_pending = dequeue(queue, timer);

	spin_unlock_irqrestore(&queue->lock, flags);
	return was_pending;
}

bool timer_cancel_sync(struct timer *timer)
{
	bool was_pending = timer_cancel(timer);

	/* It may have been taken off its queue by any CPU, before it moved to where it is now. */
	for_each_cpu(cpu)
		while (READ_ONCE(per_cpu(timer_queue, cpu).running) == timer)
			cpu_relax();
	return was_pending;
}

/* One at a time, so that interrupts are off for a moment only, however many there are. Those that are
 * due at the same moment stay in the order in which they were started. */
static void sort_first_started(struct timer_queue *queue)
{
	u64 flags = spin_lock_irqsave(&queue->lock);
	struct timer *timer = list_first_entry_or_null(&queue->started, struct timer, link);

	if (timer) { /* nobody has cancelled it meanwhile */
		list_unlink(&timer->link);
		rb_add_cached(&timer->node, &queue->sorted, expires_before);
		timer->sorted = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* The first of those sorted, off the queue and noted as running, if it is due; else NULL. An interrupt
 * may have started more timers since they were sorted, but then it has also programmed the APIC. */
static struct timer *take_due(struct timer_queue *queue)
{
	u64 flags = spin_lock_irqsave(&queue->lock);
	struct rb_node *node = rb_first_cached(&queue->sorted);
	struct timer *timer = node ? rb_entry(node, struct timer, node) : NULL;

	if (timer && timer->expires > clock_ns()) {
		program(queue, timer->expires);
		timer = NULL;
	}
	if (timer)
		dequeue(queue, timer);
	WRITE_ONCE(queue->running, timer);
	spin_unlock_irqrestore(&queue->lock, flags);
	return timer;
}

/* The callback may free its timer, so nothing of it is looked at afterwards; and it may start one that
 * comes before those sorted. */
static void timer_softirq(void)
{
	struct timer_queue *queue = this_cpu_ptr(timer_queue);
	struct timer *timer;

	do {
		while (!list_empty(&queue->started))
			sort_first_started(queue);
		timer = take_due(queue);
		if (timer)
			timer->function(timer);
	} while (timer);
}

u32 timers_pending(u32 cpu)
{
	return READ_ONCE(per_cpu(timer_queue, cpu).count);
}

static void timer_interrupt(void *arg)
{
	this_cpu(timer_queue.programmed) = NEVER;
	raise_softirq(TIMER_SOFTIRQ);
}

void timers_init_cpu(void)
{
	struct timer_queue *queue = this_cpu_ptr(timer_queue);

	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->started);
	queue->programmed = NEVER;
}

void timers_init(void)
{
	open_softirq(TIMER_SOFTIRQ, timer_softirq);
	irq_set_local(VECTOR_TIMER, "timer", timer_interrupt);
}
