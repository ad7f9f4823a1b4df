/*
 * The end of a thread, and of a process: when its last thread ends it becomes a zombie, its children go to
 * init, and its parent is told; what is left of it goes when the parent asks (kernel/process/wait.c).
 *
 * Locks: tree_lock, and inside it sighand->lock.
 */
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm.h>
#include <kernel/panic.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/exit.h>
#include <kernel/process/futex.h>
#include <kernel/process/itimer.h>
#include <kernel/process/rusage.h>
#include <kernel/process/syscalls.h>
#include <kernel/process/wait.h>
#include <kernel/user_mode.h>

void (*tty_session_exit_hook)(struct process *leader);

/* The address space, before the rest: whoever waits for a vfork, a join or a lock in it is told. */
static void exit_mm(void)
{
	struct mm *mm = current->mm;

	futex_exit(current);
	vfork_release(current);
	set_current_mm(NULL);
	mm_put_user(mm);
}

/* Others look at a task's address space under tree_lock. */
void set_current_mm(struct mm *mm)
{
	struct mm *old = current->mm;

	spin_lock_bh(&tree_lock);
	if (old)
		current_process->peak_rss_pages =
			max(current_process->peak_rss_pages, old->usage.peak_rss);
	irq_disable();
	current->mm = mm;
	mm_switch(mm);
	irq_enable();
	spin_unlock_bh(&tree_lock);
}

void vfork_release(struct task *task)
{
	if (!READ_ONCE(task->vfork_done))
		return;
	spin_lock_bh(&tree_lock);
	if (task->vfork_done)
		complete(task->vfork_done);
	task->vfork_done = NULL;
	spin_unlock_bh(&tree_lock);
}

static void exit_files(void)
{
	struct files *files = current->files;
	struct fs_context *fs = current->fs;

	spin_lock_bh(&tree_lock);
	current->files = NULL;
	current->fs = NULL;
	spin_unlock_bh(&tree_lock);
	files_put(files);
	fs_context_put(fs);
}

/* ---- the family; all under tree_lock ------------------------------------------------------------------ */

/* Who takes the children of the dead: the nearest ancestor that offered itself, else init. */
static struct process *new_parent_for(struct process *process)
{
	struct process *ancestor = process->parent;

	while (ancestor && ancestor != init_process) {
		if (ancestor->child_subreaper && ancestor->exit_state == PROCESS_ALIVE)
			return ancestor;
		ancestor = ancestor->parent;
	}
	return init_process;
}

/* A group is orphaned when no member has a parent in another group of the same session: nobody is left who
 * could continue it. `ignored` is treated as gone. */
bool pgrp_orphaned(u32 pgrp, const struct process *ignored)
{
	struct process *process;

	list_for_each_entry(process, &process_list, all) {
		const struct process *parent = process->parent;

		if (process->pgrp != pgrp || process == ignored || !parent ||
		    process->exit_state != PROCESS_ALIVE)
			continue;
		if (parent->pgrp != pgrp && parent->session == process->session)
			return false;
	}
	return true;
}

static bool pgrp_has_stopped(u32 pgrp)
{
	struct process *process;

	list_for_each_entry(process, &process_list, all)
		if (process->pgrp == pgrp && process->group_stopped)
			return true;
	return false;
}

/* `process` is leaving its parent `parent`: has that orphaned its group, with stopped members? Then they are
 * hung up and continued, or they would stay stopped for ever. Returns the group, or 0. */
static u32 newly_orphaned(struct process *process, const struct process *parent,
			  const struct process *ignored)
{
	if (!parent || parent->pgrp == process->pgrp || parent->session != process->session)
		return 0; /* this parent did not keep it from being orphaned */
	if (!pgrp_orphaned(process->pgrp, ignored) || !pgrp_has_stopped(process->pgrp))
		return 0;
	return process->pgrp;
}

static void hang_up(u32 pgrp)
{
	if (!pgrp)
		return;
	send_signal_pgrp_locked(pgrp, SIGHUP, NULL);
	send_signal_pgrp_locked(pgrp, SIGCONT, NULL);
}

static void reparent_children(struct process *process)
{
	struct process *child, *next, *parent = new_parent_for(process);

	list_for_each_entry_safe(child, next, &process->children, sibling) {
		list_move_tail(&child->sibling, &parent->children);
		child->parent = parent;
		child->exit_signal = SIGCHLD;
		if (child->parent_death_signal && child->exit_state == PROCESS_ALIVE)
			send_signal_process_locked(child, child->parent_death_signal, NULL);
		hang_up(newly_orphaned(child, process, NULL));
		if (child->exit_state == PROCESS_ZOMBIE) {
			notify_parent(child);
			if (child->autoreap)
				process_reap(child);
		}
	}
}

