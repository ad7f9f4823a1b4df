/*
 * The map of free RAM that boot allocates from: the firmware's ranges with the reserved pieces cut
 * out. It serves until mm_init() hands what is left to the page allocator. One CPU, no locks.
 */
#include <kernel/mm/memmap.h>

#include <kernel/lib/string.h>
#include <kernel/panic.h>

/* Below this the kernel's own tables and a first program cannot be expected to fit. */
#define MIN_RAM (16 * MiB)

#define BOOT_MAPPED_END (4 * GiB) /* what boot's page tables map */

struct memmap memmap;

static void insert_range(unsigned at, u64 start, u64 end)
{
	assert(memmap.nr_free < ARRAY_SIZE(memmap.free));
	memmove(&memmap.free[at + 1], &memmap.free[at],
		(memmap.nr_free - at) * sizeof(memmap.free[0]));
	memmap.free[at] = (struct phys_range){ start, end };
	memmap.nr_free++;
}

static void remove_range(unsigned at)
{
	memmap.nr_free--;
	memmove(&memmap.free[at], &memmap.free[at + 1],
		(memmap.nr_free - at) * sizeof(memmap.free[0]));
}

/* Cut [start, end) out of the free ranges. */
static void reserve(u64 start, u64 end)
{
	unsigned i = 0;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	while (i < memmap.nr_free) {
		struct phys_range *range = &memmap.free[i];
		u64 behind = range->end;

		if (end <= range->start || start >= range->end) {
			i++;
		} else if (start <= range->start && end >= range->end) {
			remove_range(i);
		} else if (start <= range->start) {
			range->start = end;
			i++;
		} else {
			range->end = start;
			if (end < behind)
				insert_range(i + 1, end, behind);
			i++;
		}
	}
}

u64 memmap_total(void)
{
	u64 total = 0;

	for (u32 i = 0; i < boot_info.nr_ram; i++)
		total += boot_info.ram[i].end - boot_info.ram[i].start;
	return total;
}

/* A loader may have put it where there is nothing. */
static void reserve_initrd(void)
{
	u64 start = boot_info.initrd.start, end = boot_info.initrd.end;

	for (u32 i = 0; i < boot_info.nr_ram; i++) {
		if (boot_info.ram[i].start <= start && end <= boot_info.ram[i].end) {
			reserve(start, end);
			return;
		}
	}
	panic("not enough memory: an initramfs of %llu KiB in %llu KiB of RAM", (end - start) / KiB,
	      memmap_total() / KiB);
}

void memmap_init(void)
{
	if (memmap_total() < MIN_RAM)
		panic("not enough memory: %llu KiB of RAM, Pollux needs %llu MiB",
		      memmap_total() / KiB, MIN_RAM / MiB);
	memmap.nr_free = boot_info.nr_ram;
	memcpy(memmap.free, boot_info.ram, boot_info.nr_ram * sizeof(boot_info.ram[0]));
	reserve(0, LOW_MEMORY_END);
	reserve(virt_to_phys(kernel_start), virt_to_phys(kernel_end));
	if (boot_info.initrd.start < boot_info.initrd.end)
		reserve_initrd();
}

phys_addr_t boot_alloc(size_t size)
{
	for (unsigned i = 0; i < memmap.nr_free; i++) {
		struct phys_range *range = &memmap.free[i];
		u64 start = range->start;

		if (start + size > min(range->end, BOOT_MAPPED_END))
			continue;
		range->start += size;
		if (range->start == range->end)
			remove_range(i);
		return start;
	}
	panic("not enough memory: no room for %zu KiB of the kernel's own tables; the initramfs "
	      "has %llu KiB",
	      size / (size_t)KiB, (boot_info.initrd.end - boot_info.initrd.start) / KiB);
}

bool memmap_is_free(phys_addr_t start, phys_addr_t end)
{
	for (unsigned i = 0; i < memmap.nr_free; i++)
		if (memmap.free[i].start <= start && end <= memmap.free[i].end)
			return true;
	return false;
}
