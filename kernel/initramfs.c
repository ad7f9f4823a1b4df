/* The initramfs: a cpio archive in memory, where the boot loader put it. */
#include <kernel/boot_info.h>
#include <kernel/initramfs.h>
#include <kernel/lib/cpio.h>
#include <kernel/mm/layout.h>
#include <kernel/printk.h>

void initramfs_init(void)
{
	struct cpio_reader reader;
	struct cpio_entry entry;
	u64 files = 0, bytes = 0;
	int result;

	if (boot_info.initrd.start == boot_info.initrd.end) {
		pr_warn("initramfs: none given\n");
		return;
	}
	cpio_init(&reader, phys_to_virt(boot_info.initrd.start),
		  boot_info.initrd.end - boot_info.initrd.start);
	while ((result = cpio_next(&reader, &entry)) > 0) {
		files++;
		bytes += entry.filesize;
	}
	if (result < 0)
		pr_err("initramfs: corrupt at byte %zu: %s\n", reader.offset, reader.error);
	else
		pr_info("initramfs: %llu entries, %llu KiB\n", files, bytes / KiB);
}
