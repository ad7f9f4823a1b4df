/* What the firmware's ACPI tables say about the machine; only the static tables, no AML. */
#pragma once

#include <kernel/cpu/percpu.h>
#include <kernel/lib/types.h>
#include <kernel/mm/layout.h>

#define ACPI_MAX_IOAPICS 8
#define NR_ISA_IRQS	 16

struct acpi_ioapic {
	u8 id;
	phys_addr_t phys;
	u32 gsi_base; /* the global interrupt number of its first pin */
};

/* Where an ISA interrupt really arrives, and how. */
struct acpi_irq {
	u32 gsi;
	bool active_low;
	bool level;
};

/* Constant after acpi_init(). Without ACPI it describes a plain PC. */
struct acpi_info {
	/* MADT */
	u32 nr_cpus;		/* at least 1, at most MAX_CPUS */
	u32 apic_ids[MAX_CPUS]; /* the boot CPU's first */
	phys_addr_t lapic_phys;
	u32 nr_ioapics;
	struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
	struct acpi_irq irq_override[NR_ISA_IRQS];

	/* FADT; a port that is 0 does not exist */
	u16 pm_timer_port;
	u16 pm1a_control, pm1b_control;
	u16 smi_command;
	u8 acpi_enable;	     /* written to smi_command, hands the PM registers to the OS */
	bool has_sleep_type; /* \_S5 was found: */
	u8 sleep_type_a, sleep_type_b;
	u16 reset_port;
	u8 reset_value; /* written to reset_port */
	bool no_8042;
	u8 rtc_century; /* CMOS index of the century, or 0 */

	/* HPET */
	phys_addr_t hpet_phys; /* 0: none */
};

extern struct acpi_info acpi;

/* Reads the tables. After mm_init(). */
void acpi_init(void);
