/*
 * IOAPICs. Each has a window of two registers (select, data) onto a table of redirection entries, one a
 * line. Written at start-up only, one CPU at a time.
 */
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/ioapic.h>
#include <kernel/cpu/smp.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/printk.h>

#define IOAPIC_SELECT	  0x00
#define IOAPIC_DATA	  0x10
#define IOAPIC_VERSION	  0x01
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))

#define ENTRY_ACTIVE_LOW BIT(13)
#define ENTRY_LEVEL	 BIT(15)
#define ENTRY_MASKED	 BIT(16)

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1
#define PIC_INIT     0x11

static struct {
	volatile void *window;
	u32 gsi_base, lines;
} ioapics[ACPI_MAX_IOAPICS];

static u32 ioapic_read(volatile void *window, u32 reg)
{
	mmio_write32(window + IOAPIC_SELECT, reg);
	return mmio_read32(window + IOAPIC_DATA);
}

static void ioapic_write(volatile void *window, u32 reg, u32 value)
{
	mmio_write32(window + IOAPIC_SELECT, reg);
	mmio_write32(window + IOAPIC_DATA, value);
}

/* Move the 8259s' vectors away from the exceptions (a spurious one may come even when masked), then
 * mask all lines. */
static void mask_8259(void)
{
	static const struct {
		u16 port;
		u8 value;
	} sequence[] = {
		{ PIC1_COMMAND, PIC_INIT }, { PIC2_COMMAND, PIC_INIT },
		{ PIC1_DATA, 0xe0 },	    { PIC2_DATA, 0xe8 }, /* vectors */
		{ PIC1_DATA, 4 },	    { PIC2_DATA, 2 },	 /* cascade on line 2 */
		{ PIC1_DATA, 1 },	    { PIC2_DATA, 1 },	 /* 8086 mode */
		{ PIC1_DATA, 0xff },	    { PIC2_DATA, 0xff }, /* all masked */
	};

	for (u32 i = 0; i < ARRAY_SIZE(sequence); i++)
		outb(sequence[i].port, sequence[i].value);
}

void ioapic_init(void)
{
	mask_8259();
	for (u32 i = 0; i < acpi.nr_ioapics; i++) {
		volatile void *window = ioremap(acpi.ioapics[i].phys, PAGE_SIZE);

		if (!window) {
			pr_err("ioapic: cannot map number %u\n", i);
			continue;
		}
		ioapics[i].window = window;
		ioapics[i].gsi_base = acpi.ioapics[i].gsi_base;
		ioapics[i].lines = (ioapic_read(window, IOAPIC_VERSION) >> 16 & 0xff) + 1;
		for (u32 pin = 0; pin < ioapics[i].lines; pin++)
			ioapic_write(window, IOAPIC_ENTRY(pin), ENTRY_MASKED);
	}
}

int ioapic_route(u32 irq, u8 vector, u32 cpu)
{
	u32 gsi = irq, entry = vector | ENTRY_LEVEL | ENTRY_ACTIVE_LOW;

	if (irq < NR_ISA_IRQS) {
		gsi = acpi.irq_override[irq].gsi;
		entry = vector | (acpi.irq_override[irq].level ? ENTRY_LEVEL : 0) |
			(acpi.irq_override[irq].active_low ? ENTRY_ACTIVE_LOW : 0);
	}
	for (u32 i = 0; i < acpi.nr_ioapics; i++) {
		u32 pin = gsi - ioapics[i].gsi_base;

		if (!ioapics[i].window || gsi < ioapics[i].gsi_base || pin >= ioapics[i].lines)
			continue;
		ioapic_write(ioapics[i].window, IOAPIC_ENTRY(pin) + 1, cpu_apic_id[cpu] << 24);
		ioapic_write(ioapics[i].window, IOAPIC_ENTRY(pin), entry);
		return 0;
	}
	return -ENODEV;
}
