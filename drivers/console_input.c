/* The rings behind keyboard and serial line, and CONSOLE_SOFTIRQ that empties them. */
#include <drivers/console_input.h>

#include <kernel/softirq.h>

static struct input_ring *rings; /* constant after start-up */

void input_ring_put(struct input_ring *ring, u8 byte)
{
	u32 head = ring->head;

	if (head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) < INPUT_RING_SIZE) {
		ring->bytes[head % INPUT_RING_SIZE] = byte;
		__atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
	} else {
		ring->lost++;
	}
	raise_softirq(CONSOLE_SOFTIRQ);
}

/* The slot is given back before the byte is consumed: that may take long. */
static void drain(struct input_ring *ring)
{
	u32 tail = ring->tail;

	while (tail != __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)) {
		u8 byte = ring->bytes[tail % INPUT_RING_SIZE];

		__atomic_store_n(&ring->tail, ++tail, __ATOMIC_RELEASE);
		ring->consume(byte);
	}
}

static void console_softirq(void)
{
	for (struct input_ring *ring = rings; ring; ring = ring->next)
		drain(ring);
}

void input_ring_register(struct input_ring *ring)
{
	ring->next = rings;
	rings = ring;
	open_softirq(CONSOLE_SOFTIRQ, console_softirq);
}
