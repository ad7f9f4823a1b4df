/*
 * What most small files of /proc are: a text that never changes, or a number, with limits or without.
 *
 * Context: process. No lock: a number is a word.
 */
#include <fs/proc/proc.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>

void proc_show_text(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%s\n", (const char *)entry->data);
}

void proc_show_u32(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%u\n", READ_ONCE(*(const u32 *)entry->data));
}

void proc_show_u64(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%llu\n", READ_ONCE(*(const u64 *)entry->data));
}

int proc_write_u64(char *text, const struct proc_entry *entry)
{
	u64 value;
	int error = parse_u64(text, NULL, &value);

	if (!error)
		WRITE_ONCE(*(u64 *)entry->data, value);
	return error;
}

static int write_between(char *text, u32 *to, u32 least, u32 most)
{
	u64 value;
	int error = parse_u64(text, NULL, &value);

	if (error)
		return error;
	if (value < least || value > most)
		return -EINVAL;
	WRITE_ONCE(*to, (u32)value);
	return 0;
}

int proc_write_u32(char *text, const struct proc_entry *entry)
{
	return write_between(text, entry->data, 0, UINT32_MAX);
}

void proc_show_limited(struct seq_buf *out, const struct proc_entry *entry)
{
	const struct proc_limits *limits = entry->data;

	seq_printf(out, "%u\n", READ_ONCE(*limits->value));
}

int proc_write_limited(char *text, const struct proc_entry *entry)
{
	const struct proc_limits *limits = entry->data;

	return write_between(text, limits->value, limits->least, limits->most);
}
