/*
 * The monitor: a prompt inside the kernel, on the serial line and on the keyboard, for looking at
 * what the kernel holds. It is also where one can watch the oldest example of all: a key is pressed,
 * the CPU is interrupted, the handler keeps the byte, the softirq hands it up, the sleeping thread
 * that waits in wait_event() is put back on a run queue.
 */
#include <drivers/keyboard.h>
#include <drivers/uart.h>
#include <kernel/cpu/tsc.h>
#include <kernel/irq.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/monitor.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/selftest.h>
#include <kernel/softirq.h>
#include <kernel/wait.h>

#define LINE 128

static struct {
	struct wait_queue wq;
	char ring[LINE]; /* written by the softirq, read by the monitor */
	u32 head, tail;	 /* atomic */
} typed;

/* Softirq. */
static void receive(char c)
{
	if (typed.head - READ_ONCE(typed.tail) == LINE)
		return;
	typed.ring[typed.head % LINE] = c;
	__atomic_store_n(&typed.head, typed.head + 1, __ATOMIC_RELEASE);
	wake_up(&typed.wq);
}

static char read_char(void)
{
	char c;

	wait_event(&typed.wq, __atomic_load_n(&typed.head, __ATOMIC_ACQUIRE) != typed.tail);
	c = typed.ring[typed.tail % LINE];
	WRITE_ONCE(typed.tail, typed.tail + 1);
	return c;
}

static void echo(const char *text)
{
	uart_write(text, strlen(text));
}

static void read_line(char *line)
{
	size_t length = 0;

	for (;;) {
		char c = read_char();

		if (c == '\r' || c == '\n')
			break;
		if ((c == '\b' || c == 0x7f) && length) {
			length--;
			echo("\b \b");
		} else if (c >= ' ' && length < LINE - 1) {
			line[length++] = c;
			echo((char[]){ c, '\0' });
		}
	}
	line[length] = '\0';
	echo("\r\n");
}

/* ---- the commands --------------------------------------------------------------------------- */

static void show_tasks(const char *args)
{
	static const char *const states[] = { "running", "sleeping", "waiting", "stopped", "dead" };
	struct task *task;

	printk("  pid cpu state      switches    cpu ms name\n");
	spin_lock_bh(&tree_lock);
	list_for_each_entry(task, &task_list, all_tasks)
		printk("%5u %3u %-9s %9llu %9llu %s\n", task->pid, task->cpu, states[task->state],
		       task->nvcsw + task->nivcsw, task->runtime / NSEC_PER_MSEC, task->name);
	spin_unlock_bh(&tree_lock);
}

static void show_cpus(const char *args)
{
	for_each_cpu(cpu) {
		struct run_queue_stats stats;

		run_queue_stats_read(cpu, &stats);
		printk("cpu %u: %u runnable, %llu switches, %llu stolen, idle %llu of %llu ms\n",
		       cpu, stats.running, stats.switches, stats.steals,
		       stats.idle_ns / NSEC_PER_MSEC, clock_ns() / NSEC_PER_MSEC);
	}
}

static void show_memory(const char *args)
{
	struct page_stats stats;

	page_stats_read(&stats);
	printk("%llu KiB in all, %llu free, %llu slab, %llu vmalloc, %llu page tables\n",
	       stats.total * 4, stats.free * 4, stats.used[PAGES_SLAB] * 4,
	       stats.used[PAGES_VMALLOC] * 4,
	       (stats.used[PAGES_TABLES] + stats.used[PAGES_KERNEL_TABLES]) * 4);
	for (u32 order = 0; order <= MAX_ORDER; order++)
		printk("  %5llu free blocks of %llu KiB\n", stats.free_blocks[order],
		       4ULL << order);
}

static void show_slab(const struct slab_stats *stats, void *arg)
{
	printk("%-20s %6u bytes %8llu used of %8llu in %llu slabs\n", stats->name,
	       stats->object_size, stats->active_objects, stats->total_objects, stats->slabs);
}

static void show_slabs(const char *args)
{
	slab_stats_for_each(show_slab, NULL);
}

static void show_irq(const struct irq_stats *stats)
{
	u64 total = 0;

	for_each_cpu(cpu)
		total += stats->count[cpu];
	printk("%10llu %-8s %3u %s\n", total, stats->chip, stats->irq, stats->name);
}

static void show_interrupts(const char *args)
{
	irq_stats_for_each(show_irq);
	for (u32 nr = 0; nr < NR_SOFTIRQS; nr++) {
		u64 total = 0;

		for_each_cpu(cpu)
			total += per_cpu(softirq_counts, cpu)[nr];
		printk("%10llu softirq      %s\n", total, softirq_names[nr]);
	}
}

static void run_tests(const char *args)
{
	selftest_run(args);
}

static void power_off(const char *args)
{
	machine_poweroff(EXIT_OK);
}

static void reboot(const char *args)
{
	machine_reboot();
}

static void show_help(const char *args);

static const struct command {
	const char *name, *help;
	void (*run)(const char *args);
} commands[] = {
	{ "help", "this list", show_help },
	{ "tasks", "every task, and what it does", show_tasks },
	{ "cpus", "run queues and idle time", show_cpus },
	{ "memory", "page frames", show_memory },
	{ "slabs", "object caches", show_slabs },
	{ "interrupts", "hard interrupts and softirqs, counted", show_interrupts },
	{ "selftest", "run the self-tests [whose names begin with a,b,...]", run_tests },
	{ "reboot", "start again", reboot },
	{ "poweroff", "end", power_off },
};

static void show_help(const char *args)
{
	for (u32 i = 0; i < ARRAY_SIZE(commands); i++)
		printk("%-12s %s\n", commands[i].name, commands[i].help);
}

static void run_command(char *line)
{
	char *args = strchr(line, ' ');

	if (args)
		*args++ = '\0';
	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(line, commands[i].name) == 0) {
			commands[i].run(args ? args : "");
			return;
		}
	}
	if (*line)
		printk("no such command: %s (try help)\n", line);
}

void monitor_run(void)
{
	char line[LINE];

	wait_queue_init(&typed.wq);
	uart_receive = receive;
	keyboard_receive = receive;
	printk("This is the kernel's own prompt; try help.\n");
	for (;;) {
		echo("pollux> ");
		read_line(line);
		run_command(line);
	}
}
