/*
 * The areas of an address space: a tree by address. Areas never overlap; neighbours that continue
 * each other are joined, so that a program that maps page after page has one area, not thousands.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/memmap.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/process.h>

static struct kmem_cache *area_cache;
const struct vm_file_hooks *vm_files;

void areas_init(void)
{
	area_cache = kmem_cache_create("vm_area", sizeof(struct vm_area), 8);
}

static inline u64 area_pages(const struct vm_area *area)
{
	return (area->end - area->start) / PAGE_SIZE;
}

/* ---- limits ---------------------------------------------------------------------------------- */

u64 mm_limit(u32 which)
{
	return current->process ? rlimit(which) : RLIM_INFINITY;
}

/* Private and writable: pages that the program can make its own. */
static bool is_data(u32 flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

static bool is_accountable(u32 flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE)) == VM_WRITE;
}

/* More data than the limit, or plainly more than there is. */
bool may_become_data(struct mm *mm, u32 flags, u64 size)
{
	u64 data = mm->usage.data + size / PAGE_SIZE;

	if (is_data(flags) && data > mm_limit(RLIMIT_DATA) / PAGE_SIZE)
		return false;
	return !is_accountable(flags) || size <= memmap_total();
}

int may_expand(struct mm *mm, u32 flags, u64 size)
{
	u64 total = mm->usage.total + size / PAGE_SIZE;

	if (total > mm_limit(RLIMIT_AS) / PAGE_SIZE)
		return -ENOMEM;
	return may_become_data(mm, flags, size) ? 0 : -ENOMEM;
}

static bool is_privileged(void)
{
	return !current->process || current->cred.euid == 0;
}

bool may_lock_memory(void)
{
	return is_privileged() || mm_limit(RLIMIT_MEMLOCK);
}

bool over_lock_limit(struct mm *mm, u64 more)
{
	u64 limit = mm_limit(RLIMIT_MEMLOCK);

	return !is_privileged() && mm->usage.locked * PAGE_SIZE + more > limit;
}

