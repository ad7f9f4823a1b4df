/* Replacing the program of a process. */
#pragma once

#include <kernel/mm/uaccess.h>
#include <kernel/process.h>
#include <kernel/process/init.h>

/* Run `path` as the first program: enters user mode and does not return, or returns -errno with nothing
 * changed. argv[0] is the path. */
int exec_init(const char *path, const struct init_command *command);

long sys_execve(const char __user *path, const char __user *const __user *argv,
		const char __user *const __user *envp);
long sys_execveat(int dirfd, const char __user *path, const char __user *const __user *argv,
		  const char __user *const __user *envp, int flags);
