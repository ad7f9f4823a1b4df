/* /proc/PID/stat and statm: numbers in a row, for ps and top. The fields are those of proc(5). */
#include <fs/proc/pid_facts.h>

#include <kernel/mm/vm.h>

#define PF_FORKNOEXEC 0x00000040U
#define PF_KTHREAD    0x00200000U

#define NICE_0_PRIORITY 20

/* As proc(5) has it: the low 31 signals, for old programs. */
static u64 old_mask(sigset_t set)
{
	return set & 0x7fffffff;
}

static u32 flags_of(const struct subject *subject)
{
	if (!subject->process)
		return PF_KTHREAD;
	return subject->process->did_exec ? 0 : PF_FORKNOEXEC;
}

/* Fields 1 to 25: who, and how much. */
static void print_task(struct seq_buf *out, const struct subject *subject,
		       const struct pid_facts *facts, const struct mm *mm)
{
	struct process *process = subject->process;
	struct vm_usage usage = mm ? mm->usage : (struct vm_usage){ 0 };

	seq_printf(out, "%u (%s) %c %u %u %u %llu %d %u", facts->pid, facts->name, *facts->state,
		   facts->ppid, facts->pgrp, facts->session, facts->tty, facts->tty_pgrp,
		   flags_of(subject));
	seq_printf(out, " %lld %llu 0 0", facts->usage.minflt, facts->children_faults);
	seq_printf(out, " %lld %lld %lld %lld", ns_to_ticks(facts->utime),
		   ns_to_ticks(facts->stime), ns_to_ticks(facts->children_utime),
		   ns_to_ticks(facts->children_stime));
	seq_printf(out, " %lld %lld %u 0 %lld", NICE_0_PRIORITY + facts->nice, facts->nice,
		   facts->threads, ns_to_ticks(facts->start_ns));
	seq_printf(out, " %llu %llu %llu", usage.total * PAGE_SIZE, usage.rss,
		   process ? READ_ONCE(process->rlimits[RLIMIT_RSS].cur) : RLIM_INFINITY);
}

/* Fields 26 to 52: where things are, which only some may know, and signals. */
static void print_rest(struct seq_buf *out, const struct subject *subject,
		       const struct pid_facts *facts, const struct mm *mm)
{
	bool may = may_inspect(subject), waits = subject->task && task_sleeps(subject->task);
	static const struct mm nothing;

	if (!mm || !may)
		mm = &nothing;
	seq_printf(out, " %llu %llu %llu 0 0", mm->code_start, mm->code_end, mm->stack_top);
	seq_printf(out, " %llu %llu %llu %llu", old_mask(facts->pending | facts->shared_pending),
		   old_mask(facts->blocked), old_mask(facts->ignored), old_mask(facts->caught));
	seq_printf(out, " %u 0 0 %d %u 0 0 0 0 0", may && waits, facts->exit_signal, facts->cpu);
	seq_printf(out, " %llu %llu %llu %llu %llu %llu %llu %u\n", mm->data_start, mm->data_end,
		   mm->brk_start, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end,
		   may ? facts->exit_code : 0);
}

int show_stat(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->task ? task_mm_get(subject->task) : NULL;
	struct pid_facts facts;

	pid_facts_read(&facts, subject);
	print_task(out, subject, &facts, mm);
	print_rest(out, subject, &facts, mm);
	pid_facts_free(&facts);
	if (mm)
		mm_put(mm);
	return 0;
}

/* In pages: size, resident, shared, text, lib (0), data, dirty (0). */
int show_statm(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->task ? task_mm_get(subject->task) : NULL;
	struct vm_usage usage;

	if (!mm) {
		seq_printf(out, "0 0 0 0 0 0 0\n");
		return 0;
	}
	usage = mm->usage;
	seq_printf(out, "%llu %llu %llu %llu 0 %llu 0\n", usage.total, usage.rss, usage.rss_file,
		   DIV_ROUND_UP(mm->code_end - mm->code_start, PAGE_SIZE),
		   usage.data + usage.stack);
	mm_put(mm);
	return 0;
}
