/*
 * madvise, mincore, msync: what a program says or asks about pages it has. There is no swap and no
 * disk, so most advice changes nothing; it is checked as on Linux all the same.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/task.h>

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC	      4

#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23

/* ---- madvise --------------------------------------------------------------------------------- */

/* One area's part of the range. */
typedef int (*advise_t)(struct vm_area *area, u64 start, u64 end);

static int ignore(struct vm_area *area, u64 start, u64 end)
{
	return 0;
}

/* The pages go; the next touch finds zeroes, or the file's. */
static int drop_pages(struct vm_area *area, u64 start, u64 end)
{
	struct vm_gather gather;

	gather_begin(&gather, area->mm);
	zap_range(&gather, start, end);
	gather_end(&gather);
	return 0;
}

static int dont_need(struct vm_area *area, u64 start, u64 end)
{
	return area->flags & VM_LOCKED ? -EINVAL : drop_pages(area, start, end);
}

static int free_lazily(struct vm_area *area, u64 start, u64 end)
{
	return area->ops || area->flags & VM_LOCKED ? -EINVAL : drop_pages(area, start, end);
}

static int dont_fork(struct vm_area *area, u64 start, u64 end)
{
	return area_change_flags(area, start, end, VM_DONTFORK, 0);
}

static int do_fork(struct vm_area *area, u64 start, u64 end)
{
	return area_change_flags(area, start, end, 0, VM_DONTFORK);
}

static int wipe_on_fork(struct vm_area *area, u64 start, u64 end)
{
	if (area->file || area->flags & VM_SHARED)
		return -EINVAL;
	return area_change_flags(area, start, end, VM_WIPEONFORK, 0);
}

static int keep_on_fork(struct vm_area *area, u64 start, u64 end)
{
	return area_change_flags(area, start, end, 0, VM_WIPEONFORK);
}

static const advise_t advice_table[] = {
	[0] = ignore, /* MADV_NORMAL */
	[1] = ignore, /* RANDOM */
	[2] = ignore, /* SEQUENTIAL */
	[3] = ignore, /* WILLNEED */
	[4] = dont_need,     [8] = free_lazily,	  [10] = dont_fork,
	[11] = do_fork,	     [12] = ignore,			 /* MERGEABLE */
	[13] = ignore,						 /* UNMERGEABLE */
	[14] = ignore,						 /* HUGEPAGE */
	[15] = ignore,						 /* NOHUGEPAGE */
	[16] = ignore,						 /* DONTDUMP */
	[17] = ignore,						 /* DODUMP */
	[18] = wipe_on_fork, [19] = keep_on_fork, [20] = ignore, /* COLD */
	[21] = ignore,						 /* PAGEOUT */
	[24] = drop_pages,					 /* DONTNEED_LOCKED */
};

/* Holes are skipped, and reported at the end. */
static int advise_range(struct mm *mm, u64 start, u64 end, advise_t advise)
{
	int result = 0;

	while (start < end) {
		struct vm_area *area = vm_find(mm, start);
		int error;
		u64 stop;

		if (!area || area->start > start)
			result = -ENOMEM;
		if (!area || area->start >= end)
			break;
		start = max(start, area->start);
		stop = min(end, area->end);
		error = advise(area, start, stop);
		if (error)
			return error;
		start = stop;
	}
	return result;
}

static int populate_error(enum fault_result result)
{
	static const int errors[] = { [FAULT_DONE] = 0,
				      [FAULT_NO_AREA] = -ENOMEM,
				      [FAULT_DENIED] = -EINVAL,
				      [FAULT_BEYOND] = -EFAULT,
				      [FAULT_NO_MEMORY] = -ENOMEM };

	return errors[result];
}

