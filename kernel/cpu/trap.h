/*
 * The way in: every vector pushes this frame and comes to trap_dispatch(), which calls the
 * handler that a higher floor set for the vector.
 */
#pragma once

#include <kernel/lib/types.h>

/* As trap_entry.S pushes it, lowest address first. */
struct trap_frame {
	u64 r15, r14, r13, r12, rbp, rbx;
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 vector;
	u64 error; /* the CPU's error code, or 0; in a system call the number (orig_rax) */
	u64 rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};

enum {
	TRAP_DE = 0,
	TRAP_DB = 1,
	TRAP_NMI = 2,
	TRAP_BP = 3,
	TRAP_OF = 4,
	TRAP_BR = 5,
	TRAP_UD = 6,
	TRAP_NM = 7,
	TRAP_DF = 8,
	TRAP_TS = 10,
	TRAP_NP = 11,
	TRAP_SS = 12,
	TRAP_GP = 13,
	TRAP_PF = 14,
	TRAP_MF = 16,
	TRAP_AC = 17,
	TRAP_MC = 18,
	TRAP_XM = 19,
	FIRST_IRQ_VECTOR = 0x20,
	VECTOR_TIMER = 0xf0,	  /* local APIC timer */
	VECTOR_RESCHEDULE = 0xf1, /* another CPU put a task on our run queue */
	VECTOR_CALL = 0xf2,	  /* run functions that another CPU asks for */
	VECTOR_SPURIOUS = 0xff,
	NR_VECTORS = 256,
};

static inline bool from_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

typedef void (*trap_handler_t)(struct trap_frame *frame);
void trap_set_handler(u8 vector, trap_handler_t handler);
/* An exception that nobody can explain: the kernel's own fault. For handlers, too. */
__noreturn void trap_panic(struct trap_frame *frame);

/* Called on the way back to user mode: the place where the scheduler and signals get their turn. */
extern void (*trap_exit_to_user)(struct trap_frame *frame);

/* Load all registers from `frame`, which lies at the top of this stack, and go on in user mode. */
__noreturn void trap_return_to(struct trap_frame *frame);

/* From the entry stubs. */
void trap_dispatch(struct trap_frame *frame);
