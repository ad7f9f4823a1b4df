/* Futexes: sleeping on a word of user memory, and being woken by whoever changed it. */
#pragma once

#include <kernel/mm/uaccess.h>

struct robust_list_head;
struct task;
struct timespec;

/* A thread's end, or its exec, while it still has its memory: locks that it holds are marked and
 * handed on, and whoever joins it is woken. */
void futex_exit(struct task *task);

/* Wake up to `count` who wait for that word, be it shared or private; how many, or -errno. */
int futex_wake(u32 __user *address, bool shared, int count, u32 bitset);

/* kernel/process/robust_list.c: the first half of futex_exit(). */
void robust_list_exit(struct task *task);

/* Boot. */
void futex_init(void);

long sys_futex(u32 __user *address, int operation, u32 value, const struct timespec __user *timeout,
	       u32 __user *address2, u32 value3);
long sys_set_robust_list(struct robust_list_head __user *head, size_t size);
long sys_get_robust_list(int pid, struct robust_list_head __user *__user *head,
			 size_t __user *size);
