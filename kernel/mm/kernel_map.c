/*
 * The kernel's final map, built once at boot by the first CPU:
 *
 *	direct map	RAM and the first MiB: writable, never executable. The frames of the
 *			kernel's text and rodata are read-only here too, or W^X would have a back door.
 *	image		text read-only and executable, rodata read-only, the rest not executable
 *	struct pages	where there is RAM
 *	vmalloc, stacks	the upper tables only, so that the top level never changes again
 *
 * Nothing is mapped at low addresses: a NULL pointer faults.
 */
#include <kernel/cpu/asm.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/paging.h>
#include <kernel/panic.h>

#define CR4_PGE			BIT(7)
#define CPUID_FEATURES_EXTENDED 0x80000001U
#define CPUID_EDX_NX		BIT(20)
#define CPUID_EDX_1G_PAGES	BIT(26)

/* A free block of the largest order and its buddies share a group of struct pages; whole groups are
 * mapped, so that looking at a buddy never faults, RAM or not. */
#define GROUP_RAM   (PAGE_SIZE << MAX_ORDER)
#define GROUP_BYTES (sizeof(struct page) << MAX_ORDER)
static_assert(GROUP_BYTES % PAGE_SIZE == 0, "groups of struct pages fill pages");

static enum page_level largest_level = LEVEL_2M;

static void detect_features(void)
{
	u32 regs[4];

	cpuid(CPUID_FEATURES_EXTENDED, 0, regs);
	if (regs[3] & CPUID_EDX_NX)
		pte_nx = PTE_NX;
	if (regs[3] & CPUID_EDX_1G_PAGES)
		largest_level = LEVEL_1G;
}

/* The largest page that can map the beginning of this piece. */
static enum page_level fitting_level(u64 virt, phys_addr_t phys, u64 size)
{
	enum page_level level = largest_level;

	while (level > LEVEL_4K &&
	       ((virt | phys) & (BIT(level_shift(level)) - 1) || size < BIT(level_shift(level))))
		level--;
	return level;
}

static void map_range(u64 virt, phys_addr_t phys, u64 size, u64 flags)
{
	while (size) {
		enum page_level level = fitting_level(virt, phys, size);
		u64 step = BIT(level_shift(level));
		pte_t *entry = page_walk_level(kernel_pml4, virt, level, true, GFP_NOFAIL);

		assert(entry);
		do { /* as far as this table goes: a larger page cannot begin before its end */
			*entry++ = phys | flags | (level > LEVEL_4K ? PTE_HUGE : 0);
			virt += step;
			phys += step;
			size -= step;
		} while (size >= step && level_index(virt, level));
	}
}

static void map_direct_part(u64 start, u64 end, u64 flags)
{
	if (start < end)
		map_range((u64)phys_to_virt(start), start, end - start, flags);
}

static void map_direct(u64 start, u64 end)
{
	u64 ro_start = virt_to_phys(text_start), ro_end = virt_to_phys(rodata_end);

	map_direct_part(start, min(end, ro_start), PAGE_KERNEL);
	map_direct_part(max(start, ro_start), min(end, ro_end), PAGE_KERNEL_RO);
	map_direct_part(max(start, ro_end), end, PAGE_KERNEL);
}

static void map_image_part(const char *start, const char *end, u64 flags)
{
	map_range((u64)start, virt_to_phys(start), (u64)(end - start), flags);
}

static void map_struct_pages(const struct phys_range *ram)
{
	for (u64 at = ALIGN_DOWN(ram->start, GROUP_RAM); at < ram->end; at += GROUP_RAM) {
		u64 pages = (u64)phys_to_page(at);

		if (!kernel_mapping_flags(pages)) /* a range may begin where another ended */
			map_range(pages, boot_alloc(GROUP_BYTES), GROUP_BYTES, PAGE_KERNEL);
	}
}

/* Off with the boot tables, whose entries are global: only a change of CR4.PGE makes the TLB forget
 * that everything was writable and executable. */
static void switch_tables(void)
{
	u64 cr4 = read_cr4();

	write_cr3(virt_to_phys(kernel_pml4));
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}

void paging_init(void)
{
	detect_features();
	map_direct(0, LOW_MEMORY_END);
	for (u32 i = 0; i < boot_info.nr_ram; i++)
		map_direct(max(boot_info.ram[i].start, LOW_MEMORY_END), boot_info.ram[i].end);
	map_image_part(text_start, text_end, PAGE_KERNEL_EXEC);
	map_image_part(rodata_start, rodata_end, PAGE_KERNEL_RO);
	map_image_part(data_start, kernel_end, PAGE_KERNEL);
	for (u32 i = 0; i < boot_info.nr_ram; i++)
		map_struct_pages(&boot_info.ram[i]);
	for (u64 at = VMALLOC_START; at < STACKS_END; at += BIT(level_shift(LEVEL_TOP)))
		assert(page_walk_level(kernel_pml4, at, LEVEL_1G, true, GFP_NOFAIL));
	switch_tables();
}
