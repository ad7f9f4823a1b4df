/*
 * Step 2 of the journey: a device pulls its line, the IOAPIC (kernel/cpu/ioapic.c) turns it into a
 * vector, the CPU finds our stub in the IDT, and irq_entry() calls the handlers of that vector
 * between irq_enter() and irq_exit(). Softirqs run in irq_exit(), when the outermost interrupt
 * leaves; a switch of tasks, if one is due, comes after that.
 *
 * Context: hard IRQ, interrupts off. The table is written at start-up only, under irq_table_lock.
 */
#include <kernel/context.h>
#include <kernel/cpu/ioapic.h>
#include <kernel/cpu/lapic.h>
#include <kernel/cpu/smp.h>
#include <kernel/irq.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/softirq.h>
#include <kernel/spinlock.h>
#include <kernel/trace.h>

/* Intel SDM volume 3, 11.11: where a device writes to interrupt a local APIC. */
#define MSI_ADDRESS    0xfee00000U
#define MSI_DEST_SHIFT 12

#define FIRST_MSI_IRQ 256 /* above all lines of IOAPICs */

DEFINE_PER_CPU(u32, context_count);

struct irq_action {
	irq_handler_t handler;
	void *arg;
	const char *name;
	struct irq_action *next; /* others on the same line */
};

struct irq_vector {
	struct irq_action *actions;
	u32 irq;
	const char *chip;
};

static DEFINE_SPINLOCK(irq_table_lock);
static struct irq_vector vectors[NR_VECTORS];
static struct irq_action local_actions[NR_VECTORS - VECTOR_TIMER];
static u8 next_vector = FIRST_IRQ_VECTOR;
static DEFINE_PER_CPU(u32[NR_VECTORS], irq_counts);

static void irq_enter(void)
{
	this_cpu(context_count) += HARDIRQ;
}

static void irq_exit(void)
{
	this_cpu(context_count) -= HARDIRQ;
	if (this_cpu(softirq_pending) && !in_interrupt())
		do_softirq();
}

static void irq_entry(struct trap_frame *frame)
{
	irq_enter();
	trace(IRQ_ENTER, vectors[frame->vector].irq, frame->vector);
	this_cpu(irq_counts[frame->vector])++;
	for (struct irq_action *action = vectors[frame->vector].actions; action;
	     action = action->next)
		action->handler(action->arg);
	lapic_eoi();
	trace(IRQ_EXIT, frame->vector);
	irq_exit();
}

/* The APIC withdrew an interrupt after it had told the CPU; no acknowledgement is due. */
static void spurious_entry(struct trap_frame *frame)
{
	this_cpu(irq_counts[frame->vector])++;
}

void irq_init(void)
{
	for (int vector = FIRST_IRQ_VECTOR; vector < NR_VECTORS; vector++)
		trap_set_handler(vector, irq_entry);
	trap_set_handler(VECTOR_SPURIOUS, spurious_entry);
}

static struct irq_vector *find_vector(u32 irq)
{
	for (int vector = FIRST_IRQ_VECTOR; vector < next_vector; vector++)
		if (vectors[vector].irq == irq)
			return &vectors[vector];
	return NULL;
}

int request_irq(u32 irq, const char *name, irq_handler_t handler, void *arg)
{
	struct irq_action *action = kzalloc(sizeof(*action), GFP_KERNEL);
	struct irq_vector *vector;
	int error = 0;
	u64 flags;

	if (!action)
		return -ENOMEM;
	*action = (struct irq_action){ .handler = handler, .arg = arg, .name = name };

	flags = spin_lock_irqsave(&irq_table_lock);
	vector = find_vector(irq);
	if (vector) {
		action->next = vector->actions;
		WRITE_ONCE(vector->actions, action);
	} else if (next_vector < VECTOR_TIMER) {
		vector = &vectors[next_vector];
		*vector = (struct irq_vector){ .actions = action, .irq = irq, .chip = "IO-APIC" };
		error = ioapic_route(irq, next_vector, 0);
		if (!error)
			next_vector++;
	} else {
		error = -ENOSPC;
	}
	spin_unlock_irqrestore(&irq_table_lock, flags);

	if (error)
		kfree(action);
	return error;
}

int request_msi(const char *name, irq_handler_t handler, void *arg, struct msi_message *message)
{
	struct irq_action *action = kzalloc(sizeof(*action), GFP_KERNEL);
	int error = 0;
	u64 flags;

	if (!action)
		return -ENOMEM;
	*action = (struct irq_action){ .handler = handler, .arg = arg, .name = name };

	flags = spin_lock_irqsave(&irq_table_lock);
	if (next_vector < VECTOR_TIMER) {
		vectors[next_vector] = (struct irq_vector){
			.actions = action,
			.irq = FIRST_MSI_IRQ + next_vector,
			.chip = "PCI-MSI",
		};
		message->address = MSI_ADDRESS | cpu_apic_id[0] << MSI_DEST_SHIFT;
		message->data = next_vector++;
	} else {
		error = -ENOSPC;
	}
	spin_unlock_irqrestore(&irq_table_lock, flags);

	if (error)
		kfree(action);
	return error;
}

void irq_set_local(u8 vector, const char *name, irq_handler_t handler)
{
	struct irq_action *action = &local_actions[vector - VECTOR_TIMER];

	*action = (struct irq_action){ .handler = handler, .name = name };
	vectors[vector] = (struct irq_vector){ .actions = action, .chip = "LAPIC" };
}

void irq_stats_for_each(void (*show)(const struct irq_stats *stats))
{
	struct irq_stats stats;

	for (int i = FIRST_IRQ_VECTOR; i < NR_VECTORS; i++) {
		struct irq_vector *vector = &vectors[i];

		if (!vector->actions)
			continue;
		stats.name = vector->actions->name;
		stats.chip = vector->chip;
		stats.irq = vector->irq;
		memset(stats.count, 0, sizeof(stats.count));
		for_each_cpu(cpu)
			stats.count[cpu] = per_cpu(irq_counts, cpu)[i];
		show(&stats);
	}
}
