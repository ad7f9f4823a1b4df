/* The serial line: a 16550 UART. */
#pragma once

#include <kernel/lib/types.h>

/* Finds the UART that `console=` names (COM1 if it names none) and makes it a console that polls. After
 * cmdline_parse(); needs neither memory nor interrupts. */
void uart_init(void);

/* From now on interrupts feed the line, and what comes in is passed on. After irq_init(). */
void uart_start_irq(void);

/* Its name, "ttyS0" ... "ttyS3"; NULL: there is none. */
const char *uart_name(void);

/* Sends bytes as they are. Any context. */
void uart_write(const char *text, size_t length);

/* Called in softirq context with each byte that came in; set by the terminal, NULL until then. */
extern void (*uart_receive)(char c);
