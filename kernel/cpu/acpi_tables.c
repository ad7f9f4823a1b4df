/* Takes apart the ACPI tables: see acpi_tables.h. Runs once, on the boot CPU. */
#include <kernel/cpu/acpi_tables.h>

#include <kernel/lib/string.h>
#include <kernel/printk.h>

u8 acpi_checksum(const void *table, size_t length)
{
	const u8 *bytes = table;
	u8 sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += bytes[i];
	return sum;
}

/* ---- MADT, 5.2.12 ---------------------------------------------------------------------------- */

struct madt {
	struct sdt_header header;
	u32 lapic;
	u32 flags;
} __packed;

struct madt_entry {
	u8 type;
	u8 length; /* of the entry, this header included */
} __packed;

struct madt_lapic {
	struct madt_entry entry;
	u8 processor;
	u8 apic_id;
	u32 flags;
#define LAPIC_ENABLED BIT(0)
} __packed;

struct madt_ioapic {
	struct madt_entry entry;
	u8 id;
	u8 reserved;
	u32 address;
	u32 gsi_base;
} __packed;

struct madt_override {
	struct madt_entry entry;
	u8 bus;
	u8 irq;
	u32 gsi;
	u16 flags;
#define OVERRIDE_POLARITY(flags) ((flags)&3)
#define OVERRIDE_TRIGGER(flags)	 ((flags) >> 2 & 3)
#define ACTIVE_LOW		 3
#define LEVEL_TRIGGERED		 3
} __packed;

struct madt_lapic_address {
	struct madt_entry entry;
	u16 reserved;
	u64 address;
} __packed;

static void add_cpu(struct acpi_info *info, const struct madt_entry *entry)
{
	const struct madt_lapic *lapic = (const struct madt_lapic *)entry;

	if (!(lapic->flags & LAPIC_ENABLED))
		return;
	if (info->nr_cpus == MAX_CPUS) {
		pr_warn("acpi: CPU with APIC id %u left out: %u is the most\n", lapic->apic_id,
			MAX_CPUS);
		return;
	}
	info->apic_ids[info->nr_cpus++] = lapic->apic_id;
}

static void add_ioapic(struct acpi_info *info, const struct madt_entry *entry)
{
	const struct madt_ioapic *ioapic = (const struct madt_ioapic *)entry;

	if (info->nr_ioapics == ACPI_MAX_IOAPICS) {
		pr_warn("acpi: IOAPIC %u left out: %u is the most\n", ioapic->id, ACPI_MAX_IOAPICS);
		return;
	}
	info->ioapics[info->nr_ioapics++] = (struct acpi_ioapic){
		.id = ioapic->id,
		.phys = ioapic->address,
		.gsi_base = ioapic->gsi_base,
	};
}

static void add_override(struct acpi_info *info, const struct madt_entry *entry)
{
	const struct madt_override *override = (const struct madt_override *)entry;

	if (override->bus != 0 || override->irq >= NR_ISA_IRQS) {
		pr_warn("acpi: interrupt override for bus %u, IRQ %u ignored\n", override->bus,
			override->irq);
		return;
	}
	info->irq_override[override->irq] = (struct acpi_irq){
		.gsi = override->gsi,
		.active_low = OVERRIDE_POLARITY(override->flags) == ACTIVE_LOW,
		.level = OVERRIDE_TRIGGER(override->flags) == LEVEL_TRIGGERED,
	};
}

static void set_lapic_address(struct acpi_info *info, const struct madt_entry *entry)
{
	info->lapic_phys = ((const struct madt_lapic_address *)entry)->address;
}

static const struct {
	void (*read)(struct acpi_info *info, const struct madt_entry *entry);
	u8 size;
} madt_readers[] = {
	[0] = { add_cpu, sizeof(struct madt_lapic) },
	[1] = { add_ioapic, sizeof(struct madt_ioapic) },
	[2] = { add_override, sizeof(struct madt_override) },
	[5] = { set_lapic_address, sizeof(struct madt_lapic_address) },
};

static void read_madt_entry(struct acpi_info *info, const struct madt_entry *entry)
{
	if (entry->type >= ARRAY_SIZE(madt_readers) || !madt_readers[entry->type].read)
		return;
	if (entry->length < madt_readers[entry->type].size) {
		pr_warn("acpi: MADT entry of type %u is too short\n", entry->type);
		return;
	}
	madt_readers[entry->type].read(info, entry);
}

void acpi_parse_madt(struct acpi_info *info, const struct sdt_header *header)
{
	const struct madt *madt = (const struct madt *)header;
	const u8 *at = (const u8 *)(madt + 1), *end = (const u8 *)madt + header->length;

	if (header->length < sizeof(*madt)) {
		pr_warn("acpi: MADT is too short\n");
		return;
	}
	info->lapic_phys = madt->lapic;
	while ((size_t)(end - at) >= sizeof(struct madt_entry)) {
		const struct madt_entry *entry = (const struct madt_entry *)at;

		if (entry->length < sizeof(*entry) || entry->length > end - at) {
			pr_warn("acpi: MADT entry with bad length: the rest is ignored\n");
			return;
		}
		read_madt_entry(info, entry);
		at += entry->length;
	}
}

/* ---- FADT, 5.2.9, and the DSDT it points to --------------------------------------------------- */

/* 5.2.3.2 */
struct generic_address {
	u8 space;
#define SPACE_MEMORY 0
#define SPACE_IO     1
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;
	u64 address;
} __packed;

