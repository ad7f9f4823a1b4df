/* /proc/kallsyms: the kernel's functions, from the table that names them in backtraces. Context: process. */
#include <fs/proc/tree.h>

#include <kernel/ksyms.h>
#include <kernel/lib/string.h>
#include <kernel/mm/layout.h>
#include <kernel/sched.h>

#define SYMBOL_SIZE 256

/* ksym_format() writes "name+0x0/0x80": the size leads to the next symbol. */
static u64 symbol_size(u64 address)
{
	char text[SYMBOL_SIZE];
	const char *slash = strrchr(ksym_format(address, text, sizeof(text)), '/');
	u64 size;

	return slash && !parse_u64(slash + 1, NULL, &size) ? size : 0;
}

/* Where things are is root's to know. */
static void show_kallsyms(struct seq_buf *out, const struct proc_entry *entry)
{
	bool may = current->cred.euid == 0;
	u64 address = (u64)text_start, offset, size = 1;

	for (; address < (u64)text_end && size; address += size) {
		const char *name = ksym_lookup(address, &offset);

		if (!name)
			break;
		seq_printf(out, "%016llx T %s\n", may ? address : 0, name);
		size = symbol_size(address);
		cond_resched();
	}
}

static const struct proc_entry files[] = {
	{ "kallsyms", 0444, .show = show_kallsyms },
};

void proc_symbols_init(void)
{
	PROC_REGISTER("", files);
}
