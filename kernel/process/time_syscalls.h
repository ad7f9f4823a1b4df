/* System calls about time. */
#pragma once

#include <kernel/mm/uaccess.h>

struct itimerspec;
struct itimerval;
struct sigevent;
struct timespec;
struct timeval;
struct timezone;

long sys_clock_gettime(int clock, struct timespec __user *time);
long sys_clock_settime(int clock, const struct timespec __user *time);
long sys_clock_getres(int clock, struct timespec __user *resolution);
long sys_gettimeofday(struct timeval __user *time, struct timezone __user *zone);
long sys_settimeofday(const struct timeval __user *time, const struct timezone __user *zone);
long sys_time(s64 __user *seconds);

long sys_nanosleep(const struct timespec __user *time, struct timespec __user *left);
long sys_clock_nanosleep(int clock, int flags, const struct timespec __user *time,
			 struct timespec __user *left);

long sys_getitimer(int which, struct itimerval __user *value);
long sys_setitimer(int which, const struct itimerval __user *value, struct itimerval __user *old);
long sys_alarm(u32 seconds);

long sys_timer_create(int clock, const struct sigevent __user *event, int __user *id);
long sys_timer_settime(int id, int flags, const struct itimerspec __user *value,
		       struct itimerspec __user *old);
long sys_timer_gettime(int id, struct itimerspec __user *value);
long sys_timer_getoverrun(int id);
long sys_timer_delete(int id);
