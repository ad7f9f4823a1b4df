/*
 * The page tables of programs. Each table counts its entries in use (in its struct page), and a
 * table whose count falls to zero is freed at once: so the tables always fit the pages, however a
 * program scatters its mappings, and nobody ever has to search tables for what can go.
 *
 * A table that becomes free is full of zeroes again. Each CPU keeps a few for its next fork.
 *
 * Accessed and dirty bits are set from the start: nobody looks at them, and the CPU need not write
 * them. That is also why entries can be changed by plain stores: the CPU never changes them
 * meanwhile.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/cpu/asm.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/sched.h>

#define PTE_TABLE (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED) /* what is below decides */

/* ---- tables ---------------------------------------------------------------------------------- */

#define CACHED_TABLES 16

/* Touched by its CPU only, in process context, and not across a sleep. */
struct table_cache {
	u32 count;
	pte_t *tables[CACHED_TABLES];
};
static DEFINE_PER_CPU(struct table_cache, table_cache);

pte_t *table_alloc(void)
{
	struct table_cache *cache = this_cpu_ptr(table_cache);
	struct page *page;

	page_account(PAGES_TABLES, 1);
	if (likely(cache->count))
		return cache->tables[--cache->count];
	page = alloc_page(GFP_KERNEL | GFP_ZERO);
	if (page)
		return page_address(page);
	page_account(PAGES_TABLES, -1);
	return NULL;
}

void table_free(pte_t *table)
{
	struct table_cache *cache = this_cpu_ptr(table_cache);

	page_account(PAGES_TABLES, -1);
	if (cache->count < CACHED_TABLES)
		cache->tables[cache->count++] = table;
	else
		free_page(virt_to_page(table));
}

void tables_drain_cpu(void)
{
	struct table_cache *cache = this_cpu_ptr(table_cache);

	while (cache->count)
		free_page(virt_to_page(cache->tables[--cache->count]));
}

/* How many entries of the table that `entry` is in are used. */
static inline u16 *entries_used(const pte_t *entry)
{
	return &virt_to_page(entry)->flags;
}

void set_new_entry(pte_t *entry, pte_t value)
{
	debug_assert(!*entry);
	(*entries_used(entry))++;
	WRITE_ONCE(*entry, value);
}

pte_t *user_entry(struct mm *mm, u64 address)
{
	pte_t *table = mm->pml4;

	for (enum page_level level = LEVEL_TOP; level > LEVEL_4K; level--) {
		pte_t entry = table[level_index(address, level)];

		if (!entry)
			return NULL;
		table = table_of(entry);
	}
	return table_entry(table, address);
}

/* No memory half-way: the tables that were made for nothing go. */
static pte_t *create_failed(struct mm *mm, u64 address)
{
	struct vm_gather gather;

	gather_begin(&gather, mm);
	prune_tables(&gather, address);
	gather_end(&gather);
	return NULL;
}

pte_t *user_entry_create(struct mm *mm, u64 address)
{
	pte_t *table = mm->pml4;

	for (enum page_level level = LEVEL_TOP; level > LEVEL_4K; level--) {
		pte_t *entry = &table[level_index(address, level)];

		if (unlikely(!*entry)) {
			pte_t *lower = table_alloc();

			if (!lower)
				return create_failed(mm, address);
			set_new_entry(entry, virt_to_phys(lower) | PTE_TABLE);
		}
		table = table_of(*entry);
	}
	return table_entry(table, address);
}

pte_t *next_leaf_table(pte_t *pml4, u64 *address, u64 end)
{
	u64 at = *address;

	while (at < end) {
		enum page_level level = LEVEL_TOP;
		pte_t *table = pml4;

		for (;;) {
			pte_t entry = table[level_index(at, level)];

			if (!entry)
				break;
			table = table_of(entry);
			if (--level == LEVEL_4K) {
				*address = at;
				return table;
			}
		}
		at = (at | (BIT(level_shift(level)) - 1)) + 1; /* behind what is missing */
	}
	return NULL;
}

/* The first entry in use of [entry, end), or something not below `end`. By cache lines, where whole
 * ones are empty. */
static __always_inline pte_t *next_used_entry(pte_t *entry, const pte_t *end)
{
	while (entry < end && !*entry) {
		if ((u64)entry % 64 == 0 &&
		    !(entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] | entry[7]))
			entry += 8;
		else
			entry++;
	}
	return entry;
}

