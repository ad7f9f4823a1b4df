/* Advisory locks on ranges of a file's bytes: fcntl(F_SETLK) and its kin. */
#pragma once

#include <fs/file.h>

/* For fs/fcntl.c. */
long record_lock_get(struct file *file, u64 arg, bool ofd);
long record_lock_set(int fd, struct file *file, u64 arg, bool ofd, bool wait);

/* `owner` closes the file, or the file itself, its own owner, ends: what it had locked is free. */
void record_locks_release(struct file *file, const void *owner);
