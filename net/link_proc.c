/*
 * Where links are set: link= on the command line, and /proc/sys/net/link/NAME/. And what one sees of them:
 * /proc/net/link, /proc/net/pcap/NAME.
 *
 * Context: process. Locks: link_lock, by link_configure().
 */
#include <net/link.h>

#include <fs/proc/proc.h>
#include <kernel/cmdline.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

#define MAX_OPTIONS 4
#define VALUE_SIZE  32

/* ---- the command line: read before there are devices ---------------------------------------------------- */

static const char *options[MAX_OPTIONS]; /* "eth0,rx-lose=1%": constant after start-up */
static u32 nr_options;

static bool parse_link(const char *value)
{
	struct link_settings settings = { 0 };
	const char *comma = strchr(value, ',');

	if (!comma || link_parse_list(comma + 1, &settings) || nr_options == MAX_OPTIONS)
		return false;
	options[nr_options++] = value;
	return true;
}
BOOT_OPTION(link, "link", "eth0,rx-lose=1%,tx-delay=10ms,...: a bad network behind a device",
	    parse_link);

static struct netdev *device_of(const char *option)
{
	size_t length = strchr(option, ',') - option;
	char name[IFNAMSIZ];

	if (length >= sizeof(name))
		return NULL;
	memcpy(name, option, length);
	name[length] = '\0';
	return netdev_by_name(name);
}

static void apply_option(const char *option)
{
	struct netdev *dev = device_of(option);
	struct link_settings settings;

	if (!dev) {
		pr_warn("link: no such device: '%s'\n", option);
		return;
	}
	settings = dev->wrap->settings;
	if (link_parse_list(strchr(option, ',') + 1, &settings) ||
	    link_configure(dev->wrap, &settings))
		pr_warn("link: no memory for '%s'\n", option);
}

/* ---- /proc/sys/net/link/NAME/ ------------------------------------------------------------------------------ */

/* What is behind each file. */
struct link_file {
	struct link *link;
	const struct link_setting *setting;
};

static void show_setting(struct seq_buf *out, const struct proc_entry *entry)
{
	const struct link_file *file = entry->data;
	struct link_settings settings = file->link->settings;
	char text[VALUE_SIZE];

	link_format_value(file->setting, *link_value(&settings, file->setting), text, sizeof(text));
	seq_printf(out, "%s\n", text);
}

static int write_setting(char *text, const struct proc_entry *entry)
{
	const struct link_file *file = entry->data;
	struct link_settings settings = file->link->settings;
	int error = link_parse_value(file->setting, text, link_value(&settings, file->setting));

	return error ?: link_configure(file->link, &settings);
}

/* ---- /proc/net/link ---------------------------------------------------------------------------------------- */

static void show_counts(struct seq_buf *out, const struct proc_entry *entry)
{
	struct netdev *dev;

	seq_printf(out, "%-8s %10s %10s %10s %10s %10s %10s %10s %10s\n", "link", "passed", "lost",
		   "twice", "reordered", "corrupted", "marked", "dropped", "on the way");
	for_each_netdev(dev) {
		for (int i = 0; i < LINK_DIRECTIONS && dev->wrapped; i++) {
			struct link_way way = dev->wrap->way[i];

			seq_printf(out,
				   "%s %s %*llu %10llu %10llu %10llu %10llu %10llu %10llu %10u\n",
				   dev->name, link_direction_names[i], 15 - (int)strlen(dev->name),
				   way.counts.passed, way.counts.lost, way.counts.duplicated,
				   way.counts.reordered, way.counts.corrupted, way.counts.marked,
				   way.counts.dropped, way.nr_frames);
		}
	}
}

static const struct proc_entry counts_file[] = {
	{ "link", 0444, .show = show_counts },
};

/* ---- /proc/net/pcap/NAME ----------------------------------------------------------------------------------- */

/* The file is made at the first read of an open file, and stays as it was then. */
struct pcap_reader {
	u8 *bytes;
	size_t size;
};

static int pcap_open(struct inode *inode, struct file *file)
{
	struct link *link = proc_entry_of(inode)->data;
	struct pcap_reader *reader = kmalloc(sizeof(*reader), GFP_KERNEL);

	if (!reader)
		return -ENOMEM;
	reader->bytes = pcap_snapshot(&link->pcap, &reader->size);
	if (!reader->bytes) {
		kfree(reader);
		return -ENOMEM;
	}
	file->private_data = reader;
	return 0;
}

static ssize_t pcap_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	const struct pcap_reader *reader = file->private_data;
	size_t left = *pos < (loff_t)reader->size ? reader->size - *pos : 0,
	       wanted = min(left, to->count);
	size_t copied = copy_to_iter(reader->bytes + *pos, wanted, to);

	*pos += copied;
	return copied || !wanted ? (ssize_t)copied : -EFAULT;
}

static loff_t pcap_llseek(struct file *file, loff_t offset, int whence)
{
	const struct pcap_reader *reader = file->private_data;

	return llseek_size(file, offset, whence, reader->size);
}

static void pcap_release(struct file *file)
{
	struct pcap_reader *reader = file->private_data;

	vfree(reader->bytes);
	kfree(reader);
}

static const struct inode_ops pcap_inode_ops = { .open = pcap_open };
static const struct file_ops pcap_file_ops = {
	.read = pcap_read,
	.llseek = pcap_llseek,
	.release = pcap_release,
};

/* ---- start-up ------------------------------------------------------------------------------------------------ */

struct device_files {
	struct link link;
	char settings_dir[sizeof("sys/net/link/") + IFNAMSIZ];
	struct link_file files[NR_LINK_SETTINGS];
	struct proc_entry entries[NR_LINK_SETTINGS];
	struct proc_entry pcap;
};

static void add_device(struct netdev *dev)
{
	struct device_files *device = kzalloc(sizeof(*device), GFP_KERNEL | GFP_NOFAIL);

	if (!device)
		panic("no memory for the link of %s", dev->name);
	link_prepare(&device->link, dev);
	for (u32 i = 0; i < NR_LINK_SETTINGS; i++) {
		device->files[i] = (struct link_file){ &device->link, &link_settings_table[i] };
		device->entries[i] =
			(struct proc_entry){ link_settings_table[i].name, 0644,
					     .show = show_setting, .write = write_setting,
					     .data = &device->files[i] };
	}
	device->pcap =
		(struct proc_entry){ dev->name, 0400, .data = &device->link,
				     .inode_ops = &pcap_inode_ops, .file_ops = &pcap_file_ops };
	snprintf(device->settings_dir, sizeof(device->settings_dir), "sys/net/link/%s", dev->name);
	proc_register(device->settings_dir, device->entries, NR_LINK_SETTINGS);
	proc_register("net/pcap", &device->pcap, 1);
}

void link_init(void)
{
	struct netdev *dev;

	PROC_REGISTER("net", counts_file);
	for_each_netdev(dev)
		add_device(dev);
	for (u32 i = 0; i < nr_options; i++)
		apply_option(options[i]);
}