struct fadt {
	struct sdt_header header;
	u32 firmware_ctrl;
	u32 dsdt;
	u8 reserved0;
	u8 preferred_profile;
	u16 sci_interrupt;
	u32 smi_command;
	u8 acpi_enable;
	u8 acpi_disable;
	u8 s4bios_request;
	u8 pstate_control;
	u32 pm1a_event, pm1b_event;
	u32 pm1a_control, pm1b_control;
	u32 pm2_control;
	u32 pm_timer;
	u32 gpe0, gpe1;
	u8 pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	u8 gpe0_length, gpe1_length, gpe1_base;
	u8 cst_control;
	u16 c2_latency, c3_latency;
	u16 flush_size, flush_stride;
	u8 duty_offset, duty_width;
	u8 day_alarm, month_alarm, century;
	u16 boot_arch;
#define BOOT_ARCH_8042 BIT(1)
	u8 reserved1;
	u32 flags;
#define FADT_HAS_RESET BIT(10)
	/* version 1 ends here */
	struct generic_address reset;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_firmware_ctrl;
	u64 x_dsdt;
} __packed;
static_assert(offsetof(struct fadt, pm_timer) == 76 && offsetof(struct fadt, century) == 108 &&
		      offsetof(struct fadt, reset) == 116 && offsetof(struct fadt, x_dsdt) == 140,
	      "ACPI table 5-9");

#define FADT_V1_SIZE offsetof(struct fadt, reset)
#define FADT_HAS(fadt, field) \
	((fadt)->header.length >= offsetof(struct fadt, field) + sizeof((fadt)->field))
#define CMOS_SIZE 128

static u16 port(u64 address)
{
	return address <= 0xffff ? address : 0;
}

/* In I/O space only: that is where PCs have it. */
static void read_reset(struct acpi_info *info, const struct fadt *fadt)
{
	if (!(fadt->flags & FADT_HAS_RESET) || !FADT_HAS(fadt, reset_value) ||
	    fadt->reset.space != SPACE_IO)
		return;
	info->reset_port = port(fadt->reset.address);
	info->reset_value = fadt->reset_value;
}

phys_addr_t acpi_parse_fadt(struct acpi_info *info, const struct sdt_header *header)
{
	const struct fadt *fadt = (const struct fadt *)header;

	if (header->length < FADT_V1_SIZE) {
		pr_warn("acpi: FADT is too short\n");
		return 0;
	}
	info->pm_timer_port = fadt->pm_timer_length == sizeof(u32) ? port(fadt->pm_timer) : 0;
	info->pm1a_control = port(fadt->pm1a_control);
	info->pm1b_control = port(fadt->pm1b_control);
	info->smi_command = port(fadt->smi_command);
	info->acpi_enable = fadt->acpi_enable;
	info->rtc_century = fadt->century < CMOS_SIZE ? fadt->century : 0;
	/* The first version had no such flags, and its machines all had the controller. */
	info->no_8042 = header->revision >= 2 && !(fadt->boot_arch & BOOT_ARCH_8042);
	read_reset(info, fadt);
	return FADT_HAS(fadt, x_dsdt) && fadt->x_dsdt ? fadt->x_dsdt : fadt->dsdt;
}

/* AML, chapter 20: what precedes a number in a package. */
#define AML_ZERO    0x00
#define AML_ONE	    0x01
#define AML_BYTE    0x0a
#define AML_PACKAGE 0x12

/* A small constant of AML at *at; moves *at behind it. */
static bool aml_number(const u8 **at, const u8 *end, u8 *number)
{
	if (*at < end && (**at == AML_ZERO || **at == AML_ONE)) {
		*number = *(*at)++;
		return true;
	}
	if (end - *at >= 2 && **at == AML_BYTE) {
		*number = (*at)[1];
		*at += 2;
		return true;
	}
	return false;
}

/* What follows the name: PackageOp, PkgLength (1 to 4 bytes), number of elements, the elements. */
static bool parse_sleep_package(struct acpi_info *info, const u8 *at, const u8 *end)
{
	if (end - at < 3 || *at++ != AML_PACKAGE)
		return false;
	at += 1 + (*at >> 6);
	if (end - at < 1 || *at++ < 2)
		return false;
	return aml_number(&at, end, &info->sleep_type_a) &&
	       aml_number(&at, end, &info->sleep_type_b);
}

/* \_S5 is a package of constants, so finding its bytes does what an AML interpreter would. */
void acpi_parse_dsdt(struct acpi_info *info, const u8 *aml, size_t length)
{
	static const char name[4] = { '_', 'S', '5', '_' };

	for (size_t i = 0; i + sizeof(name) < length; i++) {
		if (!memcmp(aml + i, name, sizeof(name)) &&
		    parse_sleep_package(info, aml + i + sizeof(name), aml + length)) {
			info->has_sleep_type = true;
			return;
		}
	}
}

/* ---- HPET ------------------------------------------------------------------------------------- */

struct hpet {
	struct sdt_header header;
	u32 id;
	struct generic_address address;
} __packed;

void acpi_parse_hpet(struct acpi_info *info, const struct sdt_header *header)
{
	const struct hpet *hpet = (const struct hpet *)header;

	if (header->length < sizeof(*hpet) || hpet->address.space != SPACE_MEMORY) {
		pr_warn("acpi: HPET table is not understood\n");
		return;
	}
	info->hpet_phys = hpet->address.address;
}
