/*
 * Address spaces of programs: a sorted set of areas (vma), each with its protection and, if it maps a
 * file, its place in it. Pages come when they are touched: zeroes, a page of the file, or a copy.
 *
 * Locks: mm->mmap_lock (mutex): the areas and the layout; held over a page fault. The page tables below it
 * belong to it too. Order: mmap_lock, then an inode's locks.
 */
#pragma once

#include <kernel/lib/rbtree.h>
#include <kernel/mm/paging.h>
#include <kernel/mutex.h>

struct file;
struct vm_area;
struct trap_frame;

/* What a file that can be mapped provides. Process context, mmap_lock held. */
struct vm_ops {
	/* The page of the file that holds offset `pgoff` (in pages), with a reference for the caller;
	 * NULL: beyond the end (SIGBUS); ERR_PTR(-ENOMEM). For a shared mapping that page itself is
	 * mapped; for a private one a copy when it is written to. */
	struct page *(*fault)(struct vm_area *vma, u64 pgoff, bool write);
};

#define VM_READ	  0x1U
#define VM_WRITE  0x2U
#define VM_EXEC	  0x4U
#define VM_SHARED 0x8U
#define VM_GROWSDOWN 0x10U /* the stack */
#define VM_DONTFORK  0x20U
#define VM_NORESERVE 0x40U

struct vm_area {
	/* under mm->mmap_lock */
	struct rb_node node;
	u64 start, end; /* [start, end), page aligned */
	u32 flags;	/* VM_* */
	u64 pgoff;	/* of `start` in the file, in pages; 0 for anonymous private memory */
	struct file *file;	  /* a reference, or NULL: anonymous */
	const struct vm_ops *ops; /* NULL for anonymous private memory */
	void *shared;		  /* for ops: what backs it (a tmpfs inode for shared anonymous memory) */
	struct mm *mm;
};

struct mm {
	struct mutex mmap_lock;
	/* under mmap_lock */
	struct rb_root areas;
	u32 nr_areas;
	u64 total_pages;	/* mapped by areas */
	u64 brk_start, brk;
	u64 stack_top, mmap_top; /* where the stack begins; below what mmap() looks for room */
	u64 arg_start, arg_end, env_start, env_end; /* for /proc/PID/cmdline, environ */
	u64 code_start, code_end, data_start, data_end;
	struct file *exe; /* a reference */

	pte_t *pml4;
	u64 rss;	 /* atomic: pages present (file pages too) */
	u64 peak_rss;
	u64 cpus;	 /* atomic bit mask: CPUs whose CR3 holds this; they want to hear of changes */
	u32 users;	 /* atomic: tasks that live in it; the last one's exit empties it */
	u32 refcount;	 /* atomic: `users` counts as one; lazily loaded CR3s and /proc readers each one */
};

/* An empty one, with the kernel's half. NULL: no memory. */
struct mm *mm_create(void);
/* A copy for fork(): pages shared until written. ERR_PTR. */
struct mm *mm_clone(struct mm *old);
void mm_get_user(struct mm *mm); /* one more task lives in it */
void mm_put_user(struct mm *mm); /* one less; the last one unmaps everything */
void mm_get(struct mm *mm);
void mm_put(struct mm *mm);

/* Make `mm` the address space of this CPU; NULL (a kernel thread, idle): leave whatever is loaded.
 * Called by the scheduler with interrupts off. No CR3 write when it is loaded already. */
void mm_switch(struct mm *mm);

/* Map. `address` is a wish, or with MAP_FIXED an order; file == NULL and !VM_SHARED: zeroes. Takes mmap_lock.
 * Returns the address or -errno. flags are mmap()'s MAP_*, prot its PROT_*. */
s64 vm_mmap(struct mm *mm, u64 address, u64 size, int prot, int flags, struct file *file, u64 offset);
int vm_munmap(struct mm *mm, u64 address, u64 size);
/* The area that contains `address`, or the first above it; mmap_lock held. */
struct vm_area *vm_find(struct mm *mm, u64 address);
struct vm_area *vm_next(struct vm_area *vma);

/* Write into another (new) address space, bringing pages in: exec's stack, ptrace-like readers. Bytes
 * copied, or -EFAULT. */
ssize_t vm_access(struct mm *mm, u64 address, void *buffer, size_t size, bool write);

/* The page-fault handler (registered for TRAP_PF): program's or uaccess's faults end here. */
void vm_init(void);

/* Told about a fault that no mapping explains: sends SIGSEGV/SIGBUS. Set by kernel/signal.c. */
extern void (*vm_signal_fault)(struct trap_frame *frame, int signal, int code, u64 address);
/* No page is left, not even after reclaim: choose a victim and kill it; set by kernel/process. True if it
 * is worth trying again. */
extern bool (*vm_out_of_memory)(void);

/* Drop a range of a program's map from the TLBs of the CPUs that hold it; start == end: all of it. */
void flush_tlb_user(struct mm *mm, u64 start, u64 end);

/* What the mm's pages are made of (in pages), for statm, status and the OOM killer. */
u64 mm_rss(const struct mm *mm);

/* Linux's constants for mmap. */
#define PROT_READ	    0x1
#define PROT_WRITE	    0x2
#define PROT_EXEC	    0x4
#define PROT_GROWSDOWN	    0x01000000
#define PROT_GROWSUP	    0x02000000
#define MAP_SHARED	    0x01
#define MAP_PRIVATE	    0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE	    0x0f
#define MAP_FIXED	    0x10
#define MAP_ANONYMOUS	    0x20
#define MAP_GROWSDOWN	    0x0100
#define MAP_LOCKED	    0x2000
#define MAP_NORESERVE	    0x4000
#define MAP_POPULATE	    0x8000
#define MAP_STACK	    0x20000
#define MAP_FIXED_NOREPLACE 0x100000
