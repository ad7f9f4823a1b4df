/*
 * The first instructions. A multiboot loader (QEMU's -kernel, GRUB) leaves us in 32-bit protected
 * mode without paging: eax = magic, ebx = its information structure (physical). We go to long mode on
 * tables that map
 *
 *	0 .. 4 GiB at 0             so that the next instruction is still there when paging comes on
 *	0 .. 4 GiB at PAGE_OFFSET   the start of the direct map
 *	0 .. 2 GiB at KERNEL_BASE   where we are linked
 *
 * with 2 MiB pages, everything writable; kernel/mm/paging.c replaces them with the real ones.
 */
#include <kernel/cpu/gdt_layout.h>

#define MULTIBOOT_MAGIC		0x1badb002
#define MULTIBOOT_PAGE_ALIGN	(1 << 0)
#define MULTIBOOT_MEMORY_INFO	(1 << 1)
#define MULTIBOOT_ADDRESSES	(1 << 16)	/* the loader uses the addresses below, not the ELF */
#define MULTIBOOT_FLAGS		(MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_ADDRESSES)

#define KERNEL_BASE		0xffffffff80000000
#define PAGE_OFFSET		0xffff888000000000
#define PHYS(symbol)		((symbol) - KERNEL_BASE)

#define CR0_PE			(1 << 0)
#define CR0_MP			(1 << 1)
#define CR0_NE			(1 << 5)
#define CR0_WP			(1 << 16)
#define CR0_PG			(1 << 31)
#define CR4_PAE			(1 << 5)
#define CR4_PGE			(1 << 7)
#define MSR_EFER		0xc0000080
#define EFER_LME		(1 << 8)
#define EFER_NXE		(1 << 11)
#define CPUID_LM		(1 << 29)	/* 0x80000001, edx */
#define CPUID_NX		(1 << 20)
#define MSR_GS_BASE		0xc0000101

#define PTE_TABLE		0x003		/* present, writable */
#define PTE_LARGE		0x183		/* present, writable, 2 MiB, global */

	.section .multiboot, "a"
	.balign 4
	.global multiboot_header
multiboot_header:
	.long MULTIBOOT_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long multiboot_header_phys
	.long load_phys_start
	.long load_phys_end
	.long bss_phys_end
	.long boot_entry_phys

	.section .boot, "ax"
	.code32
	.global boot_entry
boot_entry:
	cli
	cld
	movl %eax, %esi			/* keep magic and information for C */
	movl %ebx, %edi
	movl $PHYS(boot_stack_top), %esp

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	testl $CPUID_LM, %edx
	jz no_long_mode
	movl %edx, %ebp			/* for the NX bit */

	/* Four page directories, one after the other: entry i maps 2 MiB at i * 2 MiB. */
	movl $PHYS(boot_pd), %edx
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $21, %eax
	orl $PTE_LARGE, %eax
	movl %eax, (%edx, %ecx, 8)
	incl %ecx
	cmpl $2048, %ecx
	jne 1b

	xorl %ecx, %ecx
	movl $PHYS(boot_pd) + PTE_TABLE, %eax
2:	movl %eax, PHYS(boot_pdpt_low)(, %ecx, 8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jne 2b
	movl $PHYS(boot_pd) + PTE_TABLE, PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_pd) + 4096 + PTE_TABLE, PHYS(boot_pdpt_high) + 511 * 8

	movl $PHYS(boot_pdpt_low) + PTE_TABLE, %eax
	movl %eax, PHYS(boot_pml4)
	movl %eax, PHYS(boot_pml4) + ((PAGE_OFFSET >> 39) & 511) * 8
	movl $PHYS(boot_pdpt_high) + PTE_TABLE, PHYS(boot_pml4) + 511 * 8

	movl $(CR4_PAE | CR4_PGE), %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3

	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	testl $CPUID_NX, %ebp
	jz 3f
	orl $EFER_NXE, %eax
3:	wrmsr

	movl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	lgdtl PHYS(boot_gdtr)
	ljmpl $KERNEL_CS, $PHYS(boot_entry64)

/* No way to run here, and no driver yet: say it on the screen and on the first serial port. */
no_long_mode:
	movl $PHYS(no_long_mode_text), %esi
	movl $0xb8000, %edi
	movb $0x4f, %ah			/* white on red */
4:	lodsb
	testb %al, %al
	jz 5f
	stosw
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 4b
5:	hlt
	jmp 5b
no_long_mode_text:
	.asciz "Pollux needs a 64-bit CPU (long mode); this one has none.\r\n"

	.balign 8
boot_gdt:
	.quad 0
	.quad 0
	.quad GDT_KERNEL_CODE
	.quad GDT_KERNEL_DATA
boot_gdtr:
	.word . - boot_gdt - 1
	.long PHYS(boot_gdt)

	.code64
boot_entry64:
	movabsq $6f, %rax		/* leave the identity map */
	jmp *%rax
6:	movw $KERNEL_DS, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	movq $boot_stack_top, %rsp
	movl %esi, %r12d
	movl %edi, %r13d

	/* CPU 0's copy of the per-CPU data, seen through the direct map: kernel GS bases are then
	 * negative on every CPU, which is how the NMI entry recognises them. */
	movq $percpu_start, %rsi
	movq $percpu_boot_area, %rdi
	movq $percpu_end, %rcx
	subq %rsi, %rcx
	rep movsb
	movabsq $PAGE_OFFSET - KERNEL_BASE, %rax
	addq $percpu_boot_area, %rax
	subq $percpu_start, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr

	xorl %ebp, %ebp			/* the backtrace ends here */
	movl %r12d, %edi
	movl %r13d, %esi
	call kernel_main
7:	hlt
	jmp 7b

	.bss
	.balign 4096
boot_pml4:	.skip 4096
boot_pdpt_low:	.skip 4096
boot_pdpt_high:	.skip 4096
boot_pd:	.skip 4 * 4096
	.global boot_stack, boot_stack_top
boot_stack:	.skip 16384
boot_stack_top:
	.section .note.GNU-stack, "", @progbits
