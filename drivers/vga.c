/*
 * The screen: VGA's text mode, 80 columns and 25 rows. Its memory at 0xb8000 holds 204 rows, and a
 * register says where on them the screen begins: so scrolling moves that window down a row, and
 * only at the end of the memory is the screen copied back to its beginning. (Under an emulator
 * each access to that memory is a trap; a copy for each line would cost more than all the rest.)
 *
 * It understands the escape sequences of ANSI X3.64 that move the cursor, erase, and set colours.
 *
 * Contexts: any. Lock: vga_lock, interrupts off; raw, because printk comes here.
 */
#include <drivers/vga.h>

#include <kernel/cpu/asm.h>
#include <kernel/lib/string.h>
#include <kernel/mm/layout.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

#define VGA_MEMORY 0xb8000
#define COLUMNS	   VGA_COLUMNS
#define ROWS	   VGA_ROWS
#define ALL_ROWS   204 /* in 32 KiB of two bytes a cell */
#define TAB_WIDTH  8

/* The CRT controller: an index port and a data port. */
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CRTC_START  0x0c /* and 0x0d, low byte: the cell at the screen's top left */
#define CRTC_CURSOR 0x0e /* and 0x0f */

#define DEFAULT_COLOUR 0x07 /* light grey on black */
#define BRIGHT	       0x08
#define MAX_PARAMETERS 4

static spinlock_t vga_lock;
static volatile u16 *memory; /* constant after start-up; NULL: no screen */

/* under vga_lock */
static u32 top;		/* the screen's first row in memory */
static u32 row, column; /* of the cursor; in column COLUMNS the next character wraps */
static u8 colour = DEFAULT_COLOUR;
static struct {
	enum { TEXT, ESCAPE, PARAMETERS } state;
	u32 parameters[MAX_PARAMETERS];
	u32 count; /* of parameters, the one that is being read included */
} escape;

/* ---- the hardware --------------------------------------------------------------------------------- */

static void crtc_write(u8 index, u16 value)
{
	outb(CRTC_INDEX, index);
	outb(CRTC_DATA, value >> 8);
	outb(CRTC_INDEX, index + 1);
	outb(CRTC_DATA, value & 0xff);
}

static u16 crtc_read(u8 index)
{
	u8 high;

	outb(CRTC_INDEX, index);
	high = inb(CRTC_DATA);
	outb(CRTC_INDEX, index + 1);
	return (u16)high << 8 | inb(CRTC_DATA);
}

static volatile u16 *cell(u32 at_row, u32 at_column)
{
	return &memory[(top + at_row) * COLUMNS + at_column];
}

static void show_cursor(void)
{
	crtc_write(CRTC_CURSOR, (top + row) * COLUMNS + min_t(u32, column, COLUMNS - 1));
}

/* Erases from one place up to, not including, another. */
static void erase(u32 from_row, u32 from_column, u32 to_row, u32 to_column)
{
	volatile u16 *end = cell(to_row, to_column);

	for (volatile u16 *at = cell(from_row, from_column); at < end; at++)
		*at = (u16)colour << 8 | ' ';
}

static void scroll(void)
{
	if (top + ROWS == ALL_ROWS) {
		for (u32 i = 0; i < (ROWS - 1) * COLUMNS; i++)
			memory[i] = *(cell(1, 0) + i);
		top = 0;
	} else {
		top++;
	}
	erase(ROWS - 1, 0, ROWS, 0);
	crtc_write(CRTC_START, top * COLUMNS);
}

/* ---- text ------------------------------------------------------------------------------------------ */

static void line_feed(void)
{
	if (row + 1 < ROWS)
		row++;
	else
		scroll();
}

static void put_visible(char c)
{
	if (column == COLUMNS) {
		column = 0;
		line_feed();
	}
	*cell(row, column++) = (u16)colour << 8 | (u8)c;
}

static void put_text(char c)
{
	switch (c) {
	case '\n':
		column = 0;
		line_feed();
		break;
	case '\r':
		column = 0;
		break;
	case '\b':
		column -= column > 0;
		break;
	case '\t':
		column = min_t(u32, ALIGN_UP(column + 1, TAB_WIDTH), COLUMNS - 1);
		break;
	case '\033':
		escape.state = ESCAPE;
		break;
	default:
		if ((u8)c >= ' ')
			put_visible(c);
	}
}

/* ---- escape sequences: ESC [ parameters letter ----------------------------------------------------- */

/* The parameter, or what stands for none and for 0. */
static u32 parameter(u32 index, u32 none)
{
	return index < escape.count && escape.parameters[index] ? escape.parameters[index] : none;
}

