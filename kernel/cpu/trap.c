/*
 * Step 2 of the journey: the CPU found our stub in the IDT; the stub pushed a struct trap_frame;
 * here the vector's handler is called. Higher floors put their handlers into the table. An exception
 * that nobody handles is the kernel's own fault and ends in a panic.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/gdt.h>
#include <kernel/cpu/trap.h>
#include <kernel/panic.h>

static_assert(offsetof(struct trap_frame, cs) == 0x90, "FRAME_CS in trap_entry.S");

static const char *const exception_names[32] = {
	[TRAP_DE] = "divide error",
	[TRAP_DB] = "debug",
	[TRAP_NMI] = "non-maskable interrupt",
	[TRAP_BP] = "breakpoint",
	[TRAP_OF] = "overflow",
	[TRAP_BR] = "bound range",
	[TRAP_UD] = "invalid opcode",
	[TRAP_NM] = "no FPU",
	[TRAP_DF] = "double fault",
	[TRAP_TS] = "invalid TSS",
	[TRAP_NP] = "segment not present",
	[TRAP_SS] = "stack segment",
	[TRAP_GP] = "general protection",
	[TRAP_PF] = "page fault",
	[TRAP_MF] = "x87 error",
	[TRAP_AC] = "alignment check",
	[TRAP_MC] = "machine check",
	[TRAP_XM] = "SIMD error",
};

static trap_handler_t handlers[NR_VECTORS];

void (*trap_exit_to_user)(struct trap_frame *frame);

void trap_set_handler(u8 vector, trap_handler_t handler)
{
	handlers[vector] = handler;
}

/* What a page fault's error code says, for the reader of a panic. */
static void panic_page_fault(struct trap_frame *frame)
{
	u64 error = frame->error;

	panic_frame(frame, "page fault: %s of 0x%llx, which is %s%s",
		    error & 16	? "execution"
		    : error & 2 ? "write"
				: "read",
		    read_cr2(), error & 1 ? "protected" : "not mapped",
		    read_cr2() < 4096 ? " (a null pointer)" : "");
}

void trap_panic(struct trap_frame *frame)
{
	const char *name = frame->vector < 32 ? exception_names[frame->vector] : NULL;

	if (frame->vector == TRAP_PF)
		panic_page_fault(frame);
	panic_frame(frame, "%s (vector %llu, error 0x%llx)", name ? name : "unexpected interrupt",
		    frame->vector, frame->error);
}

void trap_dispatch(struct trap_frame *frame)
{
	trap_handler_t handler = handlers[frame->vector];

	if (unlikely(!handler))
		trap_panic(frame);
	else
		handler(frame);
	if (from_user(frame)) {
		irq_disable();
		trap_exit_to_user(frame);
	}
}
