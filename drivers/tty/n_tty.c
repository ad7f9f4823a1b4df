/*
 * The line discipline: what becomes of a character between the key and the program's read().
 *
 *	mapped		\r to \n ...
 *	special		Ctrl-S, Ctrl-Q stop and start the output; Ctrl-C, Ctrl-\, Ctrl-Z send a signal
 *	edited		in canonical mode: erase, kill, Ctrl-V ...; a line can be read when it is complete
 *	kept, echoed
 *
 * Context: softirq (CONSOLE_SOFTIRQ) for what is typed, process for what is read. Lock: tty->lock; the signal is
 * sent after it has been dropped.
 */
#include <drivers/tty/tty.h>

#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <kernel/signal.h>

/* Which steps below took the character. */
enum taken { NOT_TAKEN, TAKEN };

static u8 *input_at(struct tty *tty, u32 position)
{
	return &tty->input[position % TTY_INPUT];
}

/* Is this the special character? Those that are switched off are 0. */
static bool is_special(const struct tty *tty, u8 c, u32 which)
{
	return c && c == tty->termios.cc[which];
}

static bool flag(const struct tty *tty, u32 lflag)
{
	return tty->termios.lflag & lflag;
}

static void wake_reader(struct tty *tty)
{
	wake_up_key(&tty->read_wait, 0, EPOLLIN | EPOLLRDNORM);
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* The last place is for a line's end: a line that is too long can still be ended. */
static bool keep(struct tty *tty, u8 c, bool ends_line)
{
	u32 room = TTY_INPUT - (ends_line ? 0 : 1);

	if (tty->head - tty->tail >= room)
		return false;
	*input_at(tty, tty->head++) = c;
	return true;
}

static void end_line(struct tty *tty, u8 c)
{
	if (!keep(tty, c, true))
		return;
	__set_bit((tty->head - 1) % TTY_INPUT, tty->line_end);
	tty->line_head = tty->head;
	wake_reader(tty);
}

static void echo_typed(struct tty *tty, u8 c)
{
	if (!flag(tty, ECHO))
		return;
	if (tty->head == tty->line_head)
		tty->line_column = tty->column;
	if (c == '\n')
		tty_show_char(tty, c);
	else
		tty_echo(tty, c);
}

static void keep_and_echo(struct tty *tty, u8 c)
{
	echo_typed(tty, c);
	keep(tty, c, false);
	if (!tty_canonical(tty))
		wake_reader(tty);
}

void tty_flush_input(struct tty *tty)
{
	tty->tail = tty->line_head = tty->head;
	memset(tty->line_end, 0, sizeof(tty->line_end));
}

/* To canonical mode: what waits to be read is a line. */
void tty_change_mode(struct tty *tty, const struct termios *new)
{
	if (!((tty->termios.lflag ^ new->lflag) & ICANON))
		return;
	memset(tty->line_end, 0, sizeof(tty->line_end));
	tty->line_head = tty->head;
	if ((new->lflag &ICANON) && tty->head != tty->tail)
		__set_bit((tty->head - 1) % TTY_INPUT, tty->line_end);
}

/* ---- editing: canonical mode ----------------------------------------------------------------- */

/* Columns from the last tab, or from the beginning of the line, to the cursor. */
static u32 columns_since_tab(struct tty *tty)
{
	u32 columns = 0;

	for (u32 at = tty->head; at != tty->line_head; at--) {
		u8 c = *input_at(tty, at - 1);

		if (c == '\t')
			return columns;
		if (is_control(c))
			columns += flag(tty, ECHOCTL) ? 2 : 0;
		else
			columns += !is_continuation(tty, c);
	}
	return tty->line_column + columns;
}

/* Take a character off the screen; it is off the line already. */
static void unshow(struct tty *tty, u8 c)
{
	if (c == '\t') {
		for (u32 back = 8 - columns_since_tab(tty) % 8; back; back--)
			tty_show_string(tty, "\b");
		return;
	}
	if (is_control(c) && flag(tty, ECHOCTL))
		tty_show_string(tty, "\b \b");
	if (!is_control(c) || flag(tty, ECHOCTL))
		tty_show_string(tty, "\b \b");
}

/* Take the last character off the line: all its bytes, if it is one of UTF-8. Returns its first byte. */
static u8 take_back(struct tty *tty)
{
	u8 c;

	do {
		c = *input_at(tty, --tty->head);
	} while (is_continuation(tty, c) && tty->head != tty->line_head);
	return c;
}

static bool line_empty(const struct tty *tty)
{
	return tty->head == tty->line_head;
}

static void erase(struct tty *tty)
{
	u8 c;

	if (line_empty(tty))
		return;
	c = take_back(tty);
	if (!flag(tty, ECHO))
		return;
	if (flag(tty, ECHOE))
		unshow(tty, c);
	else
		tty_echo(tty, tty->termios.cc[VERASE]);
}

static bool in_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

/* The blanks and marks before the cursor, then the word before them. */
static void erase_word(struct tty *tty)
{
	bool seen_word = false;

	while (!line_empty(tty)) {
		u8 c = *input_at(tty, tty->head - 1);

		if (seen_word && !in_word(c))
			return;
		seen_word = seen_word || in_word(c);
		c = take_back(tty);
		if (flag(tty, ECHO))
			unshow(tty, c);
	}
}

static void erase_line(struct tty *tty)
{
	const u32 visibly = ECHO | ECHOE | ECHOK | ECHOKE;

	if ((tty->termios.lflag & visibly) == visibly) {
		while (!line_empty(tty))
			unshow(tty, take_back(tty));
		return;
	}
	tty->head = tty->line_head;
	if (!flag(tty, ECHO))
		return;
	tty_echo(tty, tty->termios.cc[VKILL]);
	if (flag(tty, ECHOK) && !flag(tty, ECHOKE))
		tty_show_string(tty, "\n");
}

static void reprint(struct tty *tty)
{
	tty_echo(tty, tty->termios.cc[VREPRINT]);
	tty_show_string(tty, "\n");
	for (u32 at = tty->line_head; at != tty->head; at++)
		tty_echo(tty, *input_at(tty, at));
}

static void next_is_literal(struct tty *tty)
{
	tty->literal = true;
	if (flag(tty, ECHO) && flag(tty, ECHOCTL))
		tty_show_string(tty, "^\b");
}

static void end_of_file(struct tty *tty)
{
	end_line(tty, EOF_MARK);
}

static const struct {
	u8 which;
	u32 needs; /* flags of lflag */
	void (*run)(struct tty *tty);
} editors[] = {
	{ VERASE, 0, erase },
	{ VKILL, 0, erase_line },
	{ VWERASE, IEXTEN, erase_word },
	{ VLNEXT, IEXTEN, next_is_literal },
	{ VREPRINT, IEXTEN | ECHO, reprint },
	{ VEOF, 0, end_of_file },
};

static enum taken edit(struct tty *tty, u8 c)
{
	for (u32 i = 0; i < ARRAY_SIZE(editors); i++) {
		if (is_special(tty, c, editors[i].which) &&
		    (tty->termios.lflag & editors[i].needs) == editors[i].needs) {
			editors[i].run(tty);
			return TAKEN;
		}
	}
	if (c == '\n') {
		if (flag(tty, ECHO) || flag(tty, ECHONL))
			tty_show_string(tty, "\n");
		end_line(tty, c);
		return TAKEN;
	}
	if (is_special(tty, c, VEOL) || (is_special(tty, c, VEOL2) && flag(tty, IEXTEN))) {
		echo_typed(tty, c);
		end_line(tty, c);
		return TAKEN;
	}
	return NOT_TAKEN;
}

/* ---- special in every mode ------------------------------------------------------------------- */

static enum taken stop_or_start(struct tty *tty, u8 c)
{
	if (!(tty->termios.iflag & IXON))
		return NOT_TAKEN;
	if (is_special(tty, c, VSTART)) {
		tty_stop(tty, false);
		return TAKEN;
	}
	if (is_special(tty, c, VSTOP)) {
		tty_stop(tty, true);
		return TAKEN;
	}
	return NOT_TAKEN;
}

/* The signal that this character sends, or 0. */
static int signal_of(struct tty *tty, u8 c)
{
	static const struct {
		u8 which;
		int sig;
	} signals[] = { { VINTR, SIGINT }, { VQUIT, SIGQUIT }, { VSUSP, SIGTSTP } };

	for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
		if (flag(tty, ISIG) && is_special(tty, c, signals[i].which))
			return signals[i].sig;
	return 0;
}

/* What was typed before it is dropped, and who waits for output sees it go on. */
static void interrupt(struct tty *tty, u8 c)
{
	if (!flag(tty, NOFLSH))
		tty_flush_input(tty);
	if (tty->termios.iflag & IXON)
		tty_stop(tty, false);
	if (flag(tty, ECHO))
		tty_echo(tty, c);
}

/* The character's other form; false: it is dropped. */
static bool map(const struct tty *tty, u8 *c)
{
	u32 iflag = tty->termios.iflag;

	if (*c == '\r') {
		if (iflag & IGNCR)
			return false;
		if (iflag & ICRNL)
			*c = '\n';
	} else if (*c == '\n' && (iflag & INLCR)) {
		*c = '\r';
	}
	return true;
}

/* Lock held. Returns the signal that is to be sent, or 0. */
static int receive(struct tty *tty, u8 c)
{
	int sig;

	if (tty->termios.iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal) {
		tty->literal = false;
		keep_and_echo(tty, c);
		return 0;
	}
	if (stop_or_start(tty, c) == TAKEN)
		return 0;
	sig = signal_of(tty, c);
	if (sig) {
		interrupt(tty, c);
		return sig;
	}
	if (tty->stopped && (tty->termios.iflag & IXON) && (tty->termios.iflag & IXANY))
		tty_stop(tty, false);
	if (map(tty, &c) && !(tty_canonical(tty) && edit(tty, c) == TAKEN))
		keep_and_echo(tty, c);
	return 0;
}

void tty_receive(struct tty *tty, char c)
{
	int sig;

	spin_lock_bh(&tty->lock);
	sig = receive(tty, (u8)c);
	tty_push(tty);
	spin_unlock_bh(&tty->lock);
	if (sig)
		tty_signal(tty, sig);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_eof(const struct tty *tty, u32 position)
{
	position %= TTY_INPUT;
	return test_bit(position, tty->line_end) && tty->input[position] == EOF_MARK;
}

u32 tty_readable(const struct tty *tty)
{
	u32 bytes = 0;

	if (!tty_canonical(tty))
		return tty->head - tty->tail;
	for (u32 at = tty->tail; at != tty->line_head; at++)
		bytes += !is_eof(tty, at);
	return bytes;
}

static size_t take_raw(struct tty *tty, u8 *to, size_t size)
{
	size_t taken = 0;

	while (taken < size && tty->tail != tty->head)
		to[taken++] = *input_at(tty, tty->tail++);
	tty->line_head = tty->head;
	return taken;
}

/* An end of file that follows what fills the buffer goes with it: the next read is not to see it. */
static size_t take_line(struct tty *tty, u8 *to, size_t size, bool *line_over)
{
	size_t taken = 0;

	while (!*line_over && tty->tail != tty->line_head) {
		u32 at = tty->tail;
		bool eof = is_eof(tty, at);

		if (taken == size && !eof)
			break;
		if (!eof)
			to[taken++] = *input_at(tty, at);
		*line_over = __test_and_clear_bit(at % TTY_INPUT, tty->line_end);
		tty->tail++;
	}
	return taken;
}

size_t tty_take(struct tty *tty, u8 *to, size_t size, bool *line_over)
{
	*line_over = false;
	return tty_canonical(tty) ? take_line(tty, to, size, line_over) : take_raw(tty, to, size);
}
