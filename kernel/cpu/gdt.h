/* Descriptor tables: segments, the task-state segment, and the interrupt table that all CPUs share. */
#pragma once

#include <kernel/cpu/gdt_layout.h>
#include <kernel/lib/types.h>

/* Load this CPU's own GDT and TSS, and the common IDT. */
void gdt_init_cpu(void);
void idt_init(void);
void idt_load(void);
/* Let programs enter by `int vector`, at an entry of its own. */
void idt_set_user_gate(u8 vector, void (*entry)(void));

/* The stack that the CPU takes when it enters the kernel from user mode: the current task's. */
void tss_set_kernel_stack(u64 stack_top);
