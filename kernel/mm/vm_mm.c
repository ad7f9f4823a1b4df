/*
 * The life of an address space: created, copied by fork, emptied when its last task leaves, and
 * freed when nobody looks at it any more.
 *
 *	users		the tasks that live in it; 0: dead and empty
 *	refcount	the users together, every CPU that has it loaded, readers in /proc
 *
 * Context: process. Lock: mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vm_impl.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

static struct kmem_cache *mm_cache;

/* All there are, for vm_unmap_pages(). */
static DEFINE_SPINLOCK(mm_list_lock);
static LIST_HEAD(mm_list);

void mm_cache_init(void)
{
	mm_cache = kmem_cache_create("mm", sizeof(struct mm), 0);
}

/* ---- creation and end ------------------------------------------------------------------------ */

struct mm *mm_create(void)
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
	mm->stack_top = mm->mmap_top = mm->gap_hint = USER_END;
	mm->users = 1;
	mm->refcount = 1;
	spin_lock(&mm_list_lock);
	list_add_tail(&mm->all, &mm_list);
	spin_unlock(&mm_list_lock);
	return mm;
}

void mm_get(struct mm *mm)
{
	__atomic_add_fetch(&mm->refcount, 1, __ATOMIC_RELAXED);
}

/* No CPU has it loaded, and it is empty. */
void mm_free(struct mm *mm)
{
	debug_assert(!mm->users && !mm->cpus && !mm->usage.rss && !mm->nr_areas);
	spin_lock(&mm_list_lock);
	list_del(&mm->all);
	spin_unlock(&mm_list_lock);
	free_unused_tables(mm);
	memset(mm->pml4 + PTRS_PER_TABLE / 2, 0, PAGE_SIZE / 2);
	table_free(mm->pml4);
	kmem_cache_free(mm_cache, mm);
}

void mm_put(struct mm *mm)
{
	if (mm_drop_reference(mm))
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

static bool mm_get_unless_free(struct mm *mm)
{
	u32 count = READ_ONCE(mm->refcount);

	while (count && !__atomic_compare_exchange_n(&mm->refcount, &count, count + 1, false,
						     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	return count;
}

static void mm_empty(struct mm *mm)
{
	struct vm_gather gather;
	struct file *exe;

	mutex_lock(&mm->mmap_lock);
	gather_begin(&gather, mm);
	for (struct vm_area *area = vm_find(mm, 0); area; area = vm_next(area))
		zap_range(&gather, area->start, area->end);
	gather_end(&gather);
	free_areas(mm);
	exe = mm->exe;
	mm->exe = NULL;
	mutex_unlock(&mm->mmap_lock);
	if (exe)
		vm_files->put(exe);
}

void mm_put_user(struct mm *mm)
{
	if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
		return;
	unload_elsewhere(mm);
	mm_empty(mm);
	mm_put(mm);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static int clone_area(struct mm *mm, struct vm_area *old, struct rb_node **last, u32 *nr_protected)
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
	return old->flags & VM_WIPEONFORK ? 0 : copy_range(mm, old, nr_protected);
}

static int clone_areas(struct mm *mm, struct mm *old, u32 *nr_protected)
{
	struct rb_node *last = NULL;

	for (struct vm_area *area = vm_find(old, 0); area; area = vm_next(area)) {
		int error = clone_area(mm, area, &last, nr_protected);

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

/* `old` is current's. */
struct mm *mm_clone(struct mm *old)
{
	struct mm *mm = mm_create();
	u32 nr_protected = 0;
	int error;

	if (!mm)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&old->mmap_lock);
	clone_layout(mm, old);
	error = clone_areas(mm, old, &nr_protected);
	flush_tlb_protected(old, nr_protected);
	mutex_unlock(&old->mmap_lock);
	mm->usage.peak_rss = mm->usage.rss;
	if (!error)
		return mm;
	mm_put_user(mm);
	return ERR_PTR(error);
}

/* ---- a file's pages, in all address spaces --------------------------------------------------- */

/* The next of the list, with a reference; the one for `mm` is dropped. Those that come meanwhile
 * come to the end; those without references are about to leave. */
static struct mm *next_mm(struct mm *mm)
{
	struct list_head *link;
	struct mm *next = NULL;

	spin_lock(&mm_list_lock);
	for (link = mm ? mm->all.next : mm_list.next; link != &mm_list && !next;
	     link = link->next) {
		next = list_entry(link, struct mm, all);
		if (!mm_get_unless_free(next))
			next = NULL;
	}
	spin_unlock(&mm_list_lock);
	if (mm)
		mm_put(mm);
	return next;
}

static void unmap_pages(struct mm *mm, const void *backing, u64 from, u64 to, bool copies)
{
	struct vm_gather gather;

	mutex_lock(&mm->mmap_lock);
	gather_begin(&gather, mm);
	for (struct vm_area *area = vm_find(mm, 0); area; area = vm_next(area)) {
		u64 first = area->pgoff, last = first + (area->end - area->start) / PAGE_SIZE;

		if (area->shared != backing || from >= last || to <= first)
			continue;
		if (!(area->flags & VM_SHARED) && !copies)
			continue;
		zap_range(&gather, area->start + (max(from, first) - first) * PAGE_SIZE,
			  area->start + (min(to, last) - first) * PAGE_SIZE);
	}
	gather_end(&gather);
	mutex_unlock(&mm->mmap_lock);
}

void vm_unmap_pages(const void *backing, u64 from, u64 to, bool copies)
{
	for (struct mm *mm = next_mm(NULL); mm; mm = next_mm(mm))
		unmap_pages(mm, backing, from, to, copies);
}
