/*
 * Between kernel and user mode. On the way in there is nothing to do beyond what the entry code does; on the
 * way out the scheduler and signals get their turn. And when tasks are switched, the CPU's user-visible
 * state goes with them.
 *
 * Context: process, with interrupts off where noted. All state is this CPU's or the current task's own.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/fpu.h>
#include <kernel/cpu/gdt.h>
#include <kernel/cpu/syscall_entry.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/cpu_timer.h>
#include <kernel/mm/vm.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/user_mode.h>

#define MSR_EFER    0xc0000080
#define EFER_SCE    BIT(0)
#define MSR_STAR    0xc0000081
#define MSR_LSTAR   0xc0000082
#define MSR_FMASK   0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_KERNEL_GS_BASE \
	0xc0000102 /* what swapgs will exchange with: the user's, while in the kernel */

/* Flags that must not be set when the kernel starts: TF, IF, DF, IOPL, NT, AC. */
#define FMASK (BIT(8) | BIT(9) | BIT(10) | 3 * BIT(12) | BIT(14) | BIT(18))

static_assert(offsetof(struct task, user_tsc) == TASK_USER_TSC, "syscall_entry.h");
static_assert(offsetof(struct task, user_entered) == TASK_USER_ENTERED, "syscall_entry.h");
static_assert(offsetof(struct task, kernel_entered) == TASK_KERNEL_ENTERED, "syscall_entry.h");
static_assert(offsetof(struct task, signals.pending_flag) == TASK_SIGNAL_PENDING,
	      "syscall_entry.h");
static_assert(offsetof(struct trap_frame, r10) == 0x38 && offsetof(struct trap_frame, r9) == 0x40 &&
		      offsetof(struct trap_frame, r8) == 0x48 &&
		      offsetof(struct trap_frame, rax) == 0x50 &&
		      offsetof(struct trap_frame, rcx) == 0x58 &&
		      offsetof(struct trap_frame, rdx) == 0x60 &&
		      offsetof(struct trap_frame, rsi) == 0x68 &&
		      offsetof(struct trap_frame, rdi) == 0x70 &&
		      offsetof(struct trap_frame, vector) == 0x78 &&
		      offsetof(struct trap_frame, error) == 0x80 &&
		      offsetof(struct trap_frame, rip) == 0x88 &&
		      offsetof(struct trap_frame, rflags) == 0x98 &&
		      offsetof(struct trap_frame, rsp) == 0xa0 &&
		      offsetof(struct trap_frame, rbp) == 0x20 &&
		      offsetof(struct trap_frame, rbx) == 0x28,
	      "syscall_entry.S");

DEFINE_PER_CPU(u64, kernel_stack_top);
DEFINE_PER_CPU(u64, user_rsp);
static DEFINE_PER_CPU(u64, loaded_fs);
static DEFINE_PER_CPU(u64, loaded_gs);
static DEFINE_PER_CPU(struct task *, fpu_owner); /* whose state the registers hold */

static void load_bases(const struct task *task)
{
	if (this_cpu(loaded_fs) != task->user_fs) {
		this_cpu(loaded_fs) = task->user_fs;
		wrmsr(MSR_FS_BASE, task->user_fs);
	}
	if (this_cpu(loaded_gs) != task->user_gs) {
		this_cpu(loaded_gs) = task->user_gs;
		wrmsr(MSR_KERNEL_GS_BASE, task->user_gs);
	}
}

void set_user_fs(u64 base)
{
	current->user_fs = base;
	load_bases(current);
}

void set_user_gs(u64 base)
{
	current->user_gs = base;
	load_bases(current);
}

/* The registers stay loaded after the save: if nobody else's come in between, they need not be loaded
 * again when the task comes back to this CPU. */
static void load_fpu(struct task *next)
{
	s32 cpu = smp_processor_id();

	if (this_cpu(fpu_owner) == next && next->fpu_cpu == cpu)
		return;
	fpu_load(next->fpu);
	this_cpu(fpu_owner) = next;
	next->fpu_cpu = cpu;
}

/* The stack on which system calls and interrupts from user mode begin. */
static void enter_kernel_on(const struct task *task)
{
	u64 top = (u64)task->stack + KERNEL_STACK_SIZE;

	this_cpu(kernel_stack_top) = top;
	tss_set_kernel_stack(top);
}

void switch_user_context(struct task *prev, struct task *next)
{
	if (prev->fpu)
		fpu_save(prev->fpu);
	mm_switch(next->mm);
	if (!next->fpu)
		return;
	load_fpu(next);
	load_bases(next);
	enter_kernel_on(next);
	if (unlikely(next->cpu_timer_parked))
		cpu_timer_unpark(next);
}

/* Interrupts off, and off again on return. */
void exit_to_user_work(struct trap_frame *frame)
{
	while (this_cpu(need_resched) || current->signals.pending_flag) {
		irq_enable();
		if (this_cpu(need_resched)) {
			schedule();
			sched_leave_forbidden_cpu();
		}
		if (current->signals.pending_flag)
			deliver_signals(frame);
		irq_disable();
	}
}

/* After an interrupt or exception. The handler's time is counted as the program's: it is little. */
static void exit_from_trap(struct trap_frame *frame)
{
	u64 now = rdtsc();

	current->user_tsc += now - current->user_entered;
	current->user_entered = now;
	exit_to_user_work(frame);
	current->user_entered = rdtsc();
}

void enter_user_mode(void)
{
	irq_disable();
	enter_kernel_on(current);
	exit_to_user_work(task_user_frame(current));
	current->user_entered = rdtsc();
	trap_return_to(task_user_frame(current));
}

void task_times(struct task *task, u64 *utime, u64 *stime)
{
	u64 total = task_runtime(task);
	u64 user = READ_ONCE(task->user_tsc);

	user = (u64)((unsigned __int128)user * clock_mult >> 32);
	*utime = min(user, total);
	*stime = total - *utime;
}

void user_mode_init_cpu(void)
{
	fpu_init_cpu();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	/* syscall: CS = bits 32..47, SS = that + 8; sysret: SS = bits 48..63 + 8, CS = that + 16 */
	wrmsr(MSR_STAR, (u64)KERNEL_CS << 32 | (u64)USER32_CS << 48);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_FMASK, FMASK);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	this_cpu(fpu_owner) = NULL;
}

void user_mode_init(void)
{
	fpu_init();
	user_mode_init_cpu();
	idt_set_user_gate(VECTOR_INT80, int80_entry);
	trap_exit_to_user = exit_from_trap;
}
