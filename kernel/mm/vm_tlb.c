/*
 * Which address space each CPU has loaded, and what its TLB remembers of it.
 *
 * A change of CR3 is dear (16 us under TCG), so none is made that can be avoided. A kernel
 * thread or the idle task runs on whatever is loaded; when the program comes back nothing need be
 * done. Therefore a space outlives its tasks: when the last one leaves, areas and pages go at once,
 * but the tables, which a CPU may still look at, go when no CPU has them loaded any more.
 *
 * mm->cpus names the CPUs that must hear of a change:
 *
 *	changes the map			loads the space
 *	entry = new			set the bit in cpus	(atomic: a full barrier)
 *	read cpus, interrupt them	load CR3
 *
 * Either the first sees the second's bit, or the second's CPU reads the new entry.
 *
 * Context: process, mm_switch() with interrupts off; on other CPUs hard IRQ. No locks.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/smp.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/task.h>

/* This CPU's; touched with interrupts off. */
static DEFINE_PER_CPU(struct mm *, loaded_mm);	 /* NULL: the kernel's own tables */
static DEFINE_PER_CPU(struct mm *, unloaded_mm); /* its last reference went in load_mm() */

/* Interrupts off. */
static void load_mm(struct mm *mm)
{
	struct mm *old = this_cpu(loaded_mm);
	u64 bit = BIT(smp_processor_id());

	if (mm) {
		mm_get(mm);
		__atomic_or_fetch(&mm->cpus, bit, __ATOMIC_SEQ_CST);
	}
	write_cr3(virt_to_phys(mm ? mm->pml4 : kernel_pml4));
	this_cpu(loaded_mm) = mm;
	if (old) {
		__atomic_and_fetch(&old->cpus, ~bit, __ATOMIC_SEQ_CST);
		if (mm_drop_reference(old)) {
			debug_assert(!this_cpu(unloaded_mm));
			this_cpu(unloaded_mm) = old;
		}
	}
}

void mm_switch(struct mm *mm)
{
	struct mm *loaded = this_cpu(loaded_mm);

	if (mm == loaded || (!mm && READ_ONCE(loaded->users)))
		return;
	load_mm(mm);
}

void mm_switch_done(void)
{
	struct mm *mm = this_cpu(unloaded_mm);

	if (likely(!mm))
		return;
	this_cpu(unloaded_mm) = NULL;
	mm_free(mm);
}

void mm_use(struct mm *mm)
{
	irq_disable();
	current->mm = mm;
	if (this_cpu(loaded_mm) != mm)
		load_mm(mm);
	irq_enable();
	mm_switch_done();
}

/* ---- TLBs ------------------------------------------------------------------------------------ */

/* Never the last reference: the caller has one. */
static void leave_mm(void *arg)
{
	if (this_cpu(loaded_mm) == arg && current->mm != arg)
		load_mm(NULL);
}

struct user_range {
	struct mm *mm;
	u64 start, end;
};

static void flush_here(const struct user_range *range)
{
	if (range->start == range->end || range->end - range->start > FLUSH_ALL_PAGES * PAGE_SIZE) {
		write_cr3(virt_to_phys(range->mm->pml4));
		return;
	}
	for (u64 at = range->start; at < range->end; at += PAGE_SIZE)
		invlpg((void *)at);
}

/* On another CPU. One that runs a kernel thread need not be asked again and again: it leaves. */
static void flush_there(void *arg)
{
	const struct user_range *range = arg;

	leave_mm(range->mm);
	if (this_cpu(loaded_mm) == range->mm)
		flush_here(range);
}

void flush_tlb_user(struct mm *mm, u64 start, u64 end)
{
	struct user_range range = { mm, start, end };

	if (this_cpu(loaded_mm) == mm)
		flush_here(&range);
	smp_mb(); /* the new entries, then who must hear of them */
	smp_call_mask(READ_ONCE(mm->cpus), flush_there, &range);
}

void flush_tlb_protected(struct mm *mm, u32 nr_pages)
{
	struct user_range all = { mm, 0, 0 };

	if (nr_pages > FLUSH_ALL_PAGES)
		flush_here(&all);
	smp_mb();
	if (nr_pages)
		smp_call_mask(READ_ONCE(mm->cpus), flush_there, &all);
}

void unload_elsewhere(struct mm *mm)
{
	smp_call_mask(READ_ONCE(mm->cpus), leave_mm, mm);
}
