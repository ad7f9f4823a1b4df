/*
 * Printing what a system call does, in words that two kernels can be compared by: no process ids, times
 * or addresses. Output goes straight to descriptor 1, so that processes and threads can print in turn.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE		  4096UL
#define MSEC		  1000000L /* in nanoseconds */

/* ---- printing ---- */

static inline const char *errno_text(int err)
{
	static const char *const names[] = {
#define NAME(e) [e] = #e
		NAME(EPERM),	    NAME(ENOENT),	   NAME(ESRCH),	     NAME(EINTR),
		NAME(EIO),	    NAME(ENXIO),	   NAME(E2BIG),	     NAME(ENOEXEC),
		NAME(EBADF),	    NAME(ECHILD),	   NAME(EAGAIN),     NAME(ENOMEM),
		NAME(EACCES),	    NAME(EFAULT),	   NAME(ENOTBLK),    NAME(EBUSY),
		NAME(EEXIST),	    NAME(EXDEV),	   NAME(ENODEV),     NAME(ENOTDIR),
		NAME(EISDIR),	    NAME(EINVAL),	   NAME(ENFILE),     NAME(EMFILE),
		NAME(ENOTTY),	    NAME(ETXTBSY),	   NAME(EFBIG),	     NAME(ENOSPC),
		NAME(ESPIPE),	    NAME(EROFS),	   NAME(EMLINK),     NAME(EPIPE),
		NAME(EDOM),	    NAME(ERANGE),	   NAME(EDEADLK),    NAME(ENAMETOOLONG),
		NAME(ENOLCK),	    NAME(ENOSYS),	   NAME(ENOTEMPTY),  NAME(ELOOP),
		NAME(ENODATA),	    NAME(ETIME),	   NAME(EOVERFLOW),  NAME(ENOTSOCK),
		NAME(EOPNOTSUPP),   NAME(ETIMEDOUT),	   NAME(EALREADY),   NAME(EINPROGRESS),
		NAME(ESTALE),	    NAME(ECANCELED),	   NAME(EOWNERDEAD), NAME(ENOTRECOVERABLE),
		NAME(EAFNOSUPPORT), NAME(EPROTONOSUPPORT), NAME(EADDRINUSE), NAME(EADDRNOTAVAIL),
		NAME(ECONNREFUSED), NAME(ECONNRESET),	   NAME(EISCONN),    NAME(ENOTCONN),
#undef NAME
	};
	static _Thread_local char number[24];

	if (err > 0 && (size_t)err < ARRAY_SIZE(names) && names[err])
		return names[err];
	snprintf(number, sizeof(number), "errno %d", err);
	return number;
}

/* One line. In one write, so that lines of several processes stay whole. */
static inline __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	char line[4096];
	va_list args;
	int length, saved = errno;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	if (write(1, line, length) != length)
		_exit(99);
	errno = saved;
}

static inline long show(const char *text, long value)
{
	if (value == -1)
		say("%s = -1 %s", text, errno_text(errno));
	else
		say("%s = %ld", text, value);
	return value;
}

static inline long must(const char *file, int line, const char *text, long value)
{
	if (value == -1) {
		say("%s:%d: %s failed: %s", file, line, text, errno_text(errno));
		_exit(98);
	}
	return value;
}

/* Prints a call and its result; the result is its value. */
#define SHOW(call) show(#call, (long)(call))
/* The same under another name, for calls in loops and tables. */
#define SHOW_AS(text, call) show(text, (long)(call))
/* Only whether it worked: for results that are numbers of no meaning. */
#define SHOW_OK(call) show(#call, (long)(call) == -1 ? -1 : 0)
/* A step on the way that has to work, or the test is pointless. */
#define MUST(call) must(__FILE__, __LINE__, #call, (long)(call))
/* For calls that return an error number: the pthread_* family. */
#define SHOW_ERROR(call)                                                  \
	do {                                                              \
		int error_ = (call);                                      \
		say("%s = %s", #call, error_ ? errno_text(error_) : "0"); \
	} while (0)

/* ---- helpers that most programs need ---- */

static inline const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

static inline void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * MSEC };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static inline int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline int64_t now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* So much of its own time, however often others run meanwhile. */
static inline void use_cpu(long ms)
{
	int64_t end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + ms * MSEC;

	while (read_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

/* ---- what happens first ---- */

/* Whether this thread waits for something; nor does one run that is gone. */
static inline bool is_asleep(pid_t pid, pid_t tid)
{
	char path[64], text[256] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	state = strrchr(text, ')');
	return state && state[2] != 'R' && state[2] != 'D';
}

static inline void wait_asleep(pid_t pid, pid_t tid)
{
	while (!is_asleep(pid, tid))
		sched_yield();
}

static inline void *signal_sleeper(void *arg)
{
	uintptr_t both = (uintptr_t)arg;

	wait_asleep(getpid(), both >> 8);
	syscall(SYS_tgkill, getpid(), both >> 8, both & 0xff);
	return NULL;
}

/* The call after this one is interrupted, once it sleeps: no alarm that may come too early. */
static inline void signal_when_asleep(int sig)
{
	uintptr_t both = (uintptr_t)syscall(SYS_gettid) << 8 | sig;
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, signal_sleeper, (void *)both);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	MUST(-error);
	pthread_detach(thread);
}

static inline void put_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

/* The whole of a small file, with a zero at its end; static: until the next call. */
static inline const char *get_file(const char *path)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY);
	ssize_t n, length = 0;

	if (fd < 0)
		return errno_text(errno);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += n;
	close(fd);
	text[length] = 0;
	return text;
}

static inline const char *signal_text(int sig)
{
	static const char *const names[] = {
		"0",	  "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
		"FPE",	  "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
		"STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
		"XCPU",	  "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS",
	};
	static _Thread_local char number[16];

	if (sig >= 0 && (size_t)sig < ARRAY_SIZE(names))
		return names[sig];
	snprintf(number, sizeof(number), "RT%d", sig - 32);
	return number;
}

static inline void say_status(const char *who, int status)
{
	if (WIFEXITED(status))
		say("%s: exit %d", who, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s: killed by %s", who, signal_text(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		say("%s: stopped by %s", who, signal_text(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		say("%s: continued", who);
	else
		say("%s: status 0x%x", who, status);
}

/* Waits for the child and says how it ended. */
static inline void reap(const char *who, pid_t pid)
{
	int status = 0;

	MUST(waitpid(pid, &status, 0));
	say_status(who, status);
}

/* IN_CHILD("name") { ... }: the block runs in a child; the parent waits and says how it ended. */
#define IN_CHILD(who)                                          \
	for (pid_t child_ = MUST(fork()), once_ = 1; once_;    \
	     once_ = 0, child_ ? reap(who, child_) : _exit(0)) \
		if (child_ == 0)

static inline void set_handler(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	MUST(sigaction(sig, &action, NULL));
}

static inline void become_nobody(void)
{
	MUST(setgroups(0, NULL));
	MUST(setresgid(1000, 1000, 1000));
	MUST(setresuid(1000, 1000, 1000));
}
