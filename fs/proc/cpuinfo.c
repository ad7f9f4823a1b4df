/* /proc/cpuinfo: what CPUID says, in Linux's words. All CPUs are taken to be like the one that runs this. */
#include <fs/proc/tree.h>

#include <kernel/cpu/asm.h>
#include <kernel/cpu/smp.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>

enum { EAX, EBX, ECX, EDX };

#define LEAF_EXTENDED 0x80000000
#define LEAF_BRAND    0x80000002 /* and the two behind it: 48 characters */
#define LEAF_ADDRESS  0x80000008
#define HZ_PER_MHZ    1000000

/* The bits of one register; an empty name is a bit that /proc/cpuinfo does not show. */
static const struct flag_register {
	u32 leaf, reg;
	const char *names[32];
} flag_registers[] = {
	{ 1, EDX, { "fpu",  "vme",   "de",   "pse",	"tsc",	"msr", "pae",  "mce",
		    "cx8",  "apic",  "",     "sep",	"mtrr", "pge", "mca",  "cmov",
		    "pat",  "pse36", "pn",   "clflush", "",	"dts", "acpi", "mmx",
		    "fxsr", "sse",   "sse2", "ss",	"ht",	"tm",  "ia64", "pbe" } },
	{ 0x80000001,
	  EDX,
	  { [11] = "syscall",
	    [19] = "mp",
	    [20] = "nx",
	    [22] = "mmxext",
	    [25] = "fxsr_opt",
	    [26] = "pdpe1gb",
	    [27] = "rdtscp",
	    [29] = "lm",
	    [30] = "3dnowext",
	    [31] = "3dnow" } },
	{ 1, ECX, { "pni",    "pclmulqdq", "dtes64", "monitor", "ds_cpl",
		    "vmx",    "smx",	   "est",    "tm2",	"ssse3",
		    "cid",    "sdbg",	   "fma",    "cx16",	"xtpr",
		    "pdcm",   "",	   "pcid",   "dca",	"sse4_1",
		    "sse4_2", "x2apic",	   "movbe",  "popcnt",	"tsc_deadline_timer",
		    "aes",    "xsave",	   "",	     "avx",	"f16c",
		    "rdrand", "hypervisor" } },
	{ 0x80000001,
	  ECX,
	  { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse",
	    "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt" } },
	{ 7, EBX, { "fsgsbase", "tsc_adjust", "sgx",	  "bmi1",	"hle",	    "avx2",
		    "",		"smep",	      "bmi2",	  "erms",	"invpcid",  "rtm",
		    "cqm",	"",	      "mpx",	  "rdt_a",	"avx512f",  "avx512dq",
		    "rdseed",	"adx",	      "smap",	  "avx512ifma", "",	    "clflushopt",
		    "clwb",	"intel_pt",   "avx512pf", "avx512er",	"avx512cd", "sha_ni",
		    "avx512bw", "avx512vl" } },
	{ 7,
	  ECX,
	  { [1] = "avx512vbmi",
	    [2] = "umip",
	    [3] = "pku",
	    [4] = "ospke",
	    [8] = "gfni",
	    [9] = "vaes",
	    [10] = "vpclmulqdq",
	    [16] = "la57",
	    [22] = "rdpid" } },
};

static bool leaf_registers(u32 leaf, u32 regs[4])
{
	cpuid(leaf & LEAF_EXTENDED, 0, regs);
	if (regs[EAX] < leaf)
		return false;
	cpuid(leaf, 0, regs);
	return true;
}

static void print_flags(struct seq_buf *out)
{
	u32 regs[4];

	seq_printf(out, "flags\t\t:");
	for (size_t i = 0; i < ARRAY_SIZE(flag_registers); i++) {
		const struct flag_register *flags = &flag_registers[i];

		if (!leaf_registers(flags->leaf, regs))
			continue;
		for (u32 bit = 0; bit < 32; bit++)
			if (regs[flags->reg] & BIT(bit) && flags->names[bit] && *flags->names[bit])
				seq_printf(out, " %s", flags->names[bit]);
	}
	seq_putc(out, '\n');
}

/* Family and model have extensions for when their four bits were not enough. */
static void print_signature(struct seq_buf *out, u32 signature)
{
	u32 family = signature >> 8 & 15, model = signature >> 4 & 15;

	if (family == 15)
		family += signature >> 20 & 255;
	if (family >= 6)
		model |= (signature >> 16 & 15) << 4;
	seq_printf(out, "cpu family\t: %u\nmodel\t\t: %u\n", family, model);
}

static void print_identity(struct seq_buf *out)
{
	char brand[49] = { 0 };
	u32 regs[4], vendor[3];

	cpuid(0, 0, regs);
	vendor[0] = regs[EBX];
	vendor[1] = regs[EDX];
	vendor[2] = regs[ECX];
	seq_printf(out, "vendor_id\t: %.12s\n", (const char *)vendor);
	cpuid(1, 0, regs);
	print_signature(out, regs[EAX]);
	for (u32 i = 0; i < 3; i++)
		if (leaf_registers(LEAF_BRAND + i, regs))
			memcpy(brand + i * sizeof(regs), regs, sizeof(regs));
	cpuid(1, 0, regs);
	seq_printf(out, "model name\t: %s\nstepping\t: %u\n", *brand ? brand : "unknown",
		   regs[EAX] & 15);
}

static void print_sizes(struct seq_buf *out)
{
	u32 regs[4], line, highest;

	cpuid(0, 0, regs);
	highest = regs[EAX];
	cpuid(1, 0, regs);
	line = (regs[EBX] >> 8 & 255) * 8;
	seq_printf(out, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		   highest);
	print_flags(out);
	seq_printf(out, "bogomips\t: %llu.%02llu\n", tsc_hz * 2 / HZ_PER_MHZ,
		   tsc_hz * 2 / (HZ_PER_MHZ / 100) % 100);
	seq_printf(out, "clflush size\t: %u\ncache_alignment\t: %u\n", line, line);
	if (leaf_registers(LEAF_ADDRESS, regs))
		seq_printf(out, "address sizes\t: %u bits physical, %u bits virtual\n",
			   regs[EAX] & 255, regs[EAX] >> 8 & 255);
}

static void print_topology(struct seq_buf *out, u32 cpu)
{
	seq_printf(out, "cpu MHz\t\t: %llu.%03llu\n", tsc_hz / HZ_PER_MHZ,
		   tsc_hz / (HZ_PER_MHZ / 1000) % 1000);
	seq_printf(out, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
		   nr_cpus, cpu, nr_cpus);
	seq_printf(out, "apicid\t\t: %u\ninitial apicid\t: %u\n", cpu_apic_id[cpu],
		   cpu_apic_id[cpu]);
}

static void show_cpuinfo(struct seq_buf *out, const struct proc_entry *entry)
{
	for_each_cpu(cpu) {
		seq_printf(out, "processor\t: %u\n", cpu);
		print_identity(out);
		print_topology(out, cpu);
		print_sizes(out);
		seq_printf(out, "power management:\n\n");
	}
}

static const struct proc_entry files[] = {
	{ "cpuinfo", 0444, .show = show_cpuinfo },
};

void proc_cpuinfo_init(void)
{
	PROC_REGISTER("", files);
}
