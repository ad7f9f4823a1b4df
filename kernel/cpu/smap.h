/*
 * SMAP: where the CPU has it, the kernel faults when it touches a user page, except between STAC
 * and CLAC. Where it has not, the two would be invalid opcodes. So the code contains a no-op of the
 * same length in each place (nopl (%rax)), and the place is listed; boot puts the instruction there
 * if the CPU knows it (kernel/mm/uaccess.c). For assembler as they are; for C, SMAP_TEXT(STAC) is a
 * string.
 */
#pragma once

/* This is assembly. */
/* clang-format off */
#define SMAP_SITE(opcode)                                                       \
	771: .byte 0x0f, 0x1f, 0x00;                                            \
	.pushsection .smap_sites, "a"; .quad 771b, opcode; .popsection;
/* clang-format on */

#define STAC SMAP_SITE(0xcb010f) /* 0f 01 cb, as a little-endian number */
#define CLAC SMAP_SITE(0xca010f)

#define SMAP_TEXT(instruction) SMAP_STRING(instruction)
#define SMAP_STRING(...)       #__VA_ARGS__

#ifndef __ASSEMBLER__
#include <kernel/lib/types.h>

struct smap_site {
	u64 address;
	u64 opcode;
};
#endif
