/*
 * The order in which the kernel comes up. Each line needs the ones above it; that is all this file
 * has to say. Then the first thread does what the command line asks for.
 */
#include <drivers/keyboard.h>
#include <drivers/uart.h>
#include <drivers/vga.h>
#include <kernel/bench.h>
#include <kernel/boot_info.h>
#include <kernel/cmdline.h>
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/gdt.h>
#include <kernel/cpu/ioapic.h>
#include <kernel/cpu/lapic.h>
#include <kernel/cpu/multiboot.h>
#include <kernel/cpu/rtc.h>
#include <kernel/cpu/smp.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/initramfs.h>
#include <kernel/irq.h>
#include <kernel/ksoftirqd.h>
#include <kernel/ksyms.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/vm.h>
#include <kernel/monitor.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <kernel/timer.h>
#include <kernel/user_mode.h>

#if CONFIG_DEBUG
#define BUILD "debug"
#else
#define BUILD "release"
#endif
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static u64 max_cpus = MAX_CPUS;
static bool selftest_wanted;

static bool parse_max_cpus(const char *value)
{
	return parse_u64(value, NULL, &max_cpus) == 0 && max_cpus > 0;
}
BOOT_OPTION(max_cpus, "maxcpus", "use at most so many CPUs", parse_max_cpus);

static bool parse_selftest(const char *value)
{
	selftest_wanted = true;
	return true;
}
BOOT_OPTION(selftest, "selftest", "run the kernel's self-tests (all, or a,b,...) and end",
	    parse_selftest);

static void say_hello(void)
{
	pr_info("Pollux " POLLUX_VERSION " (" BUILD ", " COMPILER ")\n");
	if (boot_info.loader[0])
		pr_info("loaded by %s\n", boot_info.loader);
}

/* Descriptor tables first: from here on a mistake is a panic with a backtrace, not a reset. */
static void start_boot_cpu(void)
{
	gdt_init_cpu();
	idt_init();
	idt_load();
	cpu_features_init();
	cpu_features_enable();
}

static void start_interrupts(void)
{
	acpi_init();
	clock_init();
	wall_init();
	irq_init();
	lapic_init();
	ioapic_init();
	timers_init();
	timers_init_cpu();
	irq_set_local(VECTOR_CALL, "call", smp_call_interrupt);
}

/* What each CPU but the first does, on the stack that becomes its idle task's. */
static void secondary_cpu(void)
{
	cpu_features_enable();
	user_mode_init_cpu();
	lapic_enable();
	timers_init_cpu();
	sched_init_cpu();
	smp_cpu_ready();
	irq_enable();
	idle_loop();
}

static void start_consoles(void)
{
	uart_start_irq();
	keyboard_init();
}

static void run_selftests(void)
{
	int failed = selftest_run(cmdline_get("selftest"));

	machine_poweroff(failed ? EXIT_FAILED : EXIT_OK);
}

static void first_thread(void *arg)
{
	smp_start_cpus(max_cpus, secondary_cpu);
	pr_info("cpus: %u online\n", nr_cpus);
	ksoftirqd_init();
	start_consoles();
	initramfs_init();
	pr_info("boot: ready in %llu us\n", clock_ns() / NSEC_PER_USEC);
	fault_inject_arm();
	if (selftest_wanted)
		run_selftests();
	if (bench_wanted) {
		bench_run();
		machine_poweroff(EXIT_OK);
	}
	monitor_run();
}

/* Called by boot.S on the boot stack, which becomes the stack of CPU 0's idle task. */
__noreturn void kernel_main(u32 magic, u32 info);
void kernel_main(u32 magic, u32 info)
{
	smp_init_boot_cpu();
	clock_start();
	ksyms_init();
	if (!multiboot_parse(magic, info))
		panic("not started by a multiboot loader (eax = 0x%x)", magic);
	cmdline_parse();
	uart_init();
	say_hello();
	start_boot_cpu();
	pr_info("cpu: %s\n", cpu_features_text());
	mm_init();
	vga_init();
	tasks_init();
	vm_init();
	user_mode_init();
	start_interrupts();
	sched_init_cpu();
	sched_init();
	if (!kthread_run(first_thread, NULL, "init"))
		panic("no memory for the first thread");
	irq_enable();
	idle_loop();
}
