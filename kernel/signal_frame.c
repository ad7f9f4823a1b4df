/*
 * The frame of a signal handler on the user's stack, exactly as Linux builds it on x86-64 (libc,
 * debuggers and runtimes read and write it), and sigreturn, which loads the registers from there.
 * What comes back was written by a program: only what user mode may set is taken from it.
 *
 * Context: process, no locks.
 */
#include <kernel/cpu/features.h>
#include <kernel/cpu/fpu.h>
#include <kernel/cpu/gdt_layout.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/layout.h>
#include <kernel/sched.h>
#include <kernel/signal_impl.h>
#include <kernel/signal_syscalls.h>
#include <kernel/syscall.h>

struct sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
		rflags;
	u16 cs, gs, fs, ss;
	u64 error, trap_number, old_mask, cr2;
	u64 fpstate;
	u64 reserved[8];
};

struct ucontext {
	u64 flags, link;
	struct stack stack;
	struct sigcontext context;
	sigset_t mask;
};

struct rt_sigframe {
	u64 return_address; /* the restorer, which calls rt_sigreturn */
	struct ucontext uc;
	struct siginfo info;
};
static_assert(offsetof(struct ucontext, mask) == 296 && sizeof(struct rt_sigframe) == 440,
	      "Linux's layout");

/* ucontext.flags */
#define UC_FP_XSTATE	     1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

#define RED_ZONE      128 /* below the stack pointer, and still the interrupted function's */
#define FPSTATE_ALIGN 64
#define STACK_ALIGN   16

#define FLAG_TRAP      BIT(8)
#define FLAG_DIRECTION BIT(10)
#define FLAG_RESUME    BIT(16)
/* CF PF AF ZF SF TF DF OF RF AC: what a program may do to its own flags. */
#define FLAGS_OF_USER 0x50dd5ULL

/* ---- alternate stacks ---------------------------------------------------------------------- */

static bool in_altstack(u64 rsp)
{
	const struct task_signals *signals = &current->signals;

	return rsp > signals->altstack_sp && rsp - signals->altstack_sp <= signals->altstack_size;
}

/* With SS_AUTODISARM there is none while a handler runs on it. */
static bool on_altstack(u64 rsp)
{
	return !(current->signals.altstack_flags & SS_AUTODISARM) && in_altstack(rsp);
}

static void describe_altstack(struct stack *stack, u64 rsp)
{
	const struct task_signals *signals = &current->signals;
	u32 state = on_altstack(rsp) ? SS_ONSTACK : 0;

	if (!signals->altstack_size)
		state = SS_DISABLE;
	*stack = (struct stack){ .sp = signals->altstack_sp,
				 .flags = state | (signals->altstack_flags & SS_AUTODISARM),
				 .size = signals->altstack_size };
}

