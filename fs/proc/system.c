/* Short files of /proc about the machine as a whole. Context: process. */
#include <fs/proc/pid.h>
#include <fs/proc/tree.h>

#include <fs/chrdev.h>
#include <kernel/boot_info.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/process/loadavg.h>
#include <kernel/process/misc.h>
#include <kernel/sched.h>
#include <kernel/timer.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define CENTISECOND (NSEC_PER_SEC / 100)

static void print_seconds(struct seq_buf *out, u64 ns, char end)
{
	seq_printf(out, "%llu.%02llu%c", ns / NSEC_PER_SEC, ns / CENTISECOND % 100, end);
}

static void show_uptime(struct seq_buf *out, const struct proc_entry *entry)
{
	u64 idle = 0;

	for_each_cpu(cpu) {
		struct run_queue_stats stats;

		run_queue_stats_read(cpu, &stats);
		idle += stats.idle_ns;
	}
	print_seconds(out, clock_ns(), ' ');
	print_seconds(out, idle, '\n');
}

/* How many tasks there are, and the number of the newest process among them. */
static u32 count_tasks(u32 *newest)
{
	u64 latest = 0;
	u32 count = 0;

	*newest = 0;
	for (u32 number = 1; (number = next_task(number)); number++) {
		struct task *task = task_find(number);

		if (!task)
			continue;
		count++;
		if (task->process && task->process->start_ns >= latest) {
			latest = task->process->start_ns;
			*newest = task->process->tgid;
		}
		put_task(task);
	}
	return count;
}

static void show_loadavg(struct seq_buf *out, const struct proc_entry *entry)
{
	u32 running = 0, newest, tasks = count_tasks(&newest);

	for (int i = 0; i < 3; i++) {
		u64 hundredths = load_average(i) * 100 >> LOAD_SHIFT;

		seq_printf(out, "%llu.%02llu ", hundredths / 100, hundredths % 100);
	}
	for_each_cpu(cpu) {
		struct run_queue_stats stats;

		run_queue_stats_read(cpu, &stats);
		running += stats.running;
	}
	seq_printf(out, "%u/%u %u\n", running, tasks, newest);
}

static void show_version(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "Linux version %s (%s) Pollux %s\n", uts_release(), COMPILER,
		   POLLUX_VERSION);
}

static void show_filesystems(struct seq_buf *out, const struct proc_entry *entry)
{
	filesystems_print(out);
}

/* ---- devices ------------------------------------------------------------------------------------------- */

static const char *major_name(const struct chrdev *device)
{
	static const char *const names[] = {
		[1] = "mem", [4] = "tty", [5] = "/dev/tty", [10] = "misc"
	};
	u32 major = dev_major(device->rdev);

	return major < ARRAY_SIZE(names) && names[major] ? names[major] : device->name;
}

/* A line for each major number, in their order. */
static void show_devices(struct seq_buf *out, const struct proc_entry *entry)
{
	const struct chrdev *device, *next;
	u32 major = 0;

	seq_printf(out, "Character devices:\n");
	do {
		next = NULL;
		list_for_each_entry(device, &chrdevs, link)
			if (dev_major(device->rdev) > major && (!next || device->rdev < next->rdev))
				next = device;
		if (next) {
			major = dev_major(next->rdev);
			seq_printf(out, "%3u %s\n", major, major_name(next));
		}
	} while (next);
	seq_printf(out, "\nBlock devices:\n");
}

/* Not Linux's: how many timers are pending on each CPU. */
static void show_timers(struct seq_buf *out, const struct proc_entry *entry)
{
	for_each_cpu(cpu)
		seq_printf(out, "cpu%u %u\n", cpu, timers_pending(cpu));
}

static void show_nothing(struct seq_buf *out, const struct proc_entry *entry)
{
}

static const struct proc_entry files[] = {
	{ "cmdline", 0444, .show = proc_show_text, .data = boot_info.cmdline },
	{ "devices", 0444, .show = show_devices },
	{ "filesystems", 0444, .show = show_filesystems },
	{ "loadavg", 0444, .show = show_loadavg },
	/* There are none, and programs that look for some must find none. */
	{ "modules", 0444, .show = show_nothing },
	{ "partitions", 0444, .show = proc_show_text, .data = "major minor  #blocks  name\n" },
	{ "swaps", 0444, .show = proc_show_text,
	  .data = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority" },
	{ "timers", 0444, .show = show_timers },
	{ "uptime", 0444, .show = show_uptime },
	{ "version", 0444, .show = show_version },
};

void proc_system_init(void)
{
	PROC_REGISTER("", files);
}
