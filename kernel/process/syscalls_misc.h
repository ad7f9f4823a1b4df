/* System calls about limits, scheduling, and the machine. */
#pragma once

#include <kernel/mm/uaccess.h>
#include <kernel/process.h>

struct rusage;
struct sched_param;
struct sysinfo;
struct tms;
struct utsname;

long sys_getrlimit(u32 resource, struct rlimit __user *limit);
long sys_setrlimit(u32 resource, const struct rlimit __user *limit);
long sys_prlimit64(int pid, u32 resource, const struct rlimit __user *new_limit,
		   struct rlimit __user *old_limit);
long sys_getrusage(int who, struct rusage __user *usage);
long sys_times(struct tms __user *times);

long sys_sched_yield(void);
long sys_getpriority(int which, u32 who);
long sys_setpriority(int which, u32 who, int nice);
long sys_sched_setaffinity(int pid, u32 size, const u64 __user *mask);
long sys_sched_getaffinity(int pid, u32 size, u64 __user *mask);
long sys_sched_getscheduler(int pid);
long sys_sched_setscheduler(int pid, int policy, const struct sched_param __user *param);
long sys_sched_getparam(int pid, struct sched_param __user *param);
long sys_sched_setparam(int pid, const struct sched_param __user *param);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int pid, s64 __user *interval);
long sys_getcpu(u32 __user *cpu, u32 __user *node, void __user *unused);
long sys_membarrier(int command, u32 flags, int cpu);

long sys_uname(struct utsname __user *name);
long sys_sethostname(const char __user *name, int length);
long sys_setdomainname(const char __user *name, int length);
long sys_sysinfo(struct sysinfo __user *info);
long sys_getrandom(void __user *buffer, size_t size, u32 flags);
long sys_prctl(int option, u64 arg2, u64 arg3, u64 arg4, u64 arg5);
long sys_arch_prctl(int code, u64 address);
long sys_personality(u32 persona);
long sys_reboot(u32 magic1, u32 magic2, u32 command, void __user *arg);
long sys_syslog(int type, char __user *buffer, int size);
