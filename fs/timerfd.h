/* Timers that are read: timerfd. */
#pragma once

#include <kernel/mm/uaccess.h>

struct itimerspec;

long sys_timerfd_create(int clock, int flags);
long sys_timerfd_settime(int fd, int flags, const struct itimerspec __user *value,
			 struct itimerspec __user *old);
long sys_timerfd_gettime(int fd, struct itimerspec __user *value);
