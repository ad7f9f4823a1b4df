/*
 * printk: formats a line, keeps it in a ring, shows it on the consoles.
 *
 * The ring holds records (a header and the bare text) at ever growing positions; a position modulo
 * the ring's size is a place in it, and the oldest records give way to the newest. Prefix and time
 * are put before the text when it is shown.
 *
 * Any context calls printk, also one that interrupted another printk's caller, so log_lock is taken
 * with interrupts off and is raw: the lock checker itself prints. It is the last lock of all; a
 * console's own lock is the only one taken under it.
 */
#include <kernel/printk.h>

#include <kernel/cmdline.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/spinlock.h>

#define LOG_SIZE     (64 * KiB)
#define MESSAGE_SIZE 1024
#define PREFIX_SIZE  sizeof("<6>[12345678901.123456] ")
#define LEVEL_INFO   6
#define LEVEL_QUIET  3 /* errors and worse */
#define MAX_CONSOLES 4 /* that console= may name */

struct record {
	u64 time_ns;
	u16 length; /* of the text that follows */
	u8 level;
};

static spinlock_t log_lock;

/* under log_lock */
static char log_ring[LOG_SIZE];
static u64 log_start, log_end;	   /* positions of the oldest record and of the next one */
static char message[MESSAGE_SIZE]; /* what printk formats */
static char shown[PREFIX_SIZE + MESSAGE_SIZE + 1]; /* a line as a console gets it */
static LIST_HEAD(consoles);

/* constant after cmdline_parse() */
int console_level = LEVEL_INFO;
static const char *console_names[MAX_CONSOLES];

static void ring_put(const void *data, size_t length)
{
	const char *bytes = data;

	for (size_t i = 0; i < length; i++)
		log_ring[log_end++ % LOG_SIZE] = bytes[i];
}

static void ring_get(u64 position, void *data, size_t length)
{
	char *bytes = data;

	for (size_t i = 0; i < length; i++)
		bytes[i] = log_ring[position++ % LOG_SIZE];
}

static void drop_oldest(void)
{
	struct record record;

	ring_get(log_start, &record, sizeof(record));
	log_start += sizeof(record) + record.length;
}

static void keep(const struct record *record, const char *text)
{
	while (log_end + sizeof(*record) + record->length - log_start > LOG_SIZE)
		drop_oldest();
	ring_put(record, sizeof(*record));
	ring_put(text, record->length);
}

/* Makes the line of the record at `position` in `shown`; returns its length. */
static size_t make_line(u64 position, struct record *record)
{
	size_t length;

	ring_get(position, record, sizeof(*record));
	length = scnprintf(shown, PREFIX_SIZE, "<%u>[%5llu.%06llu] ", record->level,
			   record->time_ns / NSEC_PER_SEC, record->time_ns % NSEC_PER_SEC / 1000);
	ring_get(position + sizeof(*record), shown + length, record->length);
	length += record->length;
	shown[length++] = '\n';
	return length;
}

/* Shows the record at `position` on one console, or on all; returns the next record's position. */
static u64 show(u64 position, struct console *only)
{
	const size_t level_prefix = strlen("<6>");
	struct console *console;
	struct record record;
	size_t length = make_line(position, &record);

	if (record.level <= console_level) {
		list_for_each_entry(console, &consoles, link) {
			if (!only || console == only)
				console->write(console, shown + level_prefix,
					       length - level_prefix);
		}
	}
	return position + sizeof(record) + record.length;
}

/* Takes the level off the front of *text. */
static u8 message_level(const char **text)
{
	if ((*text)[0] != KERN_SOH[0] || !isdigit_ascii((*text)[1]))
		return LEVEL_INFO;
	*text += 2;
	return (*text)[-1] - '0';
}

static void keep_and_show(struct record *record, const char *text, size_t length)
{
	record->length = length;
	keep(record, text);
	show(log_end - sizeof(*record) - length, NULL);
}

int printk(const char *format, ...)
{
	u64 flags = spin_lock_irqsave_raw(&log_lock);
	struct record record = { .time_ns = clock_ns() };
	const char *text = message, *newline;
	va_list args;
	int length;

	va_start(args, format);
	length = vscnprintf(message, sizeof(message), format, args);
	va_end(args);

	record.level = message_level(&text);
	while ((newline = strchr(text, '\n'))) {
		keep_and_show(&record, text, newline - text);
		text = newline + 1;
	}
	if (*text)
		keep_and_show(&record, text, strlen(text));
	spin_unlock_irqrestore_raw(&log_lock, flags);
	return length;
}

size_t printk_read(u64 *position, char *buf, size_t size)
{
	u64 flags = spin_lock_irqsave_raw(&log_lock);
	struct record record;
	size_t length = 0;

	*position = max(*position, log_start);
	if (*position < log_end && size) {
		length = min(make_line(*position, &record), size - 1);
		memcpy(buf, shown, length);
		buf[length] = '\0';
		*position += sizeof(record) + record.length;
	}
	spin_unlock_irqrestore_raw(&log_lock, flags);
	return length;
}

/* ---- consoles ------------------------------------------------------------------------------ */

void console_register(struct console *console)
{
	u64 flags;

	if (!console_wanted(console->name))
		return;
	flags = spin_lock_irqsave_raw(&log_lock);
	list_add_tail(&console->link, &consoles);
	for (u64 position = log_start; position < log_end;)
		position = show(position, console);
	spin_unlock_irqrestore_raw(&log_lock, flags);
}

void console_flush(void)
{
	struct console *console;

	list_for_each_entry(console, &consoles, link) {
		if (console->flush)
			console->flush(console);
	}
}

/* "ttyS0,115200" asks for ttyS0. */
static bool same_console(const char *option, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(option, name, length) && (!option[length] || option[length] == ',');
}

bool console_wanted(const char *name)
{
	for (int i = 0; i < MAX_CONSOLES && console_names[i]; i++) {
		if (same_console(console_names[i], name))
			return true;
	}
	return !console_names[0];
}

/* ---- options ------------------------------------------------------------------------------- */

/* tty0, or ttyS0 to ttyS3 and perhaps a speed, which is always the same here. */
static bool console_exists(const char *value)
{
	if (!strcmp(value, "tty0"))
		return true;
	return !strncmp(value, "ttyS", 4) && value[4] >= '0' && value[4] <= '3' &&
	       (!value[5] || value[5] == ',');
}

static bool parse_console(const char *value)
{
	if (!console_exists(value))
		return false;
	for (int i = 0; i < MAX_CONSOLES; i++) {
		if (!console_names[i]) {
			console_names[i] = value;
			return true;
		}
	}
	return false;
}
BOOT_OPTION(console, "console", "ttyS0..ttyS3, tty0 (screen): where lines go; may be repeated",
	    parse_console);

/* As Linux counts: the first level that is not shown. */
static bool parse_loglevel(const char *value)
{
	u64 level;

	if (parse_u64(value, NULL, &level) || level > LEVEL_INFO + 2)
		return false;
	console_level = (int)level - 1;
	return true;
}
BOOT_OPTION(loglevel, "loglevel", "N: consoles show only what is more urgent than N (0..8)",
	    parse_loglevel);

static bool parse_quiet(const char *value)
{
	console_level = LEVEL_QUIET;
	return !*value;
}
BOOT_OPTION(quiet, "quiet", "consoles show errors only", parse_quiet);
