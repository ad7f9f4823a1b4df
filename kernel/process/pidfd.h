/* A descriptor for a process. */
#pragma once

#include <kernel/process.h>

/* A new descriptor, readable (EPOLLIN) when the process has ended, EPOLLHUP when it was waited for; or -errno. */
int pidfd_create(struct process *process, u32 flags);
/* The tgid of the process, or -errno. */
int pidfd_to_pid(int fd);

long sys_pidfd_open(int pid, u32 flags);
long sys_pidfd_send_signal(int fd, int sig, const struct siginfo __user *info, u32 flags);
