/*
 * Page faults: the moment in which a page that a program was promised has to exist.
 *
 *	no area there				SIGSEGV, SEGV_MAPERR
 *	below a stack				the stack grows, if its limit and the gap allow
 *	the area forbids it			SIGSEGV, SEGV_ACCERR
 *	anonymous, nothing there		a page of zeroes
 *	file, nothing there			the file's page, or for a private write a
 *						copy of it; SIGBUS beyond the end
 *	write to a write-protected page		others have it since a fork: a copy; nobody
 *						has it any more: it is ours
 *
 * A read of untouched anonymous memory gets a page of its own at once: most of it is written to
 * soon, and a common page of zeroes would cost a second fault then.
 *
 * Context: exceptions, from user mode or from an instruction of uaccess. They sleep, so they are
 * resolved only in process context with interrupts on; anywhere else the access just fails. Lock:
 * mm->mmap_lock.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/trap.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/signal.h>

/* The CPU's error code. */
#define ERROR_WRITE    2
#define ERROR_RESERVED 8
#define ERROR_FETCH    16

void (*vm_signal_fault)(struct trap_frame *frame, int signal, int code, u64 address);
bool (*vm_out_of_memory)(void);

static const struct {
	int signal, code;
} fault_signals[] = {
	[FAULT_NO_AREA] = { SIGSEGV, SEGV_MAPERR },
	[FAULT_DENIED] = { SIGSEGV, SEGV_ACCERR },
	[FAULT_BEYOND] = { SIGBUS, BUS_ADRERR },
};

/* ---- one page -------------------------------------------------------------------------------- */

/* Put a page, with the caller's reference, where nothing is. */
static enum fault_result map_page(struct vm_area *area, u64 address, struct page *page, pte_t flags)
{
	struct vm_usage *usage = &area->mm->usage;
	pte_t *entry = user_entry_create(area->mm, address);

	if (unlikely(!entry)) {
		put_page(page);
		return FAULT_NO_MEMORY;
	}
	set_new_entry(entry, area_entry(area, page) | flags);
	usage->rss++;
	usage->rss_file += !(flags & PTE_ANON);
	usage->peak_rss = max(usage->peak_rss, usage->rss);
	return FAULT_DONE;
}

static inline pte_t write_flag(const struct vm_area *area)
{
	return area->flags & VM_WRITE ? PTE_WRITE : 0;
}

static enum fault_result fault_zeroes(struct vm_area *area, u64 address)
{
	struct page *page = alloc_page(GFP_KERNEL | GFP_ZERO);

	if (!page)
		return FAULT_NO_MEMORY;
	return map_page(area, address, page, PTE_ANON | write_flag(area));
}

static struct page *copy_of(const struct page *original)
{
	struct page *copy = alloc_page(GFP_KERNEL);

	if (copy)
		memcpy(page_address(copy), page_address(original), PAGE_SIZE);
	return copy;
}

static enum fault_result fault_file(struct vm_area *area, u64 address, bool write)
{
	u64 pgoff = area->pgoff + (address - area->start) / PAGE_SIZE;
	bool shared = area->flags & VM_SHARED;
	pte_t flags = shared ? write_flag(area) : 0;
	struct page *page = area->ops->fault(area, pgoff, flags);

	if (!page)
		return FAULT_BEYOND;
	if (IS_ERR(page))
		return FAULT_NO_MEMORY;
	if (write && !shared) {
		struct page *copy = copy_of(page);

		put_page(page);
		if (!copy)
			return FAULT_NO_MEMORY;
		page = copy;
		flags = PTE_ANON | PTE_WRITE;
	}
	return map_page(area, address, page, flags);
}

/* A write to a private page that is write-protected because others may have it too. */
static enum fault_result fault_copy(struct vm_area *area, u64 address, pte_t *entry)
{
	struct mm *mm = area->mm;
	struct page *old = page_of(*entry), *copy;

	if (*entry & PTE_ANON && READ_ONCE(old->refcount) == 1) {
		WRITE_ONCE(*entry, *entry | PTE_WRITE);
		flush_tlb_user(mm, address, address + PAGE_SIZE);
		return FAULT_DONE;
	}
	copy = copy_of(old);
	if (!copy)
		return FAULT_NO_MEMORY;
	mm->usage.rss_file -= !(*entry & PTE_ANON);
	WRITE_ONCE(*entry, area_entry(area, copy) | PTE_ANON | PTE_WRITE);
	flush_tlb_user(mm, address, address + PAGE_SIZE);
	put_page(old);
	return FAULT_DONE;
}

/* The entry is there. Another thread may have been faster, or this is a write to what it may not
 * write yet. */
static enum fault_result fault_present(struct vm_area *area, u64 address, pte_t *entry, bool write)
{
	if (write && !(*entry & PTE_WRITE))
		return fault_copy(area, address, entry);
	invlpg((void *)address);
	return FAULT_DONE;
}

/* ---- the area -------------------------------------------------------------------------------- */

