/*
 * System calls. sys_call_table[number] is the whole dispatch: kernel/cpu/syscall_entry.S saves the registers
 * as a struct trap_frame on the task's kernel stack and calls the entry with the six arguments. A call
 * that wants the registers themselves (clone, sigreturn, ...) finds them by task_user_frame().
 *
 * A function of the table is named sys_NAME, takes what the program passed (pointers marked __user), and
 * returns a result or -errno. kernel/syscall_list.h is the list; docs/syscalls.md says how far each goes.
 */
#pragma once

#include <kernel/cpu/syscall_entry.h>
#include <kernel/cpu/trap.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/task.h>

typedef long (*syscall_t)(void);

extern const syscall_t sys_call_table[NR_SYSCALLS];
extern const syscall_t sys_call_table_i386[NR_SYSCALLS_I386];

/* What an empty place of the table does: -ENOSYS, and names the call once. */
long sys_ni_syscall(void);

const char *syscall_name(u64 number);

/* Called by syscall_entry.S while any event is traced. */
void trace_sys_enter(const struct trap_frame *frame);
void trace_sys_exit(const struct trap_frame *frame);

/* The registers with which the current task entered the kernel from user mode. Whoever changes them
 * calls frame_changed(), so that all of them are loaded again. */
static inline struct trap_frame *task_user_frame(const struct task *task)
{
	return (struct trap_frame *)((u64)task->stack + KERNEL_STACK_SIZE) - 1;
}
static inline void frame_changed(struct trap_frame *frame)
{
	frame->vector = 0;
}
