/* What the files of kernel/mm/vm_*.c share. All with mm->mmap_lock held, or in a space nobody else
 * sees. */
#pragma once

#include <kernel/mm/vm.h>

#define MAX_AREAS	 65530	    /* of one address space: vm.max_map_count */
#define MMAP_MIN_ADDRESS (64 * KiB) /* vm.mmap_min_addr */
#define STACK_GUARD_GAP	 (256 * PAGE_SIZE)

/* ---- page tables: vm_table.c ----------------------------------------------------------------- */

/* An entry is 0, or holds a page: then it counts as one reference to that page. */
#define PTE_ANON PTE_SOFT1 /* a page of this address space and its forks; otherwise a file's */
#define PTE_HELD PTE_SOFT2 /* not present: the page is kept while the area permits nothing */

static inline struct page *page_of(pte_t entry)
{
	return phys_to_page(entry & PTE_ADDRESS);
}

static inline pte_t *table_entry(pte_t *leaf_table, u64 address)
{
	return &leaf_table[level_index(address, LEVEL_4K)];
}

/* The end of what the leaf table of `address` covers. */
static inline u64 leaf_end(u64 address)
{
	return ALIGN_DOWN(address, HUGE_SIZE) + HUGE_SIZE;
}

/* The leaf table of *address, or else the first behind it that exists: *address moves there. NULL:
 * none before `end`. */
pte_t *next_leaf_table(pte_t *pml4, u64 *address, u64 end);
/* The entry for an address; NULL: its table does not exist, or (create) no memory. */
pte_t *user_entry(struct mm *mm, u64 address);
pte_t *user_entry_create(struct mm *mm, u64 address);
/* Fill an entry that is 0, and take note in its table. */
void set_new_entry(pte_t *entry, pte_t value);

/* What was unmapped and may still be in TLBs: pages and tables are freed when it has been
 * flushed. */
#define GATHER_PAGES 64
struct vm_gather {
	struct mm *mm;
	bool dead; /* nobody will use this address space again: no flush */
	u64 start, end;
	u32 nr_pages;
	struct list_head tables;
	struct page *pages[GATHER_PAGES];
};
void gather_begin(struct vm_gather *gather, struct mm *mm);
void gather_end(struct vm_gather *gather);
/* Unmap the pages of a range. */
void zap_range(struct vm_gather *gather, u64 start, u64 end);
/* Free the tables on the way to `address` that hold nothing. */
void prune_tables(struct vm_gather *gather, u64 address);

/* The present pages of the area get its protection. */
void protect_range(struct vm_area *area, u64 start, u64 end);
/* Move pages to where there are none. -ENOMEM: nothing was moved. */
int move_range(struct mm *mm, u64 from, u64 to, u64 size) __must_check;
/* fork: the pages of an area into the new space; private ones are write-protected in both. How many
 * were so for the first time is added to *nr_protected; the first FLUSH_ALL_PAGES are flushed here
 * and now. */
int copy_range(struct mm *new, struct vm_area *area, u32 *nr_protected) __must_check;

/* The tables of a space that no CPU has loaded any more. */
void free_unused_tables(struct mm *mm);
pte_t *table_alloc(void);
void table_free(pte_t *table);

/* The entry for a page of this area: protection from the area's flags, without write permission. */
pte_t area_entry(const struct vm_area *area, struct page *page);

/* ---- areas: vm_area.c ------------------------------------------------------------------------ */

void areas_init(void);
/* References to file and backing of a copied area. */
void area_hold(struct vm_area *area);
void area_release(struct vm_area *area);
struct vm_area *area_alloc(void);
void area_free(struct vm_area *area); /* and releases */

struct vm_area *area_before(struct mm *mm, u64 address);
bool area_contains(const struct vm_area *area, u64 address);

/* Add a copy of `area`, or let a neighbour grow; takes over its references, also on failure
 * (-ENOMEM). */
