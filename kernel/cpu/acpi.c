/*
 * ACPI's static tables: RSDP -> RSDT or XSDT -> MADT (processors and interrupt controllers), FADT
 * (power, reset, PM timer), HPET. Chapters 5.2.x of the ACPI specification have the layouts.
 *
 * The tables are the firmware's work and may be wrong: none is believed before its length is plausible
 * and its checksum is right, and a bad one is named and passed over. Taking them apart is the business
 * of acpi_tables.c, which the unit tests feed with garbage.
 *
 * Runs once, on the boot CPU.
 */
#include <kernel/cpu/acpi.h>

#include <kernel/cpu/acpi_tables.h>
#include <kernel/cpu/asm.h>
#include <kernel/lib/string.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/printk.h>

#define DEFAULT_LAPIC  0xfee00000
#define DEFAULT_IOAPIC 0xfec00000

/* Where the RSDP may be: the first KiB of the EBDA, and the BIOS area. */
#define EBDA_SEGMENT_POINTER 0x40e
#define EBDA_SEARCH	     (1 * KiB)
#define BIOS_AREA	     0xe0000
#define BIOS_AREA_SIZE	     (128 * KiB)
#define RSDP_ALIGN	     16
#define LOW_MEMORY	     (1 * MiB)

#define MAX_TABLE_SIZE (4 * MiB)
#define PHYS_LIMIT     (VMALLOC_START - PAGE_OFFSET) /* what the direct map has room for */

struct acpi_info acpi;

/* ---- access to the tables' memory ---------------------------------------------------------- */

static bool in_direct_map(phys_addr_t phys, size_t size)
{
	u64 start = (u64)phys_to_virt(phys);

	for (u64 page = start & PAGE_MASK; page < start + size; page += PAGE_SIZE) {
		if (!kernel_mapping_flags(page))
			return false;
	}
	return true;
}

static const void *map(phys_addr_t phys, size_t size)
{
	if (phys >= PHYS_LIMIT)
		return NULL;
	return in_direct_map(phys, size) ? phys_to_virt(phys) : ioremap(phys, size);
}

static void unmap(const void *table)
{
	if ((u64)table >= VMALLOC_START && (u64)table < VMALLOC_END)
		iounmap((void *)table);
}

/* Maps a whole table and verifies it. NULL: there is none to be trusted. */
static const struct sdt_header *map_table(phys_addr_t phys)
{
	const struct sdt_header *table = map(phys, sizeof(*table));
	u32 length;

	if (!table)
		return NULL;
	length = table->length;
	if (length < sizeof(*table) || length > MAX_TABLE_SIZE) {
		pr_warn("acpi: table at 0x%llx: bad length %u\n", phys, length);
		unmap(table);
		return NULL;
	}
	unmap(table);
	table = map(phys, length);
	if (table && acpi_checksum(table, length) != 0) {
		pr_warn("acpi: table %.4s at 0x%llx: bad checksum\n", table->signature, phys);
		unmap(table);
		return NULL;
	}
	return table;
}

/* ---- the way to the tables ------------------------------------------------------------------ */

static const struct rsdp *search_rsdp(phys_addr_t start, size_t size)
{
	for (phys_addr_t at = start; at < start + size; at += RSDP_ALIGN) {
		const struct rsdp *rsdp = phys_to_virt(at);

		if (!memcmp(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature)) &&
		    acpi_checksum(rsdp, RSDP_V1_SIZE) == 0)
			return rsdp;
	}
	return NULL;
}

static const struct rsdp *find_rsdp(void)
{
	const u16 *segment = phys_to_virt(EBDA_SEGMENT_POINTER);
	phys_addr_t ebda = (phys_addr_t)*segment << 4;
	const struct rsdp *rsdp = NULL;

	if (ebda && ebda + EBDA_SEARCH <= LOW_MEMORY)
		rsdp = search_rsdp(ebda, EBDA_SEARCH);
	return rsdp ?: search_rsdp(BIOS_AREA, BIOS_AREA_SIZE);
}

