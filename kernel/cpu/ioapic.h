/* The IOAPICs: device lines to CPU vectors. */
#pragma once

#include <kernel/lib/types.h>

/* Map them, mask every line, and mask the old 8259 pair for good. */
void ioapic_init(void);

/* Route an interrupt to a vector on a CPU and unmask it. ISA numbers (0..15) follow the firmware's
 * overrides; others are level-triggered, active low, as PCI's are. -ENODEV: no such line. */
int ioapic_route(u32 irq, u8 vector, u32 cpu);
