/* The machine's names, for /proc/sys/kernel. */
#pragma once

#include <kernel/lib/types.h>

/* "hostname" or "domainname". */
void uts_get(const char *what, char *to, size_t size);
void uts_set(const char *what, const char *name);
const char *uts_release(void);
