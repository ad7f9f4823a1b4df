/* The end of processes. */
#pragma once

#include <kernel/process.h>

struct mm;

/* A vfork's child no longer uses its parent's memory: exec and exit. */
void vfork_release(struct task *task);

/* The current task goes over to another address space (NULL: none); the caller lets go of the old one. */
void set_current_mm(struct mm *mm);

/* exec: end every other thread of the process and take the leader's place. 0 or -EAGAIN. */
int become_only_thread(void);

/* ---- tree_lock held ------------------------------------------------------------------------------- */

/* Send a SIGKILL to every thread but the current one; sighand->lock held too. */
void kill_other_threads(struct process *process);
/* Tell the parent that a child has ended. */
void notify_parent(struct process *process);
/* A zombie's last traces go: from now on it cannot be found. */
void process_reap(struct process *process);
/* Nobody could continue this group if it stopped. */
bool pgrp_orphaned(u32 pgrp, const struct process *ignored);
