/*
 * The terminals of this machine: the serial line, and the screen with the keyboard. The console is the one that
 * the last `console=` names; without any, the serial line if there is one.
 *
 * Context: process, and softirq for what is typed.
 */
#include <drivers/tty/tty.h>

#include <drivers/keyboard.h>
#include <drivers/uart.h>
#include <drivers/vga.h>
#include <fs/proc/proc.h>
#include <fs/vfs.h>
#include <kernel/cmdline.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/process.h>

#define TTY_MAJOR     4
#define TTYAUX_MAJOR  5
#define MINOR_SCREEN  0 /* the one that is shown: with one screen, tty1 */
#define MINOR_TTY1    1
#define MINOR_SERIAL  64 /* ttyS0 */
#define MINOR_CURRENT 0	 /* of TTYAUX: the controlling terminal */
#define MINOR_CONSOLE 1

/* constant after start-up */
static struct tty serial, screen;
static struct tty *console = &screen;

static void serial_typed(char c)
{
	tty_receive(&serial, c);
}

static void screen_typed(char c)
{
	tty_receive(&screen, c);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_tty(struct tty *tty, struct file *file, bool may_control)
{
	tty_attach(tty, file, false);
	if (may_control && !(file->flags & O_NOCTTY) && file_readable(file))
		tty_open_controlling(tty);
	return 0;
}

static int open_serial(struct inode *inode, struct file *file)
{
	return open_tty(&serial, file, true);
}

static int open_screen(struct inode *inode, struct file *file)
{
	return open_tty(&screen, file, dev_minor(inode->rdev) != MINOR_SCREEN);
}

static int open_current(struct inode *inode, struct file *file)
{
	struct tty *tty = tty_current();

	return tty ? open_tty(tty, file, false) : -ENXIO;
}

static int open_console(struct inode *inode, struct file *file)
{
	tty_attach(console, file, true);
	return 0;
}

/* ---- starting -------------------------------------------------------------------------------- */

static void register_tty(u32 major, u32 minor, const char *name, u32 mode,
			 int (*open)(struct inode *inode, struct file *file))
{
	if (chrdev_register_open(major, minor, name, &tty_ops, mode, open))
		panic("tty: no memory for %s", name);
}

static void choose_console(void)
{
	const char *wanted = cmdline_get("console");

	if (uart_name() && (!wanted || strncmp(wanted, "ttyS", 4) == 0))
		console = &serial;
}

static u32 serial_minor(void)
{
	return uart_name() ? MINOR_SERIAL + uart_name()[4] - '0' : MINOR_SERIAL;
}

void tty_init(void)
{
	tty_setup(&serial, makedev(TTY_MAJOR, serial_minor()), uart_write);
	tty_setup(&screen, makedev(TTY_MAJOR, MINOR_TTY1), vga_write);
	screen.winsize = (struct winsize){ .rows = VGA_ROWS, .columns = VGA_COLUMNS };
	choose_console();
	if (uart_name())
		register_tty(TTY_MAJOR, serial_minor(), uart_name(), 0660, open_serial);
	register_tty(TTY_MAJOR, MINOR_SCREEN, "tty0", 0620, open_screen);
	register_tty(TTY_MAJOR, MINOR_TTY1, "tty1", 0620, open_screen);
	register_tty(TTYAUX_MAJOR, MINOR_CURRENT, "tty", 0666, open_current);
	register_tty(TTYAUX_MAJOR, MINOR_CONSOLE, "console", 0600, open_console);
	tty_session_exit_hook = tty_session_exit;
	proc_tty_hook = tty_describe;
	uart_receive = serial_typed;
	keyboard_receive = screen_typed;
}
