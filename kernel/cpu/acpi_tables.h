/*
 * The layouts of the ACPI tables that the kernel reads, and the functions that take them apart.
 * Those run on the host too: no access to anything but their arguments (and printk).
 */
#pragma once

#include <kernel/cpu/acpi.h>

/* ACPI 5.2.5.3 */
struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	/* from revision 2 on */
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;
#define RSDP_V1_SIZE offsetof(struct rsdp, length)

/* 5.2.6: every table begins with this; length includes it. */
struct sdt_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6];
	char oem_table[8];
	u32 oem_revision;
	u32 creator;
	u32 creator_revision;
} __packed;

/* The sum of all bytes, 0 in a good table. */
u8 acpi_checksum(const void *table, size_t length);

/* Each takes a table whose length and checksum were verified. */
void acpi_parse_madt(struct acpi_info *info, const struct sdt_header *madt);
void acpi_parse_hpet(struct acpi_info *info, const struct sdt_header *hpet);
/* Returns where the DSDT is. */
phys_addr_t acpi_parse_fadt(struct acpi_info *info, const struct sdt_header *fadt);
/* The AML code behind the DSDT's header. */
void acpi_parse_dsdt(struct acpi_info *info, const u8 *aml, size_t length);
