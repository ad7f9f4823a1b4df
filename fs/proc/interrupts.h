/* Interrupts, for those who print their counts. */
#pragma once

#include <kernel/irq.h>

/* Each line and each vector of a CPU's own. */
void for_each_interrupt(void (*look)(const struct irq_stats *stats, void *arg), void *arg);
