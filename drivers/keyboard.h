/* The PS/2 keyboard. */
#pragma once

#include <kernel/lib/types.h>

/* After irq_init() and acpi_init(). */
void keyboard_init(void);

/* Called in softirq context with each character typed; set by the terminal, NULL until then. */
extern void (*keyboard_receive)(char c);
