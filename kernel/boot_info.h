/* What the boot loader told us, copied out of its structures before that memory is reused. */
#pragma once

#include <kernel/lib/types.h>

#define BOOT_MAX_RANGES 64
#define BOOT_CMDLINE	2048

struct phys_range {
	u64 start, end; /* [start, end), physical bytes */
};

struct boot_info {
	char cmdline[BOOT_CMDLINE];
	char loader[64];
	u32 nr_ram; /* usable RAM as the firmware's map has it, sorted, not overlapping, page aligned */
	struct phys_range ram[BOOT_MAX_RANGES];
	struct phys_range initrd; /* the first module; start == end if there is none */
};

extern struct boot_info boot_info;
