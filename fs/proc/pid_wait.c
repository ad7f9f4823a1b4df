/*
 * Where tasks sleep: the stack of one that does not run says who called whom until it slept. And /proc/wait, which
 * shows it of all.
 *
 * Nothing keeps the task from waking up meanwhile. Its stack stays where it is, since we hold the task, but may
 * become that of other calls: so it is read like any memory that cannot be trusted, and what comes out may
 * be a mixture of before and after.
 */
#include <fs/proc/pid.h>

#include <fs/proc/tree.h>
#include <kernel/ksyms.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#define MAX_FRAMES  24
#define SYMBOL_SIZE 128

/* What a function leaves on the stack below the one it calls; and switch_to(): kernel/cpu/switch.S. */
struct frame {
	u64 caller_frame, return_address;
};
#define SWITCH_SAVED 5 /* registers that it pushes after the frame pointer */

bool task_sleeps(const struct task *task)
{
	u32 state = READ_ONCE(task->state);

	return task != current && state != TASK_RUNNING && state != TASK_DEAD &&
	       !READ_ONCE(task->on_run_queue);
}

/* The return addresses above the point where it fell asleep, innermost first. */
static u32 sleeping_stack(const struct task *task, u64 *addresses, u32 max)
{
	u64 bottom = (u64)task->stack, top = bottom + KERNEL_STACK_SIZE - sizeof(struct frame);
	u64 at = READ_ONCE(task->kernel_rsp) + SWITCH_SAVED * sizeof(u64);
	u32 count = 0;

	if (!task_sleeps(task))
		return 0;
	while (count < max && at % sizeof(u64) == 0 && at >= bottom && at <= top) {
		const struct frame *frame = (const struct frame *)at;
		u64 offset, address = READ_ONCE(frame->return_address);

		if (!ksym_lookup(address - 1, &offset))
			break;
		addresses[count++] = address;
		bottom = at + 1;
		at = READ_ONCE(frame->caller_frame);
	}
	return count;
}

static const char *function_of(u64 return_address)
{
	u64 offset;

	return ksym_lookup(return_address - 1, &offset) ?: "?";
}

/* Functions that everybody sleeps in say nothing. */
static bool is_scheduler(const char *name)
{
	static const char *const names[] = { "schedule", "schedule_timeout", "schedule_until",
					     "mutex_lock_slow", "wait_for_completion" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t length = strlen(names[i]);

		if (!strncmp(name, names[i], length) && (!name[length] || name[length] == '.'))
			return true;
	}
	return false;
}

int show_wchan(struct seq_buf *out, const struct subject *subject)
{
	u64 addresses[MAX_FRAMES];
	u32 count = subject->task && may_inspect(subject)
			    ? sleeping_stack(subject->task, addresses, MAX_FRAMES)
			    : 0;

	for (u32 i = 0; i < count; i++) {
		const char *name = function_of(addresses[i]);

		if (!is_scheduler(name)) {
			seq_printf(out, "%s", name);
			return 0;
		}
	}
	seq_printf(out, "0");
	return 0;
}

int show_stack(struct seq_buf *out, const struct subject *subject)
{
	u64 addresses[MAX_FRAMES];
	char symbol[SYMBOL_SIZE];
	u32 count;

	if (current->cred.euid)
		return -EACCES;
	count = subject->task ? sleeping_stack(subject->task, addresses, MAX_FRAMES) : 0;
	for (u32 i = 0; i < count; i++)
		seq_printf(out, "[<0>] %s\n",
			   ksym_format_return(addresses[i], symbol, sizeof(symbol)));
	return 0;
}

/* Whether the task is in a system call, or was interrupted: frame->vector tells, unless the frame was changed. */
int show_syscall(struct seq_buf *out, const struct subject *subject)
{
	struct trap_frame frame;

	if (!subject->task || !subject->process)
		return -ESRCH;
	if (!task_sleeps(subject->task)) {
		seq_printf(out, "running\n");
		return 0;
	}
	memcpy(&frame, task_user_frame(subject->task), sizeof(frame));
	if (frame.vector == VECTOR_SYSCALL || frame.vector == VECTOR_INT80)
		seq_printf(out, "%lld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", (s64)frame.error,
			   frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9);
	else
		seq_printf(out, "-1");
	seq_printf(out, " 0x%llx 0x%llx\n", frame.rsp, frame.rip);
	return 0;
}

/* ---- /proc/wait ---------------------------------------------------------------------------------------- */

/* The functions from the one that waits outwards, and the address of the queue: the same for all that wait for
 * the same. */
static void print_waiter(struct seq_buf *out, const struct task *task)
{
	u64 addresses[MAX_FRAMES];
	u32 count = sleeping_stack(task, addresses, MAX_FRAMES), shown = 0;
	char name[TASK_NAME];

	if (!count)
		return;
	strscpy(name, task->name, sizeof(name));
	seq_printf(out, "%5u %c %-15s %p ", task->pid, *task_state_text(task), name,
		   task->waits_on);
	for (u32 i = 0; i < count; i++) {
		const char *function = function_of(addresses[i]);

		if (!is_scheduler(function))
			seq_printf(out, "%s%s", shown++ ? " < " : "", function);
	}
	seq_putc(out, '\n');
}

static void show_wait(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%5s S %-15s %-18s %s\n", "PID", "NAME", "QUEUE", "WHERE");
	for (u32 number = 1; (number = next_task(number)); number++) {
		struct task *task = task_find(number);

		if (!task)
			continue;
		print_waiter(out, task);
		put_task(task);
		cond_resched();
	}
}

static const struct proc_entry files[] = {
	{ "wait", 0400, .show = show_wait },
};

void proc_wait_init(void)
{
	PROC_REGISTER("", files);
}
