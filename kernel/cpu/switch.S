/*
 * struct task *switch_to(u64 *save_rsp, u64 load_rsp, struct task *prev)
 *
 * Leaves one stack for another. What a C function must preserve is pushed here; everything else the
 * compiler has saved already, because to it this is a call like any other. It returns on the new
 * stack, to whoever called switch_to() there, with `prev`: the task that was left.
 */
	.text
	.global switch_to
	.balign 16
switch_to:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	movq %rdx, %rax
	ret

/* Where a new task's first switch_to() returns. */
	.global task_begin
task_begin:
	movq %rax, %rdi
	xorl %ebp, %ebp
	call task_main
	ud2
	.section .note.GNU-stack, "", @progbits
