/*
 * Names for addresses. tools/ksyms.awk makes the table from the linked image: the text symbols
 * in ascending order, as 32-bit offsets from KERNEL_BASE, and their names in one long string.
 * Constant data: any context, no locks.
 */
#include <kernel/ksyms.h>

#include <kernel/lib/printf.h>
#include <kernel/mm/layout.h>

extern const u32 ksyms_count;
extern const u32 ksyms_addr[];
extern const u32 ksyms_name_off[];
extern const char ksyms_names[];

/* The index of the last symbol that does not begin after `offset`; -1: all do. */
static s64 find(u64 offset)
{
	s64 low = 0, high = (s64)ksyms_count - 1;

	while (low <= high) {
		s64 middle = (low + high) / 2;

		if (ksyms_addr[middle] <= offset)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return high;
}

static u64 symbol_end(s64 index)
{
	return index + 1 < ksyms_count ? KERNEL_BASE + ksyms_addr[index + 1] : (u64)text_end;
}

static s64 index_of(u64 address)
{
	if (address < (u64)text_start || address >= (u64)text_end)
		return -1;
	return find(address - KERNEL_BASE);
}

const char *ksym_lookup(u64 address, u64 *offset)
{
	s64 index = index_of(address);

	if (index < 0)
		return NULL;
	*offset = address - KERNEL_BASE - ksyms_addr[index];
	return ksyms_names + ksyms_name_off[index];
}

/* Formats `address`, named after the symbol at `address` - back. */
static const char *format(u64 address, u64 back, char *buf, size_t size)
{
	s64 index = index_of(address - back);
	u64 start;

	if (index < 0) {
		snprintf(buf, size, "0x%016llx", address);
		return buf;
	}
	start = KERNEL_BASE + ksyms_addr[index];
	snprintf(buf, size, "%s+0x%llx/0x%llx", ksyms_names + ksyms_name_off[index],
		 address - start, symbol_end(index) - start);
	return buf;
}

const char *ksym_format(u64 address, char *buf, size_t size)
{
	return format(address, 0, buf, size);
}

const char *ksym_format_return(u64 address, char *buf, size_t size)
{
	return format(address, 1, buf, size);
}

void ksyms_init(void)
{
	printf_symbol_hook = ksym_format;
}
