/* What a task needs of a CPU to run a program on it, and the way there and back. */
#pragma once

#include <kernel/task.h>

struct trap_frame;

/* The part of a task switch that programs care about: address space, FPU, segment bases, kernel stack.
 * Interrupts off, under the run queue's lock. */
void switch_user_context(struct task *prev, struct task *next);

/* Set a segment base of the current task. */
void set_user_fs(u64 base);
void set_user_gs(u64 base);

/* Leave the kernel for the first time: `frame` is the current task's task_user_frame(). */
__noreturn void enter_user_mode(void);

/* User and kernel time of a task so far, in ns. */
void task_times(struct task *task, u64 *utime, u64 *stime);

void user_mode_init(void);     /* the boot CPU, once */
void user_mode_init_cpu(void); /* each CPU: the syscall registers */

/* From kernel/cpu/syscall_entry.S. */
void exit_to_user_work(struct trap_frame *frame);
