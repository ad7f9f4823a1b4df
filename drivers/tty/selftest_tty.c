/* Self-tests of the line discipline: what is typed, what the terminal shows, what a program reads. The
 * expectations are what a pseudo-terminal of Linux does. */
#include <drivers/tty/tty.h>
#include <kernel/lib/string.h>
#include <kernel/selftest.h>

static char shown[2 * TTY_INPUT];
static size_t shown_length;

static void show(const char *text, size_t length)
{
	if (shown_length + length < sizeof(shown))
		memcpy(shown + shown_length, text, length);
	shown_length += length;
}

static struct tty tty; /* too large for a stack */

static void type(const char *text)
{
	while (*text)
		tty_receive(&tty, *text++);
}

/* Takes what one read() of `size` would. */
static size_t take(u8 *to, size_t size)
{
	bool line_over;
	size_t taken;

	spin_lock_bh(&tty.lock);
	taken = tty_take(&tty, to, size, &line_over);
	spin_unlock_bh(&tty.lock);
	return taken;
}

static bool reads(const char *text, size_t size)
{
	u8 line[TTY_INPUT];

	return take(line, size) == strlen(text) && memcmp(line, text, strlen(text)) == 0;
}

static bool shows(const char *text)
{
	bool same = shown_length == strlen(text) && memcmp(shown, text, shown_length) == 0;

	shown_length = 0;
	return same;
}

static void start(void)
{
	memset(&tty, 0, sizeof(tty));
	tty_setup(&tty, 0, show);
	shown_length = 0;
}

/* With one setting changed: one line typed, its echo, and what is read. */
static const struct {
	u32 iflag_off, iflag, oflag_off, oflag, lflag_off, lflag;
	const char *typed, *echo, *read;
} lines[] = {
	{ .typed = "abcd\n", .echo = "abcd\r\n", .read = "abcd\n" },
	{ .typed = "\r", .echo = "\r\n", .read = "\n" },
	{ .typed = "ab\177c\n", .echo = "ab\b \bc\r\n", .read = "ac\n" },
	{ .typed = "\177\n", .echo = "\r\n", .read = "\n" },
	{ .typed = "a\tb\177\177c\n", .echo = "a\tb\b \b\b\b\b\b\b\b\bc\r\n", .read = "ac\n" },
	{ .typed = "\1\2\177\n", .echo = "^A^B\b \b\b \b\r\n", .read = "\1\n" },
	{ .typed = "foo bar-baz  \27X\n",
	  .echo = "foo bar-baz  \b \b\b \b\b \b\b \b\b \bX\r\n",
	  .read = "foo bar-X\n" },
	{ .typed = "foo\25bar\n", .echo = "foo\b \b\b \b\b \bbar\r\n", .read = "bar\n" },
	{ .typed = "a\26\3b\n", .echo = "a^\b^Cb\r\n", .read = "a\3b\n" },
	{ .typed = "ab\22c\n", .echo = "ab^R\r\nabc\r\n", .read = "abc\n" },
	{ .typed = "abc\3def\n", .echo = "abc^Cdef\r\n", .read = "def\n" },
	{ .typed = "abc\32\n", .echo = "abc^Z\r\n", .read = "\n" },
	{ .lflag_off = ECHOKE, .typed = "abc\25d\n", .echo = "abc^U\r\nd\r\n", .read = "d\n" },
	{ .lflag_off = ECHOKE | ECHOK, .typed = "abc\25d\n", .echo = "abc^Ud\r\n", .read = "d\n" },
	{ .lflag_off = ECHOE, .typed = "abc\177d\n", .echo = "abc^?d\r\n", .read = "abd\n" },
	{ .lflag_off = ECHO,
	  .lflag = ECHONL,
	  .typed = "abc\177\25zd\n",
	  .echo = "\r\n",
	  .read = "zd\n" },
	{ .lflag_off = ECHOCTL, .typed = "a\1\3\n", .echo = "a\1\3\r\n", .read = "\n" },
	{ .lflag_off = ISIG, .typed = "abc\3d\n", .echo = "abc^Cd\r\n", .read = "abc\3d\n" },
	{ .lflag = NOFLSH, .typed = "abc\3d\n", .echo = "abc^Cd\r\n", .read = "abcd\n" },
	{ .lflag_off = IEXTEN,
	  .typed = "ab c\27\26\22\n",
	  .echo = "ab c^W^V^R\r\n",
	  .read = "ab c\27\26\22\n" },
	{ .iflag = IUTF8, .typed = "a\303\251\177\n", .echo = "a\303\251\b \b\r\n", .read = "a\n" },
	{ .iflag = IGNCR, .typed = "a\rb\n", .echo = "ab\r\n", .read = "ab\n" },
	{ .iflag_off = ICRNL, .typed = "a\rb\n", .echo = "a^Mb\r\n", .read = "a\rb\n" },
	{ .iflag = ISTRIP, .typed = "\341\n", .echo = "a\r\n", .read = "a\n" },
	{ .oflag_off = OPOST, .typed = "c\177\n", .echo = "c\b \b\n", .read = "\n" },
	{ .oflag = XTABS, .typed = "a\tb\n", .echo = "a       b\r\n", .read = "a\tb\n" },
	{ .oflag_off = ONLCR, .typed = "a\n", .echo = "a\n", .read = "a\n" },
};

