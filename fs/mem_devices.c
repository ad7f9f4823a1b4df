/* The devices that are nothing but memory: null, zero, full, random, urandom; and kmsg, the kernel's log. */
#include <fs/chrdev.h>

#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/random.h>
#include <kernel/sched.h>

#define MEM_MAJOR 1

static loff_t mem_llseek(struct file *file, loff_t offset, int whence)
{
	return file->pos = 0;
}

static ssize_t read_nothing(struct file *file, struct iov_iter *to, loff_t *pos)
{
	return 0;
}

static ssize_t write_away(struct file *file, struct iov_iter *from, loff_t *pos)
{
	ssize_t size = from->count;

	from->count = 0;
	return size;
}

static ssize_t write_full(struct file *file, struct iov_iter *from, loff_t *pos)
{
	return -ENOSPC;
}

/* Does the rest have to wait: for a dying program, or for others that want the CPU? */
static bool stop_early(void)
{
	cond_resched();
	return fatal_signal_pending();
}

static ssize_t read_zeroes(struct file *file, struct iov_iter *to, loff_t *pos)
{
	ssize_t done = 0;

	while (to->count) {
		size_t wanted = min(to->count, PAGE_SIZE), copied = zero_to_iter(wanted, to);

		done += copied;
		if (copied < wanted)
			return done ?: -EFAULT;
		if (stop_early())
			break;
	}
	return done;
}

static int zero_mmap(struct file *file, struct vm_area *area)
{
	return vm_area_make_anonymous(area);
}

/* ---- random ------------------------------------------------------------------------------------------ */

static ssize_t read_random(struct file *file, struct iov_iter *to, loff_t *pos)
{
	u8 bytes[256];
	ssize_t done = 0;

	while (to->count) {
		size_t wanted = min(to->count, sizeof(bytes)), copied;

		random_fill(bytes, wanted);
		copied = copy_to_iter(bytes, wanted, to);
		done += copied;
		if (copied < wanted && !done)
			done = -EFAULT;
		if (copied < wanted || stop_early())
			break;
	}
	memset(bytes, 0, sizeof(bytes));
	return done;
}

static u32 poll_random(struct file *file, struct poll_table *table)
{
	return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
}

/* ---- kmsg -------------------------------------------------------------------------------------------- */

#define KMSG_LINE 1024

/* A line of the log, "<6>[    1.234567] text", as a record of /dev/kmsg: "6,sequence,1234567,-;text". */
static int format_record(char *record, size_t size, const char *line, u64 sequence)
{
	const char *stamp = strchr(line, '['), *text = stamp ? strchr(stamp, ']') : NULL, *end;
	u64 seconds = 0, fraction = 0;

	if (!text)
		return snprintf(record, size, "6,%llu,0,-;%s", sequence, line);
	do
		stamp++;
	while (*stamp == ' ');
	parse_u64(stamp, &end, &seconds);
	/* The fraction's leading zeroes would make it octal for parse_u64. */
	for (end++; isdigit_ascii(*end); end++)
		fraction = fraction * 10 + (*end - '0');
	return snprintf(record, size, "%c,%llu,%llu,-;%s", line[1], sequence,
			seconds * 1000000 + fraction, text + 2);
}

/* One record a read; *pos is printk's own idea of a position. At the end there is nothing to wait on. */
static ssize_t read_kmsg(struct file *file, struct iov_iter *to, loff_t *pos)
{
	char *line = kmalloc(2 * KMSG_LINE, GFP_KERNEL), *record = line + KMSG_LINE;
	u64 position = *pos;
	ssize_t length;

	if (!line)
		return -ENOMEM;
	length = printk_read(&position, line, KMSG_LINE);
	if (!length) {
		length = file->flags & O_NONBLOCK ? -EAGAIN : 0;
	} else {
		length = min(format_record(record, KMSG_LINE, line, position), (int)KMSG_LINE - 1);
		if ((size_t)length > to->count)
			length = -EINVAL;
		else if (copy_to_iter(record, length, to) < (size_t)length)
			length = -EFAULT;
		else
			*pos = position;
	}
	kfree(line);
	return length;
}

static ssize_t write_kmsg(struct file *file, struct iov_iter *from, loff_t *pos)
{
	size_t size = from->count;
	char *line, *text;
	int level = 6;

	if (size >= KMSG_LINE)
		return -EINVAL;
	line = text = kmalloc(KMSG_LINE, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	if (copy_from_iter(line, size, from) < size) {
		kfree(line);
		return -EFAULT;
	}
	line[size] = 0;
	if (line[0] == '<' && isdigit_ascii(line[1]) && line[2] == '>') {
		level = line[1] - '0';
		text += 3;
	}
	printk(KERN_SOH "%d%s", min(level, 7), text);
	kfree(line);
	return size;
}

static loff_t kmsg_llseek(struct file *file, loff_t offset, int whence)
{
	char line[8];
	u64 position = 0;

	if (offset || whence > SEEK_END)
		return -EINVAL;
	while (whence == SEEK_END && printk_read(&position, line, sizeof(line)))
		;
	return file->pos = position;
}

/* ---- the list ---------------------------------------------------------------------------------------- */

static const struct file_ops null_ops = { .read = read_nothing,
					  .write = write_away,
					  .llseek = mem_llseek };
static const struct file_ops zero_ops = {
	.read = read_zeroes, .write = write_away, .llseek = mem_llseek, .mmap = zero_mmap
};
static const struct file_ops full_ops = { .read = read_zeroes,
					  .write = write_full,
					  .llseek = mem_llseek };
static const struct file_ops random_ops = {
	.read = read_random, .write = write_away, .llseek = mem_llseek, .poll = poll_random
};
static const struct file_ops kmsg_ops = { .read = read_kmsg,
					  .write = write_kmsg,
					  .llseek = kmsg_llseek };

void mem_devices_init(void)
{
	static const struct {
		u32 minor, mode;
		const char *name;
		const struct file_ops *ops;
	} devices[] = {
		{ 3, 0666, "null", &null_ops },	     { 5, 0666, "zero", &zero_ops },
		{ 7, 0666, "full", &full_ops },	     { 8, 0666, "random", &random_ops },
		{ 9, 0666, "urandom", &random_ops }, { 11, 0644, "kmsg", &kmsg_ops },
	};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (chrdev_register(MEM_MAJOR, devices[i].minor, devices[i].name, devices[i].ops,
				    devices[i].mode) < 0)
			panic("no memory for /dev/%s", devices[i].name);
}
