/*
 * Address spaces of programs: a sorted set of areas, each with its protection and, if it maps a
 * file, its place in it. Pages come when they are touched: zeroes, a page of the file, or a copy.
 *
 * Locks: mm->mmap_lock (mutex): the areas and the layout; held over a page fault. The page tables
 * below it belong to it too. Order: mmap_lock, then an inode's locks. So nobody may touch user
 * memory with an inode's lock held.
 */
#pragma once

#include <kernel/lib/rbtree.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/uaccess.h>
#include <kernel/mutex.h>

struct file;
struct mm;
struct trap_frame;
struct vm_area;

/* What a file that can be mapped provides. Process context, mmap_lock held. */
struct vm_ops {
	/* The page of the file that holds offset `pgoff` (in pages), with a reference for the
	 * caller; NULL: beyond the end (SIGBUS); ERR_PTR(-ENOMEM). For a shared mapping that page
	 * itself is mapped, and `write` says that it may be written to; for a private one a copy
	 * when it is. */
	struct page *(*fault)(struct vm_area *area, u64 pgoff, bool write);
	/* One more, one less area with this area->shared. May be NULL. */
	void (*open)(struct vm_area *area);
	void (*close)(struct vm_area *area);
};

#define VM_READ	      0x1U /* as PROT_READ, ... */
#define VM_WRITE      0x2U
#define VM_EXEC	      0x4U
#define VM_PROT	      0x7U
#define VM_SHARED     0x8U
#define VM_GROWSDOWN  0x10U /* the stack */
#define VM_DONTFORK   0x20U
#define VM_NORESERVE  0x40U
#define VM_MAYWRITE   0x80U /* mprotect() may make it writable */
#define VM_LOCKED     0x100U
#define VM_WIPEONFORK 0x200U
#define VM_MAYEXEC    0x400U /* mprotect() may make it executable */

struct vm_area {
	/* under mm->mmap_lock */
	struct rb_node node;
	u64 start, end;	   /* [start, end), page aligned */
	u32 flags;	   /* VM_* */
	u64 pgoff;	   /* of `start` in the file, in pages; 0 for anonymous private memory */
	struct file *file; /* a reference, or NULL: anonymous */
	const struct vm_ops *ops; /* NULL for anonymous private memory */
	void *shared;		  /* for ops: what backs it */
	struct mm *mm;
};

/* Sizes in pages, for /proc and limits. */
struct vm_usage {
	u64 total, peak_total; /* mapped by areas */
	u64 data, stack, exec; /* private writable; stack; executable and not writable */
	u64 locked;
	u64 rss, peak_rss; /* pages present */
	u64 rss_file;	   /* of these, pages of files and shared memory */
};

struct mm {
	struct mutex mmap_lock;
	/* under mmap_lock */
	struct rb_root areas;
	u32 nr_areas;
	u32 default_flags;     /* VM_LOCKED after mlockall(MCL_FUTURE) */
	struct vm_usage usage; /* others read single words */
	/* No gap between gap_hint and mmap_top is larger than gap_above: mmap() looks from
	 * there. */
	u64 gap_hint, gap_above;
	u64 brk_start, brk;
	u64 stack_top, mmap_top; /* where the stack begins; below what mmap() looks for room */
	u64 arg_start, arg_end, env_start, env_end; /* for /proc/PID/cmdline, environ */
	u64 code_start, code_end, data_start, data_end;
	struct file *exe; /* a reference */

	struct list_head all; /* under mm_list_lock */
	pte_t *pml4;
	/* page tables of a dead space, until no CPU has it loaded */
	struct list_head unused_tables;
	u64 cpus;     /* atomic bit mask: CPUs whose CR3 holds this; they want to hear of changes */
	u32 users;    /* atomic: tasks that live in it; the last one's exit empties it */
	u32 refcount; /* atomic: all users together, each CPU of `cpus`, each reader */
};

/* An empty one, one user, with the kernel's half. Its layout (stack_top, mmap_top, brk) is exec's
 * to choose. NULL: no memory. */
struct mm *mm_create(void);
/* A copy for fork(): pages shared until written. ERR_PTR. */
struct mm *mm_clone(struct mm *old);
void mm_get_user(struct mm *mm); /* one more task lives in it */
void mm_put_user(struct mm *mm); /* one less; the last one unmaps everything */
/* Give back the empty page tables that this CPU keeps for its next fork. */
void tables_drain_cpu(void);
void mm_get(struct mm *mm);
void mm_put(struct mm *mm);

