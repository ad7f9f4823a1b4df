/* What smp.c and ap_boot.S share. */
#pragma once

#define AP_TRAMPOLINE 0x8000 /* physical; free conventional memory on every PC */

#ifndef __ASSEMBLER__
#include <kernel/lib/types.h>

struct ap_boot_args {
	u64 cr3, efer, stack, gs_base, entry;
};

extern const char ap_trampoline_start[], ap_trampoline_end[], ap_trampoline_args[];
#endif
