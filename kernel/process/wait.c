/*
 * wait4 and waitid: a parent asks what became of its children. It sleeps on its own wait_children queue,
 * which every child wakes that ends, stops or continues.
 *
 * Locks: tree_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/exit.h>
#include <kernel/process/pidfd.h>
#include <kernel/process/rusage.h>
#include <kernel/process/syscalls.h>
#include <kernel/process/wait.h>

#define WNOHANG	   0x00000001
#define WUNTRACED  0x00000002
#define WEXITED	   0x00000004
#define WCONTINUED 0x00000008
#define WNOWAIT	   0x01000000
#define WNOTHREAD  0x20000000
#define WALL	   0x40000000
#define WCLONE	   0x80000000U

#define P_ALL	0
#define P_PID	1
#define P_PGID	2
#define P_PIDFD 3

#define CORE_DUMPED 0x80

/* Whom a call waits for, and what it found. */
struct wait_request {
	int which;
	u32 id;
	u32 options;
	/* the answer */
	u32 pid, uid;
	u32 status; /* as wait4 encodes it */
	int code;   /* CLD_* */
	struct rusage usage;
};

static bool is_wanted(const struct process *child, const struct wait_request *request)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if (child->exit_state == PROCESS_ZOMBIE && !(request->options & WEXITED))
		return false; /* it will not stop or continue any more */
	if (!(request->options & WALL) && is_clone != !!(request->options & WCLONE))
		return false;
	switch (request->which) {
	case P_PID:
		return child->tgid == request->id;
	case P_PGID:
		return child->pgrp == request->id;
	default:
		return true;
	}
}

int child_code(u32 status)
{
	if ((status & 0x7f) == 0)
		return CLD_EXITED;
	return status & CORE_DUMPED ? CLD_DUMPED : CLD_KILLED;
}

/* What si_status says: the exit code, or the signal. */
u32 child_status(u32 status)
{
	return (status & 0x7f) == 0 ? status >> 8 & 0xff : status & 0x7f;
}

/* tree_lock held. The zombie's number, group and session are free; whoever still holds a reference sees
 * only a shell. */
void process_reap(struct process *process)
{
	process->exit_state = PROCESS_REAPED;
	wake_up_all(&process->exit_wait);
	if (process->parent)
		account_reaped_child(process->parent, process);
	list_del_init(&process->sibling);
	list_del_init(&process->all);
	pid_attach_process(process->tgid, NULL);
	pid_put(process->tgid);
	pid_put(process->pgrp);
	pid_put(process->session);
	process_put(process);
}

static void take_answer(struct wait_request *request, struct process *child, u32 status, int code)
{
	request->pid = child->tgid;
	request->uid = child->uid;
	request->status = status;
	request->code = code;
	rusage_locked(child, &request->usage);
}

/* tree_lock held: does this child have something to report? */
static bool check_child(struct wait_request *request, struct process *child)
{
	bool keep = request->options & WNOWAIT;

	if (child->exit_state == PROCESS_ZOMBIE) {
		take_answer(request, child, child->exit_code, child_code(child->exit_code));
		if (!keep)
			process_reap(child);
		return true;
	}
	if (child->wait_events & WAIT_STOPPED && request->options & WUNTRACED) {
		take_answer(request, child, child->stop_signal << 8 | 0x7f, CLD_STOPPED);
		if (!keep)
			child->wait_events &= ~WAIT_STOPPED;
		return true;
	}
	if (child->wait_events & WAIT_CONTINUED && request->options & WCONTINUED) {
		take_answer(request, child, 0xffff, CLD_CONTINUED);
		if (!keep)
			child->wait_events &= ~WAIT_CONTINUED;
		return true;
	}
	return false;
}

/* One look at all children. The pid; 0: nothing yet; -ECHILD: nobody to wait for. */
static int look(struct wait_request *request)
{
	struct process *child, *next;
	int result = -ECHILD;

	spin_lock_bh(&tree_lock);
	list_for_each_entry_safe(child, next, &current_process->children, sibling) {
		if (!is_wanted(child, request))
			continue;
		result = 0;
		if (check_child(request, child)) {
			result = request->pid;
			break;
		}
	}
	spin_unlock_bh(&tree_lock);
	return result;
}

/* The pid, 0 (WNOHANG), -ECHILD or -ERESTARTSYS. */
static int do_wait(struct wait_request *request)
{
	int found = 0, error;

	if (request->options & WNOHANG)
		return look(request);
	error = wait_event_interruptible(&current_process->wait_children,
					 (found = look(request)) != 0);
	return error ? -ERESTARTSYS : found;
}

static int copy_usage(struct rusage __user *to, const struct rusage *usage)
{
	return to && copy_to_user(to, usage, sizeof(*usage)) ? -EFAULT : 0;
}

long sys_wait4(int pid, int __user *status, int options, struct rusage __user *usage)
{
	struct wait_request request = { .options = options | WEXITED };
	int result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | (int)WCLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	request.which = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	request.id = pid > 0 ? (u32)pid : pid == 0 ? current_process->pgrp : (u32)-pid;
	result = do_wait(&request);
	if (result <= 0)
		return result;
	if (status && put_user((int)request.status, status))
		return -EFAULT;
	return copy_usage(usage, &request.usage) ? -EFAULT : result;
}

static int parse_waitid(struct wait_request *request, int which, int pid)
{
	int wanted = WEXITED | WUNTRACED | WCONTINUED;

	if (request->options & ~(wanted | WNOHANG | WNOWAIT | WNOTHREAD | WALL | (int)WCLONE) ||
	    !(request->options & wanted))
		return -EINVAL;
	switch (which) {
	case P_ALL:
		break;
	case P_PID:
		if (pid <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (pid < 0)
			return -EINVAL;
		if (pid == 0)
			pid = current_process->pgrp;
		break;
	case P_PIDFD:
		if (pid < 0)
			return -EINVAL;
		pid = pidfd_to_pid(pid);
		if (pid < 0)
			return pid;
		which = P_PID;
		break;
	default:
		return -EINVAL;
	}
	request->which = which;
	request->id = pid;
	return 0;
}

/* si_status: an exit code, or the signal that ended, stopped or continued the child. */
static u32 answer_status(const struct wait_request *request)
{
	if (request->code == CLD_STOPPED)
		return request->status >> 8;
	return request->code == CLD_CONTINUED ? (u32)SIGCONT : child_status(request->status);
}

long sys_waitid(int which, int pid, void __user *info, int options, struct rusage __user *usage)
{
	struct wait_request request = { .options = options };
	struct siginfo answer = { 0 };
	int result;

	result = parse_waitid(&request, which, pid);
	if (!result)
		result = do_wait(&request);
	if (result > 0) {
		answer.signo = SIGCHLD;
		answer.code = request.code;
		answer.child.pid = request.pid;
		answer.child.uid = request.uid;
		answer.child.status = answer_status(&request);
		if (copy_usage(usage, &request.usage))
			return -EFAULT;
	}
	if (info && copy_to_user(info, &answer, sizeof(answer)))
		return -EFAULT;
	return min(result, 0);
}
