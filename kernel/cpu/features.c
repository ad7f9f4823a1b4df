/*
 * CPU features: a table from name to CPUID bit, and the control bits that make the CPU help us: no
 * execution (SMEP) and no careless access (SMAP) of user pages by the kernel, no descriptor-table
 * snooping by user programs (UMIP). Turned on where the CPU has them.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/features.h>
#include <kernel/lib/printf.h>

enum { EAX, EBX, ECX, EDX };

#define CR4_UMIP BIT(11)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)

static const struct feature {
	const char *name;
	u32 leaf;
	u8 reg, bit;
	u64 cr4; /* to be set when present */
} features[NR_CPU_FEATURES] = {
	[CPU_NX] = { "nx", 0x80000001, EDX, 20, 0 },
	[CPU_SMEP] = { "smep", 7, EBX, 7, CR4_SMEP },
	[CPU_SMAP] = { "smap", 7, EBX, 20, CR4_SMAP },
	[CPU_UMIP] = { "umip", 7, ECX, 2, CR4_UMIP },
	[CPU_PGE] = { "pge", 1, EDX, 13, 0 },
	[CPU_1GB_PAGES] = { "1gb-pages", 0x80000001, EDX, 26, 0 },
	[CPU_RDRAND] = { "rdrand", 1, ECX, 30, 0 },
	[CPU_RDSEED] = { "rdseed", 7, EBX, 18, 0 },
	[CPU_FSGSBASE] = { "fsgsbase", 7, EBX, 0, 0 },
	[CPU_XSAVE] = { "xsave", 1, ECX, 26, 0 },
	[CPU_X2APIC] = { "x2apic", 1, ECX, 21, 0 },
};

static u32 present;
static u64 cr4_bits;

static bool detect(const struct feature *feature)
{
	u32 regs[4];

	cpuid(feature->leaf & 0x80000000, 0, regs);
	if (regs[EAX] < feature->leaf)
		return false;
	cpuid(feature->leaf, 0, regs);
	return regs[feature->reg] >> feature->bit & 1;
}

void cpu_features_init(void)
{
	for (u32 i = 0; i < NR_CPU_FEATURES; i++) {
		if (!detect(&features[i]))
			continue;
		present |= BIT(i);
		cr4_bits |= features[i].cr4;
	}
}

void cpu_features_enable(void)
{
	write_cr4(read_cr4() | cr4_bits);
}

bool cpu_has(enum cpu_feature feature)
{
	return present >> feature & 1;
}

const char *cpu_features_text(void)
{
	static char text[128];
	size_t length = 0;

	text[0] = '\0';
	for (u32 i = 0; i < NR_CPU_FEATURES; i++)
		if (cpu_has(i))
			length += scnprintf(text + length, sizeof(text) - length, "%s%s",
					    length ? " " : "", features[i].name);
	return text;
}