/* Told by signal and by waking waitpid(). A parent that ignores SIGCHLD does not want to be asked. */
void notify_parent(struct process *process)
{
	struct process *parent = process->parent;
	struct siginfo info = { .signo = process->exit_signal,
				.code = child_code(process->exit_code) };

	if (process->exit_signal == SIGCHLD && ignores_children(parent))
		process->autoreap = true;
	if (process->exit_signal) {
		info.child.pid = process->tgid;
		info.child.uid = process->uid;
		info.child.status = child_status(process->exit_code);
		info.child.utime = ns_to_ticks(process->dead_utime);
		info.child.stime = ns_to_ticks(process->dead_stime);
		send_signal_process_locked(parent, process->exit_signal, &info);
	}
	wake_up_all(&parent->wait_children);
}

/* This thread leaves its process. Returns whether it was the last one. */
static bool leave_process(struct process *process)
{
	list_del(&current->thread_link);
	account_dead_thread(process, current);
	if (process->leader == current) {
		process->leader = NULL;
		strscpy(process->name, current->name, TASK_NAME);
	}
	process->nr_threads--;
	wake_up_all(&process->exit_wait); /* an exec waits until it is alone */
	if (process->nr_threads)
		thread_left_group(process);
	return process->nr_threads == 0;
}

/* The last thread is gone. */
static void become_zombie(struct process *process, u32 code)
{
	process->uid = current->cred.uid;
	reparent_children(process);
	hang_up(newly_orphaned(process, process->parent, process));
	process->exit_code = process->group_exiting ? process->group_exit_code : code;
	process->exit_state = PROCESS_ZOMBIE;
	notify_parent(process);
	wake_up_poll(&process->exit_wait, EPOLLIN);
	if (process->autoreap)
		process_reap(process);
}

/* init cannot go: it is everybody's last parent. */
static void check_init(struct process *process, u32 code)
{
	if (process != init_process)
		return;
	panic("init has ended, with %s %u", code & 0x7f ? "signal" : "exit code",
	      code & 0x7f ? code & 0x7f : code >> 8);
}

void do_exit(u32 code)
{
	struct process *process = current_process;
	bool last = __atomic_sub_fetch(&process->live_threads, 1, __ATOMIC_ACQ_REL) == 0;

	if (last) {
		check_init(process, process->group_exiting ? process->group_exit_code : code);
		itimers_exit(process);
	}
	exit_mm();
	exit_files();
	if (last && process->session == process->tgid && tty_session_exit_hook)
		tty_session_exit_hook(process);

	process_get(process);
	spin_lock_bh(&tree_lock);
	if (leave_process(process))
		become_zombie(process, code);
	spin_unlock_bh(&tree_lock);
	process_put(process);
	task_exit();
}

/* Every other thread gets a SIGKILL that cannot miss; each ends itself on its way to user mode. */
void kill_other_threads(struct process *process)
{
	struct task *task;

	list_for_each_entry(task, &process->threads, thread_link) {
		if (task == current)
			continue;
		task->signals.stop_pending = false;
		task->signals.stopped = false;
		task->signals.pending.set |= sigmask_of(SIGKILL);
		signal_wake_up(task, true);
	}
}

void do_group_exit(u32 code)
{
	struct process *process = current_process;

	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	if (!process->group_exiting) {
		process->group_exiting = true;
		process->group_exit_code = code;
		kill_other_threads(process);
	}
	spin_unlock(&current->sighand->lock);
	spin_unlock_bh(&tree_lock);
	do_exit(code);
}

static bool alone(struct process *process)
{
	return READ_ONCE(process->nr_threads) == 1;
}

/*
 * exec: all other threads end, and this one becomes the leader, with the leader's number. -EAGAIN: somebody
 * else is already ending the process.
 */
int become_only_thread(void)
{
	struct process *process = current_process;
	u32 old = current->pid;

	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	if (process->group_exiting) {
		spin_unlock(&current->sighand->lock);
		spin_unlock_bh(&tree_lock);
		return -EAGAIN;
	}
	kill_other_threads(process);
	spin_unlock(&current->sighand->lock);
	spin_unlock_bh(&tree_lock);

	wait_event(&process->exit_wait, alone(process));

	spin_lock_bh(&tree_lock);
	process->leader = current;
	if (old != process->tgid) {
		pid_attach_task(old, NULL);
		pid_put(old);
		current->pid = process->tgid;
		pid_get(current->pid);
		pid_attach_task(current->pid, current);
	}
	spin_unlock_bh(&tree_lock);
	return 0;
}

long sys_exit(int code)
{
	do_exit((code & 0xff) << 8);
}

long sys_exit_group(int code)
{
	do_group_exit((code & 0xff) << 8);
}
