/* Signals that are read: signalfd. */
#pragma once

#include <kernel/signal.h>

long sys_signalfd(int fd, const sigset_t __user *mask, size_t size);
long sys_signalfd4(int fd, const sigset_t __user *mask, size_t size, int flags);
