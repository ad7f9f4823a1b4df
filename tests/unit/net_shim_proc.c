/* See net_shim.h: /proc, as far as what net/ shows there. Without libc's headers: they have types of the same names. */
#include "net_shim.h"

#include <fs/proc/proc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>

/* Of /proc, a test reads one file at a time. */
#define MAX_PROC_TABLES 32
static struct proc_table {
	const char *directory;
	const struct proc_entry *entries;
	size_t count;
} proc_tables[MAX_PROC_TABLES];
static u32 nr_proc_tables;

void proc_register(const char *directory, const struct proc_entry *entries, size_t count)
{
	if (nr_proc_tables == MAX_PROC_TABLES)
		panic("too many tables for /proc");
	proc_tables[nr_proc_tables++] = (struct proc_table){ directory, entries, count };
}

static const struct proc_entry *find_proc(const char *directory, const char *name)
{
	for (u32 i = 0; i < nr_proc_tables; i++)
		for (size_t e = 0; e < proc_tables[i].count; e++)
			if (!strcmp(proc_tables[i].directory, directory) &&
			    !strcmp(proc_tables[i].entries[e].name, name))
				return &proc_tables[i].entries[e];
	panic("/proc/%s/%s is not there", directory, name);
}

char *net_shim_proc_read(const char *directory, const char *name)
{
	const struct proc_entry *entry = find_proc(directory, name);
	static char text[65536];
	struct seq_buf out = { 0 };

	entry->show(&out, entry);
	snprintf(text, sizeof(text), "%.*s", (int)out.length, out.text ?: "");
	seq_free(&out);
	return text;
}

int net_shim_proc_write(const char *directory, const char *name, const char *text)
{
	const struct proc_entry *entry = find_proc(directory, name);
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	return entry->write(copy, entry);
}
