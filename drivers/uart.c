/*
 * The serial line: a 16550 UART, 115200 baud, 8 bits, no parity. National Semiconductor's PC16550D data
 * sheet has the registers.
 *
 * To send, bytes go into tx_ring, and from there into the UART's FIFO of 16 whenever that is empty: at
 * once, or when the interrupt says so. Before interrupts work, in a panic, and while the ring is
 * full, the sender does the interrupt's work by polling. A UART that never gets ready is given up
 * after a while: a dead line must not stop the machine.
 *
 * What is received goes into an input_ring (drivers/console_input.h) and on to uart_receive.
 *
 * Contexts: any. Lock: uart_lock, interrupts off; raw, because printk comes here, the checker prints,
 * and nothing is taken inside it.
 */
#include <drivers/uart.h>

#include <drivers/console_input.h>
#include <kernel/cpu/asm.h>
#include <kernel/irq.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

/* Registers, from the base port */
#define UART_DATA	  0
#define UART_DIVISOR_LOW  0 /* while LCR_DIVISOR */
#define UART_DIVISOR_HIGH 1
#define UART_IER	  1 /* interrupt enable */
#define IER_RECEIVED	  BIT(0)
#define IER_TX_EMPTY	  BIT(1)
#define UART_IIR	  2 /* interrupt identification (read) */
#define IIR_NONE	  BIT(0)
#define UART_FCR	  2 /* FIFO control (write) */
#define FCR_ENABLE_CLEAR  0x07
#define UART_LCR	  3 /* line control */
#define LCR_8N1		  0x03
#define LCR_DIVISOR	  0x80
#define UART_MCR	  4 /* modem control */
#define MCR_DTR_RTS	  0x03
#define MCR_OUT2	  0x08 /* on a PC: lets the interrupt through */
#define UART_LSR	  5    /* line status */
#define LSR_RECEIVED	  BIT(0)
#define LSR_TX_EMPTY	  BIT(5) /* the FIFO */
#define LSR_TX_DONE	  BIT(6) /* the FIFO and the shift register behind it */
#define UART_SCRATCH	  7

#define DIVISOR_115200 1
#define FIFO_SIZE      16
#define TX_RING_SIZE   4096
/*
 * Of about 1 us each. 16 bytes take 1.4 ms, but behind a virtual line somebody reads who may be slow, and what is given
 * up is lost. A line that did not move for so long is tried only briefly until it moves again.
 */
#define READY_TRIES    5000000
#define STUCK_TRIES    1000
#define MAX_IRQ_ROUNDS 64

static const struct {
	const char *name;
	u16 port;
	u8 irq;
} models[] = {
	{ "ttyS0", 0x3f8, 4 },
	{ "ttyS1", 0x2f8, 3 },
	{ "ttyS2", 0x3e8, 4 },
	{ "ttyS3", 0x2e8, 3 },
};

/* constant after start-up */
static u16 base; /* 0: there is no UART */
static u8 uart_irq;
static bool irq_driven;
void (*uart_receive)(char c);

static spinlock_t uart_lock;

/* under uart_lock */
static char tx_ring[TX_RING_SIZE];
static u32 tx_head, tx_tail; /* next free, oldest */

static u8 uart_in(u16 reg)
{
	return inb(base + reg);
}

static void uart_out(u16 reg, u8 value)
{
	outb(base + reg, value);
}

/* ---- sending; all under uart_lock ------------------------------------------------------------ */

/* Moves bytes from the ring to the FIFO as long as that takes them without waiting. */
static void feed_fifo(void)
{
	while (tx_head != tx_tail && (uart_in(UART_LSR) & LSR_TX_EMPTY)) {
		for (int i = 0; i < FIFO_SIZE && tx_head != tx_tail; i++)
			uart_out(UART_DATA, tx_ring[tx_tail++ % TX_RING_SIZE]);
	}
}

static bool wait_for(u8 status)
{
	static bool is_stuck; /* under uart_lock */
	int tries = is_stuck ? STUCK_TRIES : READY_TRIES;

	while (tries && !(uart_in(UART_LSR) & status))
		tries--;
	is_stuck = !tries;
	return !is_stuck;
}

static void drain_ring(void)
{
	while (tx_head != tx_tail) {
		if (wait_for(LSR_TX_EMPTY))
			feed_fifo();
		else
			tx_tail = tx_head;
	}
}

