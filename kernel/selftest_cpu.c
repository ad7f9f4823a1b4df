/* Self-tests of exceptions, and the ones that end in a panic on purpose (run only when named). */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/trap.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/selftest.h>

static u32 breakpoints;

static void count_breakpoint(struct trap_frame *frame)
{
	breakpoints++;
}

SELFTEST(cpu_breakpoint)
{
	trap_set_handler(TRAP_BP, count_breakpoint);
	__asm__ volatile("int3");
	trap_set_handler(TRAP_BP, NULL);
	EXPECT(breakpoints == 1);
}

SELFTEST(cpu_protections_on)
{
	u64 cr4 = read_cr4();

	EXPECT(read_cr0() & BIT(16)); /* the kernel too respects read-only pages */
	EXPECT(!cpu_has(CPU_SMEP) || cr4 & BIT(20));
	EXPECT(!cpu_has(CPU_SMAP) || cr4 & BIT(21));
	EXPECT(!cpu_has(CPU_UMIP) || cr4 & BIT(11));
	EXPECT(kernel_mapping_flags(0) == 0); /* a null pointer faults */
}

/* A null pointer. */
SELFTEST_BY_NAME(panic_null)
{
	volatile int *nowhere = NULL;

	*nowhere = 1;
}

/* Writing to what is read-only. */
SELFTEST_BY_NAME(panic_text)
{
	*(volatile char *)text_start = 0;
}

/* Executing what is data. */
SELFTEST_BY_NAME(panic_exec)
{
	static u8 code[] = { 0xc3 };

	((void (*)(void))code)();
}

static noinline u64 recurse(u64 depth)
{
	volatile char fill[256];

	fill[0] = (char)depth;
	return depth ? recurse(depth - 1) + fill[0] : 0;
}

/* A stack that runs into its guard page: there is no stack left to handle that on but IST 1. */
SELFTEST_BY_NAME(panic_stack)
{
	recurse(KERNEL_STACK_SIZE);
}

SELFTEST_BY_NAME(panic_assert)
{
	assert(result == NULL);
}
