/*
 * mremap: a mapping grows, shrinks or moves, with its pages.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/process.h>

#define MREMAP_MAYMOVE	 1
#define MREMAP_FIXED	 2
#define MREMAP_DONTUNMAP 4

struct remap {
	struct mm *mm;
	u64 from, old_size, to, new_size;
	u64 flags;
};

static bool overlap(const struct remap *remap)
{
	return remap->from < remap->to + remap->new_size &&
	       remap->to < remap->from + remap->old_size;
}

/* What can be said without looking at areas. */
static int check_arguments(const struct remap *remap)
{
	u64 flags = remap->flags;

	if (flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && remap->old_size != remap->new_size)
		return -EINVAL;
	if (remap->from % PAGE_SIZE || !remap->new_size || remap->new_size > USER_END)
		return -EINVAL;
	if (!(flags & MREMAP_FIXED))
		return 0;
	if (remap->to % PAGE_SIZE || remap->to > USER_END - remap->new_size || overlap(remap))
		return -EINVAL;
	return remap->to < MMAP_MIN_ADDRESS ? -EPERM : 0;
}

/* The area may be resized as asked. */
static int check_area(const struct remap *remap, const struct vm_area *area)
{
	u64 more = remap->new_size - min(remap->old_size, remap->new_size);
	u64 pgoff = area->pgoff + (remap->from - area->start) / PAGE_SIZE;

	if (!remap->old_size && !(area->flags & VM_SHARED))
		return -EINVAL; /* a second mapping of the same memory: only of shared memory */
	if (remap->flags & MREMAP_DONTUNMAP && area->flags & VM_SHARED && !area->ops)
		return -EINVAL;
	if (remap->old_size > area->end - remap->from)
		return -EFAULT;
	if (!more)
		return 0;
	if (pgoff + remap->new_size / PAGE_SIZE < pgoff)
		return -EINVAL;
	if (area->flags & VM_LOCKED && over_lock_limit(remap->mm, more))
		return -EAGAIN;
	return may_expand(remap->mm, area->flags, more);
}

/* ---- in place -------------------------------------------------------------------------------- */

static bool can_grow(const struct remap *remap, struct vm_area *area)
{
	u64 end = remap->from + remap->new_size;
	struct vm_area *above = vm_next(area);

	if (!remap->old_size || area->end != remap->from + remap->old_size || end > USER_END ||
	    end < remap->from)
		return false;
	return !above || end + (above->flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0) <= above->start;
}

static s64 grow(const struct remap *remap, struct vm_area *area)
{
	area_resize(area, area->start, remap->from + remap->new_size);
	area = area_merge(area);
	if (area->flags & VM_LOCKED)
		populate_range(remap->mm, remap->from, remap->from + remap->new_size);
	return (s64)remap->from;
}

static s64 shrink(const struct remap *remap)
{
	int error = unmap_range(remap->mm, remap->from + remap->new_size,
				remap->from + remap->old_size);

	return error ? error : (s64)remap->from;
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* The area that will be at the new place, sharing file and backing with the old one. */
static int add_target(const struct remap *remap, const struct vm_area *area)
{
	struct vm_area target = *area;

	target.start = remap->to;
	target.end = remap->to + remap->new_size;
	if (target.ops || target.file)
		target.pgoff += (remap->from - area->start) / PAGE_SIZE;
	area_hold(&target);
	return area_add(&target);
}

/* What has moved away: its area goes, or stays empty. */
static int leave_source(const struct remap *remap, u64 size)
{
	if (!remap->old_size || remap->flags & MREMAP_DONTUNMAP)
		return 0;
	return unmap_range(remap->mm, remap->from, remap->from + size);
}

static s64 move(const struct remap *remap)
{
	u64 size = min(remap->old_size, remap->new_size);
	struct vm_area *area = vm_find(remap->mm, remap->from);
	int error;

	if (remap->mm->nr_areas >= MAX_AREAS - 3)
		return -ENOMEM;
	error = add_target(remap, area);
	if (error)
		return error;
	error = move_range(remap->mm, remap->from, remap->to, size);
	if (error) {
		(void)!unmap_range(remap->mm, remap->to, remap->to + remap->new_size);
		return error;
	}
	error = leave_source(remap, size);
	if (error)
		return error;
	area = vm_find(remap->mm, remap->to);
	if (area->flags & VM_LOCKED)
		populate_range(remap->mm, remap->to, remap->to + remap->new_size);
	return (s64)remap->to;
}

static s64 move_anywhere(struct remap *remap)
{
	if (!(remap->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	remap->to = find_gap(remap->mm, remap->new_size);
	return remap->to ? move(remap) : -ENOMEM;
}

/* To an address the program chose: what is there goes, and what is too much of the old goes,
 * too. */
static s64 move_fixed(struct remap *remap)
{
	int error = unmap_range(remap->mm, remap->to, remap->to + remap->new_size);

	if (!error && remap->new_size < remap->old_size) {
		error = unmap_range(remap->mm, remap->from + remap->new_size,
				    remap->from + remap->old_size);
		remap->old_size = remap->new_size;
	}
	return error ? error : move(remap);
}

/* All areas of a range, with the gaps between them. */
static s64 move_all(const struct remap *remap)
{
	u64 end = remap->from + remap->old_size, size;
	struct vm_area *area;

	for (u64 at = remap->from; at < end; at += size) {
		struct remap part = *remap;
		s64 result;

		area = vm_find(remap->mm, at);
		if (!area || area->start >= end)
			break;
		at = max(at, area->start);
		size = min(end, area->end) - at;
		part.from = at;
		part.to = remap->to + (at - remap->from);
		part.old_size = part.new_size = size;
		result = check_area(&part, area);
		if (!result)
			result = move_fixed(&part);
		if (result < 0)
			return result;
	}
	return (s64)remap->to;
}

static s64 remap_locked(struct remap *remap)
{
	struct vm_area *area = vm_find(remap->mm, remap->from);
	int error;

	if (!area_contains(area, remap->from))
		return -EFAULT;
	if (remap->new_size < remap->old_size && !(remap->flags & MREMAP_FIXED))
		return shrink(remap); /* even where several areas are */
	if (remap->new_size == remap->old_size && remap->flags <= MREMAP_MAYMOVE)
		return (s64)remap->from;
	if (remap->new_size == remap->old_size && remap->flags & MREMAP_FIXED)
		return move_all(remap);
	error = check_area(remap, area);
	if (error)
		return error;
	if (remap->flags & MREMAP_FIXED)
		return move_fixed(remap);
	if (remap->flags & MREMAP_DONTUNMAP)
		return move_anywhere(remap);
	return can_grow(remap, area) ? grow(remap, area) : move_anywhere(remap);
}

long sys_mremap(u64 address, u64 old_size, u64 new_size, u64 flags, u64 new_address)
{
	struct remap remap = { .mm = current->mm,
			       .from = address,
			       .old_size = ALIGN_UP(old_size, PAGE_SIZE),
			       .to = new_address,
			       .new_size = ALIGN_UP(new_size, PAGE_SIZE),
			       .flags = flags };
	s64 result = check_arguments(&remap);

	if (result)
		return (long)result;
	mutex_lock(&remap.mm->mmap_lock);
	result = remap_locked(&remap);
	mutex_unlock(&remap.mm->mmap_lock);
	return (long)result;
}
