/* The local APIC: this CPU's interrupt controller, one-shot timer, and way to interrupt other CPUs. */
#pragma once

#include <kernel/lib/types.h>

/* Map the registers and measure the timer; the boot CPU, once. */
void lapic_init(void);
/* Switch it on; each CPU. */
void lapic_enable(void);

u32 lapic_id(void);
void lapic_eoi(void);

/* Interrupt this CPU (VECTOR_TIMER) when clock_ns() reaches `expires`, or soon after; replaces what
 * was armed before. */
void lapic_timer_arm(u64 expires);

void lapic_send_ipi(u32 apic_id, u8 vector);
void lapic_send_nmi_to_others(void);
void lapic_send_init(u32 apic_id);
void lapic_send_startup(u32 apic_id, u8 page);
