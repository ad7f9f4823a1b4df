/* Pipes and FIFOs. */
#pragma once

#include <fs/file.h>

struct inode;

/* A new pipe's two ends: to read from, to write to. flags: O_NONBLOCK, O_DIRECT. 0 or -ENFILE. */
int pipe_files(struct file *ends[2], u32 flags);

/* One more way into a pipe without a name, by /proc/PID/fd. ERR_PTR. */
bool is_pipe(const struct file *file);
struct file *pipe_reopen(const struct file *old, u32 flags);

/* Opens a FIFO: waits for the other side as POSIX has it. `file` has its flags and its dentry; ops and
 * private_data are set here. Process context, no lock held. 0, -ENXIO, -ENOMEM, or -ERESTARTSYS. */
int fifo_open(struct inode *inode, struct file *file);

/* fcntl's F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, or -errno (-EBADF: not a pipe). */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, u64 size);

extern u32 pipe_max_size; /* /proc/sys/fs/pipe-max-size */