static void cursor_up(void)
{
	row -= min(row, parameter(0, 1));
}

static void cursor_down(void)
{
	row = min(row + parameter(0, 1), (u32)ROWS - 1);
}

static void cursor_right(void)
{
	column = min(column + parameter(0, 1), (u32)COLUMNS - 1);
}

static void cursor_left(void)
{
	column -= min(column, parameter(0, 1));
}

static void cursor_to(void)
{
	row = min(parameter(0, 1), (u32)ROWS) - 1;
	column = min(parameter(1, 1), (u32)COLUMNS) - 1;
}

/* 0: from the cursor on; 1: up to the cursor; 2: all. */
static void erase_screen(void)
{
	u32 how = parameter(0, 0);

	erase(how ? 0 : row, how ? 0 : column, how == 1 ? row : ROWS, how == 1 ? column : 0);
}

static void erase_line(void)
{
	u32 how = parameter(0, 0);

	erase(row, how ? 0 : column, row, how == 1 ? column : COLUMNS);
}

/* ANSI counts black, red, green, yellow, blue ...: red is bit 0; VGA has blue there. */
static u8 vga_colour(u32 ansi)
{
	return (ansi & 1) << 2 | (ansi & 2) | (ansi & 4) >> 2;
}

static void set_colour(u32 what)
{
	if (what == 0)
		colour = DEFAULT_COLOUR;
	else if (what == 1)
		colour |= BRIGHT;
	else if (what == 7)
		colour = (colour & 0x0f) << 4 | (colour >> 4);
	else if (what >= 30 && what <= 37)
		colour = (colour & 0xf8) | vga_colour(what - 30);
	else if (what == 39)
		colour = (colour & 0xf0) | DEFAULT_COLOUR;
	else if (what >= 40 && what <= 47)
		colour = (colour & 0x0f) | vga_colour(what - 40) << 4;
	else if (what == 49)
		colour &= 0x0f;
}

static void set_colours(void)
{
	for (u32 i = 0; i < escape.count; i++)
		set_colour(escape.parameters[i]);
}

static const struct {
	char letter;
	void (*run)(void);
} commands[] = {
	{ 'A', cursor_up },    { 'B', cursor_down }, { 'C', cursor_right },
	{ 'D', cursor_left },  { 'H', cursor_to },   { 'f', cursor_to },
	{ 'J', erase_screen }, { 'K', erase_line },  { 'm', set_colours },
};

static void run_command(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].letter == letter)
			commands[i].run();
	}
}

static void put_escape(char c)
{
	escape.state = c == '[' ? PARAMETERS : TEXT;
	escape.count = 1;
	memset(escape.parameters, 0, sizeof(escape.parameters));
}

/* What does not fit, digits or parameters, is passed over; an unknown command does nothing. */
static void put_parameter(char c)
{
	u32 *last = &escape.parameters[escape.count - 1];

	if (c >= '0' && c <= '9') {
		if (*last < 1000)
			*last = *last * 10 + (c - '0');
	} else if (c == ';') {
		if (escape.count < MAX_PARAMETERS)
			escape.parameters[escape.count++] = 0;
	} else if (c != '?') {
		escape.state = TEXT;
		run_command(c);
	}
}

static void (*const put_in_state[])(char c) = {
	[TEXT] = put_text,
	[ESCAPE] = put_escape,
	[PARAMETERS] = put_parameter,
};

/* ---- the way in ---------------------------------------------------------------------------------- */

void vga_write(const char *text, size_t length)
{
	u64 flags;

	if (!memory)
		return;
	flags = spin_lock_irqsave_raw(&vga_lock);
	for (size_t i = 0; i < length; i++)
		put_in_state[escape.state](text[i]);
	show_cursor();
	spin_unlock_irqrestore_raw(&vga_lock, flags);
}

static void vga_console_write(struct console *console, const char *text, size_t length)
{
	vga_write(text, length);
}

static struct console vga_console = { .name = "tty0", .write = vga_console_write };

/* A register that keeps what is written. */
static bool is_vga(void)
{
	crtc_write(CRTC_CURSOR, 0x0123);
	return crtc_read(CRTC_CURSOR) == 0x0123;
}

void vga_init(void)
{
	if (!is_vga()) {
		pr_info("vga: no screen\n");
		return;
	}
	memory = phys_to_virt(VGA_MEMORY);
	crtc_write(CRTC_START, 0);
	erase(0, 0, ROWS, 0);
	console_register(&vga_console);
}
