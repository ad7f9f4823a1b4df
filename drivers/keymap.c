/* The US keyboard as tables: see keymap.h. */
#include <drivers/keymap.h>

#define KEY_ENTER 0x1c
#define KEY_SLASH 0x35

/* clang-format off */

/* One row of keys each, from its first scancode on. */
const char keymap_plain[KEYMAP_SIZE] = {
	[0x01] = '\033', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '-', '=', 0x7f,
	[0x0f] = '\t', 'q', 'w', 'e', 'r', 't', 'y', 'u', 'i', 'o', 'p', '[', ']', '\r',
	[0x1e] = 'a', 's', 'd', 'f', 'g', 'h', 'j', 'k', 'l', ';', '\'', '`',
	[0x2b] = '\\', 'z', 'x', 'c', 'v', 'b', 'n', 'm', ',', '.', '/',
	[0x37] = '*', [0x39] = ' ',
	[0x47] = '7', '8', '9', '-', '4', '5', '6', '+', '1', '2', '3', '0', '.',
};

const char keymap_shifted[KEYMAP_SIZE] = {
	[0x01] = '\033', '!', '@', '#', '$', '%', '^', '&', '*', '(', ')', '_', '+', 0x7f,
	[0x0f] = '\t', 'Q', 'W', 'E', 'R', 'T', 'Y', 'U', 'I', 'O', 'P', '{', '}', '\r',
	[0x1e] = 'A', 'S', 'D', 'F', 'G', 'H', 'J', 'K', 'L', ':', '"', '~',
	[0x2b] = '|', 'Z', 'X', 'C', 'V', 'B', 'N', 'M', '<', '>', '?',
	[0x37] = '*', [0x39] = ' ',
	[0x47] = '7', '8', '9', '-', '4', '5', '6', '+', '1', '2', '3', '0', '.',
};

static const struct {
	u8 key;
	bool extended;
	const char *sequence;
} sequences[] = {
	{ 0x48, true, "\033[A" },    /* up */
	{ 0x50, true, "\033[B" },    /* down */
	{ 0x4d, true, "\033[C" },    /* right */
	{ 0x4b, true, "\033[D" },    /* left */
	{ 0x47, true, "\033[1~" },   /* Home */
	{ 0x52, true, "\033[2~" },   /* Insert */
	{ 0x53, true, "\033[3~" },   /* Delete */
	{ 0x4f, true, "\033[4~" },   /* End */
	{ 0x49, true, "\033[5~" },   /* Page up */
	{ 0x51, true, "\033[6~" },   /* Page down */
	{ 0x3b, false, "\033[[A" },  /* F1 */
	{ 0x3c, false, "\033[[B" },
	{ 0x3d, false, "\033[[C" },
	{ 0x3e, false, "\033[[D" },
	{ 0x3f, false, "\033[[E" },
	{ 0x40, false, "\033[17~" }, /* F6 */
	{ 0x41, false, "\033[18~" },
	{ 0x42, false, "\033[19~" },
	{ 0x43, false, "\033[20~" },
	{ 0x44, false, "\033[21~" }, /* F10 */
	{ 0x57, false, "\033[23~" },
	{ 0x58, false, "\033[24~" }, /* F12 */
};

/* clang-format on */

const char *keymap_sequence(u8 key, bool extended)
{
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		if (sequences[i].key == key && sequences[i].extended == extended)
			return sequences[i].sequence;
	}
	return NULL;
}

bool keymap_same_when_extended(u8 key)
{
	return key == KEY_ENTER || key == KEY_SLASH;
}
