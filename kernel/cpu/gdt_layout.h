/*
 * Segment selectors and descriptors, for C and assembler. The order is the one that sysret asks for,
 * and the values are Linux's, because programs see them in signal frames.
 */
#pragma once

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER32_CS 0x23 /* never used: sysret to 64 bits adds 16 to it */
#define USER_DS	  0x2b
#define USER_CS	  0x33
#define TSS_SEL	  0x40

#define GDT_KERNEL_CODE 0x00af9b000000ffff
#define GDT_KERNEL_DATA 0x00cf93000000ffff
#define GDT_USER_CODE32 0x00cffb000000ffff
#define GDT_USER_DATA	0x00cff3000000ffff
#define GDT_USER_CODE	0x00affb000000ffff

/* Interrupt stack table slots: a known-good stack whatever state the kernel's is in. */
#define IST_DOUBLE_FAULT 1
#define IST_NMI		 2
