/* The tree of registered files, and what it shares with the directories of processes. */
#pragma once

#include <fs/proc/proc.h>

/* Numbers of inodes: the tree's count from here; those of processes have the process's number in their
 * upper half. */
#define PROC_ROOT_INO 1

/* The root's directory: first what is registered, then, from this position on, a process by number. */
#define FIRST_PROCESS_POS 1024

/* A new inode of a file or directory that is made for the current walk. ERR_PTR(-ENOMEM). */
struct inode *proc_inode(struct super *super, u64 ino, u32 mode, const struct inode_ops *ops,
			 const struct file_ops *file_ops, void *private_data);

/* fs/proc/system.c and the files beside it: what they register. */
void proc_system_init(void);
void proc_memory_init(void);
void proc_cpu_init(void);
void proc_cpuinfo_init(void);
void proc_interrupts_init(void);
void proc_sysctl_init(void);
void proc_wait_init(void);
void proc_epoll_init(void);
void proc_symbols_init(void);
void proc_trace_init(void);
