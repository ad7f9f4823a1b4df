/*
 * do_softirq() for the rare end of local_bh_enable(). It keeps every register, so that the functions
 * that end with local_bh_enable() need not save any for a call that hardly ever happens.
 */
	.text
	.global do_softirq_thunk
do_softirq_thunk:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	call do_softirq
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	popq %rbp
	ret
	.section .note.GNU-stack, "", @progbits
