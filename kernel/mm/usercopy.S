/*
 * The loops behind copy_{to,from}_user() and clear_user(). Any access to user memory may fault;
 * what no mapping explains comes back at the fixup that .ex_table lists for the instruction.
 *
 * The fast loops move eight words a turn (ten times the speed of `rep movsb` under TCG) and advance
 * the pointers only when a whole step is done. So after a fault the step can be repeated byte by
 * byte: every byte before the bad page is copied, and the count of the others is exact. What is long
 * goes by `rep movsq`, whose registers say at a fault how far it has come.
 */
#include <kernel/cpu/smap.h>

#define CHUNK 64
#define LONG  256 /* from here on starting `rep` is worth it */

.macro ON_FAULT start, end, fixup
	.pushsection .ex_table, "a"
	.quad \start, \end, \fixup
	.popsection
.endm

	.text

/* size_t user_copy(void *to, const void *from, size_t size): how many bytes were not copied */
	.balign 16
	.global user_copy
user_copy:
	leaq (%rdi, %rdx), %r10		/* where it ends */
	STAC
.Lcopy:
	cmpq $LONG, %rdx
	jb 8f
	movq %rdx, %rcx
	shrq $3, %rcx
	rep movsq
	andl $7, %edx
	jmp 4f
8:	subq $CHUNK, %rdx
	jb 2f
1:	movq (%rsi), %rax
	movq 8(%rsi), %rcx
	movq 16(%rsi), %r8
	movq 24(%rsi), %r9
	movq %rax, (%rdi)
	movq %rcx, 8(%rdi)
	movq %r8, 16(%rdi)
	movq %r9, 24(%rdi)
	movq 32(%rsi), %rax
	movq 40(%rsi), %rcx
	movq 48(%rsi), %r8
	movq 56(%rsi), %r9
	movq %rax, 32(%rdi)
	movq %rcx, 40(%rdi)
	movq %r8, 48(%rdi)
	movq %r9, 56(%rdi)
	addq $CHUNK, %rsi
	addq $CHUNK, %rdi
	subq $CHUNK, %rdx
	jae 1b
2:	addq $(CHUNK - 8), %rdx		/* words; rdx is what is left, less one */
	js 4f
3:	movq (%rsi), %rax
	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rdx
	jns 3b
4:	testb $7, %dl			/* the last 0..7 bytes */
	jz 7f
	testb $4, %dl
	jz 5f
	movl (%rsi), %eax
	movl %eax, (%rdi)
	addq $4, %rsi
	addq $4, %rdi
5:	testb $2, %dl
	jz 6f
	movzwl (%rsi), %eax
	movw %ax, (%rdi)
	addq $2, %rsi
	addq $2, %rdi
6:	testb $1, %dl
	jz 7f
	movzbl (%rsi), %eax
	movb %al, (%rdi)
7:	CLAC
	xorl %eax, %eax
	ret

.Lcopy_bytes:
	movq %r10, %rdx
	subq %rdi, %rdx
1:	movzbl (%rsi), %eax
	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rdx
	jnz 1b
2:	CLAC
	movq %rdx, %rax
	ret
	ON_FAULT .Lcopy, .Lcopy_bytes, .Lcopy_bytes
	ON_FAULT 1b, 2b, 2b

/* size_t user_clear(void *to, size_t size): how many bytes were not cleared */
	.balign 16
	.global user_clear
user_clear:
	leaq (%rdi, %rsi), %r10
	xorl %eax, %eax
	STAC
.Lclear:
	subq $CHUNK, %rsi
	jb 2f
1:	movq %rax, (%rdi)
	movq %rax, 8(%rdi)
	movq %rax, 16(%rdi)
	movq %rax, 24(%rdi)
	movq %rax, 32(%rdi)
	movq %rax, 40(%rdi)
	movq %rax, 48(%rdi)
	movq %rax, 56(%rdi)
	addq $CHUNK, %rdi
	subq $CHUNK, %rsi
	jae 1b
2:	addq $(CHUNK - 8), %rsi
	js 4f
3:	movq %rax, (%rdi)
	addq $8, %rdi
	subq $8, %rsi
	jns 3b
4:	andl $7, %esi
	jz 6f
5:	movb %al, (%rdi)
	incq %rdi
	decl %esi
	jnz 5b
6:	CLAC
	ret

.Lclear_bytes:
	movq %r10, %rsi
	subq %rdi, %rsi
1:	movb $0, (%rdi)
	incq %rdi
	decq %rsi
	jnz 1b
2:	CLAC
	movq %rsi, %rax
	ret
	ON_FAULT .Lclear, .Lclear_bytes, .Lclear_bytes
	ON_FAULT 1b, 2b, 2b

	.section .note.GNU-stack, "", @progbits
