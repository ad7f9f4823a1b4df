/*
 * Mapping and unmapping: mmap, munmap, mprotect, brk. Errors are found in Linux's order,
 * so that a call with several mistakes reports the same one.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/process.h>

#define MAP_SHARED_KNOWN                                                                         \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |  \
	 MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE)

#define MAX_FILE_PAGES (BIT(63) / PAGE_SIZE)

/* ---- unmapping ------------------------------------------------------------------------------- */

int unmap_range(struct mm *mm, u64 start, u64 end)
{
	struct vm_area *area = vm_find(mm, start), *next;
	struct vm_gather gather;
	int error;

	if (!area || area->start >= end)
		return 0;
	error = areas_cut(mm, start, end);
	if (error)
		return error;
	gather_begin(&gather, mm);
	for (area = vm_find(mm, start); area && area->start < end; area = next) {
		next = vm_next(area);
		zap_range(&gather, area->start, area->end);
		area_unlink(area);
		area_free(area);
	}
	gather_end(&gather);
	gap_freed(mm, end);
	return 0;
}

/* Would taking [start, end) out of one area make two of it, beyond the limit? */
static bool too_many_areas(struct mm *mm, u64 start, u64 end)
{
	struct vm_area *area = vm_find(mm, start);

	return area && area->start < start && end < area->end && mm->nr_areas >= MAX_AREAS;
}

int vm_munmap(struct mm *mm, u64 address, u64 size)
{
	int error;

	if (address % PAGE_SIZE || address > USER_END || size > USER_END - address)
		return -EINVAL;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (!size)
		return -EINVAL;
	mutex_lock(&mm->mmap_lock);
	error = too_many_areas(mm, address, address + size)
			? -ENOMEM
			: unmap_range(mm, address, address + size);
	mutex_unlock(&mm->mmap_lock);
	return error;
}

/* ---- mapping --------------------------------------------------------------------------------- */

/* What mmap() was asked for. */
struct map_request {
	struct mm *mm;
	u64 address, size, pgoff;
	int prot, flags;
	struct file *file;
};

/* Could a mapping of this size be at this address? */
static int check_place(u64 address, u64 size)
{
	if (size > USER_END || address > USER_END - size)
		return -ENOMEM;
	if (address % PAGE_SIZE)
		return -EINVAL;
	return address < MMAP_MIN_ADDRESS ? -EPERM : 0;
}

static bool is_free(struct mm *mm, u64 start, u64 end)
{
	struct vm_area *area = vm_find(mm, start);

	return !area || end <= area->start;
}

/* A wish is granted if nothing is there, and no guard gap above. */
static bool wish_fits(struct mm *mm, u64 address, u64 size)
{
	struct vm_area *area = vm_find(mm, address);
	u64 limit = USER_END;

	if (!address || size > USER_END || address > USER_END - size)
		return false;
	if (area)
		limit = area->flags & VM_GROWSDOWN ? area->start - STACK_GUARD_GAP : area->start;
	return address + size <= limit;
}

static s64 choose_place(const struct map_request *request)
{
	u64 address = request->address, size = request->size;
	int error;

	if (request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		error = check_place(address, size);
		if (error)
			return error;
		if (request->flags & MAP_FIXED_NOREPLACE &&
		    !is_free(request->mm, address, address + size))
			return -EEXIST;
		return (s64)address;
	}
	if (size > USER_END)
		return -ENOMEM;
	if (request->flags & MAP_32BIT) {
		address = find_low_gap(request->mm, size);
		return address ? (s64)address : -ENOMEM;
	}
	address = ALIGN_DOWN(address, PAGE_SIZE);
	if (address && address < MMAP_MIN_ADDRESS)
		address = MMAP_MIN_ADDRESS;
	if (wish_fits(request->mm, address, size))
		return (s64)address;
	address = find_gap(request->mm, size);
	return address ? (s64)address : -ENOMEM;
}

static int check_file(const struct map_request *request, u32 *flags)
{
	int type = request->flags & MAP_TYPE, allowed;

	if (request->pgoff + request->size / PAGE_SIZE > MAX_FILE_PAGES)
		return -EOVERFLOW;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && request->flags & ~MAP_SHARED_KNOWN)
		return -EOPNOTSUPP;
	allowed = vm_files->may_map(request->file, request->prot, type != MAP_PRIVATE);
	if (allowed < 0)
		return allowed;
	if (request->flags & (MAP_GROWSDOWN | MAP_HUGETLB))
		return -EINVAL;
	*flags |= (u32)allowed | (type == MAP_PRIVATE ? 0 : VM_SHARED);
	return 0;
}