static void read_dsdt(phys_addr_t phys)
{
	const struct sdt_header *dsdt = phys ? map_table(phys) : NULL;

	if (!dsdt)
		return;
	acpi_parse_dsdt(&acpi, (const u8 *)(dsdt + 1), dsdt->length - sizeof(*dsdt));
	unmap(dsdt);
}

static void read_fadt(struct acpi_info *info, const struct sdt_header *fadt)
{
	read_dsdt(acpi_parse_fadt(info, fadt));
}

static const struct {
	char signature[5];
	void (*read)(struct acpi_info *info, const struct sdt_header *table);
} readers[] = {
	{ "APIC", acpi_parse_madt },
	{ "FACP", read_fadt },
	{ "HPET", acpi_parse_hpet },
};

static void read_table(phys_addr_t phys)
{
	const struct sdt_header *table = map_table(phys);

	if (!table)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		if (!memcmp(table->signature, readers[i].signature, sizeof(table->signature)))
			readers[i].read(&acpi, table);
	}
	unmap(table);
}

/* The root table lists the others' addresses: 32 bits each in an RSDT, 64 in an XSDT. */
static bool read_root(phys_addr_t phys, size_t entry_size)
{
	const struct sdt_header *root = phys ? map_table(phys) : NULL;
	const u8 *entries;

	if (!root)
		return false;
	entries = (const u8 *)(root + 1);
	for (u32 at = 0; at + entry_size <= root->length - sizeof(*root); at += entry_size) {
		u64 address = 0;

		memcpy(&address, entries + at, entry_size);
		if (address)
			read_table(address);
	}
	unmap(root);
	return true;
}

static bool read_tables(void)
{
	const struct rsdp *rsdp = find_rsdp();

	if (!rsdp)
		return false;
	if (rsdp->revision >= 2 && acpi_checksum(rsdp, sizeof(*rsdp)) == 0 &&
	    read_root(rsdp->xsdt, sizeof(u64)))
		return true;
	return read_root(rsdp->rsdt, sizeof(u32));
}

/* ---- what is said at the end ------------------------------------------------------------------ */

static u32 boot_apic_id(void)
{
	u32 regs[4];

	cpuid(1, 0, regs);
	return regs[1] >> 24;
}

/* The boot CPU leads the list, wherever, and even if not at all, the MADT has it. */
static void boot_cpu_first(u32 boot_id)
{
	u32 i = 0;

	while (i < acpi.nr_cpus && acpi.apic_ids[i] != boot_id)
		i++;
	if (i == acpi.nr_cpus) {
		if (i == MAX_CPUS)
			i--;
		else
			acpi.nr_cpus++;
	}
	acpi.apic_ids[i] = acpi.apic_ids[0];
	acpi.apic_ids[0] = boot_id;
}

static void set_defaults(void)
{
	acpi.lapic_phys = DEFAULT_LAPIC;
	for (u32 irq = 0; irq < NR_ISA_IRQS; irq++)
		acpi.irq_override[irq].gsi = irq;
}

void acpi_init(void)
{
	set_defaults();
	if (!read_tables())
		pr_warn("acpi: no tables: assuming a plain PC with one CPU\n");
	if (!acpi.nr_ioapics) {
		acpi.nr_ioapics = 1;
		acpi.ioapics[0].phys = DEFAULT_IOAPIC;
	}
	boot_cpu_first(boot_apic_id());
	pr_info("acpi: %u CPU%s, %u IOAPIC%s%s%s\n", acpi.nr_cpus, acpi.nr_cpus == 1 ? "" : "s",
		acpi.nr_ioapics, acpi.nr_ioapics == 1 ? "" : "s", acpi.hpet_phys ? ", HPET" : "",
		acpi.pm_timer_port ? ", PM timer" : "");
}
