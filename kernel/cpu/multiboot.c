/*
 * The multiboot (version 1) information structure: command line, modules, memory map. Everything is below
 * 4 GiB, so the boot page tables reach it. Multiboot Specification 0.6.96, section 3.3.
 */
#include <kernel/boot_info.h>
#include <kernel/cpu/multiboot.h>
#include <kernel/lib/string.h>
#include <kernel/mm/layout.h>

#define MULTIBOOT_LOADED 0x2badb002

enum {
	HAS_MEMORY = BIT(0),
	HAS_CMDLINE = BIT(2),
	HAS_MODULES = BIT(3),
	HAS_MEMORY_MAP = BIT(6),
	HAS_LOADER_NAME = BIT(9),
};

struct multiboot_info {
	u32 flags;
	u32 mem_lower, mem_upper; /* KiB below 640 KiB, KiB above 1 MiB */
	u32 boot_device;
	u32 cmdline;
	u32 modules_count, modules;
	u32 symbols[4];
	u32 map_length, map;
	u32 drives_length, drives;
	u32 config_table;
	u32 loader_name;
} __packed;

struct multiboot_module {
	u32 start, end;
	u32 cmdline;
	u32 reserved;
};

struct multiboot_range {
	u32 size; /* of what follows */
	u64 start, length;
	u32 type;
} __packed;
#define RANGE_IS_RAM 1

struct boot_info boot_info;

/* Insert in order; whole pages only; what overlaps or touches its predecessor is merged into it. */
static void add_ram(u64 start, u64 end)
{
	struct phys_range *ram = boot_info.ram;
	u32 i = boot_info.nr_ram;

	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	if (start >= end || i == BOOT_MAX_RANGES)
		return;
	for (; i > 0 && ram[i - 1].start > start; i--)
		ram[i] = ram[i - 1];
	ram[i] = (struct phys_range){ start, end };
	boot_info.nr_ram++;
}

static void merge_ram(void)
{
	struct phys_range *ram = boot_info.ram;
	u32 last = 0;

	for (u32 i = 1; i < boot_info.nr_ram; i++) {
		if (ram[i].start <= ram[last].end)
			ram[last].end = max(ram[last].end, ram[i].end);
		else
			ram[++last] = ram[i];
	}
	if (boot_info.nr_ram)
		boot_info.nr_ram = last + 1;
}

static void read_memory_map(const struct multiboot_info *info)
{
	u64 at = info->map, end = at + info->map_length;

	if (!(info->flags & HAS_MEMORY_MAP)) {
		if (info->flags & HAS_MEMORY)
			add_ram(MiB, MiB + info->mem_upper * KiB);
		return;
	}
	while (at + sizeof(struct multiboot_range) <= end) {
		const struct multiboot_range *range = phys_to_virt(at);

		if (range->type == RANGE_IS_RAM && range->start + range->length > range->start)
			add_ram(range->start, range->start + range->length);
		at += range->size + sizeof(range->size);
	}
	merge_ram();
}

static void read_initrd(const struct multiboot_info *info)
{
	const struct multiboot_module *module = phys_to_virt(info->modules);

	if (info->flags & HAS_MODULES && info->modules_count && module->end > module->start)
		boot_info.initrd = (struct phys_range){ module->start, module->end };
}

static const char *end_of_word(const char *text)
{
	while (*text && *text != ' ')
		text++;
	return text;
}

/* An option has no slash before its '='. */
static bool ends_file_name(const char *word, const char *end)
{
	const char *at = word;

	while (at < end && *at != '=' && *at != '/')
		at++;
	if (at < end)
		return *at == '/';
	return end - word >= 4 && !strncmp(end - 4, ".elf", 4);
}

/* QEMU puts "NAME " in front of what -append says, and old GRUBs do too. The name may have spaces: it goes up
 * to the last word that looks like the end of a path. What is behind "--" is init's. */
static const char *skip_file_name(const char *text, bool is_qemu)
{
	const char *behind = is_qemu ? end_of_word(text) : text, *word, *end;

	for (word = text; *word; word = *end ? end + 1 : end) {
		end = end_of_word(word);
		if (end - word == 2 && !strncmp(word, "--", 2))
			break;
		if (ends_file_name(word, end))
			behind = end;
	}
	return behind;
}

bool multiboot_parse(u32 magic, u32 info_phys)
{
	const struct multiboot_info *info = phys_to_virt(info_phys);

	if (magic != MULTIBOOT_LOADED)
		return false;
	if (info->flags & HAS_LOADER_NAME)
		strscpy(boot_info.loader, phys_to_virt(info->loader_name),
			sizeof(boot_info.loader));
	if (info->flags & HAS_CMDLINE)
		strscpy(boot_info.cmdline,
			skip_file_name(phys_to_virt(info->cmdline),
				       !strcmp(boot_info.loader, "qemu")),
			sizeof(boot_info.cmdline));
	read_memory_map(info);
	read_initrd(info);
	return true;
}
