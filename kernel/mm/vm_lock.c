/*
 * mlock and its family. Nothing is ever swapped out, so locking means: bring the pages in now,
 * count them against RLIMIT_MEMLOCK, and let madvise() not take them away.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/process.h>

#define MLOCK_ONFAULT 1

#define MCL_CURRENT 1
#define MCL_FUTURE  2
#define MCL_ONFAULT 4

static int set_locked(struct vm_area *area, u64 start, u64 end, bool locked)
{
	return area_change_flags(area, start, end, locked ? VM_LOCKED : 0, locked ? 0 : VM_LOCKED);
}

/* Up to the first hole. */
static int set_locked_range(struct mm *mm, u64 start, u64 end, bool locked)
{
	while (start < end) {
		struct vm_area *area = vm_find(mm, start);
		u64 stop;
		int error;

		if (!area_contains(area, start))
			return -ENOMEM;
		stop = min(end, area->end);
		error = set_locked(area, start, stop, locked);
		if (error)
			return error;
		start = stop;
	}
	return 0;
}

/* Of [start, end), what is not locked yet. */
static u64 not_locked(struct mm *mm, u64 start, u64 end)
{
	u64 size = end - start;

	for (struct vm_area *area = vm_find(mm, start); area && area->start < end;
	     area = vm_next(area))
		if (area->flags & VM_LOCKED)
			size -= min(area->end, end) - max(area->start, start);
	return size;
}

static int lock_range(struct mm *mm, u64 start, u64 end, bool populate)
{
	int error;

	if (over_lock_limit(mm, not_locked(mm, start, end)))
		return -ENOMEM;
	error = set_locked_range(mm, start, end, true);
	if (error || !populate)
		return error;
	return populate_range(mm, start, end) == FAULT_DONE ? 0 : -ENOMEM;
}

/* The range in whole pages. 1: there is something to do; 0: it is empty; -EINVAL: it wraps. */
static int whole_pages(u64 *start, u64 size, u64 *end)
{
	size = ALIGN_UP(size + *start % PAGE_SIZE, PAGE_SIZE);
	*start = ALIGN_DOWN(*start, PAGE_SIZE);
	*end = *start + size;
	return *end < *start ? -EINVAL : *end > *start;
}

static long do_mlock(u64 start, size_t size, bool populate)
{
	struct mm *mm = current->mm;
	u64 end;
	int result;

	if (!may_lock_memory())
		return -EPERM;
	result = whole_pages(&start, size, &end);
	if (result <= 0)
		return result;
	mutex_lock(&mm->mmap_lock);
	result = lock_range(mm, start, end, populate);
	mutex_unlock(&mm->mmap_lock);
	return result;
}

long sys_mlock(u64 start, size_t size)
{
	return do_mlock(start, size, true);
}

long sys_mlock2(u64 start, size_t size, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(start, size, !(flags & MLOCK_ONFAULT));
}

long sys_munlock(u64 start, size_t size)
{
	struct mm *mm = current->mm;
	u64 end;
	int result = whole_pages(&start, size, &end);

	if (result <= 0)
		return result;
	mutex_lock(&mm->mmap_lock);
	result = set_locked_range(mm, start, end, false);
	mutex_unlock(&mm->mmap_lock);
	return result;
}

/* Pages that cannot be had now (beyond a file's end, forbidden) are no error. */
static void set_locked_everywhere(struct mm *mm, bool locked, bool populate)
{
	struct vm_area *area = vm_find(mm, 0);

	while (area) {
		u64 start = area->start, end = area->end;

		(void)!set_locked(area, start, end, locked);
		if (populate)
			populate_range(mm, start, end);
		area = vm_find(mm, end);
	}
}

long sys_mlockall(int flags)
{
	struct mm *mm = current->mm;
	int error = 0;

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock_memory())
		return -EPERM;
	mutex_lock(&mm->mmap_lock);
	if (flags & MCL_CURRENT &&
	    over_lock_limit(mm, (mm->usage.total - mm->usage.locked) * PAGE_SIZE))
		error = -ENOMEM;
	if (!error) {
		mm->default_flags = flags & MCL_FUTURE ? VM_LOCKED : 0;
		if (flags & MCL_CURRENT)
			set_locked_everywhere(mm, true, !(flags & MCL_ONFAULT));
	}
	mutex_unlock(&mm->mmap_lock);
	return error;
}

long sys_munlockall(void)
{
	struct mm *mm = current->mm;

	mutex_lock(&mm->mmap_lock);
	mm->default_flags = 0;
	set_locked_everywhere(mm, false, false);
	mutex_unlock(&mm->mmap_lock);
	return 0;
}