static int set_altstack(const struct stack *stack, u64 rsp)
{
	struct task_signals *signals = &current->signals;
	u32 mode = stack->flags & ~SS_AUTODISARM;

	if (on_altstack(rsp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && stack->size < MINSIGSTKSZ)
		return -ENOMEM;
	signals->altstack_sp = mode == SS_DISABLE ? 0 : stack->sp;
	signals->altstack_size = mode == SS_DISABLE ? 0 : stack->size;
	signals->altstack_flags = stack->flags;
	return 0;
}

long sys_sigaltstack(const struct stack __user *new_stack, struct stack __user *old_stack)
{
	u64 rsp = task_user_frame(current)->rsp;
	struct stack wanted, old;
	int error = 0;

	if (new_stack && copy_from_user(&wanted, new_stack, sizeof(wanted)))
		return -EFAULT;
	describe_altstack(&old, rsp);
	if (new_stack)
		error = set_altstack(&wanted, rsp);
	if (!error && old_stack && copy_to_user(old_stack, &old, sizeof(old)))
		error = -EFAULT;
	return error;
}

/* ---- going to the handler ------------------------------------------------------------------ */

/* Where the frame goes, and above it (*fpstate) the vector registers. 0: it would not fit the
 * alternate stack. */
static u64 place_frame(u64 rsp, const struct sigaction *action, u64 *fpstate)
{
	const struct task_signals *signals = &current->signals;
	bool on_alternate = on_altstack(rsp);

	rsp -= RED_ZONE;
	if (action->flags & SA_ONSTACK && !on_alternate && signals->altstack_size) {
		rsp = signals->altstack_sp + signals->altstack_size;
		on_alternate = true;
	}
	*fpstate = ALIGN_DOWN(rsp - fpu_frame_size(), FPSTATE_ALIGN);
	/* As if by a call: aligned before the return address was pushed. */
	rsp = ALIGN_DOWN(*fpstate - sizeof(struct rt_sigframe), STACK_ALIGN) - 8;
	return on_alternate && !in_altstack(rsp) ? 0 : rsp;
}

static void save_registers(struct sigcontext *to, const struct trap_frame *frame)
{
	const struct task_signals *signals = &current->signals;

	*to = (struct sigcontext){
		.r8 = frame->r8,
		.r9 = frame->r9,
		.r10 = frame->r10,
		.r11 = frame->r11,
		.r12 = frame->r12,
		.r13 = frame->r13,
		.r14 = frame->r14,
		.r15 = frame->r15,
		.rdi = frame->rdi,
		.rsi = frame->rsi,
		.rbp = frame->rbp,
		.rbx = frame->rbx,
		.rdx = frame->rdx,
		.rax = frame->rax,
		.rcx = frame->rcx,
		.rsp = frame->rsp,
		.rip = frame->rip,
		.rflags = frame->rflags,
		.cs = USER_CS,
		.ss = USER_DS,
		.error = signals->trap_error,
		.trap_number = signals->trap_number,
		.cr2 = signals->trap_address,
	};
}

static void enter_handler(struct trap_frame *frame, u64 rsp, int sig, u64 handler)
{
	frame->rdi = sig;
	frame->rsi = rsp + offsetof(struct rt_sigframe, info);
	frame->rdx = rsp + offsetof(struct rt_sigframe, uc);
	frame->rax = 0;
	frame->rip = handler;
	frame->rsp = rsp;
	frame->rflags &= ~(FLAG_TRAP | FLAG_DIRECTION | FLAG_RESUME);
}

bool setup_frame(struct trap_frame *frame, int sig, const struct sigaction *action,
		 const struct siginfo *info, sigset_t saved)
{
	struct task_signals *signals = &current->signals;
	struct rt_sigframe user = { .return_address = action->restorer, .info = *info };
	struct ucontext *uc = &user.uc;
	u64 rsp = place_frame(frame->rsp, action, &uc->context.fpstate), fpstate;

	/* No instruction can be at such a handler, and the CPU would fault before it had left the
	 * kernel. */
	if (!rsp || !(action->flags & SA_RESTORER) || action->handler >= USER_END)
		return false;
	fpstate = uc->context.fpstate;
	save_registers(&uc->context, frame);
	uc->context.fpstate = fpstate;
	uc->context.old_mask = saved;
	uc->mask = saved;
	uc->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	if (cpu_has(CPU_XSAVE))
		uc->flags |= UC_FP_XSTATE;
	uc->stack = (struct stack){ .sp = signals->altstack_sp,
				    .flags = signals->altstack_flags,
				    .size = signals->altstack_size };
	if (fpu_copy_to_user((void __user *)fpstate) ||
	    copy_to_user((void __user *)rsp, &user, sizeof(user)))
		return false;
	fpu_reset();
	if (signals->altstack_flags & SS_AUTODISARM)
		disable_altstack(signals);
	enter_handler(frame, rsp, sig, action->handler);
	return true;
}

/* ---- and back ------------------------------------------------------------------------------ */

static void load_registers(struct trap_frame *frame, const struct sigcontext *from)
{
	frame->r8 = from->r8;
	frame->r9 = from->r9;
	frame->r10 = from->r10;
	frame->r11 = from->r11;
	frame->r12 = from->r12;
	frame->r13 = from->r13;
	frame->r14 = from->r14;
	frame->r15 = from->r15;
	frame->rdi = from->rdi;
	frame->rsi = from->rsi;
	frame->rbp = from->rbp;
	frame->rbx = from->rbx;
	frame->rdx = from->rdx;
	frame->rax = from->rax;
	frame->rcx = from->rcx;
	frame->rsp = from->rsp;
	frame->rip = from->rip;
	frame->rflags = (frame->rflags & ~FLAGS_OF_USER) | (from->rflags & FLAGS_OF_USER);
}

static bool restore(struct trap_frame *frame)
{
	/* The restorer was returned to, so the return address is gone from the stack. */
	u64 user = frame->rsp - 8 + offsetof(struct rt_sigframe, uc);
	struct ucontext uc;

	if (copy_from_user(&uc, (const void __user *)user, sizeof(uc)))
		return false;
	set_blocked(uc.mask);
	/* iretq would fault, in the kernel, for an address that cannot be or a segment that is not
	 * user mode's. */
	if (uc.context.rip >= USER_END || uc.context.cs != USER_CS || uc.context.ss != USER_DS)
		return false;
	if (fpu_copy_from_user((const void __user *)uc.context.fpstate))
		return false;
	load_registers(frame, &uc.context);
	set_altstack(&uc.stack, frame->rsp);
	return true;
}

long sys_rt_sigreturn(void)
{
	struct trap_frame *frame = task_user_frame(current);

	current->restart = NULL;
	frame_changed(frame);
	frame->error = -1;
	if (!restore(frame))
		force_signal(SIGSEGV, SI_KERNEL, 0);
	return frame->rax;
}
