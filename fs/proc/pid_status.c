/* /proc/PID/status: what people want to know about a task, a line each. */
#include <fs/proc/pid_facts.h>

#include <kernel/mm/vm.h>

#define LAST_CAPABILITY 40 /* as sys/kernel/cap_last_cap says */

/* What is not plain text would be taken for the line's end. */
static void print_name(struct seq_buf *out, const char *name)
{
	seq_printf(out, "Name:\t");
	for (; *name; name++) {
		if (*name == '\n')
			seq_printf(out, "\\n");
		else if (*name == '\\')
			seq_printf(out, "\\\\");
		else
			seq_putc(out, *name);
	}
	seq_putc(out, '\n');
}

static void print_umask(struct seq_buf *out, const struct subject *subject)
{
	struct fs_context *fs = subject->task ? task_fs_get(subject->task) : NULL;

	if (!fs)
		return;
	seq_printf(out, "Umask:\t%04o\n", READ_ONCE(fs->umask));
	fs_context_put(fs);
}

static u32 table_size(const struct subject *subject)
{
	struct files *files = subject->task ? task_files_get(subject->task) : NULL;
	u32 size;

	if (!files)
		return 0;
	size = READ_ONCE(files->size);
	files_put(files);
	return size;
}

static void print_identity(struct seq_buf *out, const struct subject *subject,
			   const struct pid_facts *facts)
{
	const struct cred *cred = &facts->cred;

	print_name(out, facts->name);
	print_umask(out, subject);
	seq_printf(out, "State:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
		   facts->state, facts->tgid, facts->pid, facts->ppid);
	seq_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid, cred->suid, cred->fsuid);
	seq_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", cred->gid, cred->egid, cred->sgid, cred->fsgid);
	seq_printf(out, "FDSize:\t%u\nGroups:\t", table_size(subject));
	for (u32 i = 0; cred->groups && i < cred->groups->count; i++)
		seq_printf(out, i ? " %u" : "%u", cred->groups->gids[i]);
	seq_printf(out, " \nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\nKthread:\t%d\n",
		   facts->tgid, facts->pid, facts->pgrp, facts->session, !subject->process);
}

static void print_pages(struct seq_buf *out, const char *name, u64 pages)
{
	seq_printf(out, "%s:\t%8llu kB\n", name, pages * (PAGE_SIZE / KiB));
}

/* Pages of files and shared memory are not told apart: they are all in RssFile. */
static void print_memory(struct seq_buf *out, const struct mm *mm)
{
	struct vm_usage usage = mm->usage;
	u64 code = DIV_ROUND_UP(mm->code_end - mm->code_start, PAGE_SIZE);

	print_pages(out, "VmPeak", usage.peak_total);
	print_pages(out, "VmSize", usage.total);
	print_pages(out, "VmLck", usage.locked);
	print_pages(out, "VmPin", 0);
	print_pages(out, "VmHWM", max(usage.peak_rss, usage.rss));
	print_pages(out, "VmRSS", usage.rss);
	print_pages(out, "RssAnon", usage.rss - min(usage.rss, usage.rss_file));
	print_pages(out, "RssFile", usage.rss_file);
	print_pages(out, "RssShmem", 0);
	print_pages(out, "VmData", usage.data);
	print_pages(out, "VmStk", usage.stack);
	print_pages(out, "VmExe", code);
	print_pages(out, "VmLib", usage.exec - min(usage.exec, code));
	print_pages(out, "VmSwap", 0);
}

static void print_signals(struct seq_buf *out, const struct subject *subject,
			  const struct pid_facts *facts)
{
	const struct process *process = subject->process;

	seq_printf(out, "Threads:\t%u\nSigQ:\t%u/%llu\n", facts->threads, facts->queued,
		   process ? READ_ONCE(process->rlimits[RLIMIT_SIGPENDING].cur) : 0);
	seq_printf(out, "SigPnd:\t%016llx\nShdPnd:\t%016llx\n", facts->pending,
		   facts->shared_pending);
	seq_printf(out, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n", facts->blocked,
		   facts->ignored, facts->caught);
}

/* All or nothing, by the effective user id. */
static void print_privileges(struct seq_buf *out, const struct pid_facts *facts)
{
	u64 all = BIT(LAST_CAPABILITY + 1) - 1, ours = facts->cred.euid == 0 ? all : 0;

	seq_printf(out, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n",
		   0ULL, ours, ours, all);
	seq_printf(out, "CapAmb:\t%016llx\nNoNewPrivs:\t%d\nSeccomp:\t0\n", 0ULL,
		   facts->no_new_privs);
}

/* A bit map as "0-3,5". */
static void print_ranges(struct seq_buf *out, u64 bits)
{
	const char *comma = "";

	for (u32 first = 0; first < 64; first++) {
		u32 last = first;

		if (!(bits & BIT(first)))
			continue;
		while (last < 63 && bits & BIT(last + 1))
			last++;
		seq_printf(out, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
		comma = ",";
		first = last;
	}
}

static void print_cpus(struct seq_buf *out, const struct pid_facts *facts)
{
	seq_printf(out, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", facts->allowed_cpus);
	print_ranges(out, facts->allowed_cpus);
	seq_printf(out, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	seq_printf(out, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		   facts->nvcsw, facts->nivcsw);
}

int show_status(struct seq_buf *out, const struct subject *subject)
{
	struct mm *mm = subject->task ? task_mm_get(subject->task) : NULL;
	struct pid_facts facts;

	pid_facts_read(&facts, subject);
	print_identity(out, subject, &facts);
	if (mm) {
		print_memory(out, mm);
		mm_put(mm);
	}
	print_signals(out, subject, &facts);
	print_privileges(out, &facts);
	print_cpus(out, &facts);
	pid_facts_free(&facts);
	return 0;
}
