/*
 * A task: something that runs. Its kernel stack, its place in the scheduler, its name. What the
 * scheduler does with it is in kernel/sched.c; what a wait queue does with it in kernel/wait.c.
 */
#pragma once

#include <kernel/cred.h>
#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/mm/uaccess.h>
#include <kernel/signal.h>
#include <kernel/spinlock.h>

enum task_state {
	TASK_RUNNING,	      /* on a CPU, or on a run queue waiting for one */
	TASK_INTERRUPTIBLE,   /* waits; a signal wakes it too */
	TASK_UNINTERRUPTIBLE, /* waits for what it waits for and nothing else */
	TASK_KILLABLE,	      /* the same, but for its death */
	TASK_STOPPED,	      /* job control: until SIGCONT, or death */
	TASK_DEAD,	      /* has left the CPU for the last time, or is about to */
};

#define TASK_NAME 16

struct completion;
struct files;
struct fpu_state;
struct fs_context;
struct mm;
struct process;
struct scm_closing;
struct sighand;
struct wait_queue;

struct task {
	/* Read and written by kernel/cpu/syscall_entry.S (syscall_entry.h has the offsets): the task's own. */
	u64 user_tsc; /* time in user mode, in ticks of the TSC; the rest of `runtime` was the kernel's */
	u64 user_entered;	     /* the TSC at the last return to user mode ... */
	u64 kernel_entered;	     /* ... and at the last system call */
	struct task_signals signals; /* its first member is read on the way back to user mode */

	/* written by the task itself at a switch, read by the one that switches back */
	u64 kernel_rsp;

	/* under the lock of the run queue of `cpu` */
	u32 state;	   /* also written by the task itself, on its way to sleep */
	u32 cpu;	   /* whose run queue it is on, or was on last */
	bool on_run_queue; /* runs or is in the tree; false while it sleeps */
	struct rb_node run_node;
	u64 vruntime;	   /* time used, scaled by weight: the least goes first */
	u64 exec_start;	   /* clock_ns() since which the current stint is not accounted yet */
	u64 runtime;	   /* time used, all in all */
	u64 slice_start;   /* `runtime` when it was last put on the CPU */
	u64 nvcsw, nivcsw; /* how often it left the CPU: to sleep; for others to run */
	u32 weight;	   /* its share; NICE_0_WEIGHT is one */
	u64 allowed_cpus;  /* bit mask */

	/* constant */
	u32 pid;     /* the thread's number: what gettid() returns; kernel threads have one too */
	void *stack; /* lowest address; NULL for the boot CPU's idle task */
	void (*entry)(void *arg);
	void *arg;

	/* the task's own */
	char name[TASK_NAME];
	const struct wait_queue *waits_on; /* for people who look: which queue it last slept on */
	u32 reads_trace; /* has so many traces open: kernel/trace.c leaves out what it does */
#if CONFIG_DEBUG
	struct lockdep_task lockdep;
#endif

	/* A program's thread; all NULL in a kernel thread. The task's own, others look under tree_lock. */
	struct process *process; /* the thread group: kernel/process.h */
	struct mm *mm;		 /* address space */
	struct files *files;	 /* descriptors */
	struct fs_context *fs;	 /* root, cwd, umask */
	struct sighand *sighand; /* signal actions, and the lock of `signals` */
	struct cred cred;
	struct fpu_state *fpu;	     /* its registers while it does not run */
	s32 fpu_cpu;		     /* where they were last loaded, or -1 */
	u64 user_fs, user_gs;	     /* segment bases of user mode, saved while it does not run */
	u32 __user *set_child_tid;   /* written when the thread starts ... */
	u32 __user *clear_child_tid; /* ... cleared and woken (futex) when it ends */
	void __user *robust_list;
	u64 min_faults;
	bool cpu_timer_parked; /* kernel/cpu_timer.c wants to know when it runs */
	/* restart_syscall(): what to call, and its state */
	long (*restart)(struct task *task);
	u64 restart_data[4];
	/* the parent of a vfork sleeps on it until we exec or exit; under tree_lock */
	struct completion *vfork_done;
	struct scm_closing *scm_closing; /* files that it is closing: net/scm.c */
	struct list_head thread_link;	 /* in process->threads, under tree_lock */

	u32 refcount; /* atomic; the task itself holds one until it is dead */

	struct list_head all_tasks; /* in task_list, under tree_lock */
};

DECLARE_PER_CPU(struct task *, current_task);
#define current (this_cpu(current_task))

/* Under tree_lock (kernel/process.h): every task. */
extern struct list_head task_list;
extern u32 nr_tasks;  /* written under tree_lock */
extern u32 max_tasks; /* constant after start-up: fork() stops there */

/* A new task whose first switch goes to `first` (see kernel/cpu/switch.S); not on a run queue, not listed
 * and without a number. NULL: no memory. */
struct task *task_alloc(const char *name, void (*first)(void));
/* Give it its number and put it on the list: from here on it can be found. */
void task_publish(struct task *task, u32 pid);
/* What a program's thread holds beyond that: let go when the last reference to the task does. */
extern void (*task_release_user)(struct task *task);
static inline void get_task(struct task *task)
{
	__atomic_add_fetch(&task->refcount, 1, __ATOMIC_RELAXED);
}
/* One found in a table, which may have lost its last reference already: NULL then. NULL is fine. */
static inline struct task *get_task_alive(struct task *task)
{
	u32 count = task ? READ_ONCE(task->refcount) : 0;

	while (count && !__atomic_compare_exchange_n(&task->refcount, &count, count + 1, false,
						     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return count ? task : NULL;
}
void put_task(struct task *task);
/* One that was never published. */
void task_free(struct task *task);
__noreturn void task_exit(void);

/* Kernel threads. A thread ends by returning. */
struct task *kthread_run(void (*entry)(void *arg), void *arg, const char *format, ...)
	__printf(3, 4);
/* The same, on one CPU only. */
struct task *kthread_run_on(u32 cpu, void (*entry)(void *arg), void *arg, const char *format, ...)
	__printf(4, 5);

void tasks_init(void);
