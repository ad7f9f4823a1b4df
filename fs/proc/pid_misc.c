/* Short files of /proc/PID. Context: process. */
#include <fs/proc/pid.h>
#include <fs/proc/text.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mm/vm.h>
#include <kernel/sched.h>

/* ---- name -------------------------------------------------------------------------------------------- */

int show_comm(struct seq_buf *out, const struct subject *subject)
{
	char name[TASK_NAME];

	subject_name(subject, name);
	seq_printf(out, "%s\n", name);
	return 0;
}

int write_comm(const struct subject *subject, char *text)
{
	if (!current->process || subject->process != current->process || !subject->task)
		return -EINVAL;
	text[min(strlen(text), (size_t)TASK_NAME - 1)] = '\0';
	strscpy(subject->task->name, text, TASK_NAME);
	return 0;
}

/* ---- limits ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *unit;
} limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", NULL },
	[RLIMIT_RTPRIO] = { "Max realtime priority", NULL },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void print_limit(struct seq_buf *out, u64 limit)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", limit);
	seq_printf(out, "%-20s ", limit == RLIM_INFINITY ? "unlimited" : number);
}

int show_limits(struct seq_buf *out, const struct subject *subject)
{
	struct process *process = subject->process;
	struct rlimit copy[RLIM_NLIMITS];

	if (!process)
		return 0;
	spin_lock_bh(&process->lock);
	memcpy(copy, process->rlimits, sizeof(copy));
	spin_unlock_bh(&process->lock);
	seq_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(out, "%-25s ", limits[i].name);
		print_limit(out, copy[i].cur);
		print_limit(out, copy[i].max);
		if (limits[i].unit)
			seq_printf(out, "%-10s", limits[i].unit);
		seq_putc(out, '\n');
	}
	return 0;
}

/* ---- mounts: everybody sees the same ------------------------------------------------------------------- */

int show_mounts(struct seq_buf *out, const struct subject *subject)
{
	mounts_print(out);
	return 0;
}

int show_mountinfo(struct seq_buf *out, const struct subject *subject)
{
	mountinfo_print(out);
	return 0;
}

/* ---- out of memory ------------------------------------------------------------------------------------- */

#define OOM_ADJ_MIN (-1000)
#define OOM_ADJ_MAX 1000

/* Thousandths of all memory that it uses, put up or down by its own wish, and brought to Linux's scale of
 * 0 .. 2000 on which one that asks for nothing is at 666. */
int show_oom_score(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->task ? task_mm_get(subject->task) : NULL;
	struct page_stats pages;
	s64 score = 0;

	page_stats_read(&pages);
	if (mm) {
		score = 1000 + subject->process->oom_score_adj +
			(s64)(mm_rss(mm) * 1000 / pages.total);
		score = max(score, 0LL) * 2 / 3;
		mm_put(mm);
	}
	seq_printf(out, "%lld\n", score);
	return 0;
}

int show_oom_score_adj(struct seq_buf *out, const struct subject *subject)
{
	seq_printf(out, "%d\n", subject->process ? READ_ONCE(subject->process->oom_score_adj) : 0);
	return 0;
}

/* Less likely to be killed: that is root's to say. */
int write_oom_score_adj(const struct subject *subject, char *text)
{
	bool negative = *text == '-';
	u64 value;
	int adj;

	text_strip(text);
	if (parse_u64(text + negative, NULL, &value) || value > OOM_ADJ_MAX)
		return -EINVAL;
	if (!subject->process)
		return -EINVAL;
	adj = negative ? -(int)value : (int)value;
	if (adj < subject->process->oom_score_adj && current->cred.euid)
		return -EACCES;
	WRITE_ONCE(subject->process->oom_score_adj, adj);
	return 0;
}

/* ---- scheduling ---------------------------------------------------------------------------------------- */

int show_personality(struct seq_buf *out, const struct subject *subject)
{
	seq_printf(out, "%08x\n", 0);
	return 0;
}

static void print_ms(struct seq_buf *out, const char *name, u64 ns)
{
	seq_printf(out, "%-45s:%14llu.%06llu\n", name, ns / NSEC_PER_MSEC, ns % NSEC_PER_MSEC);
}

static void print_count(struct seq_buf *out, const char *name, u64 count)
{
	seq_printf(out, "%-45s:%21llu\n", name, count);
}

int show_sched(struct seq_buf *out, const struct subject *subject)
{
	const struct task *task = subject->task;
	char name[TASK_NAME];

	if (!task)
		return -ESRCH;
	subject_name(subject, name);
	seq_printf(out, "%s (%u, #threads: %u)\n", name, subject_pid(subject),
		   subject->process ? READ_ONCE(subject->process->nr_threads) : 1);
	seq_printf(out, "-------------------------------------------------------------------\n");
	print_ms(out, "se.exec_start", READ_ONCE(task->exec_start));
	print_ms(out, "se.vruntime", READ_ONCE(task->vruntime));
	print_ms(out, "se.sum_exec_runtime", READ_ONCE(task->runtime));
	print_count(out, "nr_switches", READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw));
	print_count(out, "nr_voluntary_switches", READ_ONCE(task->nvcsw));
	print_count(out, "nr_involuntary_switches", READ_ONCE(task->nivcsw));
	print_count(out, "se.load.weight", READ_ONCE(task->weight));
	print_count(out, "policy", 0);
	print_count(out, "prio", 120 + task_nice(task));
	print_ms(out, "se.slice", SLICE_NS);
	return 0;
}
