/* System calls about processes. */
#pragma once

#include <kernel/mm/uaccess.h>

struct clone_args; /* Linux's, for clone3 */
struct rusage;

long sys_fork(void);
long sys_vfork(void);
long sys_clone(u64 flags, u64 stack, u32 __user *parent_tid, u32 __user *child_tid, u64 tls);
long sys_clone3(const struct clone_args __user *args, size_t size);
long sys_unshare(u64 flags);
long sys_exit(int code);
long sys_exit_group(int code);
long sys_wait4(int pid, int __user *status, int options, struct rusage __user *usage);
long sys_waitid(int which, int pid, void __user *info, int options, struct rusage __user *usage);
long sys_set_tid_address(u32 __user *address);
long sys_getpid(void);
long sys_gettid(void);
long sys_getppid(void);
long sys_setpgid(int pid, int pgid);
long sys_getpgid(int pid);
long sys_getpgrp(void);
long sys_setsid(void);
long sys_getsid(int pid);
