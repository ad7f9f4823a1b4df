/* System calls that send signals: who may, to whom, and what the receiver is told about the
 * sender. */
#include <kernel/lib/errno.h>
#include <kernel/pid.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_syscalls.h>

/* tree_lock held. As the sender's own user, as root, or to let a process of the same session go
 * on. */
static bool may_signal_locked(const struct process *target, int sig)
{
	const struct cred *us = &current->cred, *them;
	const struct task *task;

	if (target == current_process || us->euid == 0)
		return true;
	if (sig == SIGCONT && target->session == current_process->session)
		return true;
	task = list_first_entry_or_null(&target->threads, struct task, thread_link);
	if (!task)
		return true; /* a zombie: there is nothing left to be protected */
	them = &task->cred;
	return us->euid == them->suid || us->euid == them->uid || us->uid == them->suid ||
	       us->uid == them->uid;
}

bool may_signal(const struct process *target, int sig)
{
	bool allowed;

	spin_lock_bh(&tree_lock);
	allowed = may_signal_locked(target, sig);
	spin_unlock_bh(&tree_lock);
	return allowed;
}

static struct siginfo from_user(int sig, int code)
{
	struct siginfo info = { .signo = sig, .code = code };

	info.rt.pid = current_process->tgid;
	info.rt.uid = current->cred.uid;
	return info;
}

/* tree_lock held. sig 0: only asks whether it could be sent. */
static int check_and_send(struct process *process, int sig, const struct siginfo *info)
{
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	if (!may_signal_locked(process, sig))
		return -EPERM;
	return sig ? send_signal_process_locked(process, sig, info) : 0;
}

/* A thread that is over keeps its number until its last user lets go, which may be after its process was waited for. */
static struct task *living_task(u32 tid)
{
	struct task *task = pid_task(tid);

	return task && task->process && task->process->exit_state != PROCESS_REAPED ? task : NULL;
}

/* A number may also be that of a thread other than the leader: its process is meant. */
static int kill_process(u32 pid, int sig, const struct siginfo *info)
{
	struct process *process;
	struct task *task;
	int error = -ESRCH;

	spin_lock_bh(&tree_lock);
	process = pid_process(pid);
	task = living_task(pid);
	if (!process && task)
		process = task->process;
	if (process)
		error = check_and_send(process, sig, info);
	spin_unlock_bh(&tree_lock);
	return error;
}

static int kill_group_of(u32 pgrp, int sig, const struct siginfo *info)
{
	struct process *process;
	int result = -ESRCH;
	bool sent = false;

	spin_lock_bh(&tree_lock);
	list_for_each_entry(process, &process_list, all) {
		if (process->pgrp != pgrp)
			continue;
		result = check_and_send(process, sig, info);
		sent |= result == 0;
	}
	spin_unlock_bh(&tree_lock);
	return sent ? 0 : result;
}

/* All but init and ourselves. That some may not be signalled is no error if there are any. */
static int kill_all(int sig, const struct siginfo *info)
{
	struct process *process;
	int result = -ESRCH, error;

	spin_lock_bh(&tree_lock);
	list_for_each_entry(process, &process_list, all) {
		if (process == init_process || process == current_process)
			continue;
		error = check_and_send(process, sig, info);
		result = error == -EPERM ? (result == -ESRCH ? 0 : result) : error;
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

long sys_kill(int pid, int sig)
{
	struct siginfo info = from_user(sig, SI_USER);

	if (pid > 0)
		return kill_process(pid, sig, &info);
	if (pid == 0)
		return kill_group_of(current_process->pgrp, sig, &info);
	if (pid == -1)
		return kill_all(sig, &info);
	return pid == INT32_MIN ? -ESRCH : kill_group_of(-pid, sig, &info);
}

/* tgid 0: of any process. */
static int kill_thread(u32 tgid, u32 tid, int sig, const struct siginfo *info)
{
	struct task *task;
	int error = -ESRCH;

	spin_lock_bh(&tree_lock);
	task = living_task(tid);
	if (task && (!tgid || task->process->tgid == tgid)) {
		if (sig < 0 || sig > NSIG)
			error = -EINVAL;
		else if (!may_signal_locked(task->process, sig))
			error = -EPERM;
		else
			error = sig ? send_signal_task_locked(task, sig, info) : 0;
	}
	spin_unlock_bh(&tree_lock);
	return error;
}

long sys_tgkill(int tgid, int tid, int sig)
{
	struct siginfo info = from_user(sig, SI_TKILL);

	return tgid <= 0 || tid <= 0 ? -EINVAL : kill_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	struct siginfo info = from_user(sig, SI_TKILL);

	return tid <= 0 ? -EINVAL : kill_thread(0, tid, sig, &info);
}

/* A program may say anything about its signal, except that the kernel or kill() sent it; to
 * itself, even that. */
static int get_user_siginfo(struct siginfo *info, const struct siginfo __user *user, int sig,
			    bool to_itself)
{
	if (copy_from_user(info, user, sizeof(*info)))
		return -EFAULT;
	info->signo = sig;
	if ((info->code >= 0 || info->code == SI_TKILL) && !to_itself)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int sig, const struct siginfo __user *user_info)
{
	struct siginfo info;
	int error = get_user_siginfo(&info, user_info, sig, pid == (int)current->pid);

	return error ?: kill_process(pid, sig, &info);
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, const struct siginfo __user *user_info)
{
	struct siginfo info;
	int error;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	error = get_user_siginfo(&info, user_info, sig, tid == (int)current->pid);
	return error ?: kill_thread(tgid, tid, sig, &info);
}
