/*
 * Calls that hardly ever happen: of do_softirq() at the end of local_bh_enable(), of spin_lock_slow(). A thunk
 * keeps every register, so that a function with such a call in it need not save any for its sake.
 */
	.text

.macro THUNK name, function
	.global \name
\name:
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
	call \function
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
.endm

	THUNK do_softirq_thunk, do_softirq
	THUNK spin_lock_slow_thunk, spin_lock_slow
	.section .note.GNU-stack, "", @progbits
