/*
 * Off and on again: several ways each, because no one of them works everywhere. Any context; the
 * other CPUs may still run.
 */
#include <kernel/panic.h>

#include <kernel/cmdline.h>
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/asm.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

/* ACPI 4.8.3.2: the PM1 control registers */
#define PM1_SCI_ENABLE	  BIT(0)
#define PM1_SLEEP_TYPE(t) ((t) << 10)
#define PM1_SLEEP	  BIT(13)

/* Where QEMU's machines have their PM1a control register, should ACPI's tables be missing. */
#define QEMU_PM1A_CONTROL 0x604
#define QEMU_SLEEP_TYPE	  0

#define I8042_COMMAND 0x64
#define I8042_RESET   0xfe

#define REGISTER_TRIES 100000 /* some 100 ms on real hardware */

static u16 exit_port; /* debug-exit=, 0: none */

/* On a PC where the firmware still has the PM registers: ask for them. */
static void take_pm_registers(void)
{
	if (!acpi.smi_command || !acpi.acpi_enable)
		return;
	outb(acpi.smi_command, acpi.acpi_enable);
	for (int i = 0; i < REGISTER_TRIES; i++) {
		if (inw(acpi.pm1a_control) & PM1_SCI_ENABLE)
			return;
	}
}

static void acpi_poweroff(void)
{
	if (!acpi.has_sleep_type || !acpi.pm1a_control)
		return;
	if (!(inw(acpi.pm1a_control) & PM1_SCI_ENABLE))
		take_pm_registers();
	outw(acpi.pm1a_control, PM1_SLEEP_TYPE(acpi.sleep_type_a) | PM1_SLEEP);
	if (acpi.pm1b_control)
		outw(acpi.pm1b_control, PM1_SLEEP_TYPE(acpi.sleep_type_b) | PM1_SLEEP);
}

void machine_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* What was asked of the hardware happens soon, if it does. */
static void wait_a_moment(void)
{
	for (int i = 0; i < REGISTER_TRIES; i++)
		inb(I8042_COMMAND);
}

void machine_poweroff(enum exit_status status)
{
	irq_disable();
	console_flush();
	if (exit_port)
		outb(exit_port, status);
	acpi_poweroff();
	outw(QEMU_PM1A_CONTROL, PM1_SLEEP_TYPE(QEMU_SLEEP_TYPE) | PM1_SLEEP);

	wait_a_moment();
	printk(KERN_EMERG "It is now safe to turn off the machine\n");
	console_flush();
	machine_halt();
}

/* With no table to find a handler in, the exception becomes a double fault, and that the third. */
static __noreturn void triple_fault(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_idt;

	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	machine_halt();
}

void machine_reboot(void)
{
	irq_disable();
	console_flush();
	if (acpi.reset_port)
		outb(acpi.reset_port, acpi.reset_value);
	wait_a_moment();
	outb(I8042_COMMAND, I8042_RESET);
	wait_a_moment();
	triple_fault();
}

bool machine_has_exit_port(void)
{
	return exit_port != 0;
}

static bool parse_debug_exit(const char *value)
{
	u64 port;

	if (parse_u64(value, NULL, &port) || !port || port > 0xffff)
		return false;
	exit_port = (u16)port;
	return true;
}
BOOT_OPTION(debug_exit, "debug-exit", "PORT of QEMU's isa-debug-exit: where the exit status goes",
	    parse_debug_exit);
