/* System calls about user and group ids. */
#pragma once

#include <kernel/mm/uaccess.h>

struct cap_data;
struct cap_header;

long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_setuid(u32 uid);
long sys_setgid(u32 gid);
long sys_setreuid(u32 uid, u32 euid);
long sys_setregid(u32 gid, u32 egid);
long sys_setresuid(u32 uid, u32 euid, u32 suid);
long sys_setresgid(u32 gid, u32 egid, u32 sgid);
long sys_getresuid(u32 __user *uid, u32 __user *euid, u32 __user *suid);
long sys_getresgid(u32 __user *gid, u32 __user *egid, u32 __user *sgid);
long sys_setfsuid(u32 uid);
long sys_setfsgid(u32 gid);
long sys_getgroups(int size, u32 __user *list);
long sys_setgroups(int size, const u32 __user *list);
long sys_capget(struct cap_header __user *user, struct cap_data __user *data);
long sys_capset(struct cap_header __user *user, const struct cap_data __user *data);
