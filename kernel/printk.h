/*
 * The kernel's voice: levelled, time-stamped lines that go to every registered console and stay
 * in a ring for later reading.
 */
#pragma once

#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

/* A message starts with one of these, e.g. printk(KERN_WARN "odd\n"); without one it is KERN_INFO. */
#define KERN_SOH   "\001"
#define KERN_EMERG KERN_SOH "0"
#define KERN_ERR   KERN_SOH "3"
#define KERN_WARN  KERN_SOH "4"
#define KERN_INFO  KERN_SOH "6"
#define KERN_DEBUG KERN_SOH "7"

/*
 * Any context. A call makes whole lines, which no other CPU's come between: the newline at the end
 * is added if it is missing, one inside starts another line. Returns the length of the text.
 */
int printk(const char *format, ...) __printf(1, 2);

#define pr_err(...)   printk(KERN_ERR __VA_ARGS__)
#define pr_warn(...)  printk(KERN_WARN __VA_ARGS__)
#define pr_info(...)  printk(KERN_INFO __VA_ARGS__)
#define pr_debug(...) printk(KERN_DEBUG __VA_ARGS__)

/* A place where kernel lines are shown: a driver declares one and registers it. */
struct console {
	const char *name; /* as in console=: ttyS0, tty0 */
	/* Any context, interrupts off. Must not block, allocate or take a lock that an interrupted
	 * printk could hold; in a panic it must not rely on interrupts. */
	void (*write)(struct console *console, const char *text, size_t length);
	/* Optional: return when all that was written has left the machine. */
	void (*flush)(struct console *console);
	struct list_head link;
};

/* Registering shows what was printed before on the new console too; unless `console=` was given and
 * does not name it: then it stays unused. */
void console_register(struct console *console);

/* Does `console=` name this console, or was no `console=` given? */
bool console_wanted(const char *name);

/* Empty the consoles' buffers, before the machine stops. */
void console_flush(void);

/* The highest level that consoles show; all levels go into the ring. */
extern int console_level;

/*
 * The next line of the ring as "<6>[    0.012345] text\n", cut to size - 1 bytes; its length, or 0
 * when there is none yet. *position starts at 0 and means nothing to the caller; lines that
 * were overwritten since are skipped.
 */
size_t printk_read(u64 *position, char *buf, size_t size);