/* A stack comes no nearer than the guard gap to what is below, so that running over its end is
 * noticed. */
static bool expand_stack(struct vm_area *area, u64 address)
{
	u64 start = ALIGN_DOWN(address, PAGE_SIZE), more = area->start - start;
	struct vm_area *below = area_before(area->mm, area->start);

	if (area->end - start > mm_limit(RLIMIT_STACK) || start < MMAP_MIN_ADDRESS)
		return false;
	if (below && !(below->flags & VM_GROWSDOWN) && below->flags & VM_PROT &&
	    start < below->end + STACK_GUARD_GAP)
		return false;
	if (below && start < below->end)
		return false;
	if (may_expand(area->mm, area->flags, more) ||
	    (area->flags & VM_LOCKED && over_lock_limit(area->mm, more)))
		return false;
	area_resize(area, start, area->end);
	return true;
}

enum fault_result fault_in(struct mm *mm, u64 address, u32 access)
{
	struct vm_area *area = vm_find(mm, address);
	bool write = access & VM_WRITE;
	pte_t *entry;

	if (!area)
		return FAULT_NO_AREA;
	if (address < area->start && !(area->flags & VM_GROWSDOWN && expand_stack(area, address)))
		return FAULT_NO_AREA;
	/* The CPU cannot do without reading what may be written or executed. */
	if (!(area->flags & (access == VM_READ ? VM_PROT : access)))
		return FAULT_DENIED;
	address = ALIGN_DOWN(address, PAGE_SIZE);
	entry = user_entry(mm, address);
	if (entry && *entry)
		return fault_present(area, address, entry, write);
	return area->ops ? fault_file(area, address, write) : fault_zeroes(area, address);
}

enum fault_result populate_range(struct mm *mm, u64 start, u64 end)
{
	while (start < end) {
		struct vm_area *area = vm_find(mm, start);
		bool private_write = area && (area->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
		pte_t *entry = user_entry(mm, start);
		enum fault_result result = FAULT_DONE;

		if (!area_contains(area, start))
			return FAULT_NO_AREA;
		if (!entry || !*entry || (private_write && !(*entry & PTE_WRITE)))
			result = fault_in(mm, start, private_write ? VM_WRITE : VM_READ);
		if (result != FAULT_DONE)
			return result;
		if (fatal_signal_pending())
			return FAULT_NO_MEMORY;
		cond_resched();
		start += PAGE_SIZE;
	}
	return FAULT_DONE;
}

/* ---- the exception --------------------------------------------------------------------------- */

static u32 access_of(u64 error)
{
	return error & ERROR_FETCH ? VM_EXEC : error & ERROR_WRITE ? VM_WRITE : VM_READ;
}

static enum fault_result resolve(u64 address, u64 error)
{
	struct mm *mm = current->mm;
	enum fault_result result;

	if (address >= USER_END)
		return FAULT_NO_AREA;
	mutex_lock(&mm->mmap_lock);
	result = fault_in(mm, address, access_of(error));
	mutex_unlock(&mm->mmap_lock);
	current->min_faults++;
	return result;
}

/* Somebody has to go. True: try again, there may be room now; but not for one who is to go
 * himself. */
static bool wait_for_memory(void)
{
	if (fatal_signal_pending())
		return false;
	if (!vm_out_of_memory || !vm_out_of_memory()) {
		send_signal_task(current, SIGKILL, NULL);
		return false;
	}
	cond_resched();
	return !fatal_signal_pending();
}

static enum fault_result resolve_with_memory(u64 address, u64 error)
{
	enum fault_result result;

	do {
		result = resolve(address, error);
	} while (result == FAULT_NO_MEMORY && wait_for_memory());
	return result;
}

static void user_fault(struct trap_frame *frame, u64 address)
{
	enum fault_result result;

	irq_enable();
	result = resolve_with_memory(address, frame->error);
	if (result != FAULT_DONE && result != FAULT_NO_MEMORY)
		vm_signal_fault(frame, fault_signals[result].signal, fault_signals[result].code,
				address);
	irq_disable();
}

/* Only instructions that are listed may touch user memory: all others have a bug. */
static void kernel_fault(struct trap_frame *frame, u64 address)
{
	u64 fixup = exception_fixup(frame->rip);
	enum fault_result result = FAULT_NO_AREA;

	if (!fixup || address >= USER_END)
		trap_panic(frame);
	if (in_process() && frame->rflags & RFLAGS_IF && current->mm) {
		irq_enable();
		result = resolve_with_memory(address, frame->error);
		irq_disable();
	}
	if (result != FAULT_DONE)
		frame->rip = fixup;
}

static void page_fault(struct trap_frame *frame)
{
	u64 address = read_cr2();

	if (unlikely(frame->error & ERROR_RESERVED))
		trap_panic(frame);
	if (from_user(frame))
		user_fault(frame, address);
	else
		kernel_fault(frame, address);
}

void vm_init(void)
{
	areas_init();
	mm_cache_init();
	shared_memory_init();
	trap_set_handler(TRAP_PF, page_fault);
}