/* As if the program had read or written a byte of each page. */
static int advise_populate(struct mm *mm, u64 start, u64 end, u32 access)
{
	enum fault_result result = FAULT_DONE;

	for (; start < end && result == FAULT_DONE; start += PAGE_SIZE) {
		if (!area_contains(vm_find(mm, start), start))
			return -ENOMEM;
		result = fault_in(mm, start, access);
	}
	return populate_error(result);
}

static int advise_locked(struct mm *mm, u64 start, u64 end, int advice)
{
	if (advice == MADV_POPULATE_READ)
		return advise_populate(mm, start, end, VM_READ);
	if (advice == MADV_POPULATE_WRITE)
		return advise_populate(mm, start, end, VM_WRITE);
	return advise_range(mm, start, end, advice_table[advice]);
}

static bool advice_known(int advice)
{
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return true;
	return advice >= 0 && advice < (int)ARRAY_SIZE(advice_table) && advice_table[advice];
}

/* [start, start + size), rounded up to pages, in *end; false: it wraps. */
static bool page_range(u64 start, u64 size, u64 *end)
{
	u64 rounded = ALIGN_UP(size, PAGE_SIZE);

	*end = start + rounded;
	return rounded >= size && *end >= start;
}

long sys_madvise(u64 start, size_t size, int advice)
{
	struct mm *mm = current->mm;
	int error;
	u64 end;

	if (!advice_known(advice) || start % PAGE_SIZE || !page_range(start, size, &end))
		return -EINVAL;
	if (start == end)
		return 0;
	mutex_lock(&mm->mmap_lock);
	error = advise_locked(mm, start, end, advice);
	mutex_unlock(&mm->mmap_lock);
	return error;
}

/* ---- mincore --------------------------------------------------------------------------------- */

/* The pages of files are always in memory. Stops at a hole; how many pages were told. */
static u64 resident_pages(struct mm *mm, u64 start, u8 *vector, u64 number)
{
	u64 i;

	for (i = 0; i < number; i++, start += PAGE_SIZE) {
		struct vm_area *area = vm_find(mm, start);
		pte_t *entry;

		if (!area_contains(area, start))
			break;
		entry = user_entry(mm, start);
		vector[i] = area->file || (entry && *entry);
	}
	return i;
}

long sys_mincore(u64 start, size_t size, u8 __user *vector)
{
	u64 pages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct mm *mm = current->mm;
	u8 chunk[256];

	if (start % PAGE_SIZE)
		return -EINVAL;
	if (!user_range_ok(start, size))
		return -ENOMEM;
	if (!user_range_ok((u64)vector, pages))
		return -EFAULT;
	while (pages) {
		u64 number = min_t(u64, pages, sizeof(chunk)), found;

		mutex_lock(&mm->mmap_lock);
		found = resident_pages(mm, start, chunk, number);
		mutex_unlock(&mm->mmap_lock);
		if (found && copy_to_user(vector, chunk, found))
			return -EFAULT;
		if (found < number)
			return -ENOMEM;
		pages -= number;
		vector += number;
		start += number * PAGE_SIZE;
	}
	return 0;
}

/* ---- msync ----------------------------------------------------------------------------------- */

static int invalidate_area(struct vm_area *area, u64 start, u64 end)
{
	return area->flags & VM_LOCKED ? -EBUSY : 0;
}

/* What was written to a shared mapping is in the file's pages already. */
long sys_msync(u64 start, size_t size, int flags)
{
	struct mm *mm = current->mm;
	int error;
	u64 end;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start % PAGE_SIZE)
		return -EINVAL;
	if (flags & MS_ASYNC && flags & MS_SYNC)
		return -EINVAL;
	end = start + ALIGN_UP(size, PAGE_SIZE);
	if (end < start)
		return -ENOMEM;
	if (start == end)
		return 0;
	mutex_lock(&mm->mmap_lock);
	error = advise_range(mm, start, end, flags & MS_INVALIDATE ? invalidate_area : ignore);
	mutex_unlock(&mm->mmap_lock);
	return error;
}
