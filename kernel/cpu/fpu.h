/*
 * The floating-point and vector registers. The kernel does not use them, so they belong to the program that
 * runs, or ran last, on this CPU; they are saved when it leaves the CPU and loaded when another comes.
 */
#pragma once

#include <kernel/lib/types.h>
#include <kernel/mm/uaccess.h>

struct fpu_state; /* the CPU's XSAVE image */

void fpu_init(void);	 /* the boot CPU, once: after the slab caches */
void fpu_init_cpu(void); /* each CPU */

/* A fresh state, as exec leaves it; a copy of the running task's. NULL: no memory. */
struct fpu_state *fpu_alloc(void);
struct fpu_state *fpu_clone_current(void);
void fpu_free(struct fpu_state *state);

/* At a switch, interrupts off: put the registers into `state`, load them from it. */
void fpu_save(struct fpu_state *state);
void fpu_load(struct fpu_state *state);

/* The current task's registers to and from a signal frame: `fpu_frame_size()` bytes, 64-byte aligned,
 * in Linux's layout. From: validated; NULL resets. 0 or -EFAULT/-EINVAL. */
size_t fpu_frame_size(void);
int fpu_copy_to_user(void __user *to);
int fpu_copy_from_user(const void __user *from);
void fpu_reset(void);
