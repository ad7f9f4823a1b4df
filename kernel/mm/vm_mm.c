/*
 * The life of an address space, and which one each CPU has loaded.
 *
 * A change of CR3 is dear (FACTS: 16 us under TCG), so none is made that can be avoided. A kernel thread or
 * the idle task runs on whatever is loaded; when the program comes back nothing need be done.
 * Therefore a space outlives its tasks: when the last one leaves, areas and pages go at once, but
 * the tables, which the CPU may still look at, go when no CPU has them loaded any more.
 *
 *	users		the tasks that live in it; 0: dead and empty
 *	refcount	the users together are one, every CPU that has it loaded is one, readers in /proc
 *
 * A program's TLB entries on other CPUs: `cpus` names those that must be told.
 *
 *	changes the map			loads the space
 *	entry = new			set the bit in cpus	(atomic: a full barrier)
 *	read cpus, interrupt them	load CR3
 *
 * Either the first sees the second's bit, or the second's CPU reads the new entry.
 *
 * Context: process; mm_switch() with interrupts off. Lock: mmap_lock.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/smp.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/random.h>

/* Linux's amounts of randomness, in pages, and its room for the stack. */
#define STACK_RANDOM	BIT(22)
#define MMAP_RANDOM	BIT(28)
#define MIN_STACK_ROOM	(128 * MiB)
#define MAX_STACK_ROOM	(USER_END / 6 * 5)

#define FLUSH_ALL_PAGES 64 /* more single flushes cost more than a reload of CR3 */

static struct kmem_cache *mm_cache;

/* This CPU's; touched with interrupts off. */
static DEFINE_PER_CPU(struct mm *, loaded_mm);	 /* NULL: the kernel's own tables */
static DEFINE_PER_CPU(struct mm *, unloaded_mm); /* its last reference went in mm_switch() */

void mm_cache_init(void)
{
	mm_cache = kmem_cache_create("mm", sizeof(struct mm), 0);
}

/* ---- creation and end ------------------------------------------------------------------------------ */

/* The stack at the top, then room for its growth, then what mmap() hands out, downwards. */
static void choose_layout(struct mm *mm)
{
	u64 room = min(max(mm_limit(RLIMIT_STACK), MIN_STACK_ROOM), MAX_STACK_ROOM);

	room = ALIGN_UP(room, PAGE_SIZE) + STACK_RANDOM * PAGE_SIZE + STACK_GUARD_GAP;
	mm->stack_top = USER_END - random_u64() % STACK_RANDOM * PAGE_SIZE;
	mm->mmap_top = USER_END - room - random_u64() % MMAP_RANDOM * PAGE_SIZE;
	mm->gap_hint = mm->mmap_top;
}

static struct mm *mm_alloc(void)
{
	struct mm *mm = kmem_cache_alloc(mm_cache, GFP_KERNEL);

	if (!mm)
		return NULL;
	memset(mm, 0, sizeof(*mm));
	mm->pml4 = table_alloc();
	if (!mm->pml4) {
		kmem_cache_free(mm_cache, mm);
		return NULL;
	}
	memcpy(mm->pml4 + PTRS_PER_TABLE / 2, kernel_pml4 + PTRS_PER_TABLE / 2, PAGE_SIZE / 2);
	mutex_init(&mm->mmap_lock);
	INIT_LIST_HEAD(&mm->unused_tables);
	mm->users = 1;
	mm->refcount = 1;
	return mm;
}

struct mm *mm_create(void)
{
	struct mm *mm = mm_alloc();

	if (mm)
		choose_layout(mm);
	return mm;
}

void mm_get(struct mm *mm)
{
	__atomic_add_fetch(&mm->refcount, 1, __ATOMIC_RELAXED);
}

/* No CPU has it loaded, and it is empty. */
static void mm_free(struct mm *mm)
{
	debug_assert(!mm->users && !mm->cpus && !mm->usage.rss && !mm->nr_areas);
	free_unused_tables(mm);
	memset(mm->pml4 + PTRS_PER_TABLE / 2, 0, PAGE_SIZE / 2);
	table_free(mm->pml4);
	kmem_cache_free(mm_cache, mm);
}