static void account(struct mm *mm, u32 flags, s64 pages)
{
	struct vm_usage *usage = &mm->usage;

	usage->total += (u64)pages;
	usage->peak_total = max(usage->peak_total, usage->total);
	if (is_data(flags))
		usage->data += (u64)pages;
	else if (flags & VM_GROWSDOWN)
		usage->stack += (u64)pages;
	else if ((flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
		usage->exec += (u64)pages;
	if (flags & VM_LOCKED)
		usage->locked += (u64)pages;
}

/* ---- one area -------------------------------------------------------------------------------- */

struct vm_area *area_alloc(void)
{
	return kmem_cache_alloc(area_cache, GFP_KERNEL);
}

void area_hold(struct vm_area *area)
{
	if (area->file)
		vm_files->get(area->file);
	if (area->ops && area->ops->open)
		area->ops->open(area);
}

void area_release(struct vm_area *area)
{
	if (area->ops && area->ops->close)
		area->ops->close(area);
	if (area->file)
		vm_files->put(area->file);
}

void area_free(struct vm_area *area)
{
	area_release(area);
	kmem_cache_free(area_cache, area);
}

bool area_contains(const struct vm_area *area, u64 address)
{
	return area && area->start <= address && address < area->end;
}

void area_set_flags(struct vm_area *area, u32 flags)
{
	account(area->mm, area->flags, -(s64)area_pages(area));
	area->flags = flags;
	account(area->mm, flags, (s64)area_pages(area));
}

void area_resize(struct vm_area *area, u64 start, u64 end)
{
	account(area->mm, area->flags, -(s64)area_pages(area));
	if (area->ops || area->file)
		area->pgoff += (start - area->start) / PAGE_SIZE;
	area->start = start;
	area->end = end;
	account(area->mm, area->flags, (s64)area_pages(area));
}

const char *vm_area_name(const struct vm_area *area)
{
	const struct mm *mm = area->mm;

	if (area->start < mm->brk && mm->brk_start < area->end)
		return "[heap]";
	if (area_contains(area, mm->stack_top - 1))
		return "[stack]";
	return NULL;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static inline struct vm_area *area_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct vm_area, node) : NULL;
}

struct vm_area *vm_find(struct mm *mm, u64 address)
{
	struct rb_node *node = mm->areas.rb_node;
	struct vm_area *found = NULL;

	while (node) {
		struct vm_area *area = rb_entry(node, struct vm_area, node);

		if (address >= area->end) {
			node = node->rb_right;
		} else {
			found = area;
			if (address >= area->start)
				break;
			node = node->rb_left;
		}
	}
	return found;
}

struct vm_area *vm_next(struct vm_area *area)
{
	return area_of(rb_next(&area->node));
}

/* The last area that begins below `address`. */
struct vm_area *area_before(struct mm *mm, u64 address)
{
	struct rb_node *node = mm->areas.rb_node;
	struct vm_area *found = NULL;

	while (node) {
		struct vm_area *area = rb_entry(node, struct vm_area, node);

		if (area->start < address) {
			found = area;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return found;
}

static bool area_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct vm_area, node)->start < rb_entry(b, struct vm_area, node)->start;
}

void area_link(struct vm_area *area)
{
	struct mm *mm = area->mm;

	rb_add(&area->node, &mm->areas, area_less);
	mm->nr_areas++;
	account(mm, area->flags, (s64)area_pages(area));
}

void area_append(struct vm_area *area, struct rb_node **last)
{
	struct mm *mm = area->mm;

	rb_link_node(&area->node, *last, *last ? &(*last)->rb_right : &mm->areas.rb_node);
	rb_insert_color(&area->node, &mm->areas);
	*last = &area->node;
	mm->nr_areas++;
	account(mm, area->flags, (s64)area_pages(area));
}

void area_unlink(struct vm_area *area)
{
	struct mm *mm = area->mm;

	rb_erase(&area->node, &mm->areas);
	mm->nr_areas--;
	account(mm, area->flags, -(s64)area_pages(area));
}

/* Could the two be one? */
static bool continues(const struct vm_area *low, const struct vm_area *high)
{
	return low && high && low->end == high->start && low->flags == high->flags &&
	       low->file == high->file && low->ops == high->ops && low->shared == high->shared &&
	       ((!low->file && !low->ops) || low->pgoff + area_pages(low) == high->pgoff);
}

int area_add(const struct vm_area *new)
{
	struct vm_area *below = area_before(new->mm, new->start), *area;

	if (continues(below, new)) {
		struct vm_area duplicate = *new;

		area_release(&duplicate);
		area_resize(below, below->start, new->end);
		area_merge(below);
		return 0;
	}
	area = area_alloc();
	if (!area) {
		struct vm_area unused = *new;

		area_release(&unused);
		return -ENOMEM;
	}
	*area = *new;
	area_link(area);
	area_merge(area);
	return 0;
}

/* `low` takes over what `high` covered. */
static void join(struct vm_area *low, struct vm_area *high)
{
	u64 end = high->end;

	area_unlink(high);
	area_free(high);
	area_resize(low, low->start, end);
}

struct vm_area *area_merge(struct vm_area *area)
{
	struct vm_area *below = area_of(rb_prev(&area->node)), *above = vm_next(area);

	if (continues(area, above))
		join(area, above);
	if (continues(below, area)) {
		join(below, area);
		area = below;
	}
	return area;
}

int area_split(struct vm_area *area, u64 at)
{
	struct vm_area *upper = area_alloc();

	if (!upper)
		return -ENOMEM;
	*upper = *area;
	if (area->ops || area->file)
		upper->pgoff += (at - area->start) / PAGE_SIZE;
	upper->start = at;
	area_hold(upper);
	area_resize(area, area->start, at);
	area_link(upper);
	return 0;
}

/* Where an area ends or begins there need be no cut. */
static int cut_at(struct mm *mm, u64 at)
{
	struct vm_area *area = vm_find(mm, at);

	return area && area->start < at ? area_split(area, at) : 0;
}

int areas_cut(struct mm *mm, u64 start, u64 end)
{
	int error = cut_at(mm, start);

	return error ? error : cut_at(mm, end);
}

struct vm_area *area_cut_out(struct vm_area *area, u64 start, u64 end)
{
	struct mm *mm = area->mm;

	if ((area->start < start || end < area->end) &&
	    (mm->nr_areas >= MAX_AREAS || areas_cut(mm, start, end)))
		return NULL;
	return vm_find(mm, start);
}

int area_change_flags(struct vm_area *area, u64 start, u64 end, u32 set, u32 clear)
{
	u32 flags = (area->flags & ~clear) | set;

	if (flags == area->flags)
		return 0;
	area = area_cut_out(area, start, end);
	if (!area)
		return -ENOMEM;
	area_set_flags(area, flags);
	area_merge(area);
	return 0;
}

/* ---- gaps ------------------------------------------------------------------------------------ */

/* The lowest address that another mapping may end at, below this area. */
static u64 gap_end(const struct vm_area *area)
{
	if (!(area->flags & VM_GROWSDOWN))
		return area->start;
	return area->start > STACK_GUARD_GAP ? area->start - STACK_GUARD_GAP : 0;
}

/* The highest gap of this size below `top`. *largest: of those that are too small. */
static u64 find_gap_below(struct mm *mm, u64 size, u64 top, u64 *largest)
{
	struct vm_area *area = area_before(mm, top), *above = vm_find(mm, top);

	if (above && above->start >= top)
		top = min(top, gap_end(above));
	for (;;) {
		u64 bottom = area ? max(area->end, MMAP_MIN_ADDRESS) : MMAP_MIN_ADDRESS;

		if (top > bottom && top - bottom >= size)
			return top - size;
		if (top > bottom)
			*largest = max(*largest, top - bottom);
		if (!area)
			return 0;
		top = gap_end(area);
		area = area_of(rb_prev(&area->node));
	}
}

u64 find_gap(struct mm *mm, u64 size)
{
	u64 top = min(mm->gap_hint, mm->mmap_top), ignored, found;

	if (size <= mm->gap_above) {
		top = mm->mmap_top;
		mm->gap_above = 0;
	}
	found = find_gap_below(mm, size, top, &mm->gap_above);
	if (found) {
		mm->gap_hint = found;
		return found;
	}
	mm->gap_hint = mm->mmap_top;
	mm->gap_above = 0;
	return find_gap_below(mm, size, USER_END, &ignored);
}

#define LOW_TOP (1UL << 31)

u64 find_low_gap(struct mm *mm, u64 size)
{
	u64 ignored;

	return find_gap_below(mm, size, LOW_TOP, &ignored);
}

void gap_freed(struct mm *mm, u64 end)
{
	struct vm_area *above = vm_find(mm, end);
	u64 top = above ? above->start : USER_END;

	if (top > mm->gap_hint)
		mm->gap_hint = min(top, mm->mmap_top);
}
