/*
 * /proc/trace: what the tracepoints recorded, as text, all CPUs merged by time. /proc/trace_raw: the same as binary
 * records (struct trace_entry). Each open file has a cursor of its own, so readers take nothing from each other;
 * it begins with the oldest event that is there. At its end a read waits for more, and poll tells of it; but
 * while tracing is off there will be no more: that is the end of the file.
 *
 * What a process does while it has one of these open is not recorded: lest every read make events to read.
 *
 * /proc/trace_control: what is recorded; /proc/trace_events: the names, and what their arguments are.
 *
 * Context: process. Lock: reader->lock, a mutex, held while the trace is copied to a program.
 */
#include <fs/proc/tree.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/trace.h>

#define BATCH	 16
#define LINE_MAX 240 /* what a text line may take */

struct trace_reader {
	/* constant */
	int (*make)(const struct trace_entry *entry, char *buf, size_t size);
	u32 opener; /* pid */

	struct mutex lock;
	/* under lock */
	struct trace_cursor cursor;
	u32 at, length; /* of what was made and not read yet */
	struct trace_entry entries[BATCH];
	char made[BATCH * LINE_MAX];
};

static int make_text(const struct trace_entry *entry, char *buf, size_t size)
{
	static const char *const contexts[] = { "process", "softirq", "hardirq" };
	char who[32];
	int length;

	scnprintf(who, sizeof(who), "%.15s:%u", entry->task, entry->pid);
	length =
		scnprintf(buf, size - 1, "[%5llu.%09llu] %2u %s %-16s ", entry->time / NSEC_PER_SEC,
			  entry->time % NSEC_PER_SEC, entry->cpu, contexts[entry->context], who);
	length += trace_format_entry(entry, buf + length, size - 1 - length);
	buf[length] = '\n';
	return length + 1;
}

static int make_raw(const struct trace_entry *entry, char *buf, size_t size)
{
	memcpy(buf, entry, sizeof(*entry));
	return sizeof(*entry);
}

/* Under reader->lock: something to copy. False: there is nothing. */
static bool refill(struct trace_reader *reader)
{
	u32 count;

	if (reader->at < reader->length)
		return true;
	count = trace_read(&reader->cursor, reader->entries, BATCH);
	reader->at = reader->length = 0;
	for (u32 i = 0; i < count; i++)
		reader->length +=
			reader->make(&reader->entries[i], reader->made + reader->length, LINE_MAX);
	return count > 0;
}

/* Under reader->lock. Bytes copied, or -EFAULT. */
static ssize_t copy_out(struct trace_reader *reader, struct iov_iter *to)
{
	ssize_t total = 0;

	while (to->count && refill(reader)) {
		size_t size = min(to->count, (size_t)(reader->length - reader->at));
		size_t copied = copy_to_iter(reader->made + reader->at, size, to);

		reader->at += copied;
		total += copied;
		if (copied < size)
			return total ?: -EFAULT;
	}
	return total;
}

static bool is_off(void)
{
	return READ_ONCE(trace_enabled) == 0;
}

static ssize_t reader_read(struct file *file, struct iov_iter *to, loff_t *pos)
{
	struct trace_reader *reader = file->private_data;
	ssize_t result;

	for (;;) {
		bool off = is_off();

		if (mutex_lock_interruptible(&reader->lock))
			return -ERESTARTSYS;
		result = copy_out(reader, to);
		mutex_unlock(&reader->lock);
		if (result || off || !to->count)
			return result;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(&trace_wq,
					     trace_readable(&reader->cursor) || is_off()))
			return -ERESTARTSYS;
	}
}

static u32 reader_poll(struct file *file, struct poll_table *table)
{
	struct trace_reader *reader = file->private_data;

	poll_wait(file, &trace_wq, table);
	if (READ_ONCE(reader->at) < READ_ONCE(reader->length) || trace_readable(&reader->cursor))
		return EPOLLIN | EPOLLRDNORM;
	return is_off() ? EPOLLIN | EPOLLRDNORM | EPOLLHUP : 0;
}

