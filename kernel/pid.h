/* Numbers for tasks, process groups and sessions, and the way from a number to a task. */
#pragma once

#include <kernel/process.h>

#define PID_MAX	 32768
#define INIT_PID 1

void pids_init(void);
/* A number that no task, group or session has, with one reference; 0: there is none left. */
u32 pid_alloc(void);
/* How many it has given since boot: tasks that were made. */
u64 pids_given(void);
/* tree_lock held: a group or session uses the number / no longer does. */
void pid_get(u32 pid);
void pid_put(u32 pid);
/* tree_lock held: which thread, which process the number names; NULL when there is none (any more). */
void pid_attach_task(u32 pid, struct task *task);
struct task *pid_task(u32 pid);
void pid_attach_process(u32 pid, struct process *process);
struct process *pid_process(u32 pid);
/* Is there a thread or process of that number? */
bool pid_exists(u32 pid);
