#pragma once

/* Look the initramfs through that the loader gave us, and say what is in it or what is wrong with it. */
void initramfs_init(void);
