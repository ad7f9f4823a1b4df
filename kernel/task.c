/* The life of a task: made with a stack of its own, listed, and taken apart when its last user lets go. */
#include <kernel/cpu/trap.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/pid.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/task.h>

#include <stdarg.h>

#define STACKS_SHARE \
	8 /* of all memory, one part in so many may be kernel stacks: a fork bomb must leave room */

LIST_HEAD(task_list);
u32 nr_tasks, max_tasks;
void (*task_release_user)(struct task *task);

static struct kmem_cache *task_cache;

/* What switch_to() pops the first time a task is switched to: kernel/cpu/switch.S. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp;
	void (*rip)(void);
};

/* A program's thread keeps the registers it entered with at the top of its stack; a kernel thread leaves the
 * room unused. */
static void prepare_stack(struct task *task, void (*first)(void))
{
	struct switch_frame *frame = (struct switch_frame *)task_user_frame(task) - 1;

	memset(frame, 0, sizeof(*frame));
	frame->rip = first;
	task->kernel_rsp = (u64)frame;
}

struct task *task_alloc(const char *name, void (*first)(void))
{
	struct task *task = kmem_cache_alloc(task_cache, GFP_KERNEL);

	if (!task)
		return NULL;
	memset(task, 0, sizeof(*task));
	task->stack = kernel_stack_alloc();
	if (!task->stack) {
		kmem_cache_free(task_cache, task);
		return NULL;
	}
	strscpy(task->name, name, sizeof(task->name));
	task->weight = NICE_0_WEIGHT;
	task->allowed_cpus = ~0ULL;
	task->state = TASK_UNINTERRUPTIBLE;
	task->cpu = smp_processor_id();
	task->fpu_cpu = -1;
	task->refcount = 1;
	prepare_stack(task, first);
	return task;
}

void task_publish(struct task *task, u32 pid)
{
	spin_lock_bh(&tree_lock);
	task->pid = pid;
	pid_attach_task(pid, task);
	list_add_tail(&task->all_tasks, &task_list);
	nr_tasks++;
	spin_unlock_bh(&tree_lock);
}

/* Nobody can find it any more, and its number is free; it may still be referenced. */
static void task_unpublish(struct task *task)
{
	spin_lock_bh(&tree_lock);
	if (pid_task(task->pid) == task)
		pid_attach_task(task->pid, NULL);
	pid_put(task->pid);
	list_del(&task->all_tasks);
	nr_tasks--;
	spin_unlock_bh(&tree_lock);
}

void task_free(struct task *task)
{
	kernel_stack_free(task->stack);
	kmem_cache_free(task_cache, task);
}

void put_task(struct task *task)
{
	if (__atomic_sub_fetch(&task->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	task_unpublish(task);
	if (task_release_user)
		task_release_user(task);
	task_free(task);
}

/* The last switch away drops the task's own reference: its stack cannot go while it stands on it. */
void task_exit(void)
{
	current->state = TASK_DEAD;
	schedule();
	panic("a dead task runs");
}

static struct task *kthread_create(void (*entry)(void *arg), void *arg, u64 allowed_cpus,
				   const char *format, va_list args)
{
	char name[TASK_NAME];
	struct task *task;
	u32 pid;

	vsnprintf(name, sizeof(name), format, args);
	task = task_alloc(name, task_begin);
	if (!task)
		return NULL;
	pid = pid_alloc();
	if (!pid) {
		task_free(task);
		return NULL;
	}
	task->entry = entry;
	task->arg = arg;
	task->allowed_cpus = allowed_cpus;
	task_publish(task, pid);
	wake_up_new_task(task);
	return task;
}

struct task *kthread_run(void (*entry)(void *arg), void *arg, const char *format, ...)
{
	struct task *task;
	va_list args;

	va_start(args, format);
	task = kthread_create(entry, arg, ~0ULL, format, args);
	va_end(args);
	return task;
}

struct task *kthread_run_on(u32 cpu, void (*entry)(void *arg), void *arg, const char *format, ...)
{
	struct task *task;
	va_list args;

	va_start(args, format);
	task = kthread_create(entry, arg, BIT(cpu), format, args);
	va_end(args);
	return task;
}

/* A kernel stack has grown into its guard page: the page fault found no stack to push its frame on, so
 * it came here as a double fault, on a stack of its own. */
static void double_fault(struct trap_frame *frame)
{
	if (is_stack_guard(read_cr2()))
		panic_frame(frame, "kernel stack overflow");
	panic_frame(frame, "double fault");
}

void tasks_init(void)
{
	trap_set_handler(TRAP_DF, double_fault);
	pids_init();
	max_tasks = (u32)min(memmap_total() / STACKS_SHARE / KERNEL_STACK_SIZE, (u64)PID_MAX);
	task_cache = kmem_cache_create("task", sizeof(struct task), 0);
}
