/* /proc/interrupts and /proc/softirqs: how often, by CPU. Context: process. */
#include <fs/proc/tree.h>

#include <fs/proc/interrupts.h>
#include <kernel/irq.h>
#include <kernel/lib/string.h>
#include <kernel/softirq.h>

/* Linux's short names for what belongs to a CPU itself. */
static const struct {
	const char *name, *label, *text;
} local_names[] = {
	{ "timer", "LOC", "Local timer interrupts" },
	{ "reschedule", "RES", "Rescheduling interrupts" },
	{ "call", "CAL", "Function call interrupts" },
};

/* irq_stats_for_each() tells its function of a line, but not for whom. */
static DEFINE_MUTEX(walk_lock);
static struct {
	void (*look)(const struct irq_stats *stats, void *arg);
	void *arg;
} walk; /* under walk_lock */

static void look_at(const struct irq_stats *stats)
{
	walk.look(stats, walk.arg);
}

void for_each_interrupt(void (*look)(const struct irq_stats *stats, void *arg), void *arg)
{
	mutex_lock(&walk_lock);
	walk.look = look;
	walk.arg = arg;
	irq_stats_for_each(look_at);
	mutex_unlock(&walk_lock);
}

static void print_cpus(struct seq_buf *out, int indent)
{
	seq_printf(out, "%*s", indent, "");
	for_each_cpu(cpu)
		seq_printf(out, "CPU%-8u", cpu);
	seq_putc(out, '\n');
}

static void print_counts(struct seq_buf *out, const struct irq_stats *stats)
{
	for_each_cpu(cpu)
		seq_printf(out, "%10llu ", stats->count[cpu]);
}

static bool is_local(const struct irq_stats *stats)
{
	return !strcmp(stats->chip, "LAPIC");
}

static void print_line(const struct irq_stats *stats, void *arg)
{
	struct seq_buf *out = arg;

	if (is_local(stats))
		return;
	seq_printf(out, "%3u: ", stats->irq);
	print_counts(out, stats);
	seq_printf(out, " %s %3u      %s\n", stats->chip, stats->irq, stats->name);
}

static void print_local(const struct irq_stats *stats, void *arg)
{
	struct seq_buf *out = arg;
	const char *label = "CPU", *text = stats->name;

	if (!is_local(stats))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(local_names); i++) {
		if (!strcmp(local_names[i].name, stats->name)) {
			label = local_names[i].label;
			text = local_names[i].text;
		}
	}
	seq_printf(out, "%3s: ", label);
	print_counts(out, stats);
	seq_printf(out, "  %s\n", text);
}

static void show_interrupts(struct seq_buf *out, const struct proc_entry *entry)
{
	print_cpus(out, 11);
	for_each_interrupt(print_line, out);
	for_each_interrupt(print_local, out);
}

static void show_softirqs(struct seq_buf *out, const struct proc_entry *entry)
{
	print_cpus(out, 20);
	for (u32 nr = 0; nr < NR_SOFTIRQS; nr++) {
		seq_printf(out, "%12s:", softirq_names[nr]);
		for_each_cpu(cpu)
			seq_printf(out, " %10llu", per_cpu(softirq_counts, cpu)[nr]);
		seq_putc(out, '\n');
	}
}

static const struct proc_entry files[] = {
	{ "interrupts", 0444, .show = show_interrupts },
	{ "softirqs", 0444, .show = show_softirqs },
};

void proc_interrupts_init(void)
{
	PROC_REGISTER("", files);
}
