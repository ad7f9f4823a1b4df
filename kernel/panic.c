/*
 * The end. One CPU panics: it stops the others, says why once, and leaves. Another CPU that panics at
 * the same time halts silently, so that the first one's words stay readable; a panic inside the panic
 * says one more line and leaves.
 *
 * Any context, at any time after the first CPU has its per-CPU data. No locks but printk's and the
 * consoles', which the CPU that panics does not wait for: see panicking_here().
 */
#include <kernel/panic.h>

#include <kernel/cmdline.h>
#include <kernel/context.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/smp.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

#define NOBODY	     (~0U)
#define MESSAGE_SIZE 256

const char *(*current_task_name)(void);

/* The CPU that panics: taken once, by compare and exchange, and never given back. */
static u32 panic_cpu = NOBODY;
bool panic_in_progress;
static int depth; /* of panics inside the panic, on that CPU */

/* panic=N: >0: reboot after N seconds, <0: at once, 0: halt. */
static s64 reboot_after;

static __noreturn void leave(void)
{
	if (machine_has_exit_port())
		machine_poweroff(EXIT_FAILED);
	if (!reboot_after) {
		printk(KERN_EMERG "halted\n");
		console_flush();
		machine_halt();
	}
	if (reboot_after > 0) {
		printk(KERN_EMERG "reboot in %lld s\n", reboot_after);
		clock_delay_ns(reboot_after * NSEC_PER_SEC);
	}
	machine_reboot();
}

bool panicking_here(void)
{
	return unlikely(READ_ONCE(panic_in_progress)) && panic_cpu == smp_processor_id();
}

/* Returns once, on the first CPU that panics. */
static void enter(const char *message)
{
	u32 nobody = NOBODY, cpu = smp_processor_id();

	irq_disable();
	if (__atomic_compare_exchange_n(&panic_cpu, &nobody, cpu, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		WRITE_ONCE(panic_in_progress, true);
		smp_stop_others();
		return;
	}
	if (panic_cpu != cpu || depth++ > 1)
		machine_halt();
	if (depth == 1)
		printk(KERN_EMERG "and while saying so: %s\n", message);
	leave();
}

static const char *context_name(void)
{
	if (in_hardirq())
		return "hard IRQ";
	if (this_cpu(context_count) & SOFTIRQ_SERVING)
		return "softirq";
	return in_softirq() ? "process, softirqs disabled" : "process";
}

static void print_registers(const struct trap_frame *frame)
{
	printk(KERN_EMERG "rip %016llx  rsp %016llx  rflags %08llx  cs %02llx  ss %02llx\n",
	       frame->rip, frame->rsp, frame->rflags, frame->cs, frame->ss);
	printk(KERN_EMERG "rax %016llx  rbx %016llx  rcx %016llx\n", frame->rax, frame->rbx,
	       frame->rcx);
	printk(KERN_EMERG "rdx %016llx  rsi %016llx  rdi %016llx\n", frame->rdx, frame->rsi,
	       frame->rdi);
	printk(KERN_EMERG "rbp %016llx  r8  %016llx  r9  %016llx\n", frame->rbp, frame->r8,
	       frame->r9);
	printk(KERN_EMERG "r10 %016llx  r11 %016llx  r12 %016llx\n", frame->r10, frame->r11,
	       frame->r12);
	printk(KERN_EMERG "r13 %016llx  r14 %016llx  r15 %016llx\n", frame->r13, frame->r14,
	       frame->r15);
	printk(KERN_EMERG "vector %llu  error %llx  cr2 %016llx  cr3 %016llx\n", frame->vector,
	       frame->error, read_cr2(), read_cr3());
}

/* The message first: should all else fail, it has been said. */
static __noreturn void say(const char *message, const struct trap_frame *frame, u64 frame_pointer)
{
	enter(message);
	printk(KERN_EMERG "panic: %s\n", message);
	printk(KERN_EMERG "CPU %u, %s, task %s\n", smp_processor_id(), context_name(),
	       current_task_name ? current_task_name() : "(none yet)");
	if (frame)
		print_registers(frame);
	printk(KERN_EMERG "backtrace:\n");
	print_backtrace(frame ? frame->rip : 0, frame_pointer);
	leave();
}

void panic(const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	say(message, NULL, current_frame());
}

void panic_frame(struct trap_frame *frame, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	say(message, frame, from_user(frame) ? 0 : frame->rbp);
}

static bool parse_panic(const char *value)
{
	bool negative = *value == '-';
	u64 seconds;

	if (parse_u64(value + negative, NULL, &seconds) || seconds > 1000000)
		return false;
	reboot_after = negative ? -(s64)seconds : (s64)seconds;
	return true;
}
BOOT_OPTION(panic, "panic", "N: after a panic reboot in N seconds; -1: at once; 0: halt",
	    parse_panic);
