/*
 * The door. `syscall` arrives here with rcx = where to return, r11 = flags, interrupts off, and still on the
 * user's stack; `int 0x80` comes through its own gate. Both build the struct trap_frame that interrupts
 * build, at the top of the task's kernel stack, and call through a table.
 *
 * Leaving by sysret needs only rcx, r11 and the argument registers put back, since C has kept the
 * others. But when the frame was changed (exec, sigreturn, a signal handler) all of it must be loaded,
 * which is iretq's business: whoever changes a frame clears frame->vector to say so.
 *
 * While any tracepoint is on there is a detour before the call and after it: kernel/sys_call_table.c.
 */
#include <kernel/cpu/gdt_layout.h>
#include <kernel/cpu/smap.h>
#include <kernel/cpu/syscall_entry.h>

#define ENOSYS 38

/* Offsets in struct trap_frame; checked in kernel/user_mode.c. */
#define FRAME_RAX	0x50
#define FRAME_RCX	0x58
#define FRAME_RDX	0x60
#define FRAME_RSI	0x68
#define FRAME_RDI	0x70
#define FRAME_VECTOR	0x78
#define FRAME_ERROR	0x80
#define FRAME_RIP	0x88
#define FRAME_RFLAGS	0x98
#define FRAME_RSP	0xa0
#define FRAME_R10	0x38
#define FRAME_R9	0x40
#define FRAME_R8	0x48

/* The user's time: from the last return to user mode to now. Clobbers rax, rdx. */
.macro ACCOUNT_USER task
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, TASK_KERNEL_ENTERED(\task)
	subq TASK_USER_ENTERED(\task), %rax
	addq %rax, TASK_USER_TSC(\task)
.endm

.macro ACCOUNT_KERNEL task
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, TASK_USER_ENTERED(\task)
.endm

.macro PUSH_REGISTERS rax_value
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \rax_value
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

	.text
	.balign 16
	.global syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:user_rsp
	movq %gs:kernel_stack_top, %rsp
	pushq $USER_DS
	pushq %gs:user_rsp
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax			/* frame->error: the number */
	pushq $VECTOR_SYSCALL
	PUSH_REGISTERS $-ENOSYS
	movq %gs:current_task, %rbx
	movl %eax, %ebp			/* as on Linux, only the lower half counts */
	ACCOUNT_USER %rbx
	sti
	cmpq $0, trace_enabled
	jne .Ltrace_enter

.Lsyscall_enter:
	movq FRAME_RDX(%rsp), %rdx
	cmpq $NR_SYSCALLS, %rbp
	jae 2f
	movq sys_call_table(, %rbp, 8), %rax
	testq %rax, %rax
	jz 2f
	movq %r10, %rcx
	xorl %ebp, %ebp			/* a backtrace ends here */
	call *%rax
1:	movq %rax, FRAME_RAX(%rsp)
	cmpq $0, trace_enabled
	jne .Ltrace_exit

.Lsyscall_exit:
	cli
	movq %gs:current_task, %rbx
	cmpb $0, %gs:need_resched
	jne syscall_work
	cmpb $0, TASK_SIGNAL_PENDING(%rbx)
	jne syscall_work
syscall_leave:
	ACCOUNT_KERNEL %rbx
	cmpl $VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
	jne trap_return_user
	movq 0x20(%rsp), %rbp
	movq 0x28(%rsp), %rbx
	movq FRAME_R10(%rsp), %r10
	movq FRAME_R9(%rsp), %r9
	movq FRAME_R8(%rsp), %r8
	movq FRAME_RAX(%rsp), %rax
	movq FRAME_RDX(%rsp), %rdx
	movq FRAME_RSI(%rsp), %rsi
	movq FRAME_RDI(%rsp), %rdi
	movq FRAME_RIP(%rsp), %rcx
	movq FRAME_RFLAGS(%rsp), %r11
	movq FRAME_RSP(%rsp), %rsp
	swapgs
	sysretq

2:	xorl %ebp, %ebp
	call sys_ni_syscall
	jmp 1b

.Ltrace_enter:
	movq %rsp, %rdi
	call trace_sys_enter
	movq FRAME_RDI(%rsp), %rdi
	movq FRAME_RSI(%rsp), %rsi
	movq FRAME_R10(%rsp), %r10
	movq FRAME_R8(%rsp), %r8
	movq FRAME_R9(%rsp), %r9
	jmp .Lsyscall_enter

.Ltrace_exit:
	movq %rsp, %rdi
	call trace_sys_exit
	jmp .Lsyscall_exit

syscall_work:
	movq %rsp, %rdi
	call exit_to_user_work
	movq %gs:current_task, %rbx
	jmp syscall_leave

/* A forked child's first steps, called by its first switch; its frame is complete. */
	.global fork_return
fork_return:
	movq %rax, %rdi
	xorl %ebp, %ebp
	call fork_child_begin
	cli
	movq %gs:current_task, %rbx
	ACCOUNT_KERNEL %rbx
	jmp trap_return_user

/*
 * int 0x80 with the i386 numbers, from 64-bit code: eax, and the low halves of rbx, rcx, rdx, rsi, rdi, rbp.
 */
	.balign 16
	.global int80_entry
int80_entry:
	swapgs
	pushq %rax
	pushq $VECTOR_INT80
	PUSH_REGISTERS $-ENOSYS
	cld
	CLAC
	cmpq $0, trace_enabled
	je 5f
	movq %rsp, %rdi
	call trace_sys_enter
	movq FRAME_ERROR(%rsp), %rax
	movq FRAME_RCX(%rsp), %rcx
	movq FRAME_RDX(%rsp), %rdx
	movq FRAME_RSI(%rsp), %rsi
	movq FRAME_RDI(%rsp), %rdi
5:	movl %eax, %eax
	movl %ebp, %r9d			/* sixth argument */
	movl %edi, %r8d
	movl %esi, %r10d
	movl %edx, %r11d
	movl %ecx, %esi
	movl %ebx, %edi
	movq %rax, %rbp
	movq %gs:current_task, %rbx
	ACCOUNT_USER %rbx
	sti
	cmpq $NR_SYSCALLS_I386, %rbp
	jae 4f
	movq sys_call_table_i386(, %rbp, 8), %rax
	testq %rax, %rax
	jz 4f
	movl %r11d, %edx
	movl %r10d, %ecx
	xorl %ebp, %ebp
	call *%rax
3:	movq %rax, FRAME_RAX(%rsp)
	movq %rsp, %rdi
	call trace_sys_exit
	cli
	movq %rsp, %rdi
	call exit_to_user_work
	movq %gs:current_task, %rbx
	ACCOUNT_KERNEL %rbx
	jmp trap_return_user
4:	xorl %ebp, %ebp
	call sys_ni_syscall
	jmp 3b
	.section .note.GNU-stack, "", @progbits
