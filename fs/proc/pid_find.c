/*
 * From a number or a pid_ref to a task, and to what it has. Everything that is found is referenced, so that
 * whatever ends meanwhile does so without us noticing.
 *
 * Context: process. Lock: tree_lock, under which a task's parts (mm, files, fs) come and go.
 */
#include <fs/proc/pid.h>

#include <kernel/lib/string.h>
#include <kernel/mm/vm.h>
#include <kernel/pid.h>

#define SCAN_STEP 256 /* numbers that are looked at while the lock is held */

/* ---- tasks ------------------------------------------------------------------------------------------- */

/* The thread that answers for its process: the first one, or whoever outlived it. */
static struct task *process_task(const struct process *process)
{
	struct task *task;

	spin_lock_bh(&tree_lock);
	task = process->leader
		       ?: list_first_entry_or_null(&process->threads, struct task, thread_link);
	if (task)
		get_task(task);
	spin_unlock_bh(&tree_lock);
	return task;
}

static struct task *ref_task(const struct pid_ref *ref)
{
	struct task *task;

	if (!ref->tid)
		return process_task(ref->process);
	task = task_find(ref->tid);
	if (task && (task->process != ref->process || READ_ONCE(task->state) == TASK_DEAD)) {
		put_task(task);
		task = NULL;
	}
	return task;
}

bool subject_get(struct subject *subject, const struct pid_ref *ref)
{
	*subject = (struct subject){ .task = ref_task(ref), .whole = !ref->tid, .fd = -1 };
	if (!subject->task && (ref->tid || READ_ONCE(ref->process->exit_state) == PROCESS_REAPED))
		return false;
	subject->process = ref->process;
	if (ref->process)
		process_get(ref->process);
	return true;
}

void subject_put(struct subject *subject)
{
	if (subject->task)
		put_task(subject->task);
	if (subject->process)
		process_put(subject->process);
	if (subject->mm)
		mm_put(subject->mm);
}

u32 subject_pid(const struct subject *subject)
{
	return subject->whole ? subject->process->tgid : subject->task->pid;
}

/* A process is called as its first thread, or as that was called when it ended. */
void subject_name(const struct subject *subject, char name[TASK_NAME])
{
	spin_lock_bh(&tree_lock);
	if (subject->whole && !subject->process->leader)
		strscpy(name, subject->process->name, TASK_NAME);
	else
		strscpy(name, subject->task->name, TASK_NAME);
	spin_unlock_bh(&tree_lock);
}

bool pid_ref_find(struct pid_ref *ref, u32 number)
{
	struct task *task;

	*ref = (struct pid_ref){ .process = process_find(number) };
	if (ref->process)
		return true;
	task = task_find(number);
	if (!task)
		return false;
	ref->tid = number;
	ref->process = task->process;
	if (ref->process)
		process_get(ref->process);
	put_task(task);
	return true;
}

bool pid_ref_thread(struct pid_ref *ref, const struct pid_ref *of, u32 tid)
{
	struct task *task;

	*ref = (struct pid_ref){ .process = of->process, .tid = tid };
	task = ref_task(ref);
	if (!task || (!of->process && of->tid != tid)) {
		if (task)
			put_task(task);
		return false;
	}
	if (ref->process)
		process_get(ref->process);
	put_task(task);
	return true;
}

/* ---- by number --------------------------------------------------------------------------------------- */

/* All under tree_lock. */
static bool has_directory(u32 number, const struct process *unused)
{
	return pid_process(number) || (pid_task(number) && !pid_task(number)->process);
}

static bool is_thread_of(u32 number, const struct process *process)
{
	const struct task *task = pid_task(number);

	return task && task->process == process && task->state != TASK_DEAD;
}

static bool is_task(u32 number, const struct process *unused)
{
	return pid_task(number);
}

static u32 next_number(u32 from, const struct process *process,
		       bool (*is_wanted)(u32 number, const struct process *process))
{
	u32 found = 0;

	for (u32 start = max(from, 1U); start < PID_MAX && !found; start += SCAN_STEP) {
		spin_lock_bh(&tree_lock);
		for (u32 i = 0; i < SCAN_STEP && !found; i++)
			found = is_wanted(start + i, process) ? start + i : 0;
		spin_unlock_bh(&tree_lock);
	}
	return found;
}

u32 next_pid(u32 from)
{
	return next_number(from, NULL, has_directory);
}

u32 next_thread(struct process *process, u32 from)
{
	return next_number(from, process, is_thread_of);
}

u32 next_task(u32 from)
{
	return next_number(from, NULL, is_task);
}

/* ---- what a task has --------------------------------------------------------------------------------- */

struct mm *task_mm_get(struct task *task)
{
	struct mm *mm;

	if (!task->process) /* a kernel thread has none, though it may use one */
		return NULL;
	spin_lock_bh(&tree_lock);
	mm = task->mm;
	if (mm)
		mm_get(mm);
	spin_unlock_bh(&tree_lock);
	return mm;
}

struct files *task_files_get(struct task *task)
{
	struct files *files;

	spin_lock_bh(&tree_lock);
	files = task->files;
	if (files)
		files_get(files);
	spin_unlock_bh(&tree_lock);
	return files;
}

struct fs_context *task_fs_get(struct task *task)
{
	struct fs_context *fs;

	spin_lock_bh(&tree_lock);
	fs = task->fs;
	if (fs)
		fs_context_get(fs);
	spin_unlock_bh(&tree_lock);
	return fs;
}

bool may_inspect(const struct subject *subject)
{
	const struct cred *ours = &current->cred, *theirs;

	if (current->process && subject->process == current->process)
		return true;
	if (ours->fsuid == 0)
		return true;
	if (!subject->task || !subject->process || !subject->process->dumpable)
		return false;
	theirs = &subject->task->cred;
	return ours->fsuid == theirs->uid && ours->fsuid == theirs->euid &&
	       ours->fsuid == theirs->suid && ours->fsgid == theirs->gid &&
	       ours->fsgid == theirs->egid && ours->fsgid == theirs->sgid;
}