static int check_anonymous(const struct map_request *request, u32 *flags)
{
	bool grows_down = request->flags & MAP_GROWSDOWN;

	*flags |= VM_MAYWRITE | VM_MAYEXEC;
	switch (request->flags & MAP_TYPE) {
	case MAP_PRIVATE:
		*flags |= grows_down ? VM_GROWSDOWN : 0;
		break;
	case MAP_SHARED:
		if (grows_down)
			return -EINVAL;
		*flags |= VM_SHARED;
		break;
	default:
		return -EINVAL;
	}
	return request->flags & MAP_HUGETLB ? -ENOMEM : 0; /* there are no huge pages */
}

static int check_locked(const struct map_request *request, u32 flags)
{
	if (request->flags & MAP_LOCKED && !may_lock_memory())
		return -EPERM;
	if (flags & VM_LOCKED && over_lock_limit(request->mm, request->size))
		return -EAGAIN;
	return 0;
}

/* Pages of areas in [start, end): what MAP_FIXED replaces does not count against the limits. */
static u64 mapped_size(struct mm *mm, u64 start, u64 end)
{
	u64 size = 0;

	for (struct vm_area *area = vm_find(mm, start); area && area->start < end;
	     area = vm_next(area))
		size += min(area->end, end) - max(area->start, start);
	return size;
}

/* What is at the place goes, the new area comes. */
static int install_area(const struct map_request *request, u64 start, u32 flags)
{
	struct vm_area area = { .mm = request->mm,
				.start = start,
				.end = start + request->size,
				.flags = flags,
				.file = request->file };
	int error = unmap_range(area.mm, area.start, area.end);

	if (error)
		return error;
	if (area.file) {
		area.pgoff = request->pgoff;
		vm_files->get(area.file);
		error = vm_files->map(area.file, &area);
		if (error)
			vm_files->put(area.file);
	} else if (flags & VM_SHARED) {
		error = shared_memory_map(&area);
	}
	return error ? error : area_add(&area);
}

static int map_at(const struct map_request *request, u64 start, u32 flags)
{
	u64 replaced = mapped_size(request->mm, start, start + request->size);
	int error = check_locked(request, flags);

	if (!error)
		error = request->file ? check_file(request, &flags)
				      : check_anonymous(request, &flags);
	if (!error && replaced < request->size)
		error = may_expand(request->mm, flags, request->size - replaced);
	return error ? error : install_area(request, start, flags);
}

static s64 map_locked(struct map_request *request)
{
	struct mm *mm = request->mm;
	u32 flags = (u32)request->prot & VM_PROT;
	s64 start;
	int error;

	if (mm->nr_areas > MAX_AREAS)
		return -ENOMEM;
	start = choose_place(request);
	if (start < 0)
		return start;
	flags |= mm->default_flags;
	flags |= request->flags & MAP_LOCKED ? VM_LOCKED : 0;
	flags |= request->flags & MAP_NORESERVE ? VM_NORESERVE : 0;
	error = map_at(request, (u64)start, flags);
	if (error) {
		gap_freed(mm, (u64)start + request->size);
		return error;
	}
	if (request->flags & (MAP_POPULATE | MAP_LOCKED) || flags & VM_LOCKED)
		populate_range(mm, (u64)start, (u64)start + request->size);
	return start;
}

s64 vm_mmap(struct mm *mm, u64 address, u64 size, int prot, int flags, struct file *file,
	    u64 offset)
{
	struct map_request request = { mm, address, size, offset / PAGE_SIZE, prot, flags, file };
	s64 result;

	if (!size)
		return -EINVAL;
	request.size = ALIGN_UP(size, PAGE_SIZE);
	if (!request.size)
		return -ENOMEM;
	if (request.pgoff + request.size / PAGE_SIZE < request.pgoff)
		return -EOVERFLOW;
	mutex_lock(&mm->mmap_lock);
	result = map_locked(&request);
	mutex_unlock(&mm->mmap_lock);
	return result;
}

/* ---- protection ------------------------------------------------------------------------------ */

/* One area, or the part of it in [start, end). Returns the area that now has that part, or
 * ERR_PTR. */
