/* What this CPU can do, and switching it on. */
#pragma once

#include <kernel/lib/types.h>

enum cpu_feature {
	CPU_NX,
	CPU_SMEP,
	CPU_SMAP,
	CPU_UMIP,
	CPU_PGE,
	CPU_1GB_PAGES,
	CPU_RDRAND,
	CPU_RDSEED,
	CPU_FSGSBASE,
	CPU_XSAVE,
	CPU_X2APIC,
	NR_CPU_FEATURES,
};

bool cpu_has(enum cpu_feature feature);

/* Detect; the boot CPU, once. */
void cpu_features_init(void);
/* Switch protections on; each CPU. */
void cpu_features_enable(void);
/* "nx smep smap ..." for the boot log. */
const char *cpu_features_text(void);
