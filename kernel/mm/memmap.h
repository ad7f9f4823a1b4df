/*
 * Which RAM there is and which of it is free, before there is an allocator. For boot only: nothing
 * here is locked.
 */
#pragma once

#include <kernel/boot_info.h>
#include <kernel/mm/layout.h>

/* RAM less what is in use: the first MiB, the kernel image, the initrd, what boot_alloc() gave away. */
struct memmap {
	unsigned nr_free;
	struct phys_range free[BOOT_MAX_RANGES + 4]; /* each reservation can split one range */
};
extern struct memmap memmap;

/* Reads boot_info; panics if there is too little memory to go on. */
void memmap_init(void);

/* Memory for page tables and struct pages: below 4 GiB, which boot's tables map. Size in whole pages;
 * not zeroed; never freed. Panics if there is none. */
phys_addr_t boot_alloc(size_t size);

/* Is all of [start, end) free RAM? */
bool memmap_is_free(phys_addr_t start, phys_addr_t end);

/* Bytes of RAM in boot_info. */
u64 memmap_total(void);
