/*
 * SMAP: where the CPU has it, the kernel faults when it touches a user page, except between STAC and CLAC.
 * Where it has not, the two would be invalid opcodes. So the code contains a no-op of the same length in
 * each place, and the place is listed; boot puts the instruction there if the CPU knows it
 * (kernel/mm/uaccess.c). For C (a string within inline assembly) and for assembler.
 */
#pragma once

#define OPCODE_STAC 0xcb010f /* 0f 01 cb, as a little-endian number */
#define OPCODE_CLAC 0xca010f

#ifdef __ASSEMBLER__
.macro SMAP_SITE opcode
771:	.byte 0x0f, 0x1f, 0x00		/* nopl (%rax) */
	.pushsection .smap_sites, "a"
	.quad 771b, \opcode
	.popsection
.endm
#define STAC SMAP_SITE OPCODE_STAC
#define CLAC SMAP_SITE OPCODE_CLAC
#else
#include <kernel/lib/types.h>

#define SMAP_TEXT(x)  #x
#define SMAP_VALUE(x) SMAP_TEXT(x)
#define SMAP_SITE(opcode)                            \
	"771: .byte 0x0f, 0x1f, 0x00\n\t"            \
	".pushsection .smap_sites, \"a\"\n\t"        \
	".quad 771b, " SMAP_VALUE(opcode) "\n\t"     \
	".popsection\n\t"
#define STAC SMAP_SITE(OPCODE_STAC)
#define CLAC SMAP_SITE(OPCODE_CLAC)

struct smap_site {
	u64 address;
	u64 opcode;
};
#endif