SELFTEST(tty_lines)
{
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		start();
		tty.termios.iflag = (tty.termios.iflag & ~lines[i].iflag_off) | lines[i].iflag;
		tty.termios.oflag = (tty.termios.oflag & ~lines[i].oflag_off) | lines[i].oflag;
		tty.termios.lflag = (tty.termios.lflag & ~lines[i].lflag_off) | lines[i].lflag;
		type(lines[i].typed);
		EXPECT(shows(lines[i].echo));
		EXPECT(reads(lines[i].read, TTY_INPUT));
		EXPECT(reads("", TTY_INPUT));
	}
}

SELFTEST(tty_end_of_file)
{
	start();
	type("abc");
	EXPECT(tty_readable(&tty) == 0 && reads("", 10));
	type("\4");
	EXPECT(tty_readable(&tty) == 3);
	EXPECT(reads("abc", 3)); /* and the end with it */
	type("abc\4");
	EXPECT(reads("ab", 2) && reads("c", 10));
	type("xy\4zz\n");
	EXPECT(tty_readable(&tty) == 5);
	EXPECT(reads("xy", 10) && reads("zz\n", 10));
	type("\4\4");
	EXPECT(tty.line_head - tty.tail == 2 && tty_readable(&tty) == 0);
	EXPECT(reads("", 10) && tty.line_head - tty.tail == 1);
}

SELFTEST(tty_raw_and_back)
{
	struct termios canonical, raw;

	start();
	canonical = raw = tty.termios;
	raw.lflag &= ~(ICANON | ECHO);
	type("pend");
	tty_change_mode(&tty, &raw);
	tty.termios = raw;
	EXPECT(tty_readable(&tty) == 4 && reads("pend", 10));
	type("x\r\4\177");
	EXPECT(reads("x\n\4\177", 10));
	type("raw");
	tty_change_mode(&tty, &canonical);
	tty.termios = canonical;
	EXPECT(tty_readable(&tty) == 3 && reads("raw", 10));
	type("\n");
	EXPECT(reads("\n", 10));
}

/* A line can be ended however full the buffer is. */
SELFTEST(tty_long_line)
{
	u8 line[TTY_INPUT];

	start();
	for (u32 i = 0; i < TTY_INPUT + 1000; i++)
		type("x");
	EXPECT(tty_readable(&tty) == 0);
	type("\n");
	EXPECT(tty_readable(&tty) == TTY_INPUT);
	type("y\n");
	EXPECT(take(line, TTY_INPUT) == TTY_INPUT && line[TTY_INPUT - 1] == '\n');
	type("z\n");
	EXPECT(reads("z\n", 10));
}

SELFTEST(tty_stop_and_go)
{
	start();
	type("a\23b");
	EXPECT(shows("a") && tty.stopped);
	type("\21");
	EXPECT(shows("b") && !tty.stopped);
	type("\n");
	EXPECT(reads("ab\n", 10));
}

SELFTEST(tty_output_modes)
{
	static const struct {
		u32 oflag;
		const char *text, *shown;
	} cases[] = {
		{ OPOST | ONLCR, "a\nb\tc\r\n", "a\r\nb\tc\r\r\n" },
		{ OPOST | OCRNL, "a\rb\n", "a\nb\n" },
		{ OPOST | ONOCR, "\ra\rb\r\rc", "a\rb\rc" },
		{ 0, "a\n\tb\n", "a\n\tb\n" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		start();
		tty.termios.oflag = cases[i].oflag;
		spin_lock_bh(&tty.lock);
		tty_show(&tty, cases[i].text, strlen(cases[i].text));
		spin_unlock_bh(&tty.lock);
		EXPECT(shows(cases[i].shown));
	}
}
