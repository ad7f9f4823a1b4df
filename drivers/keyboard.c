/*
 * The PS/2 keyboard: the smallest complete example of how a device talks to the kernel. Read it before
 * the network driver, which does the same with more words.
 *
 *	a key goes down			the keyboard sends a scancode to the i8042 controller, which
 *					keeps it and pulls interrupt line 1
 *	keyboard_interrupt()		hard IRQ: fetches the scancode, which makes the controller let go
 *					of the line; keeps it in a ring; raises CONSOLE_SOFTIRQ. Nothing else.
 *	keyboard_scancode()		softirq: works out which character that is, and calls
 *					keyboard_receive(), which is the terminal's
 *
 * Why in two halves? While the first one runs, interrupts are off, and every other device of this CPU
 * waits. It must be so short that nobody notices; what may take long, or wake somebody, is the
 * second one's.
 *
 * No lock: the ring has one writer and one reader (drivers/console_input.h), and the decoder's state
 * belongs to the softirq, which runs on one CPU at a time, the one that takes the interrupt.
 */
#include <drivers/keyboard.h>

#include <drivers/console_input.h>
#include <drivers/keymap.h>
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/asm.h>
#include <kernel/irq.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

/* The i8042 controller */
#define I8042_DATA	0x60
#define I8042_STATUS	0x64   /* read */
#define STATUS_OUTPUT	BIT(0) /* there is something to read */
#define STATUS_INPUT	BIT(1) /* it has not taken yet what was written */
#define I8042_COMMAND	0x64   /* write */
#define READ_CONFIG	0x20
#define WRITE_CONFIG	0x60
#define KEYBOARD_OFF	0xad
#define KEYBOARD_ON	0xae
#define MOUSE_OFF	0xa7
#define CONFIG_IRQ	BIT(0)
#define CONFIG_DISABLED BIT(4)
#define CONFIG_SET_1	BIT(6) /* translate to the PC's first set of scancodes */
#define KEYBOARD_IRQ	1

#define NO_CONTROLLER 0xff  /* what the status reads as where there is none */
#define TRIES	      10000 /* of about 1 us */

void (*keyboard_receive)(char c);

/* ---- the first half: hard IRQ ------------------------------------------------------------------- */

static void keyboard_scancode(u8 scancode);

static struct input_ring scancodes = { .consume = keyboard_scancode };

static void keyboard_interrupt(void *arg)
{
	if (inb(I8042_STATUS) & STATUS_OUTPUT)
		input_ring_put(&scancodes, inb(I8042_DATA));
}

/* ---- the second half: softirq --------------------------------------------------------------------- */

#define KEY_RELEASED 0x80 /* added to a scancode when the key goes up */
#define PREFIX_E0    0xe0 /* the next scancode is of a key that the first PC did not have */
#define PREFIX_E1    0xe1 /* Pause: two more follow */
#define PAUSE_REST   2

#define KEY_CONTROL	0x1d
#define KEY_LEFT_SHIFT	0x2a
#define KEY_RIGHT_SHIFT 0x36
#define KEY_ALT		0x38
#define KEY_CAPS_LOCK	0x3a

/* softirq's own */
static bool shift, control, alt, caps_lock;
static bool extended; /* PREFIX_E0 came */
static u32 to_skip;

static void send(char c)
{
	if (keyboard_receive)
		keyboard_receive(c);
}

static void send_string(const char *text)
{
	while (*text)
		send(*text++);
}

/* True: it was a key that changes what other keys mean. */
static bool handle_modifier(u8 key, bool pressed)
{
	switch (key) {
	case KEY_LEFT_SHIFT:
	case KEY_RIGHT_SHIFT:
		/* With the prefix it is no key: keyboards send it around the arrows. */
		if (!extended)
			shift = pressed;
		return true;
	case KEY_CONTROL:
		control = pressed;
		return true;
	case KEY_ALT:
		alt = pressed;
		return true;
	case KEY_CAPS_LOCK:
		caps_lock ^= pressed;
		return true;
	}
	return false;
}

static bool is_letter(char c)
{
	return tolower_ascii(c) >= 'a' && tolower_ascii(c) <= 'z';
}

static void send_character(u8 key)
{
	char c = keymap_plain[key];

	if (shift != (caps_lock && is_letter(c)))
		c = keymap_shifted[key];
	if (!c)
		return;
	/* Control takes off the upper bits: ^A is 1, ^[ is Escape. */
	if (control && c >= '@' && c <= 'z')
		c &= 0x1f;
	if (alt)
		send('\033');
	send(c);
}

static void keyboard_scancode(u8 scancode)
{
	u8 key = scancode & ~KEY_RELEASED;
	bool pressed = !(scancode & KEY_RELEASED);
	const char *sequence;

	if (to_skip) {
		to_skip--;
		return;
	}
	if (scancode == PREFIX_E0 || scancode == PREFIX_E1) {
		extended = scancode == PREFIX_E0;
		to_skip = extended ? 0 : PAUSE_REST;
		return;
	}
	if (!handle_modifier(key, pressed) && pressed) {
		sequence = keymap_sequence(key, extended);
		if (sequence)
			send_string(sequence);
		else if (!extended || keymap_same_when_extended(key))
			send_character(key);
	}
	extended = false;
}

/* ---- starting --------------------------------------------------------------------------------------- */

/* Waits until the status bit has the value; a controller that hangs must not hang us. */
static bool wait_status(u8 bit, bool set)
{
	for (int i = 0; i < TRIES; i++) {
		if (!(inb(I8042_STATUS) & bit) == !set)
			return true;
	}
	return false;
}

static bool command(u8 code)
{
	if (!wait_status(STATUS_INPUT, false))
		return false;
	outb(I8042_COMMAND, code);
	return true;
}

static void discard_input(void)
{
	for (int i = 0; i < TRIES && (inb(I8042_STATUS) & STATUS_OUTPUT); i++)
		inb(I8042_DATA);
}

/* Keyboard on, with interrupts and the scancodes we know. Both devices are silent meanwhile, so that
 * what is read is the controller's answer. */
static bool configure(void)
{
	u8 config;

	if (!command(KEYBOARD_OFF) || !command(MOUSE_OFF))
		return false;
	discard_input();
	if (!command(READ_CONFIG) || !wait_status(STATUS_OUTPUT, true))
		return false;
	config = inb(I8042_DATA);
	config |= CONFIG_IRQ | CONFIG_SET_1;
	config &= ~CONFIG_DISABLED;
	if (!command(WRITE_CONFIG) || !wait_status(STATUS_INPUT, false))
		return false;
	outb(I8042_DATA, config);
	return command(KEYBOARD_ON);
}

void keyboard_init(void)
{
	if (acpi.no_8042 || inb(I8042_STATUS) == NO_CONTROLLER || !configure()) {
		pr_info("keyboard: no i8042 controller\n");
		return;
	}
	input_ring_register(&scancodes);
	if (request_irq(KEYBOARD_IRQ, "keyboard", keyboard_interrupt, NULL))
		pr_warn("keyboard: no interrupt\n");
	/* A key pressed meanwhile waits, and keeps the line from being pulled again. */
	discard_input();
}
