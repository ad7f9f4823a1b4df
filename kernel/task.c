/* The life of a task: made with a stack of its own, listed, and taken apart when its last user lets go. */
#include <kernel/cpu/trap.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/task.h>

#include <stdarg.h>

DEFINE_SPINLOCK(task_list_lock);
LIST_HEAD(task_list);

static struct kmem_cache *task_cache;
static u32 last_pid;

/* What switch_to() pops the first time a task is switched to: kernel/cpu/switch.S. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp;
	void (*rip)(void);
};

static void prepare_stack(struct task *task)
{
	u64 top = (u64)task->stack + KERNEL_STACK_SIZE;
	/* 16 bytes are left above: the ABI wants rsp + 8 aligned when a function begins. */
	struct switch_frame *frame = (struct switch_frame *)(top - 16 - sizeof(*frame));

	memset(frame, 0, sizeof(*frame) + 16);
	frame->rip = task_begin;
	task->kernel_rsp = (u64)frame;
}

struct task *task_create(void (*entry)(void *arg), void *arg, const char *name)
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
	task->entry = entry;
	task->arg = arg;
	strscpy(task->name, name, sizeof(task->name));
	task->weight = NICE_0_WEIGHT;
	task->allowed_cpus = ~0ULL;
	task->state = TASK_UNINTERRUPTIBLE;
	task->cpu = smp_processor_id();
	task->refcount = 1;
	task->pid = __atomic_add_fetch(&last_pid, 1, __ATOMIC_RELAXED);
	prepare_stack(task);

	spin_lock_bh(&task_list_lock);
	list_add_tail(&task->all_tasks, &task_list);
	spin_unlock_bh(&task_list_lock);
	return task;
}

void put_task(struct task *task)
{
	if (__atomic_sub_fetch(&task->refcount, 1, __ATOMIC_ACQ_REL))
		return;
	spin_lock_bh(&task_list_lock);
	list_del(&task->all_tasks);
	spin_unlock_bh(&task_list_lock);
	kernel_stack_free(task->stack);
	kmem_cache_free(task_cache, task);
}

/* The last switch away drops the task's own reference: its stack cannot go while it stands on it. */
void task_exit(void)
{
	current->state = TASK_DEAD;
	schedule();
	panic("a dead task runs");
}

static struct task *kthread_start(struct task *task, u64 allowed_cpus)
{
	if (!task)
		return NULL;
	task->allowed_cpus = allowed_cpus;
	wake_up_new_task(task);
	return task;
}

struct task *kthread_run(void (*entry)(void *arg), void *arg, const char *format, ...)
{
	char name[TASK_NAME];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	return kthread_start(task_create(entry, arg, name), ~0ULL);
}

struct task *kthread_run_on(u32 cpu, void (*entry)(void *arg), void *arg, const char *format, ...)
{
	char name[TASK_NAME];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	return kthread_start(task_create(entry, arg, name), BIT(cpu));
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
	task_cache = kmem_cache_create("task", sizeof(struct task), 0);
}
