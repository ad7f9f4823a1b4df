/* O_ASYNC: Pollux remembers that a program asked for SIGIO, and whom it should go to, but sends none. */
#pragma once

#include <fs/file.h>

/* Pipes, sockets and ttys: what can be polled and has no position. Others refuse the flag. */
static inline bool file_signals_io(const struct file *file)
{
	return file->ops->poll && !file->ops->llseek;
}
