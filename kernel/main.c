/*
 * The order in which the kernel comes up. Each line needs the ones above it; that is all this file
 * has to say. Then the first thread does what the command line asks for.
 */
#include <drivers/e1000.h>
#include <drivers/keyboard.h>
#include <drivers/pci.h>
#include <drivers/tty/tty.h>
#include <drivers/uart.h>
#include <drivers/vga.h>
#include <fs/eventpoll.h>
#include <fs/file.h>
#include <fs/mmap.h>
#include <fs/proc/proc.h>
#include <fs/vfs.h>
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
#include <kernel/process/fork.h>
#include <kernel/process/futex.h>
#include <kernel/process/init.h>
#include <kernel/process/oom.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/selftest.h>
#include <kernel/signal.h>
#include <kernel/timer.h>
#include <kernel/trace.h>
#include <kernel/user_mode.h>
#include <net/inet.h>
#include <net/ip.h>
#include <net/ipconfig.h>
#include <net/link.h>
#include <net/skbuff.h>
#include <net/sock.h>

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

/* What a boot loader's menu for Linux says, and what it means there is always so here. */
static bool accept(const char *value)
{
	return true;
}
BOOT_OPTION(init, "init", "the first program (default: /init, /sbin/init, /bin/init, /bin/sh)",
	    accept);
BOOT_OPTION(rdinit, "rdinit", "the same as init=", accept);
BOOT_OPTION(root, "root", "accepted: the root is always the initramfs", accept);
BOOT_OPTION(rw, "rw", "accepted: the root is always writable", accept);
BOOT_OPTION(ro, "ro", "accepted, and ignored: the root is always writable", accept);

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
	netdev_init_cpu();
	smp_cpu_ready();
	irq_enable();
	idle_loop();
}

/* Early: an e1000 of QEMU's receives nothing in the first second. */
static void start_network(void)
{
	skb_init();
	netdev_init();
	pci_init();
	e1000_init();
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

/* What only exists for programs: the tree of names, processes, signals. */
static void start_user_side(void)
{
	random_init();
	files_init();
	eventpoll_init();
	vfs_init();
	vm_init();
	mmap_init();
	processes_init();
	futex_init();
	oom_init();
	signal_traps_init();
	tty_init();
	proc_init();
	pci_proc_init();
	netdev_proc_init();
	link_init();
	ip_init();
	sockets_init();
	inet_start();
	ipconfig_init();
}

static void start_init(void)
{
	run_init(&(struct init_command){
		.path = cmdline_get("init") ?: cmdline_get("rdinit"),
		.argv = cmdline_init.argv,
		.envp = cmdline_init.envp,
	});
}

static void first_thread(void *arg)
{
	int error;

	start_network();
	smp_start_cpus(max_cpus, secondary_cpu);
	pr_info("cpus: %u online\n", nr_cpus);
	ksoftirqd_init();
	trace_init();
	start_consoles();
	start_user_side();
	error = initramfs_unpack();
	pr_info("boot: ready in %llu us\n", clock_ns() / NSEC_PER_USEC);
	fault_inject_arm();
	if (selftest_wanted)
		run_selftests();
	if (bench_wanted) {
		bench_run();
		machine_poweroff(EXIT_OK);
	}
	if (!error)
		start_init();
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
	user_mode_init();
	start_interrupts();
	sched_init_cpu();
	sched_init();
	if (!kthread_run(first_thread, NULL, "init"))
		panic("no memory for the first thread");
	irq_enable();
	idle_loop();
}
