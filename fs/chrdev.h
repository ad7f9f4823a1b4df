/* Character devices, by number and by name. */
#pragma once

#include <fs/vfs.h>

struct chrdev {
	struct list_head link;
	u64 rdev;
	const char *name;
	const struct file_ops *ops;
	u32 mode;
	int (*open)(struct inode *inode, struct file *file);
};

/* All of them, in the order of their registration; they stay. */
extern struct list_head chrdevs;

/* Give a file that is being opened the operations of its device. -ENXIO: there is no such device. */
int chrdev_open(struct inode *inode, struct file *file);

void mem_devices_init(void);
extern struct fs_type devtmpfs_type;