static struct vm_area *protect_area(struct vm_area *area, u64 start, u64 end, u32 prot)
{
	u32 flags = (area->flags & ~VM_PROT) | prot;

	if (flags == area->flags)
		return area;
	if ((prot & VM_WRITE && !(area->flags & VM_MAYWRITE)) ||
	    (prot & VM_EXEC && !(area->flags & VM_MAYEXEC)))
		return ERR_PTR(-EACCES);
	if (prot & VM_WRITE && !(area->flags & VM_WRITE) &&
	    !may_become_data(area->mm, flags, end - start))
		return ERR_PTR(-ENOMEM);
	area = area_cut_out(area, start, end);
	if (!area)
		return ERR_PTR(-ENOMEM);
	area_set_flags(area, flags);
	protect_range(area, area->start, area->end);
	return area_merge(area);
}

static int protect_locked(struct mm *mm, u64 start, u64 end, u32 prot, bool to_stack_start)
{
	struct vm_area *area = vm_find(mm, start);

	if (!area)
		return -ENOMEM;
	if (to_stack_start) {
		if (area->start >= end)
			return -ENOMEM;
		if (!(area->flags & VM_GROWSDOWN))
			return -EINVAL;
		start = area->start;
	}
	while (start < end) {
		u64 stop;

		area = vm_find(mm, start);
		if (!area || area->start > start)
			return -ENOMEM;
		stop = min(end, area->end);
		area = protect_area(area, start, stop, prot);
		if (IS_ERR(area))
			return PTR_ERR(area);
		start = stop;
	}
	return 0;
}

long sys_mprotect(u64 start, size_t size, u64 prot)
{
	u64 grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct mm *mm = current->mm;
	int error;

	prot &= ~(u64)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || start % PAGE_SIZE)
		return -EINVAL;
	if (!size)
		return 0;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (start + size <= start)
		return -ENOMEM;
	if (prot & ~(u64)(VM_PROT | PROT_SEM) || grows == PROT_GROWSUP)
		return -EINVAL;
	mutex_lock(&mm->mmap_lock);
	error = protect_locked(mm, start, start + size, (u32)prot & VM_PROT,
			       grows == PROT_GROWSDOWN);
	mutex_unlock(&mm->mmap_lock);
	return error;
}

long sys_munmap(u64 address, size_t size)
{
	return vm_munmap(current->mm, address, size);
}

/* ---- the break ------------------------------------------------------------------------------- */

static bool over_data_limit(struct mm *mm, u64 brk)
{
	return brk - mm->brk_start + (mm->data_end - mm->data_start) > mm_limit(RLIMIT_DATA);
}

static int grow_brk(struct mm *mm, u64 from, u64 to)
{
	struct vm_area *above = vm_find(mm, from);
	struct vm_area area = { .mm = mm, .start = from, .end = to };
	u64 gap = above && above->flags & VM_GROWSDOWN ? STACK_GUARD_GAP : PAGE_SIZE;

	area.flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_MAYEXEC | mm->default_flags;
	if (to > USER_END || (above && to + gap > above->start))
		return -ENOMEM;
	if (mm->nr_areas > MAX_AREAS || may_expand(mm, area.flags, to - from) ||
	    (area.flags & VM_LOCKED && over_lock_limit(mm, to - from)))
		return -ENOMEM;
	if (area_add(&area))
		return -ENOMEM;
	if (area.flags & VM_LOCKED)
		populate_range(mm, from, to);
	return 0;
}

static int set_brk(struct mm *mm, u64 brk)
{
	u64 old = ALIGN_UP(mm->brk, PAGE_SIZE), new = ALIGN_UP(brk, PAGE_SIZE);

	if (new < old)
		return unmap_range(mm, new, old);
	if (over_data_limit(mm, brk))
		return -ENOMEM;
	return new > old ? grow_brk(mm, old, new) : 0;
}

/* The new break, or, whatever is wrong, the old one. */
long sys_brk(u64 brk)
{
	struct mm *mm = current->mm;
	long result;

	mutex_lock(&mm->mmap_lock);
	if (brk >= mm->brk_start && brk <= USER_END && set_brk(mm, brk) == 0)
		mm->brk = brk;
	result = (long)mm->brk;
	mutex_unlock(&mm->mmap_lock);
	return result;
}
