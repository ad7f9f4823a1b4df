/* Names for addresses: the symbol table that the build puts into the image. */
#pragma once

#include <kernel/lib/types.h>

/* The text symbol that contains `address`, and how far into it; NULL if it is not kernel text. */
const char *ksym_lookup(u64 address, u64 *offset);
/* "name+0x12/0x80" (0x80: the symbol's size) into buf, or the bare number; for %pS. */
const char *ksym_format(u64 address, char *buf, size_t size);
/* The same for a return address: it may lie behind the end of a function that calls one that never
 * returns, so the name is that of the instruction before it. */
const char *ksym_format_return(u64 address, char *buf, size_t size);

/* Lets printf's %pS give names. */
void ksyms_init(void);
