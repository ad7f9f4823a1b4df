/*
 * What was typed, on its way from a hard interrupt to the terminal: the handler puts bytes into a ring,
 * CONSOLE_SOFTIRQ takes them out again. One ring a device, one producer (its interrupt, which never
 * interrupts itself) and one consumer (the softirq) each: no lock.
 */
#pragma once

#include <kernel/lib/types.h>

#define INPUT_RING_SIZE 256

struct input_ring {
	void (*consume)(u8 byte); /* constant; softirq context */

	u8 bytes[INPUT_RING_SIZE];
	u32 head; /* written by the interrupt: where the next byte goes */
	u32 tail; /* written by the softirq: the oldest byte */
	u32 lost; /* written by the interrupt: bytes that found the ring full */

	struct input_ring *next; /* constant after input_ring_register() */
};

/* At start-up, before the device's interrupts are enabled. */
void input_ring_register(struct input_ring *ring);

/* Hard IRQ: keeps the byte and sees to it that the softirq runs. */
void input_ring_put(struct input_ring *ring, u8 byte);