static bool polling(void)
{
	return !irq_driven || panicking_here();
}

static void put(char c)
{
	if (tx_head - tx_tail == TX_RING_SIZE)
		drain_ring();
	tx_ring[tx_head++ % TX_RING_SIZE] = c;
}

/* Gets the sending going. */
static void push(void)
{
	if (polling())
		drain_ring();
	else
		feed_fifo();
	if (tx_head != tx_tail)
		uart_out(UART_IER, IER_RECEIVED | IER_TX_EMPTY);
}

void uart_write(const char *text, size_t length)
{
	u64 flags = spin_lock_irqsave_raw(&uart_lock);

	if (base) {
		for (size_t i = 0; i < length; i++)
			put(text[i]);
		push();
	}
	spin_unlock_irqrestore_raw(&uart_lock, flags);
}

static void uart_console_write(struct console *console, const char *text, size_t length)
{
	u64 flags = spin_lock_irqsave_raw(&uart_lock);

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
	push();
	spin_unlock_irqrestore_raw(&uart_lock, flags);
}

static void uart_console_flush(struct console *console)
{
	u64 flags = spin_lock_irqsave_raw(&uart_lock);

	drain_ring();
	wait_for(LSR_TX_DONE);
	spin_unlock_irqrestore_raw(&uart_lock, flags);
}

static struct console uart_console = {
	.write = uart_console_write,
	.flush = uart_console_flush,
};

/* ---- the interrupt ----------------------------------------------------------------------------- */

static void receive_byte(u8 byte)
{
	if (uart_receive)
		uart_receive((char)byte);
}

static struct input_ring rx_ring = { .consume = receive_byte };

static void send_more(void)
{
	spin_lock_raw(&uart_lock);
	feed_fifo();
	if (tx_head == tx_tail)
		uart_out(UART_IER, IER_RECEIVED);
	spin_unlock_raw(&uart_lock);
}

/* Hard IRQ. Reading IIR acknowledges "transmitter empty", reading the data "received". */
static void uart_interrupt(void *arg)
{
	for (int i = 0; i < MAX_IRQ_ROUNDS && !(uart_in(UART_IIR) & IIR_NONE); i++) {
		while (uart_in(UART_LSR) & LSR_RECEIVED)
			input_ring_put(&rx_ring, uart_in(UART_DATA));
		send_more();
	}
}

/* ---- starting --------------------------------------------------------------------------------- */

/* Where there is no UART the bus reads as ones, and nothing keeps a value. */
static bool is_uart(void)
{
	uart_out(UART_SCRATCH, 0x5a);
	if (uart_in(UART_SCRATCH) != 0x5a)
		return false;
	uart_out(UART_SCRATCH, 0xa5);
	return uart_in(UART_SCRATCH) == 0xa5;
}

static void set_up_line(void)
{
	uart_out(UART_IER, 0);
	uart_out(UART_LCR, LCR_DIVISOR);
	uart_out(UART_DIVISOR_LOW, DIVISOR_115200);
	uart_out(UART_DIVISOR_HIGH, 0);
	uart_out(UART_LCR, LCR_8N1);
	uart_out(UART_FCR, FCR_ENABLE_CLEAR);
	uart_out(UART_MCR, MCR_DTR_RTS | MCR_OUT2);
}

void uart_init(void)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(models) && !console_wanted(models[i].name))
		i++;
	if (i == ARRAY_SIZE(models))
		return;
	base = models[i].port;
	uart_irq = models[i].irq;
	if (!is_uart()) {
		pr_warn("uart: no UART at 0x%x for %s\n", base, models[i].name);
		base = 0;
		return;
	}
	set_up_line();
	uart_console.name = models[i].name;
	console_register(&uart_console);
}

const char *uart_name(void)
{
	return uart_console.name;
}

void uart_start_irq(void)
{
	u64 flags;

	if (!base)
		return;
	input_ring_register(&rx_ring);
	if (request_irq(uart_irq, "uart", uart_interrupt, NULL)) {
		pr_warn("uart: no interrupt: nothing will be received\n");
		return;
	}
	flags = spin_lock_irqsave_raw(&uart_lock);
	irq_driven = true;
	uart_out(UART_IER, IER_RECEIVED);
	spin_unlock_irqrestore_raw(&uart_lock, flags);
}
