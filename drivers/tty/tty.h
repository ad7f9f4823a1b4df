/*
 * Terminals: a device that shows bytes and sends typed ones, and between it and programs the line
 * discipline: editing, echo, signals by Ctrl-C.
 *
 *	tty.c		read, write, poll, open: struct file's side
 *	n_tty.c		what is typed: the line discipline
 *	tty_output.c	what is shown: newlines, tabs, echo
 *	tty_ioctl.c	settings
 *	tty_job.c	sessions, the foreground group, SIGTTIN and SIGTTOU, hanging up
 *	tty_devices.c	which terminals there are
 *
 * Locks: tree_lock (kernel/process.h) for who owns the terminal. tty->lock (softirq-safe) for the rest; it is
 * never held while a signal is sent. write_lock, read_lock (mutexes): one writer, one reader at a time.
 */
#pragma once

#include <drivers/tty/termios.h>
#include <fs/file.h>
#include <kernel/mutex.h>

struct process;

#define TTY_INPUT  4096 /* a power of two; the longest line, with its end */
#define TTY_OUTPUT 256

struct tty {
	/* constant */
	u64 device;				       /* its number: what ps shows */
	void (*send)(const char *text, size_t length); /* shows bytes; does not sleep */

	struct mutex read_lock, write_lock;
	struct wait_queue read_wait, write_wait;

	spinlock_t lock;
	/* under lock */
	struct termios termios;
	u32 ispeed, ospeed;
	struct winsize winsize;
	bool stopped; /* by Ctrl-S */

	/* Typed, not read. Positions only grow. In canonical mode only what is before line_head can
	 * be read: whole lines; behind it is the line that is being edited. */
	u8 input[TTY_INPUT];
	u64 line_end[TTY_INPUT / 64]; /* bit map: this byte ends a line */
	u32 tail, line_head, head;
	bool literal; /* the next character means itself (Ctrl-V) */

	/* Shown. */
	char output[TTY_OUTPUT]; /* on its way to send() */
	u32 output_length;
	u32 column;	 /* where the cursor is */
	u32 line_column; /* where it was when the line that is being edited began */

	/* under tree_lock */
	u32 session, pgrp; /* whose controlling terminal it is, its foreground group; 0: none */
	u32 hangups;	   /* how often it has hung up: files opened before that are dead */
};

/* What stands in `input` for an end of file: never given to the reader. */
#define EOF_MARK '\0'

/* ---- n_tty.c --------------------------------------------------------------------------------- */

/* A character was typed. Softirq. */
void tty_receive(struct tty *tty, char c);

/* ---- the same, lock held --------------------------------------------------------------------- */
static inline bool tty_canonical(const struct tty *tty)
{
	return tty->termios.lflag & ICANON;
}
/* How many bytes could be read now. */
u32 tty_readable(const struct tty *tty);
/* Take them; *line_over: a line's end was reached, a read goes no further. */
size_t tty_take(struct tty *tty, u8 *to, size_t size, bool *line_over);
void tty_flush_input(struct tty *tty);
/* The mode is about to change to `new`: what was typed stays. */
void tty_change_mode(struct tty *tty, const struct termios *new);

/* ---- tty_output.c; lock held ----------------------------------------------------------------- */

/* By oflag; the first one pushes. */
void tty_show(struct tty *tty, const char *text, size_t length);
void tty_show_char(struct tty *tty, u8 c);
void tty_show_string(struct tty *tty, const char *text);
/* A typed character, visible: ^C. */
void tty_echo(struct tty *tty, u8 c);
/* On to the device, unless the terminal is stopped. */
void tty_push(struct tty *tty);
void tty_stop(struct tty *tty, bool stop);
static inline bool is_control(u8 c)
{
	return c < ' ' || c == 0x7f;
}
/* A byte that continues a character of UTF-8 and has no width. */
static inline bool is_continuation(const struct tty *tty, u8 c)
{
	return (tty->termios.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- tty_ioctl.c ----------------------------------------------------------------------------- */

extern const struct termios tty_default_termios;
long tty_ioctl(struct file *file, u32 command, u64 arg);

/* ---- tty_job.c ------------------------------------------------------------------------------- */

/* May the current process read (SIGTTIN), or write and change settings (SIGTTOU)? 0; -ERESTARTSYS: it was
 * stopped; -EIO: it cannot be. */
int tty_check_foreground(struct tty *tty, int sig);
/* A session leader without a terminal opens one: it becomes its own, if nobody has it. */
void tty_open_controlling(struct tty *tty);
/* The controlling terminal, or NULL. */
struct tty *tty_current(void);
/* Signal to the foreground group; no lock held. */
void tty_signal(struct tty *tty, int sig);
void tty_session_exit(struct process *leader);
/* For /proc: its number, and its foreground group or 0. tree_lock held. */
void tty_describe(const struct tty *tty, u64 *device, u32 *pgrp);
long tty_ioctl_sctty(struct tty *tty, struct file *file, u64 arg);
long tty_ioctl_notty(struct tty *tty, struct file *file, u64 arg);
long tty_ioctl_gpgrp(struct tty *tty, struct file *file, u64 arg);
long tty_ioctl_spgrp(struct tty *tty, struct file *file, u64 arg);
long tty_ioctl_gsid(struct tty *tty, struct file *file, u64 arg);

/* ---- tty.c ----------------------------------------------------------------------------------- */

extern const struct file_ops tty_ops;
void tty_setup(struct tty *tty, u64 device, void (*send)(const char *text, size_t length));
/* Attach a new file. `console`: /dev/console, which outlives hang-ups and is always in the foreground. */
void tty_attach(struct tty *tty, struct file *file, bool console);
bool tty_is_console(const struct file *file);
bool tty_hung_up(const struct file *file);

/* ---- tty_devices.c --------------------------------------------------------------------------- */

/* Registers /dev/tty, console, tty0, tty1 and the serial line's, and takes what is typed. After vfs_init(), and
 * after the UART and the screen have been found. */
void tty_init(void);