static bool drop_reference(struct mm *mm)
{
	return __atomic_sub_fetch(&mm->refcount, 1, __ATOMIC_ACQ_REL) == 0;
}

void mm_put(struct mm *mm)
{
	if (drop_reference(mm))
		mm_free(mm);
}

void mm_get_user(struct mm *mm)
{
	__atomic_add_fetch(&mm->users, 1, __ATOMIC_RELAXED);
}

/* Nodes from the leaves up: nobody needs the tree to be balanced any more. */
static void free_areas(struct mm *mm)
{
	struct rb_node *node = mm->areas.rb_node;

	while (node) {
		struct rb_node *parent = rb_parent(node);

		if (node->rb_left) {
			node = node->rb_left;
		} else if (node->rb_right) {
			node = node->rb_right;
		} else {
			if (parent)
				*(parent->rb_left == node ? &parent->rb_left : &parent->rb_right) =
					NULL;
			area_free(rb_entry(node, struct vm_area, node));
			node = parent;
		}
	}
	mm->areas = RB_ROOT;
	mm->nr_areas = 0;
}

static void mm_empty(struct mm *mm)
{
	struct vm_gather gather;

	mutex_lock(&mm->mmap_lock);
	gather_begin(&gather, mm);
	for (struct vm_area *area = vm_find(mm, 0); area; area = vm_next(area))
		zap_range(&gather, area->start, area->end);
	gather_end(&gather);
	free_areas(mm);
	mutex_unlock(&mm->mmap_lock);
	if (mm->exe)
		vm_files->put(mm->exe);
}

/* Interrupt context: a kernel thread here runs on this space. */
static void leave_mm(void *arg);

void mm_put_user(struct mm *mm)
{
	if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
		return;
	smp_call_mask(READ_ONCE(mm->cpus), leave_mm, mm);
	mm_empty(mm);
	mm_put(mm);
}

/* ---- fork ------------------------------------------------------------------------------------------- */

static int clone_area(struct mm *mm, struct vm_area *old, struct rb_node **last)
{
	struct vm_area *area;

	if (old->flags & VM_DONTFORK)
		return 0;
	area = area_alloc();
	if (!area)
		return -ENOMEM;
	*area = *old;
	area->mm = mm;
	area->flags &= ~VM_LOCKED;
	area_hold(area);
	area_append(area, last);
	return old->flags & VM_WIPEONFORK ? 0 : copy_range(mm, old);
}

static int clone_areas(struct mm *mm, struct mm *old)
{
	struct rb_node *last = NULL;

	for (struct vm_area *area = vm_find(old, 0); area; area = vm_next(area)) {
		int error = clone_area(mm, area, &last);

		if (error)
			return error;
	}
	return 0;
}

static void clone_layout(struct mm *mm, const struct mm *old)
{
	mm->gap_hint = old->gap_hint;
	mm->gap_above = old->gap_above;
	mm->brk_start = old->brk_start;
	mm->brk = old->brk;
	mm->stack_top = old->stack_top;
	mm->mmap_top = old->mmap_top;
	mm->arg_start = old->arg_start;
	mm->arg_end = old->arg_end;
	mm->env_start = old->env_start;
	mm->env_end = old->env_end;
	mm->code_start = old->code_start;
	mm->code_end = old->code_end;
	mm->data_start = old->data_start;
	mm->data_end = old->data_end;
	mm->exe = old->exe;
	if (mm->exe)
		vm_files->get(mm->exe);
}

struct mm *mm_clone(struct mm *old)
{
	struct mm *mm = mm_alloc();
	int error;

	if (!mm)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&old->mmap_lock);
	clone_layout(mm, old);
	error = clone_areas(mm, old);
	flush_tlb_user(old, 0, 0); /* the private pages are write-protected now */
	mutex_unlock(&old->mmap_lock);
	mm->usage.peak_rss = mm->usage.rss;
	if (!error)
		return mm;
	mm_put_user(mm);
	return ERR_PTR(error);
}

/* ---- which one is loaded ------------------------------------------------------------------------------ */

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
		if (drop_reference(old)) {
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

/* ---- TLBs ----------------------------------------------------------------------------------------------- */

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
	if (range->start == range->end ||
	    range->end - range->start > FLUSH_ALL_PAGES * PAGE_SIZE) {
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
