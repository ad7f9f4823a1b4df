/*
 * /proc/sys: settings, and the constants that programs look for there. What can be written can be changed; the rest
 * says how things are.
 *
 * Context: process.
 */
#include <fs/proc/tree.h>

#include <fs/eventpoll.h>
#include <fs/pipe.h>
#include <kernel/drop_caches.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/pid.h>
#include <kernel/printk.h>
#include <kernel/process/misc.h>
#include <kernel/random.h>

#define TEXT(name, text)                                         \
	{                                                        \
		name, 0444, .show = proc_show_text, .data = text \
	}

/* ---- fs ------------------------------------------------------------------------------------------------ */

static void show_file_nr(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%llu\t0\t%llu\n", READ_ONCE(nr_open_files), READ_ONCE(max_open_files));
}

static void add_inodes(const struct slab_stats *stats, void *arg)
{
	if (!strcmp(stats->name, "inode"))
		*(u64 *)arg += stats->active_objects;
}

static void show_inode_nr(struct seq_buf *out, const struct proc_entry *entry)
{
	u64 inodes = 0;

	slab_stats_for_each(add_inodes, &inodes);
	seq_printf(out, "%llu\t0\n", inodes);
}

/* A whole number of pages, a power of two. */
static int write_pipe_max_size(char *text, const struct proc_entry *entry)
{
	u64 size;
	int error = parse_u64(text, NULL, &size);

	if (error)
		return error;
	if (size < PAGE_SIZE || size > BIT(31))
		return -EINVAL;
	WRITE_ONCE(pipe_max_size, (u32)(PAGE_SIZE << order_for_size(size)));
	return 0;
}

static const struct proc_entry fs_files[] = {
	{ "file-max", 0644, .show = proc_show_u64, .write = proc_write_u64,
	  .data = &max_open_files },
	{ "file-nr", 0444, .show = show_file_nr },
	{ "inode-nr", 0444, .show = show_inode_nr },
	TEXT("nr_open", "1048576"),
	{ "pipe-max-size", 0644, .show = proc_show_u32, .write = write_pipe_max_size,
	  .data = &pipe_max_size },
};
static_assert(NOFILE_MAX == 1048576, "nr_open");

static const struct proc_entry epoll_files[] = {
	{ "max_user_watches", 0644, .show = proc_show_u64, .write = proc_write_u64,
	  .data = &epoll_max_user_watches },
};

/* ---- kernel -------------------------------------------------------------------------------------------- */

static void show_uts(struct seq_buf *out, const struct proc_entry *entry)
{
	char name[65];

	uts_get(entry->name, name, sizeof(name));
	seq_printf(out, "%s\n", name);
}

/* What is too long is cut. */
static int write_uts(char *text, const struct proc_entry *entry)
{
	uts_set(entry->name, text);
	return 0;
}

static void show_osrelease(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%s\n", uts_release());
}

static void show_printk(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%d\t4\t1\t7\n", console_level + 1);
}

static const struct proc_entry kernel_files[] = {
	TEXT("cap_last_cap", "40"),
	TEXT("core_pattern", "core"),
	{ "domainname", 0644, .show = show_uts, .write = write_uts },
	{ "hostname", 0644, .show = show_uts, .write = write_uts },
	TEXT("ngroups_max", "65536"),
	{ "osrelease", 0444, .show = show_osrelease },
	TEXT("ostype", "Linux"),
	TEXT("overflowgid", "65534"),
	TEXT("overflowuid", "65534"),
	TEXT("panic", "0"),
	TEXT("pid_max", "32768"),
	{ "printk", 0444, .show = show_printk },
	TEXT("randomize_va_space", "2"),
	{ "threads-max", 0444, .show = proc_show_u32, .data = &max_tasks },
	TEXT("version", "Pollux " POLLUX_VERSION),
};
static_assert(NGROUPS_MAX == 65536 && PID_MAX == 32768, "ngroups_max, pid_max");

/* ---- kernel/random ------------------------------------------------------------------------------------- */

/* RFC 9562, version 4: random, but for the bits that say so. */
static void print_uuid(struct seq_buf *out, u8 uuid[16])
{
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	for (u32 i = 0; i < 16; i++)
		seq_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			   uuid[i]);
	seq_putc(out, '\n');
}

static void show_uuid(struct seq_buf *out, const struct proc_entry *entry)
{
	u8 uuid[16];

	random_fill(uuid, sizeof(uuid));
	print_uuid(out, uuid);
}

static u8 boot_id[16]; /* constant after start-up */

static void show_boot_id(struct seq_buf *out, const struct proc_entry *entry)
{
	print_uuid(out, boot_id);
}

static const struct proc_entry random_files[] = {
	{ "boot_id", 0444, .show = show_boot_id },
	TEXT("entropy_avail", "256"),
	TEXT("poolsize", "256"),
	{ "uuid", 0444, .show = show_uuid },
};

/* ---- vm ------------------------------------------------------------------------------------------------ */

/* 1, 2 or 3 tell Linux which, and 4 to be quiet about it; here it is all the same. */
static int write_drop_caches(char *text, const struct proc_entry *entry)
{
	u64 which;
	int error = parse_u64(text, NULL, &which);

	if (error)
		return error;
	if (which < 1 || which > 4)
		return -EINVAL;
	drop_caches();
	return 0;
}

static void show_fail_every(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%llu\n", fault_inject_rate());
}

/* From here on one allocation in so many fails; 0: none. As the option fail-every=. */
static int write_fail_every(char *text, const struct proc_entry *entry)
{
	u64 every;
	int error = parse_u64(text, NULL, &every);

	if (!error)
		fault_inject_every(every);
	return error;
}

static const struct proc_entry vm_files[] = {
	{ "drop_caches", 0200, .write = write_drop_caches },
	{ "fail_every", 0600, .show = show_fail_every, .write = write_fail_every },
	TEXT("max_map_count", "65530"),
	TEXT("min_free_kbytes", "0"),
	TEXT("mmap_min_addr", "65536"),
	TEXT("overcommit_memory", "0"),
	TEXT("overcommit_ratio", "50"),
	TEXT("swappiness", "60"),
};

void proc_sysctl_init(void)
{
	random_fill(boot_id, sizeof(boot_id));
	PROC_REGISTER("sys/fs", fs_files);
	PROC_REGISTER("sys/fs/epoll", epoll_files);
	PROC_REGISTER("sys/kernel", kernel_files);
	PROC_REGISTER("sys/kernel/random", random_files);
	PROC_REGISTER("sys/vm", vm_files);
}
