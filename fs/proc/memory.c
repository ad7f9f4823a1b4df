/* Where the memory is: meminfo, vmstat, buddyinfo, slabinfo. Context: process. */
#include <fs/proc/pid.h>
#include <fs/proc/tree.h>

#include <fs/kvmalloc.h>
#include <kernel/mm/page.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>

static u64 pages_to_kib(u64 pages)
{
	return pages * (PAGE_SIZE / KiB);
}

static u64 stack_kib(void)
{
	u64 stacks = 0;

	for (u32 number = 1; (number = next_task(number)); number++)
		stacks++;
	return stacks * (KERNEL_STACK_SIZE / KiB);
}

/* Nothing is cached that a disk would still have, so what is used cannot be had back: "available" is what
 * is free. */
static void show_meminfo(struct seq_buf *out, const struct proc_entry *entry)
{
	struct page_stats pages;

	page_stats_read(&pages);
	const struct {
		const char *name;
		u64 kib;
	} lines[] = {
		{ "MemTotal:", pages_to_kib(pages.total) },
		{ "MemFree:", pages_to_kib(pages.free) },
		{ "MemAvailable:", pages_to_kib(pages.free) },
		{ "Buffers:", 0 },
		{ "Cached:", 0 },
		{ "SwapCached:", 0 },
		{ "SwapTotal:", 0 },
		{ "SwapFree:", 0 },
		{ "Dirty:", 0 },
		{ "Writeback:", 0 },
		{ "Slab:", pages_to_kib(pages.used[PAGES_SLAB]) },
		{ "SReclaimable:", 0 },
		{ "SUnreclaim:", pages_to_kib(pages.used[PAGES_SLAB]) },
		{ "KernelStack:", stack_kib() },
		{ "PageTables:", pages_to_kib(pages.used[PAGES_TABLES]) },
		{ "KernelTables:", pages_to_kib(pages.used[PAGES_KERNEL_TABLES]) },
		{ "VmallocTotal:", (VMALLOC_END - VMALLOC_START) / KiB },
		{ "VmallocUsed:", pages_to_kib(pages.used[PAGES_VMALLOC]) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		seq_printf(out, "%-15s %8llu kB\n", lines[i].name, lines[i].kib);
}

static void show_vmstat(struct seq_buf *out, const struct proc_entry *entry)
{
	struct page_stats pages;

	page_stats_read(&pages);
	seq_printf(out, "nr_free_pages %llu\nnr_slab_reclaimable 0\nnr_slab_unreclaimable %llu\n",
		   pages.free, pages.used[PAGES_SLAB]);
	seq_printf(out, "nr_page_table_pages %llu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n",
		   pages.used[PAGES_TABLES]);
}

static void show_buddyinfo(struct seq_buf *out, const struct proc_entry *entry)
{
	struct page_stats pages;

	page_stats_read(&pages);
	seq_printf(out, "Node 0, zone   Normal ");
	for (u32 order = 0; order <= MAX_ORDER; order++)
		seq_printf(out, "%6llu ", pages.free_blocks[order]);
	seq_putc(out, '\n');
}

/* ---- slabinfo ------------------------------------------------------------------------------------------ */

/* The caches are gone through under a lock, where no text can be made. */
struct slab_list {
	struct slab_stats *stats; /* NULL: only count */
	u32 count, size;
};

static void collect(const struct slab_stats *stats, void *arg)
{
	struct slab_list *list = arg;

	if (list->count < list->size)
		list->stats[list->count] = *stats;
	list->count++;
}

static void print_slab(struct seq_buf *out, const struct slab_stats *stats)
{
	seq_printf(out, "%-17s %6llu %6llu %6u %4u %4u : tunables    0    0    0 : slabdata ",
		   stats->name, stats->active_objects, stats->total_objects, stats->object_size,
		   stats->objects_per_slab, stats->pages_per_slab);
	seq_printf(out, "%6llu %6llu      0\n", stats->slabs, stats->slabs);
}

static void show_slabinfo(struct seq_buf *out, const struct proc_entry *entry)
{
	struct slab_list list = { 0 };

	slab_stats_for_each(collect, &list);
	list = (struct slab_list){ .size = list.count,
				   .stats = kvmalloc(list.count * sizeof(*list.stats)) };
	if (!list.stats) {
		out->failed = true;
		return;
	}
	slab_stats_for_each(collect, &list);
	seq_printf(out, "slabinfo - version: 2.1\n");
	seq_printf(
		out,
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor>"
		" : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (u32 i = 0; i < min(list.count, list.size); i++)
		print_slab(out, &list.stats[i]);
	kvfree(list.stats);
}

static const struct proc_entry files[] = {
	{ "buddyinfo", 0444, .show = show_buddyinfo },
	{ "meminfo", 0444, .show = show_meminfo },
	{ "slabinfo", 0400, .show = show_slabinfo },
	{ "vmstat", 0444, .show = show_vmstat },
};

void proc_memory_init(void)
{
	PROC_REGISTER("", files);
}
