/*
 * Formatted output into a buffer: C's printf without floating point and %n, with C's meaning of
 * flags (0 - + # space), width, precision (both may be *) and lengths (hh h l ll z t j).
 *
 * And the kernel's own pointers:
 *	%p	0x and sixteen digits
 *	%pS	the symbol that holds this address, as printf_symbol_hook writes it
 *	%pI4	the IPv4 address pointed to, in network order: 10.0.2.15
 *	%pM	the MAC address pointed to: 52:54:00:12:34:56
 */
#pragma once

#include <stdarg.h>

#include <kernel/lib/types.h>

#ifdef HOST_TEST /* see string.h */
#define vsnprintf k_vsnprintf
#define snprintf  k_snprintf
#endif

/* Both return the length of the whole text, which may be more than fitted. */
int vsnprintf(char *buf, size_t size, const char *format, va_list args) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *format, ...) __printf(3, 4);

/* These return the length of what is in buf: what code that appends wants. */
int vscnprintf(char *buf, size_t size, const char *format, va_list args) __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *format, ...) __printf(3, 4);

/* Writes the name for %pS into buf and returns it; set by kernel/ksyms.c, NULL until then. */
extern const char *(*printf_symbol_hook)(u64 address, char *buf, size_t size);