static int open_reader(struct file *file,
		       int (*make)(const struct trace_entry *entry, char *buf, size_t size))
{
	struct trace_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL);

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock);
	reader->make = make;
	reader->opener = current->pid;
	trace_cursor_init(&reader->cursor);
	current->reads_trace++;
	file->private_data = reader;
	return 0;
}

static int open_text(struct inode *inode, struct file *file)
{
	return open_reader(file, make_text);
}

static int open_raw(struct inode *inode, struct file *file)
{
	return open_reader(file, make_raw);
}

/* Another task may be the last that has it; then who opened it stays unseen. */
static void reader_release(struct file *file)
{
	struct trace_reader *reader = file->private_data;

	if (reader->opener == current->pid)
		current->reads_trace--;
	kfree(reader);
}

/* ---- control ----------------------------------------------------------------------------------------- */

static void show_control(struct seq_buf *out, const struct proc_entry *entry)
{
	struct trace_filter filter;
	const char *separator = "";

	trace_get_filter(&filter);
	seq_printf(out, "events=");
	for (u32 event = 0; event < TRACE_LOST && filter.events != TRACE_ALL; event++) {
		if (filter.events & BIT(event)) {
			seq_printf(out, "%s%s", separator, trace_formats[event].name);
			separator = ",";
		}
	}
	if (!filter.events)
		seq_printf(out, "none");
	if (filter.events == TRACE_ALL)
		seq_printf(out, "all");
	seq_printf(out, " pid=%llu sock=%llu\n", filter.pid, filter.sock);
}

/* One word of what is written. 0 or -EINVAL. */
static int parse_word(const char *word, struct trace_filter *filter, bool *clear)
{
	if (!strcmp(word, "clear"))
		*clear = true;
	else if (!strcmp(word, "on"))
		filter->events = TRACE_ALL;
	else if (!strcmp(word, "off"))
		filter->events = 0;
	else if (!strncmp(word, "events=", 7))
		return trace_parse_events(word + 7, &filter->events) ? 0 : -EINVAL;
	else if (!strncmp(word, "pid=", 4))
		return parse_u64(word + 4, NULL, &filter->pid);
	else if (!strncmp(word, "sock=", 5))
		return parse_u64(word + 5, NULL, &filter->sock);
	else
		return -EINVAL;
	return 0;
}

/* All of it, or nothing. */
static int write_control(char *text, const struct proc_entry *entry)
{
	struct trace_filter filter;
	bool clear = false;
	int error = 0;

	trace_get_filter(&filter);
	while (*text && !error) {
		char *space = strchr(text, ' '), *next = space ? space + 1 : text + strlen(text);

		if (space)
			*space = '\0';
		if (*text)
			error = parse_word(text, &filter, &clear);
		text = next;
	}
	if (!error)
		error = trace_set_filter(&filter);
	if (!error && clear)
		trace_clear();
	return error;
}

static void show_events(struct seq_buf *out, const struct proc_entry *entry)
{
	for (u32 event = 0; event < NR_TRACE_EVENTS; event++)
		seq_printf(out, "%u %s %s\n", event, trace_formats[event].name,
			   trace_formats[event].arguments);
}

static const struct file_ops reader_ops = {
	.read = reader_read,
	.llseek = llseek_nothing,
	.poll = reader_poll,
	.release = reader_release,
};
static const struct inode_ops text_ops = { .open = open_text };
static const struct inode_ops raw_ops = { .open = open_raw };

/* They tell where things are in the kernel, and what everybody does: root's to know. */
static const struct proc_entry files[] = {
	{ "trace", 0400, .inode_ops = &text_ops, .file_ops = &reader_ops },
	{ "trace_raw", 0400, .inode_ops = &raw_ops, .file_ops = &reader_ops },
	{ "trace_control", 0600, .show = show_control, .write = write_control },
	{ "trace_events", 0444, .show = show_events },
};

void proc_trace_init(void)
{
	PROC_REGISTER("", files);
}
