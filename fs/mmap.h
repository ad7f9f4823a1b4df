/* mmap of files: what address spaces ask of them, and the system call, which knows descriptors. */
#pragma once

#include <kernel/lib/types.h>

long sys_mmap(u64 address, size_t size, int prot, int flags, int fd, u64 offset);

/* Tells kernel/mm about files. Before the first program. */
void mmap_init(void);
