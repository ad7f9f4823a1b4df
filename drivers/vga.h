/* The screen: VGA text, 80 by 25. */
#pragma once

#include <kernel/lib/types.h>

#define VGA_COLUMNS 80
#define VGA_ROWS    25

/* Finds the screen and makes it a console. After mm_init(). */
void vga_init(void);

/* Shows bytes: text, \n \r \b \t, and the escape sequences of a terminal that full-screen programs need.
 * Any context. */
void vga_write(const char *text, size_t length);
