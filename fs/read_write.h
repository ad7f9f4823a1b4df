/* What read, readv, sendfile and their like share: one transfer between a file and an iterator. */
#pragma once

#include <fs/file.h>

enum rw { RW_READ, RW_WRITE };

/* May this file be read or written at all? 0, -EBADF, or -EINVAL. */
int rw_allowed(const struct file *file, enum rw rw);

/* Then: at *pos, or where the file's own position is. */
ssize_t rw_at(struct file *file, enum rw rw, struct iov_iter *iter, loff_t *pos);
ssize_t rw_here(struct file *file, enum rw rw, struct iov_iter *iter);

/* A position that a program may keep for itself: else it is the file's own. */
struct place {
	struct file *file;
	loff_t __user *user;
	loff_t pos;
};
/* fs/sendfile.c: where it is; where it is afterwards. 0, -EFAULT, -EINVAL. */
int place_begin(struct place *place, struct file *file, loff_t __user *user);
int place_end(const struct place *place);

/* pread and its kin: 0, -ESPIPE where there are no positions. */
static inline int rw_needs_position(const struct file *file)
{
	return file_has_position(file) ? 0 : -ESPIPE;
}
