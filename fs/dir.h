/* Directories of file systems in memory. */
#pragma once

#include <fs/dentry.h>

extern const struct file_ops dir_file_ops;

/* So many entries more or less: size, and times. */
void dir_changed(struct inode *dir, int entries);
loff_t dir_llseek(struct file *file, loff_t offset, int whence);
ssize_t dir_read(struct file *file, struct iov_iter *to, loff_t *pos); /* -EISDIR */
