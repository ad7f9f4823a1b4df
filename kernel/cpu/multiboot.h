#pragma once

#include <kernel/lib/types.h>

/* Copy what we need out of the loader's structures into boot_info. False: no multiboot loader. */
bool multiboot_parse(u32 magic, u32 info_phys);
