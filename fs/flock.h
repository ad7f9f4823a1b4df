/* Locks on whole files. */
#pragma once

#include <fs/file.h>

/* The file ends: its lock goes. */
void flock_release(struct file *file);