int area_add(const struct vm_area *area) __must_check;
/* Put one into the tree, without merging; and take it out. */
void area_link(struct vm_area *area);
void area_unlink(struct vm_area *area);
/* Behind the last one of a new tree, *last, which it becomes. */
void area_append(struct vm_area *area, struct rb_node **last);
/* Now two, the upper one new. -ENOMEM */
int area_split(struct vm_area *area, u64 at) __must_check;
/* Join with neighbours that continue it; returns the area that contains it now. */
struct vm_area *area_merge(struct vm_area *area);
/* The area's flags change: accounts for it. */
void area_set_flags(struct vm_area *area, u32 flags);
/* The area's bounds change, at its own cost. */
void area_resize(struct vm_area *area, u64 start, u64 end);
/* Cut areas so that one begins at `start` and one ends at `end`, if any contains these. */
int areas_cut(struct mm *mm, u64 start, u64 end) __must_check;
/* Cut [start, end), which lies in the area, off the rest of it. Returns the area that is just that; NULL: -ENOMEM. */
struct vm_area *area_cut_out(struct vm_area *area, u64 start, u64 end);
/* That part of the area has other flags, and may be merged with a neighbour. 0 or -ENOMEM */
int area_change_flags(struct vm_area *area, u64 start, u64 end, u32 set, u32 clear) __must_check;

/* A gap of this size below mmap_top, or anywhere; 0: none. */
u64 find_gap(struct mm *mm, u64 size);
/* One for MAP_32BIT: below 2 GiB. 0: none. */
u64 find_low_gap(struct mm *mm, u64 size);
/* After [start, end) became free. */
void gap_freed(struct mm *mm, u64 end);

/* May so much more be mapped: RLIMIT_AS, RLIMIT_DATA, and not plainly more than there is. 0 or
 * -ENOMEM. */
int may_expand(struct mm *mm, u32 flags, u64 size) __must_check;
/* The same without RLIMIT_AS: what is mapped becomes writable. */
bool may_become_data(struct mm *mm, u32 flags, u64 size);
u64 mm_limit(u32 which); /* current's rlimit; a kernel thread has none */
bool may_lock_memory(void);
bool over_lock_limit(struct mm *mm, u64 more);

/* Areas and pages of [start, end) go. -ENOMEM: nothing happened, or an area was cut in two. */
int unmap_range(struct mm *mm, u64 start, u64 end) __must_check;

/* ---- faults: vm_fault.c ---------------------------------------------------------------------- */

enum fault_result {
	FAULT_DONE,
	FAULT_NO_AREA, /* SEGV_MAPERR */
	FAULT_DENIED,  /* SEGV_ACCERR */
	FAULT_BEYOND,  /* BUS_ADRERR: beyond the end of the file */
	FAULT_NO_MEMORY,
};

/* Make the page at `address` accessible so; `access` is one of VM_READ, VM_WRITE, VM_EXEC. */
enum fault_result fault_in(struct mm *mm, u64 address, u32 access);
/* Bring in what is mapped in the range, as far as it goes. */
enum fault_result populate_range(struct mm *mm, u64 start, u64 end);

/* ---- address spaces: vm_mm.c ----------------------------------------------------------------- */

void mm_cache_init(void);
void mm_free(struct mm *mm);

static inline bool mm_drop_reference(struct mm *mm)
{
	return __atomic_sub_fetch(&mm->refcount, 1, __ATOMIC_ACQ_REL) == 0;
}

/* ---- what is loaded: vm_tlb.c ---------------------------------------------------------------- */

#define FLUSH_ALL_PAGES 64 /* more single flushes cost more than a reload of CR3 */

/* After copy_range(): whatever is not flushed yet, on all CPUs. */
void flush_tlb_protected(struct mm *mm, u32 nr_pages);
/* CPUs that run a kernel thread on it let go of it. */
void unload_elsewhere(struct mm *mm);

/* ---- shared anonymous memory: vm_shared.c ---------------------------------------------------- */

int shared_memory_map(struct vm_area *area);
void shared_memory_init(void);
