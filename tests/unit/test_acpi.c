/* sources: kernel/cpu/acpi_tables.c kernel/lib/string.c */
/* ACPI tables that are good, that are cut, and that are garbage; ASan watches every byte. */
#include <stdlib.h>

#include <kernel/cpu/acpi_tables.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <tests/unit/unit.h>

static unsigned warnings;

int printk(const char *format, ...)
{
	warnings++;
	return 0;
}

/* A table of exactly its size, so that a byte beyond is seen. */
static struct sdt_header *make_table(const void *body, size_t size)
{
	struct sdt_header *table = malloc(sizeof(*table) + size);

	memset(table, 0, sizeof(*table));
	table->length = sizeof(*table) + size;
	table->revision = 3;
	if (size)
		memcpy(table + 1, body, size);
	return table;
}

static void parse_madt(struct acpi_info *info, const u8 *body, size_t size)
{
	struct sdt_header *table = make_table(body, size);

	memset(info, 0, sizeof(*info));
	warnings = 0;
	acpi_parse_madt(info, table);
	free(table);
}

/* clang-format off */
static const u8 good_madt[] = {
	0, 0, 0xe0, 0xfe, 1, 0, 0, 0,		   /* local APIC's address, flags */
	0, 8, 0, 0, 1, 0, 0, 0,			   /* CPU 0, enabled */
	0, 8, 1, 5, 1, 0, 0, 0,			   /* CPU 5, enabled */
	0, 8, 2, 6, 0, 0, 0, 0,			   /* CPU 6, not */
	1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0, /* IOAPIC 7, from 24 */
	2, 10, 0, 0, 2, 0, 0, 0, 0, 0,		   /* IRQ 0 is 2 */
	2, 10, 0, 9, 9, 0, 0, 0, 15, 0,		   /* IRQ 9: level, active low */
	2, 10, 0, 77, 9, 0, 0, 0, 15, 0,	   /* no such IRQ */
	99, 3, 0,				   /* unknown type */
	5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,	   /* local APIC at 4 GiB */
};
/* clang-format on */

TEST(acpi_reads_a_madt)
{
	struct acpi_info info;

	parse_madt(&info, good_madt, sizeof(good_madt));
	CHECK_EQ(info.nr_cpus, 2);
	CHECK_EQ(info.apic_ids[0], 0);
	CHECK_EQ(info.apic_ids[1], 5);
	CHECK_EQ(info.nr_ioapics, 1);
	CHECK_EQ(info.ioapics[0].id, 7);
	CHECK_EQ(info.ioapics[0].phys, 0xfec00000);
	CHECK_EQ(info.ioapics[0].gsi_base, 24);
	CHECK_EQ(info.irq_override[0].gsi, 2);
	CHECK(!info.irq_override[0].level && !info.irq_override[0].active_low);
	CHECK_EQ(info.irq_override[9].gsi, 9);
	CHECK(info.irq_override[9].level && info.irq_override[9].active_low);
	CHECK_EQ(info.lapic_phys, 1ULL << 32);
	CHECK_EQ(warnings, 1);
}

TEST(acpi_survives_cut_madts)
{
	struct acpi_info info;

	for (size_t size = 0; size < sizeof(good_madt); size++) {
		parse_madt(&info, good_madt, size);
		CHECK(info.nr_cpus <= 2);
	}
}

TEST(acpi_survives_too_many_cpus)
{
	u8 body[8 + 300 * 8] = { 0 };
	struct acpi_info info;

	for (int i = 0; i < 300; i++)
		memcpy(body + 8 + i * 8, good_madt + 8, 8);
	parse_madt(&info, body, sizeof(body));
	CHECK_EQ(info.nr_cpus, MAX_CPUS);
	CHECK_EQ(warnings, 300 - MAX_CPUS);
}

TEST(acpi_survives_garbage)
{
	struct acpi_info info;
	u8 body[256];

	for (int round = 0; round < 20000; round++) {
		size_t size = unit_random_below(sizeof(body));
		struct sdt_header *table;

		/* Small numbers, so that types and lengths are often possible ones. */
		for (size_t i = 0; i < size; i++)
			body[i] = (u8)unit_random_below(round % 2 ? 256 : 20);
		parse_madt(&info, body, size);
		table = make_table(body, size);
		acpi_parse_fadt(&info, table);
		acpi_parse_hpet(&info, table);
		acpi_parse_dsdt(&info, (u8 *)(table + 1), size);
		free(table);
		CHECK(info.nr_cpus <= MAX_CPUS && info.nr_ioapics <= ACPI_MAX_IOAPICS);
	}
}

static bool find_s5(const void *aml, size_t size, struct acpi_info *info)
{
	u8 *copy = malloc(size);

	memcpy(copy, aml, size);
	memset(info, 0, sizeof(*info));
	acpi_parse_dsdt(info, copy, size);
	free(copy);
	return info->has_sleep_type;
}

TEST(acpi_finds_the_sleep_types)
{
	static const u8 bytes[] = {
		1, 2, '_', 'S', '5', '_', 0x12, 0x0a, 4, 0x0a, 5, 0x0a, 7, 0, 0
	};
	static const u8 zeros[] = { '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0 };
	static const u8 long_length[] = { '_', 'S', '5', '_', 0x12, 0x48, 0, 4, 1, 1, 0, 0 };
	static const u8 only_a_name[] = { '_', 'S', '5', '_', 0x70, 6, 4, 0, 1, 0, 0 };
	struct acpi_info info;

	CHECK(find_s5(bytes, sizeof(bytes), &info));
	CHECK_EQ(info.sleep_type_a, 5);
	CHECK_EQ(info.sleep_type_b, 7);
	CHECK(find_s5(zeros, sizeof(zeros), &info));
	CHECK_EQ(info.sleep_type_a, 0);
	CHECK_EQ(info.sleep_type_b, 1);
	CHECK(find_s5(long_length, sizeof(long_length), &info));
	CHECK_EQ(info.sleep_type_a, 1);
	CHECK(!find_s5(only_a_name, sizeof(only_a_name), &info));
	for (size_t size = 0; size < 11; size++)
		CHECK(!find_s5(bytes, size, &info));
}
