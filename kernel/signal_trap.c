/*
 * Exceptions of user mode become signals. The same exception in the kernel is the kernel's own
 * fault, and ends in a panic. Page faults come through kernel/mm/vm_fault.c, which explains most of
 * them.
 *
 * Context: process, entered with interrupts off.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/trap.h>
#include <kernel/mm/vm.h>
#include <kernel/signal_impl.h>

#define PF_PROTECTION \
	1 /* the page fault's error code: there was a mapping, and it forbade the access */

static const struct trap_signal {
	u8 signal;
	s16 code;
	bool at_rip; /* si_addr is the instruction; else 0 */
} trap_signals[] = {
	[TRAP_DE] = { SIGFPE, FPE_INTDIV, true },  [TRAP_DB] = { SIGTRAP, TRAP_TRACE, true },
	[TRAP_BP] = { SIGTRAP, SI_KERNEL, false }, [TRAP_OF] = { SIGSEGV, SI_KERNEL, false },
	[TRAP_BR] = { SIGSEGV, SI_KERNEL, false }, [TRAP_UD] = { SIGILL, ILL_ILLOPN, true },
	[TRAP_TS] = { SIGSEGV, SI_KERNEL, false }, [TRAP_NP] = { SIGBUS, SI_KERNEL, false },
	[TRAP_SS] = { SIGBUS, SI_KERNEL, false },  [TRAP_GP] = { SIGSEGV, SI_KERNEL, false },
	[TRAP_MF] = { SIGFPE, 0, true },	   [TRAP_AC] = { SIGBUS, BUS_ADRALN, false },
	[TRAP_XM] = { SIGFPE, 0, true },
};

/* The exceptions that the program has not masked. The state is the program's still: the kernel
 * does not use it. */
static u32 x87_exceptions(void)
{
	u16 status, control;

	__asm__ volatile("fnstsw %0" : "=m"(status));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	return status & ~control & 0x3f;
}

static u32 simd_exceptions(void)
{
	u32 mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return mxcsr & ~(mxcsr >> 7) & 0x3f;
}

static int fpe_code(u32 exceptions)
{
	static const struct {
		u8 bits;
		u8 code;
	} codes[] = {
		{ 0x01, FPE_FLTINV }, { 0x04, FPE_FLTDIV }, { 0x08, FPE_FLTOVF },
		{ 0x12, FPE_FLTUND }, { 0x20, FPE_FLTRES },
	};

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++)
		if (exceptions & codes[i].bits)
			return codes[i].code;
	return 0;
}

static void note_trap(const struct trap_frame *frame)
{
	current->signals.trap_number = frame->vector;
	current->signals.trap_error = frame->error;
}

static void exception(struct trap_frame *frame)
{
	const struct trap_signal *what = &trap_signals[frame->vector];
	int code = what->code;

	if (!from_user(frame))
		trap_panic(frame);
	if (frame->vector == TRAP_MF)
		code = fpe_code(x87_exceptions());
	else if (frame->vector == TRAP_XM)
		code = fpe_code(simd_exceptions());
	irq_enable();
	if (!code) /* a masked one: nothing is wrong */
		return;
	note_trap(frame);
	force_signal(what->signal, code, what->at_rip ? frame->rip : 0);
}

static void page_fault_signal(struct trap_frame *frame, int signal, int code, u64 address)
{
	note_trap(frame);
	/* That nothing is mapped there, or what is, is none of a program's business in the
	 * kernel's half. */
	if (address >= USER_END)
		current->signals.trap_error |= PF_PROTECTION;
	current->signals.trap_address = address;
	force_signal(signal, code, address);
}

void signal_traps_init(void)
{
	for (u32 vector = 0; vector < ARRAY_SIZE(trap_signals); vector++)
		if (trap_signals[vector].signal)
			trap_set_handler(vector, exception);
	vm_signal_fault = page_fault_signal;
}
