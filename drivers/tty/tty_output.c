/*
 * What a terminal shows: programs' text, by the rules of oflag, and the echo of what is typed.
 *
 * Bytes gather in tty->output until tty_push(). While the terminal is stopped (Ctrl-S) writers sleep, and
 * only echo comes here: what does not fit is not shown.
 *
 * Context: any but hard IRQ. Lock: tty->lock, held by the caller of everything here.
 */
#include <drivers/tty/tty.h>

#include <kernel/lib/string.h>

#define TAB_WIDTH 8

void tty_push(struct tty *tty)
{
	if (tty->stopped || !tty->output_length)
		return;
	tty->send(tty->output, tty->output_length);
	tty->output_length = 0;
}

static void put(struct tty *tty, char c)
{
	if (tty->output_length == TTY_OUTPUT)
		tty_push(tty);
	if (tty->output_length < TTY_OUTPUT)
		tty->output[tty->output_length++] = c;
}

static void show_newline(struct tty *tty)
{
	u32 oflag = tty->termios.oflag;

	if (oflag & ONLCR)
		put(tty, '\r');
	if (oflag & (ONLCR | ONLRET))
		tty->column = 0;
	tty->line_column = tty->column;
	put(tty, '\n');
}

static void show_return(struct tty *tty)
{
	u32 oflag = tty->termios.oflag;

	if ((oflag & ONOCR) && tty->column == 0)
		return;
	put(tty, oflag & OCRNL ? '\n' : '\r');
	if ((oflag & ONLRET) || !(oflag & OCRNL))
		tty->column = tty->line_column = 0;
}

static void show_tab(struct tty *tty)
{
	u32 width = TAB_WIDTH - tty->column % TAB_WIDTH;

	tty->column += width;
	if ((tty->termios.oflag & TABDLY) != XTABS)
		put(tty, '\t');
	else
		while (width--)
			put(tty, ' ');
}

void tty_show_char(struct tty *tty, u8 c)
{
	if (!(tty->termios.oflag & OPOST)) {
		put(tty, c);
	} else if (c == '\n') {
		show_newline(tty);
	} else if (c == '\r') {
		show_return(tty);
	} else if (c == '\t') {
		show_tab(tty);
	} else {
		if (c == '\b')
			tty->column -= tty->column > 0;
		else if (!is_control(c) && !is_continuation(tty, c))
			tty->column++;
		put(tty, c);
	}
}

void tty_show(struct tty *tty, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		tty_show_char(tty, text[i]);
	tty_push(tty);
}

void tty_show_string(struct tty *tty, const char *text)
{
	while (*text)
		tty_show_char(tty, *text++);
}

void tty_echo(struct tty *tty, u8 c)
{
	if ((tty->termios.lflag & ECHOCTL) && is_control(c) && c != '\t') {
		tty_show_char(tty, '^');
		tty_show_char(tty, c ^ 0x40);
	} else {
		tty_show_char(tty, c);
	}
}

void tty_stop(struct tty *tty, bool stop)
{
	tty->stopped = stop;
	tty_push(tty);
	if (!stop)
		wake_up_key(&tty->write_wait, 0, EPOLLOUT | EPOLLWRNORM);
}