void prune_tables(struct vm_gather *gather, u64 address)
{
	pte_t *path[LEVEL_TOP + 1]; /* the entry of each level on the way */
	enum page_level level = LEVEL_TOP;
	pte_t *table = gather->mm->pml4;

	for (;; level--) {
		path[level] = &table[level_index(address, level)];
		if (level == LEVEL_4K || !*path[level])
			break;
		table = table_of(*path[level]);
	}
	for (; level < LEVEL_TOP && !*entries_used(path[level]); level++) {
		struct page *page = virt_to_page(path[level]);

		list_add(&page->link, &gather->tables);
		WRITE_ONCE(*path[level + 1], 0);
		(*entries_used(path[level + 1]))--;
	}
}

void free_unused_tables(struct mm *mm)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &mm->unused_tables, link)
		table_free(page_address(page));
	INIT_LIST_HEAD(&mm->unused_tables);
}

/* ---- unmapping ------------------------------------------------------------------------------- */

void gather_begin(struct vm_gather *gather, struct mm *mm)
{
	gather->mm = mm;
	gather->dead = !mm->users;
	gather->start = gather->end = 0;
	gather->nr_pages = 0;
	INIT_LIST_HEAD(&gather->tables);
}

/* Only now that no TLB knows them any more may the pages be used for something else. */
static void gather_flush(struct vm_gather *gather)
{
	if (!gather->dead && gather->start < gather->end)
		flush_tlb_user(gather->mm, gather->start, gather->end);
	for (u32 i = 0; i < gather->nr_pages; i++)
		put_page(gather->pages[i]);
	gather->nr_pages = 0;
	gather->start = gather->end = 0;
}

void gather_end(struct vm_gather *gather)
{
	struct mm *mm = gather->mm;
	struct page *page, *next;

	/* A flush of any address makes a CPU forget all tables that it remembers. */
	if (gather->start == gather->end && !list_empty(&gather->tables))
		gather->end = gather->start + PAGE_SIZE;
	gather_flush(gather);
	if (gather->dead) {
		/* This CPU, and one that runs a kernel thread, may still have it loaded: nobody
		 * uses the addresses, but the CPU may read tables ahead. */
		list_splice_init(&gather->tables, &mm->unused_tables);
		return;
	}
	list_for_each_entry_safe(page, next, &gather->tables, link)
		table_free(page_address(page));
}

/* By rising addresses. */
static inline void gather_page(struct vm_gather *gather, struct page *page, u64 address)
{
	if (!gather->end)
		gather->start = address;
	gather->end = address + PAGE_SIZE;
	gather->pages[gather->nr_pages++] = page;
	if (gather->nr_pages == GATHER_PAGES)
		gather_flush(gather);
}

static void zap_leaf(struct vm_gather *gather, pte_t *table, u64 start, u64 end)
{
	pte_t *first = table_entry(table, start), *last = first + (end - start) / PAGE_SIZE;
	struct vm_usage *usage = &gather->mm->usage;
	u32 pages = 0, anonymous = 0;

	for (pte_t *entry = next_used_entry(first, last); entry < last;
	     entry = next_used_entry(entry + 1, last)) {
		pte_t value = *entry;

		WRITE_ONCE(*entry, 0);
		pages++;
		anonymous += !!(value & PTE_ANON);
		gather_page(gather, page_of(value), start + (u64)(entry - first) * PAGE_SIZE);
	}
	usage->rss -= pages;
	usage->rss_file -= pages - anonymous;
	*entries_used(table) -= (u16)pages;
	if (!*entries_used(table))
		prune_tables(gather, start);
}

void zap_range(struct vm_gather *gather, u64 start, u64 end)
{
	pte_t *table;

	while ((table = next_leaf_table(gather->mm->pml4, &start, end))) {
		u64 stop = min(end, leaf_end(start));

		zap_leaf(gather, table, start, stop);
		start = stop;
		cond_resched();
	}
}

/* ---- protection ------------------------------------------------------------------------------ */

pte_t area_entry(const struct vm_area *area, struct page *page)
{
	pte_t entry = page_to_phys(page) | PTE_USER | PTE_ACCESSED | PTE_DIRTY;

	entry |= area->flags & VM_PROT ? PTE_PRESENT : PTE_HELD;
	return area->flags & VM_EXEC ? entry : entry | pte_nx;
}

/* A private page stays write-protected: the fault finds out whether it must be copied. */
static pte_t protected_entry(const struct vm_area *area, pte_t old)
{
	pte_t entry = area_entry(area, page_of(old)) | (old & PTE_ANON);

	if ((area->flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE))
		entry |= PTE_WRITE;
	else if (area->flags & VM_WRITE)
		entry |= old & PTE_WRITE;
	return entry;
}

