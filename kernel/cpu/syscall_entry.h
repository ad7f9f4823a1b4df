/* What the entry code and C agree on. The TASK_ offsets are checked in kernel/user_mode.c. */
#pragma once

#define VECTOR_SYSCALL \
	0x100 /* in frame->vector: the frame came by `syscall` and is as it was pushed */
#define VECTOR_INT80 0x80

#define NR_SYSCALLS	 463
#define NR_SYSCALLS_I386 463

/* Offsets in struct task. */
#define TASK_USER_TSC	    0x00
#define TASK_USER_ENTERED   0x08
#define TASK_KERNEL_ENTERED 0x10
#define TASK_SIGNAL_PENDING 0x18

#ifndef __ASSEMBLER__
#include <kernel/cpu/percpu.h>

/* Where the entry code finds the current task's stack, and keeps the program's for two instructions. */
DECLARE_PER_CPU(u64, kernel_stack_top);
DECLARE_PER_CPU(u64, user_rsp);

void syscall_entry(void);
void int80_entry(void);
void fork_return(void);
#endif
