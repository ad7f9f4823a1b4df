/* Interrupts, for those who print their counts. */
#pragma once

#include <kernel/irq.h>

struct seq_buf;

/* Each line and each vector of a CPU's own. */
void for_each_interrupt(struct seq_buf *out,
			void (*show)(struct seq_buf *out, const struct irq_stats *stats));
