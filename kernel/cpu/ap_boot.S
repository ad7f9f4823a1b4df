/*
 * Where an application processor begins: a copy of the code between ap_trampoline_start and _end, put at
 * AP_TRAMPOLINE below 1 MiB, because a startup IPI can name only a page there, and begins in real mode.
 * The words at its end are filled in by smp.c: tables, stack and per-CPU base of the CPU being started.
 */
#include <kernel/cpu/ap_boot.h>
#include <kernel/cpu/gdt_layout.h>

#define LOW(symbol)	((symbol) - ap_trampoline_start + AP_TRAMPOLINE)
#define CR0_START	0x80010023	/* PG WP NE MP PE */
#define CR0_PE		1
#define CR4_START	0xa0		/* PAE PGE */
#define MSR_EFER	0xc0000080
#define MSR_GS_BASE	0xc0000101

	.section .rodata
	.balign 16
	.global ap_trampoline_start, ap_trampoline_end, ap_trampoline_args
	.code16
ap_trampoline_start:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl LOW(ap_gdtr)
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $0x8, $LOW(ap_protected)

	.code32
ap_protected:
	movl $0x10, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $CR4_START, %eax
	movl %eax, %cr4
	movl LOW(ap_arg_cr3), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl LOW(ap_arg_efer), %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_START, %eax
	movl %eax, %cr0
	ljmpl $0x18, $LOW(ap_long)

	.code64
ap_long:
	movq LOW(ap_arg_stack), %rsp
	movl LOW(ap_arg_gs), %eax
	movl LOW(ap_arg_gs) + 4, %edx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %ebp, %ebp
	movq LOW(ap_arg_entry), %rax
	call *%rax
1:	hlt
	jmp 1b

	.balign 8
ap_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 32-bit code */
	.quad GDT_KERNEL_DATA
	.quad GDT_KERNEL_CODE
ap_gdtr:
	.word . - ap_gdt - 1
	.long LOW(ap_gdt)

	.balign 8
ap_trampoline_args:			/* struct ap_boot_args */
ap_arg_cr3:	.quad 0
ap_arg_efer:	.quad 0
ap_arg_stack:	.quad 0
ap_arg_gs:	.quad 0
ap_arg_entry:	.quad 0
ap_trampoline_end:
	.section .note.GNU-stack, "", @progbits
