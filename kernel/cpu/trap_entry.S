/*
 * Every interrupt and exception: 256 stubs push the vector (and a zero where the CPU pushes no error
 * code) and meet at trap_common, which completes struct trap_frame and calls trap_dispatch(frame).
 */
#include <kernel/cpu/gdt_layout.h>
#include <kernel/cpu/smap.h>

#define FRAME_CS	0x90	/* offset in struct trap_frame; checked in kernel/cpu/trap.c */
#define MSR_GS_BASE	0xc0000101
#define VECTOR_NMI	2

	.text
	.balign 16
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	/* 8, 10..14, 17, 21, 29, 30 come with an error code */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
	      vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	.if vector == VECTOR_NMI || vector == 8
	jmp trap_paranoid
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

.macro PUSH_REGISTERS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
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

.macro POP_REGISTERS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	addq $16, %rsp			/* vector, error */
.endm

	.balign 16
trap_common:
	PUSH_REGISTERS
	cld
	CLAC				/* whatever was interrupted, a program or a copy, may have AC set */
	testb $3, FRAME_CS(%rsp)
	jz 1f
	swapgs
	xorl %ebp, %ebp			/* a backtrace ends here; from kernel code it goes on */
1:	movq %rsp, %rdi
	call trap_dispatch
	.global trap_return		/* for gdb: rsp is at the frame here */
trap_return:
	testb $3, FRAME_CS(%rsp)
	jz 2f
	swapgs
2:	POP_REGISTERS
	iretq

/* Back to user mode from a frame at the top of the stack; interrupts off. */
	.global trap_return_user
trap_return_user:
	swapgs
	POP_REGISTERS
	iretq

/* void trap_return_to(struct trap_frame *frame): the same, for C, which hands over the stack. */
	.global trap_return_to
trap_return_to:
	movq %rdi, %rsp
	jmp trap_return_user

/*
 * NMI and double fault may come between a kernel entry and its swapgs, so where they come from does
 * not tell which GS is in force. Kernel GS bases are negative, user ones are not.
 */
	.balign 16
trap_paranoid:
	PUSH_REGISTERS
	cld
	CLAC
	movl $MSR_GS_BASE, %ecx
	rdmsr
	xorl %ebx, %ebx
	testl %edx, %edx
	js 3f
	swapgs
	movl $1, %ebx
3:	xorl %ebp, %ebp
	movq %rsp, %rdi
	call trap_dispatch
	testl %ebx, %ebx
	jz 4f
	swapgs
4:	POP_REGISTERS
	iretq

	.section .rodata
	.global trap_stub_base
trap_stub_base:
	.quad trap_stubs
	.section .note.GNU-stack, "", @progbits
