/*
 * What kernel/mm needs to run on the host: an arena for RAM, one for struct pages, and stand-ins for
 * the CPU, the scheduler and panic().
 */
#pragma once

#include <setjmp.h>

#include <kernel/mm/page.h>

#define SHIM_RAM_START (64 * MiB)
#define SHIM_RAM_SIZE  (48 * MiB)

/* Boots the allocators, the first time; leaves the CPU number at 0 and the fault injector off. */
void mm_shim_boot(void);

/* Set before the first boot where kernel/mm is built as in a debug build. */
extern bool mm_shim_zero_struct_pages;

/* Free pages when all CPUs' caches are drained. */
u64 mm_shim_free_pages(void);

/* Pretend to run on this CPU: slab magazines are its own then. */
void mm_shim_set_cpu(u32 cpu);

extern unsigned mm_shim_tlb_flushes;

/* Is `statement` the death of the kernel? Then its last words are in mm_shim_panic_text. */
extern jmp_buf *mm_shim_panic_catcher;
extern char mm_shim_panic_text[256];
#define PANICS(statement)                                  \
	({                                                 \
		jmp_buf catcher_;                          \
		volatile bool panicked_ = true;            \
                                                           \
		if (!setjmp(catcher_)) {                   \
			mm_shim_panic_catcher = &catcher_; \
			statement;                         \
			panicked_ = false;                 \
		}                                          \
		mm_shim_panic_catcher = NULL;              \
		panicked_;                                 \
	})