void protect_range(struct vm_area *area, u64 start, u64 end)
{
	u64 at = start, flush_start = end, flush_end = start;
	pte_t *table;

	while ((table = next_leaf_table(area->mm->pml4, &at, end))) {
		u64 base = at, stop = min(end, leaf_end(at));
		pte_t *first = table_entry(table, at), *last = first + (stop - at) / PAGE_SIZE;

		for (pte_t *entry = next_used_entry(first, last); entry < last;
		     entry = next_used_entry(entry + 1, last)) {
			at = base + (u64)(entry - first) * PAGE_SIZE;
			WRITE_ONCE(*entry, protected_entry(area, *entry));
			flush_start = min(flush_start, at);
			flush_end = at + PAGE_SIZE;
		}
		at = stop;
	}
	if (flush_start < flush_end)
		flush_tlb_user(area->mm, flush_start, flush_end);
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* Tables for all that will come, so that nothing can fail half-way. */
static int create_target_tables(struct mm *mm, u64 from, u64 to, u64 size)
{
	u64 at = from, end = from + size;

	while (next_leaf_table(mm->pml4, &at, end)) {
		u64 stop = min(end, leaf_end(at));

		if (!user_entry_create(mm, at - from + to) ||
		    !user_entry_create(mm, stop - PAGE_SIZE - from + to))
			return -ENOMEM;
		at = stop;
	}
	return 0;
}

/* Of those, the ones that were not needed; and the ones that have been emptied. */
static void prune_range(struct vm_gather *gather, u64 start, u64 end)
{
	for (; next_leaf_table(gather->mm->pml4, &start, end); start = leaf_end(start))
		prune_tables(gather, start);
}

static void move_entries(struct vm_gather *gather, u64 from, u64 to, u64 size)
{
	struct mm *mm = gather->mm;
	u64 at = from, end = from + size;
	pte_t *table;

	while ((table = next_leaf_table(mm->pml4, &at, end))) {
		u64 stop = min(end, leaf_end(at));

		for (; at < stop; at += PAGE_SIZE) {
			pte_t *entry = table_entry(table, at);

			if (!*entry)
				continue;
			set_new_entry(user_entry(mm, at - from + to), *entry);
			WRITE_ONCE(*entry, 0);
			(*entries_used(entry))--;
			if (!gather->end)
				gather->start = at;
			gather->end = at + PAGE_SIZE;
		}
	}
}

int move_range(struct mm *mm, u64 from, u64 to, u64 size)
{
	int error = create_target_tables(mm, from, to, size);
	struct vm_gather gather;

	gather_begin(&gather, mm);
	if (!error)
		move_entries(&gather, from, to, size);
	prune_range(&gather, from, from + size);
	prune_range(&gather, to, to + size);
	gather_end(&gather);
	return error;
}

/* ---- fork ------------------------------------------------------------------------------------ */

struct fork_copy {
	struct mm *new;
	bool private;
	u32 *nr_protected;
};

/* Both may read a private page, and the first that writes gets a copy. */
static pte_t write_protect(pte_t *entry, u64 address, u32 *nr_protected)
{
	WRITE_ONCE(*entry, *entry & ~PTE_WRITE);
	if (++*nr_protected <= FLUSH_ALL_PAGES)
		invlpg((void *)address);
	return *entry;
}

static void copy_leaf(const struct fork_copy *copy, u64 address, pte_t *from, pte_t *to, u64 number)
{
	u32 copied = 0, anonymous = 0;

	for (pte_t *entry = next_used_entry(from, from + number); entry < from + number;
	     entry = next_used_entry(entry + 1, from + number)) {
		u64 index = (u64)(entry - from);
		pte_t value = *entry;

		if (copy->private && value & PTE_WRITE)
			value = write_protect(entry, address + index * PAGE_SIZE,
					      copy->nr_protected);
		get_page(page_of(value));
		to[index] = value;
		copied++;
		anonymous += !!(value & PTE_ANON);
	}
	*entries_used(to) += (u16)copied;
	copy->new->usage.rss += copied;
	copy->new->usage.rss_file += copied - anonymous;
}

int copy_range(struct mm *new, struct vm_area *area, u32 *nr_protected)
{
	struct fork_copy copy = { new, !(area->flags & VM_SHARED), nr_protected };
	u64 at = area->start, stop, number;
	pte_t *table;

	for (; (table = next_leaf_table(area->mm->pml4, &at, area->end)); at = stop) {
		pte_t *from = table_entry(table, at), *to;

		stop = min(area->end, leaf_end(at));
		number = (stop - at) / PAGE_SIZE;
		if (next_used_entry(from, from + number) >= from + number)
			continue;
		to = user_entry_create(new, at);
		if (!to)
			return -ENOMEM;
		copy_leaf(&copy, at, from, to, number);
		cond_resched();
	}
	return 0;
}
