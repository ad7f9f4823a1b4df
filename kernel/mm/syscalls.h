/* The system calls of address spaces. mmap itself needs a descriptor's file: fs/mmap.h. */
#pragma once

#include <kernel/mm/uaccess.h>

long sys_brk(u64 brk);
long sys_munmap(u64 address, size_t size);
long sys_mprotect(u64 start, size_t size, u64 prot);
long sys_mremap(u64 address, u64 old_size, u64 new_size, u64 flags, u64 new_address);
long sys_madvise(u64 start, size_t size, int advice);
long sys_mincore(u64 start, size_t size, u8 __user *vector);
long sys_msync(u64 start, size_t size, int flags);
long sys_mlock(u64 start, size_t size);
long sys_mlock2(u64 start, size_t size, int flags);
long sys_munlock(u64 start, size_t size);
long sys_mlockall(int flags);
long sys_munlockall(void);
