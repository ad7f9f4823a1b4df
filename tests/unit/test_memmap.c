/* sources: tests/unit/mm_shim.c kernel/mm/page_alloc.c kernel/mm/fault_inject.c kernel/mm/memmap.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/paging.c kernel/mm/vmalloc.c kernel/mm/vmap_area.c kernel/lib/string.c kernel/lib/rbtree.c */
#include "mm_shim.h"
#include "unit.h"

#include <kernel/mm/memmap.h>

#define IMAGE_START (1 * MiB) /* as in mm_shim.c */
#define IMAGE_END   (2 * MiB)

static void set_ram(unsigned nr, const struct phys_range *ram, struct phys_range initrd)
{
	boot_info.nr_ram = nr;
	for (unsigned i = 0; i < nr; i++)
		boot_info.ram[i] = ram[i];
	boot_info.initrd = initrd;
}

static u64 total_free(void)
{
	u64 total = 0;

	for (unsigned i = 0; i < memmap.nr_free; i++)
		total += memmap.free[i].end - memmap.free[i].start;
	return total;
}

TEST(memmap_of_a_pc_with_a_hole)
{
	static const struct phys_range ram[] = { { 0, 0x9f000 },
						 { 1 * MiB, 3 * GiB },
						 { 4 * GiB, 17 * GiB } };

	set_ram(3, ram, (struct phys_range){ 16 * MiB + 5, 20 * MiB - 5 });
	memmap_init();
	CHECK_EQ(memmap_total(), 0x9f000 + 3 * GiB - 1 * MiB + 13 * GiB);
	CHECK_EQ(memmap.nr_free, 3);
	CHECK_EQ(total_free(), 16 * GiB - 2 * MiB - 4 * MiB);
	CHECK(memmap_is_free(2 * MiB, 16 * MiB));
	CHECK(!memmap_is_free(2 * MiB, 16 * MiB + PAGE_SIZE));
	CHECK(!memmap_is_free(IMAGE_END - PAGE_SIZE, 16 * MiB));
	CHECK(!memmap_is_free(20 * MiB - PAGE_SIZE, 20 * MiB));
	CHECK(memmap_is_free(20 * MiB, 3 * GiB));
	CHECK(!memmap_is_free(0x1000, 0x2000));
	CHECK(!memmap_is_free(3 * GiB, 3 * GiB + PAGE_SIZE));
	CHECK(memmap_is_free(16 * GiB, 17 * GiB));
}

TEST(memmap_boot_alloc_is_low_and_counted)
{
	static const struct phys_range ram[] = { { 1 * MiB, 16 * MiB },
						 { 4 * GiB - 16 * MiB, 4 * GiB + 16 * MiB } };
	u64 before, given = 0;

	set_ram(2, ram, (struct phys_range){ 0, 0 });
	memmap_init();
	before = total_free();
	CHECK_EQ(boot_alloc(PAGE_SIZE), IMAGE_END);
	given += PAGE_SIZE;
	while (given < 30 * MiB) {
		phys_addr_t at = boot_alloc(32 * KiB - PAGE_SIZE);

		CHECK(at >= IMAGE_END && at + 32 * KiB - PAGE_SIZE <= 4 * GiB);
		CHECK(!memmap_is_free(at, at + PAGE_SIZE));
		given += 32 * KiB - PAGE_SIZE;
		CHECK_EQ(total_free(), before - given);
		if (given > 29 * MiB)
			break;
	}
	CHECK(PANICS(boot_alloc(2 * MiB))); /* free memory above 4 GiB does not count */
}

TEST(memmap_too_little)
{
	static const struct phys_range ram[] = { { 0, 640 * KiB }, { 1 * MiB, 8 * MiB } };

	set_ram(2, ram, (struct phys_range){ 0, 0 });
	CHECK(PANICS(memmap_init()));
	CHECK_STR(mm_shim_panic_text, "not enough memory: 7808 KiB of RAM, Pollux needs 16 MiB");
}

TEST(memmap_initrd_beyond_ram)
{
	static const struct phys_range ram[] = { { 1 * MiB, 64 * MiB } };

	set_ram(1, ram, (struct phys_range){ 3 * MiB, 65 * MiB });
	CHECK(PANICS(memmap_init()));
	CHECK_STR(mm_shim_panic_text,
		  "not enough memory: an initramfs of 63488 KiB in 64512 KiB of RAM");
}

/* Against a model with a byte a page. */
TEST(memmap_random_ranges)
{
	enum { PAGES = 64 * 256 };
	static bool expected[PAGES];
	struct phys_range ram[BOOT_MAX_RANGES];

	for (unsigned round = 0; round < 300; round++) {
		u64 at = 0, initrd, initrd_end;
		unsigned nr = 0;

		while (nr < BOOT_MAX_RANGES && at < PAGES - 1) {
			u64 start = at + unit_random_below(PAGES / 64);
			u64 end = start + 1 + unit_random_below(PAGES / 8);

			if (end > PAGES)
				break;
			ram[nr++] = (struct phys_range){ start * PAGE_SIZE, end * PAGE_SIZE };
			at = end;
		}
		const struct phys_range *with_initrd = &ram[unit_random_below(nr)];

		initrd_end = with_initrd->end / PAGE_SIZE;
		initrd = with_initrd->start / PAGE_SIZE +
			 unit_random_below((with_initrd->end - with_initrd->start) / PAGE_SIZE);
		initrd_end = min(initrd + unit_random_below(2000), initrd_end);
		for (u64 page = 0; page < PAGES; page++) {
			u64 phys = page * PAGE_SIZE;

			expected[page] = false;
			for (unsigned i = 0; i < nr; i++)
				if (phys >= ram[i].start && phys < ram[i].end)
					expected[page] = true;
			if (phys < IMAGE_END || (page >= initrd && page < initrd_end))
				expected[page] = false;
		}
		set_ram(nr, ram, (struct phys_range){ initrd * PAGE_SIZE, initrd_end * PAGE_SIZE });
		if (memmap_total() < 16 * MiB)
			continue;
		memmap_init();
		for (u64 page = 0; page < PAGES; page++)
			CHECK_EQ(memmap_is_free(page * PAGE_SIZE, (page + 1) * PAGE_SIZE),
				 expected[page]);
	}
}
