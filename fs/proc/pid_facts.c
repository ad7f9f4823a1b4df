/*
 * What there is to say about a task or process, copied while nothing changes.
 *
 * Context: process. Locks: tree_lock, sighand->lock.
 */
#include <fs/proc/pid_facts.h>

#include <fs/proc/proc.h>
#include <kernel/lib/string.h>
#include <kernel/user_mode.h>

void (*proc_tty_hook)(const struct tty *tty, u64 *device, u32 *pgrp);

const char *task_state_text(const struct task *task)
{
	static const char *const texts[] = {
		[TASK_RUNNING] = "R (running)",
		[TASK_INTERRUPTIBLE] = "S (sleeping)",
		[TASK_UNINTERRUPTIBLE] = "D (disk sleep)",
		[TASK_KILLABLE] = "D (disk sleep)",
		[TASK_STOPPED] = "T (stopped)",
		[TASK_DEAD] = "X (dead)",
	};
	u32 state = READ_ONCE(task->state);

	/* A kernel thread that waits for work is no reason to worry. */
	return state == TASK_UNINTERRUPTIBLE && !task->process ? "I (idle)" : texts[state];
}

/* A process whose first thread has ended is a zombie to its parent, though others may still run. */
static const char *state_of(const struct subject *subject)
{
	if (subject->whole && subject->process->leader != subject->task)
		return "Z (zombie)";
	return subject->task ? task_state_text(subject->task) : "Z (zombie)";
}

/* All under tree_lock. */
static void read_signals(struct pid_facts *facts, const struct task *task)
{
	struct sighand *sighand = task->sighand;

	spin_lock(&sighand->lock);
	facts->pending = task->signals.pending.set;
	facts->shared_pending = task->process->shared_pending.set;
	facts->queued = task->signals.pending.count + task->process->shared_pending.count;
	facts->blocked = task->signals.blocked;
	for (u32 i = 0; i < NSIG; i++) {
		u64 handler = sighand->actions[i].handler;

		if (handler == SIG_IGN)
			facts->ignored |= BIT(i);
		else if (handler != SIG_DFL)
			facts->caught |= BIT(i);
	}
	spin_unlock(&sighand->lock);
}

static void read_terminal(struct pid_facts *facts, const struct process *process)
{
	u32 pgrp = 0;

	facts->tty_pgrp = -1;
	if (!process->tty || !proc_tty_hook)
		return;
	proc_tty_hook(process->tty, &facts->tty, &pgrp);
	facts->tty_pgrp = pgrp ? (s32)pgrp : -1;
}

static void read_process(struct pid_facts *facts, struct process *process, bool whole)
{
	bool reaped = process->exit_state == PROCESS_REAPED;

	facts->tgid = process->tgid;
	facts->ppid = !reaped && process->parent ? process->parent->tgid : 0;
	facts->pgrp = process->pgrp;
	facts->session = process->session;
	facts->threads = process->nr_threads;
	facts->exit_signal = process->exit_signal;
	facts->exit_code = process->exit_state == PROCESS_ALIVE ? 0 : process->exit_code;
	facts->children_utime = process->children_utime;
	facts->children_stime = process->children_stime;
	facts->children_faults = process->children_minor_faults;
	facts->start_ns = process->start_ns;
	facts->no_new_privs = process->no_new_privs;
	facts->cred.uid = facts->cred.euid = facts->cred.suid = facts->cred.fsuid = process->uid;
	if (whole)
		rusage_locked(process, &facts->usage);
	read_terminal(facts, process);
}

static void read_task(struct pid_facts *facts, const struct task *task)
{
	facts->cred = task->cred;
	groups_get(facts->cred.groups);
	facts->nice = task_nice(task);
	facts->cpu = task->cpu;
	facts->allowed_cpus = task->allowed_cpus & (BIT(nr_cpus) - 1);
	facts->nvcsw = task->nvcsw;
	facts->nivcsw = task->nivcsw;
}

/* Without lock: the process's adds up under it. */
static void read_times(struct pid_facts *facts, const struct subject *subject)
{
	if (subject->whole)
		process_times(subject->process, &facts->utime, &facts->stime);
	else
		task_times(subject->task, &facts->utime, &facts->stime);
	if (!subject->whole && subject->process)
		thread_rusage(subject->task, &facts->usage);
}

void pid_facts_read(struct pid_facts *facts, const struct subject *subject)
{
	struct task *task = subject->task;

	memset(facts, 0, sizeof(*facts));
	facts->pid = facts->tgid = subject_pid(subject);
	facts->threads = 1;
	facts->tty_pgrp = -1;
	subject_name(subject, facts->name);
	spin_lock_bh(&tree_lock);
	facts->state = state_of(subject);
	if (subject->process)
		read_process(facts, subject->process, subject->whole);
	if (task)
		read_task(facts, task);
	if (task && task->process)
		read_signals(facts, task);
	spin_unlock_bh(&tree_lock);
	read_times(facts, subject);
}

void pid_facts_free(struct pid_facts *facts)
{
	groups_put(facts->cred.groups);
}
