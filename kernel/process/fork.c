/*
 * fork, vfork, clone, clone3: one function, copy_process(), makes a task out of the current one; flags say
 * which of the parts are shared and which are copied. A new thread shares everything; a new process
 * shares nothing but the pages of its memory, until one of the two writes.
 *
 * Locks: tree_lock, for the moment in which the child becomes visible.
 */
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/cpu/fpu.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>
#include <kernel/panic.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/fork.h>
#include <kernel/process/itimer.h>
#include <kernel/process/pidfd.h>
#include <kernel/process/syscalls.h>
#include <kernel/syscall.h>
#include <kernel/user_mode.h>

struct clone_args {
	u64 flags;
	u64 pidfd;
	u64 child_tid;
	u64 parent_tid;
	u64 exit_signal;
	u64 stack;
	u64 stack_size;
	u64 tls;
	u64 set_tid;
	u64 set_tid_size;
	u64 cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

static struct kmem_cache *process_cache;

/* ---- the process object ------------------------------------------------------------------------- */

void process_get(struct process *process)
{
	__atomic_add_fetch(&process->refcount, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *process)
{
	if (__atomic_sub_fetch(&process->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	signals_flush_process(process);
	kmem_cache_free(process_cache, process);
}

struct process *process_alloc(void)
{
	struct process *process = kmem_cache_alloc(process_cache, GFP_KERNEL);

	if (!process)
		return NULL;
	memset(process, 0, sizeof(*process));
	process->refcount = 1;
	INIT_LIST_HEAD(&process->threads);
	INIT_LIST_HEAD(&process->children);
	INIT_LIST_HEAD(&process->sibling);
	INIT_LIST_HEAD(&process->shared_pending.queue);
	INIT_LIST_HEAD(&process->posix_timers);
	wait_queue_init(&process->wait_children);
	wait_queue_init(&process->exit_wait);
	spin_lock_init(&process->lock);
	process->exit_signal = SIGCHLD;
	process->dumpable = true;
	process->start_ns = clock_ns();
	itimers_init(process);
	return process;
}

static struct process *process_clone(struct process *parent, int exit_signal)
{
	struct process *child = process_alloc();

	if (!child)
		return NULL;
	spin_lock_bh(&parent->lock);
	memcpy(child->rlimits, parent->rlimits, sizeof(child->rlimits));
	spin_unlock_bh(&parent->lock);
	child->exit_signal = exit_signal;
	child->no_new_privs = parent->no_new_privs;
	child->dumpable = parent->dumpable;
	child->oom_score_adj = parent->oom_score_adj;
	return child;
}

/* ---- the parts of a task -------------------------------------------------------------------------- */

/* What the last reference to a thread lets go. Its memory and files went when it ended. */
static void release_user_parts(struct task *task)
{
	if (!task->process)
		return;
	signals_flush_task(task);
	fpu_free(task->fpu);
	groups_put(task->cred.groups);
	sighand_put(task->sighand);
	process_put(task->process);
}

static int copy_mm(struct task *child, u64 flags)
{
	struct mm *mm = current->mm;

	if (flags & CLONE_VM) {
		mm_get_user(mm);
	} else {
		mm = mm_clone(mm);
		if (IS_ERR(mm))
			return PTR_ERR(mm);
	}
	child->mm = mm;
	return 0;
}

static int copy_files(struct task *child, u64 flags)
{
	struct files *files = current->files;

	if (flags & CLONE_FILES) {
		files_get(files);
	} else {
		files = files_clone(files);
		if (IS_ERR(files))
			return PTR_ERR(files);
	}
	child->files = files;
	return 0;
}

static int copy_fs(struct task *child, u64 flags)
{
	struct fs_context *fs = current->fs;

	if (flags & CLONE_FS) {
		fs_context_get(fs);
	} else {
		fs = fs_context_clone(fs);
		if (IS_ERR(fs))
			return PTR_ERR(fs);
	}
	child->fs = fs;
	return 0;
}

static int copy_signals(struct task *child, u64 flags)
{
	struct task_signals *signals = &child->signals;

	task_signals_init(child);
	signals->blocked = current->signals.blocked;
	/* An alternate stack belongs to an address space and a thread: shared memory, other thread. */
	if (!(flags & CLONE_VM) || flags & CLONE_VFORK) {
		signals->altstack_sp = current->signals.altstack_sp;
		signals->altstack_size = current->signals.altstack_size;
		signals->altstack_flags = current->signals.altstack_flags;
	}
	if (flags & CLONE_SIGHAND) {
		__atomic_add_fetch(&current->sighand->refcount, 1, __ATOMIC_RELAXED);
		child->sighand = current->sighand;
	} else {
		child->sighand = sighand_clone(current->sighand);
		if (!child->sighand)
			return -ENOMEM;
		if (flags & CLONE_CLEAR_SIGHAND)
			signals_on_exec(child);
	}
	return 0;
}

static int copy_process_object(struct task *child, u64 flags, int exit_signal)
{
	if (flags & CLONE_THREAD) {
		process_get(current_process);
		child->process = current_process;
		return 0;
	}
	child->process = process_clone(current_process, exit_signal);
	return child->process ? 0 : -ENOMEM;
}

/* The registers of the parent at its system call, with result 0. */
static void copy_registers(struct task *child, const struct clone_args *args)
{
	struct trap_frame *frame = task_user_frame(child);

	*frame = *task_user_frame(current);
	frame->rax = 0;
	frame_changed(frame);
	if (args->stack)
		frame->rsp = args->stack + args->stack_size;
	child->user_fs = args->flags & CLONE_SETTLS ? args->tls : current->user_fs;
	child->user_gs = current->user_gs;
}

static void copy_ids(struct task *child, const struct clone_args *args)
{
	child->cred = current->cred;
	groups_get(child->cred.groups);
	child->weight = current->weight;
	child->allowed_cpus = current->allowed_cpus;
	if (args->flags & CLONE_CHILD_SETTID)
		child->set_child_tid = (u32 __user *)args->child_tid;
	if (args->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = (u32 __user *)args->child_tid;
}

static void drop_shared_parts(struct task *child)
{
	if (child->fs)
		fs_context_put(child->fs);
	if (child->files)
		files_put(child->files);
	if (child->mm)
		mm_put_user(child->mm);
}

/* Undo a task that nobody has seen. */
static void discard(struct task *child)
{
	drop_shared_parts(child);
	if (child->sighand)
		sighand_put(child->sighand);
	if (child->process)
		process_put(child->process);
	groups_put(child->cred.groups);
	fpu_free(child->fpu);
	task_free(child);
}

static int copy_parts(struct task *child, const struct clone_args *args)
{
	u64 flags = args->flags;
	int error;

	copy_ids(child, args);
	copy_registers(child, args);
	child->fpu = fpu_clone_current();
	if (!child->fpu)
		return -ENOMEM;
	error = copy_signals(child, flags);
	if (!error)
		error = copy_process_object(child, flags, args->exit_signal);
	if (!error)
		error = copy_files(child, flags);
	if (!error)
		error = copy_fs(child, flags);
	if (!error)
		error = copy_mm(child, flags);
	return error;
}

/* ---- becoming visible ------------------------------------------------------------------------------- */

/* Under tree_lock. */
static void join_family(struct task *child, u64 flags)
{
	struct process *process = child->process, *us = current_process;

	if (flags & CLONE_THREAD) {
		list_add_tail(&child->thread_link, &process->threads);
		process->nr_threads++;
		process->live_threads++;
		return;
	}
	process->tgid = child->pid;
	process->uid = child->cred.uid;
	process->leader = child;
	process->pgrp = us->pgrp;
	process->session = us->session;
	process->tty = us->tty;
	process->parent = us;
	if (flags & CLONE_PARENT) {
		process->parent = us->parent;
		process->exit_signal = us->exit_signal; /* not one that we choose for our parent */
	}
	list_add_tail(&process->sibling, &process->parent->children);
	list_add_tail(&child->thread_link, &process->threads);
	process->nr_threads = 1;
	process->live_threads = 1;
	list_add_tail(&process->all, &process_list);
	process_get(process); /* the family's, until it is reaped */
	pid_get(process->tgid);
	pid_get(process->pgrp);
	pid_get(process->session);
	pid_attach_process(process->tgid, process);
}

/*
 * A signal that is already there is taken before the fork, not by both afterwards; and a thread is not
 * born into a process that is ending. -ERESTARTNOINTR: do the signal, then fork.
 */
static int publish(struct task *child, u64 flags, u32 pid)
{
	bool refused;

	spin_lock_bh(&tree_lock);
	spin_lock(&current->sighand->lock);
	recalc_sigpending(current);
	refused = signal_pending() || current_process->group_exiting;
	if (!refused) {
		child->pid = pid;
		join_family(child, flags);
	}
	spin_unlock(&current->sighand->lock);
	spin_unlock_bh(&tree_lock);
	if (refused)
		return -ERESTARTNOINTR;
	task_publish(child, pid);
	if (child->process->rlimits[RLIMIT_CPU].cur != RLIM_INFINITY)
		cpu_timers_start(child->process);
	return 0;
}

/* As many as the machine can bear, and of these as many as a user may have. */
static bool too_many_processes(void)
{
	u64 limit = rlimit(RLIMIT_NPROC), count = 0;
	struct task *task;

	if (READ_ONCE(nr_tasks) >= max_tasks)
		return true;
	if (limit == RLIM_INFINITY || current->cred.uid == 0)
		return false;
	spin_lock_bh(&tree_lock);
	list_for_each_entry(task, &task_list, all_tasks)
		count += task->process && task->cred.uid == current->cred.uid;
	spin_unlock_bh(&tree_lock);
	return count >= limit;
}

static int check_flags(const struct clone_args *args)
{
	u64 flags = args->flags;

	if (flags & ~CLONE_KNOWN)
		return -EINVAL;
	if (flags & CLONE_NAMESPACES)
		return current->cred.euid ? -EPERM : -EINVAL;
	if (flags & CLONE_SIGHAND && !(flags & CLONE_VM))
		return -EINVAL;
	if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if (flags & CLONE_SIGHAND && flags & CLONE_CLEAR_SIGHAND)
		return -EINVAL;
	if (flags & CLONE_PIDFD && flags & (CLONE_THREAD | CLONE_DETACHED))
		return -EINVAL;
	if (flags & CLONE_PARENT && current_process == init_process)
		return -EINVAL;
	if (flags & CLONE_SETTLS && !user_range_ok(args->tls, 0))
		return -EPERM;
	return 0;
}

/* A new task, visible but not yet runnable; ERR_PTR. */
static struct task *copy_process(const struct clone_args *args)
{
	int error = check_flags(args);
	struct task *child;
	u32 pid;

	if (error)
		return ERR_PTR(error);
	if (too_many_processes())
		return ERR_PTR(-EAGAIN);
	child = task_alloc(current->name, fork_return);
	if (!child)
		return ERR_PTR(-ENOMEM);
	error = copy_parts(child, args);
	if (error)
		goto out_discard;
	pid = pid_alloc();
	if (!pid) {
		error = -EAGAIN;
		goto out_discard;
	}
	error = publish(child, args->flags, pid);
	if (!error)
		return child;
	spin_lock_bh(&tree_lock);
	pid_put(pid);
	spin_unlock_bh(&tree_lock);
out_discard:
	discard(child);
	return ERR_PTR(error);
}

static int install_pidfd(struct task *child, const struct clone_args *args)
{
	int fd = pidfd_create(child->process, 0);

	if (fd < 0)
		return fd;
	return put_user(fd, (int __user *)args->pidfd);
}

/* Until the child has let go of the memory they share; or we are killed: then nobody waits any more. */
static void wait_for_vfork(struct task *child, struct completion *done)
{
	if (wait_for_completion_killable(done) == 0)
		return;
	spin_lock_bh(&tree_lock);
	child->vfork_done = NULL;
	spin_unlock_bh(&tree_lock);
}

static long do_clone(const struct clone_args *args)
{
	struct completion vfork_done;
	struct task *child = copy_process(args);
	u32 pid;

	if (IS_ERR(child))
		return PTR_ERR(child);
	pid = child->pid;
	if (args->flags & CLONE_PARENT_SETTID)
		(void)!put_user(pid, (u32 __user *)args->parent_tid);
	if (args->flags & CLONE_PIDFD)
		(void)!install_pidfd(child, args);
	if (args->flags & CLONE_VFORK) {
		init_completion(&vfork_done);
		child->vfork_done = &vfork_done;
		get_task(child);
	}
	wake_up_new_task(child);
	if (args->flags & CLONE_VFORK) {
		wait_for_vfork(child, &vfork_done);
		put_task(child);
	}
	return pid;
}

/* The child's first steps, on its own stack: kernel/cpu/syscall_entry.S. */
void fork_child_begin(struct task *prev)
{
	finish_switch(prev);
	if (current->set_child_tid)
		(void)!put_user(current->pid, current->set_child_tid);
	trace_sys_exit(task_user_frame(current));
	irq_disable();
	exit_to_user_work(task_user_frame(current));
	irq_enable();
}

/* ---- the system calls --------------------------------------------------------------------------------- */

long sys_fork(void)
{
	return do_clone(&(struct clone_args){ .exit_signal = SIGCHLD });
}

long sys_vfork(void)
{
	return do_clone(
		&(struct clone_args){ .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD });
}

/* The low byte of `flags` is the signal for the parent; with CLONE_PIDFD parent_tid is where that goes. */
long sys_clone(u64 flags, u64 stack, u32 __user *parent_tid, u32 __user *child_tid, u64 tls)
{
	struct clone_args args = {
		.flags = (u32)flags & ~CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = (u64)parent_tid,
		.pidfd = (u64)parent_tid,
		.child_tid = (u64)child_tid,
		.tls = tls,
	};

	if (args.flags & CLONE_PIDFD && args.flags & CLONE_PARENT_SETTID)
		return -EINVAL;
	if (args.exit_signal > NSIG)
		return -EINVAL;
	return do_clone(&args);
}

long sys_clone3(const struct clone_args __user *user_args, size_t size)
{
	struct clone_args args = { 0 };

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > sizeof(args))
		return -E2BIG;
	if (copy_from_user(&args, user_args, size))
		return -EFAULT;
	if (args.flags & (CSIGNAL | CLONE_DETACHED) || args.exit_signal > NSIG)
		return -EINVAL;
	if (args.flags & (CLONE_THREAD | CLONE_PARENT) && args.exit_signal)
		return -EINVAL;
	if (args.set_tid_size || args.set_tid || args.flags & CLONE_INTO_CGROUP)
		return -EINVAL;
	if (!args.stack != !args.stack_size)
		return -EINVAL;
	if (!user_range_ok(args.stack, args.stack_size))
		return -EINVAL;
	return do_clone(&args);
}

/* Stop sharing with other tasks what clone() made shared. */
long sys_unshare(u64 flags)
{
	if (flags & CLONE_NAMESPACES)
		return current->cred.euid ? -EPERM : -EINVAL;
	if (flags &
	    ~(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM))
		return -EINVAL;
	/* These three could only be refused, unless nobody shares them. */
	if (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) && current_process->nr_threads > 1)
		return -EINVAL;
	if (flags & CLONE_FS) {
		struct fs_context *fs = fs_context_clone(current->fs), *old = current->fs;

		if (IS_ERR(fs))
			return PTR_ERR(fs);
		spin_lock_bh(&tree_lock);
		current->fs = fs;
		spin_unlock_bh(&tree_lock);
		fs_context_put(old);
	}
	if (flags & CLONE_FILES) {
		struct files *files = files_clone(current->files), *old = current->files;

		if (IS_ERR(files))
			return PTR_ERR(files);
		spin_lock_bh(&tree_lock);
		current->files = files;
		spin_unlock_bh(&tree_lock);
		files_put(old);
	}
	return 0;
}

void processes_init(void)
{
	process_cache = kmem_cache_create("process", sizeof(struct process), 0);
	task_release_user = release_user_parts;
}
