/* Step 2: interrupt lines and their handlers. */
#pragma once

#include <kernel/cpu/percpu.h>
#include <kernel/cpu/trap.h>
#include <kernel/lib/types.h>

/* A handler runs in hard-IRQ context: it acknowledges its device, masks it, raises a softirq. It never
 * allocates, never wakes anyone, never touches a socket. */
typedef void (*irq_handler_t)(void *arg);

void irq_init(void);

/* ISA interrupts 0..15 go through the firmware's overrides; above that, numbers are the IOAPICs' own.
 * Lines may be shared. Returns 0 or -errno. */
int request_irq(u32 irq, const char *name, irq_handler_t handler, void *arg);

/* An interrupt without a line: the device writes `data` to `address`. Edge-triggered, shared with nobody.
 * 0 or -errno. */
struct msi_message {
	u32 address, data;
};
int request_msi(const char *name, irq_handler_t handler, void *arg, struct msi_message *message);

/* What a CPU-local vector (timer, IPI) does; counted under `name`. */
void irq_set_local(u8 vector, const char *name, irq_handler_t handler);

/* For /proc/interrupts and the monitor: calls `show` for each line or local vector in use. */
struct irq_stats {
	const char *name, *chip;
	u32 irq;
	u64 count[MAX_CPUS];
};
void irq_stats_for_each(void (*show)(const struct irq_stats *stats));