/* Make `mm` the address space of this CPU; NULL (a kernel thread, idle): leave whatever is loaded,
 * unless that is dead. Interrupts off. No CR3 write when it is loaded already. */
void mm_switch(struct mm *mm);
/* After mm_switch(), when interrupts are on again: frees the space that was left, if that was the
 * end of it. */
void mm_switch_done(void);
/* `current` goes to live in `mm`, or in none (NULL). What it lived in before is the caller's to
 * put. Process context. */
void mm_use(struct mm *mm);

/* Map. `address` is a wish, or with MAP_FIXED an order; file == NULL and !MAP_SHARED: zeroes. Takes
 * mmap_lock. Returns the address or -errno. flags are mmap()'s MAP_*, prot its PROT_*. */
s64 vm_mmap(struct mm *mm, u64 address, u64 size, int prot, int flags, struct file *file,
	    u64 offset);
int vm_munmap(struct mm *mm, u64 address, u64 size);

/* The area that contains `address`, or the first above it; mmap_lock held. */
struct vm_area *vm_find(struct mm *mm, u64 address);
struct vm_area *vm_next(struct vm_area *area);
/* What /proc/PID/maps calls it, "[heap]" say; NULL: by its file, or nothing. */
const char *vm_area_name(const struct vm_area *area);

/* Read or write another address space, bringing pages in: exec's stack, /proc/PID/cmdline. The
 * area's protection counts. Bytes done, or -EFAULT if that is none. Takes mmap_lock. */
ssize_t vm_access(struct mm *mm, u64 address, void *buffer, size_t size, bool write);

/* Caches, and the page-fault handler for TRAP_PF: program's or uaccess's faults end there. */
void vm_init(void);

/* Told about a fault that no mapping explains: sends SIGSEGV/SIGBUS. Set by kernel/signal.c. */
extern void (*vm_signal_fault)(struct trap_frame *frame, int signal, int code, u64 address);
/* No page is left, not even after reclaim: choose a victim and kill it; set by kernel/process. True
 * if it is worth trying again. */
extern bool (*vm_out_of_memory)(void);

/* What address spaces want from files; set by fs/mmap.c. */
struct vm_file_hooks {
	void (*get)(struct file *file);
	void (*put)(struct file *file);
	/* May it be mapped so? prot: PROT_*. The VM_MAY* flags, or -EACCES, -EPERM, -ENODEV. */
	int (*may_map)(struct file *file, int prot, bool shared);
	/* Sets area->ops and area->shared. 0 or -errno. */
	int (*map)(struct file *file, struct vm_area *area);
};
extern const struct vm_file_hooks *vm_files;

/* For a file's map(): memory of zeroes that belongs to no file, as mapping /dev/zero gives. 0 or
 * -ENOMEM. */
int vm_area_make_anonymous(struct vm_area *area);

/* The pages [from, to) of what is behind areas with this area->shared are no more: whoever has them
 * mapped loses them. `copies`: the file was cut, so private copies go, too. No lock inside
 * mmap_lock may be held. */
void vm_unmap_pages(const void *backing, u64 from, u64 to, bool copies);

/* Drop a range of a program's map from the TLBs of the CPUs that hold it; start == end: all of
 * it. */
void flush_tlb_user(struct mm *mm, u64 start, u64 end);

static inline u64 mm_rss(const struct mm *mm)
{
	return READ_ONCE(mm->usage.rss);
}

/* Linux's constants. */
#define PROT_NONE	    0x0
#define PROT_READ	    0x1
#define PROT_WRITE	    0x2
#define PROT_EXEC	    0x4
#define PROT_SEM	    0x8
#define PROT_GROWSDOWN	    0x01000000
#define PROT_GROWSUP	    0x02000000
#define MAP_SHARED	    0x01
#define MAP_PRIVATE	    0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE	    0x0f
#define MAP_FIXED	    0x10
#define MAP_ANONYMOUS	    0x20
#define MAP_32BIT	    0x40
#define MAP_GROWSDOWN	    0x0100
#define MAP_DENYWRITE	    0x0800
#define MAP_EXECUTABLE	    0x1000
#define MAP_LOCKED	    0x2000
#define MAP_NORESERVE	    0x4000
#define MAP_POPULATE	    0x8000
#define MAP_NONBLOCK	    0x10000
#define MAP_STACK	    0x20000
#define MAP_HUGETLB	    0x40000
#define MAP_FIXED_NOREPLACE 0x100000
