/*
 * Process groups and sessions: who belongs together, for the terminal and for kill(-n).
 *
 * Locks: tree_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/syscalls.h>

/* tree_lock held. 0 means the caller. */
static struct process *find_or_self(int pid)
{
	struct process *process = pid == 0 ? current_process : pid > 0 ? pid_process(pid) : NULL;

	return process && process->exit_state != PROCESS_REAPED ? process : NULL;
}

static bool pgrp_in_session(u32 pgrp, u32 session)
{
	struct process *process;

	list_for_each_entry(process, &process_list, all)
		if (process->pgrp == pgrp && process->session == session)
			return true;
	return false;
}

/* tree_lock held. */
static int move_to_group(int pid, u32 pgrp)
{
	struct process *process = find_or_self(pid);

	if (!process)
		return -ESRCH;
	if (process != current_process) {
		if (process->parent != current_process)
			return -ESRCH;
		if (process->session != current_process->session)
			return -EPERM;
		if (process->did_exec)
			return -EACCES;
	}
	if (process->session == process->tgid)
		return -EPERM; /* a session leader stays what it is */
	if (!pgrp)
		pgrp = process->tgid;
	if (pgrp != process->tgid && !pgrp_in_session(pgrp, current_process->session))
		return -EPERM;
	pid_get(pgrp);
	pid_put(process->pgrp);
	process->pgrp = pgrp;
	return 0;
}

long sys_setpgid(int pid, int pgid)
{
	int error;

	if ((pgid ?: pid) < 0)
		return -EINVAL;
	spin_lock_bh(&tree_lock);
	error = move_to_group(pid, pgid);
	spin_unlock_bh(&tree_lock);
	return error;
}

long sys_getpgid(int pid)
{
	struct process *process;
	long result;

	spin_lock_bh(&tree_lock);
	process = find_or_self(pid);
	result = process ? (long)process->pgrp : -ESRCH;
	spin_unlock_bh(&tree_lock);
	return result;
}

long sys_getpgrp(void)
{
	return current_process->pgrp;
}

long sys_getsid(int pid)
{
	struct process *process;
	long result;

	spin_lock_bh(&tree_lock);
	process = find_or_self(pid);
	result = process ? (long)process->session : -ESRCH;
	spin_unlock_bh(&tree_lock);
	return result;
}

static bool leads_a_group(const struct process *us)
{
	struct process *process;

	list_for_each_entry(process, &process_list, all)
		if (process->pgrp == us->tgid)
			return true;
	return false;
}

long sys_setsid(void)
{
	struct process *us = current_process;
	long result = -EPERM;

	spin_lock_bh(&tree_lock);
	if (!leads_a_group(us)) {
		pid_get(us->tgid);
		pid_get(us->tgid);
		pid_put(us->pgrp);
		pid_put(us->session);
		us->pgrp = us->tgid;
		us->session = us->tgid;
		us->tty = NULL;
		result = us->tgid;
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

long sys_getpid(void)
{
	return current_process->tgid;
}

long sys_gettid(void)
{
	return current->pid;
}

long sys_getppid(void)
{
	const struct process *parent;
	long result;

	spin_lock_bh(&tree_lock);
	parent = current_process->parent;
	result = parent ? parent->tgid : 0;
	spin_unlock_bh(&tree_lock);
	return result;
}

long sys_set_tid_address(u32 __user *address)
{
	current->clear_child_tid = address;
	return current->pid;
}
