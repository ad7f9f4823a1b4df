/* Random numbers that nobody can guess: ChaCha20, keyed from the CPU's generator and from interrupt times. */
#pragma once

#include <kernel/lib/types.h>

void random_fill(void *buffer, size_t size); /* any context */
u64 random_u64(void);
/* Less than `limit`, all equally likely. */
u64 random_below(u64 limit);

/* Somebody else's entropy: written to /dev/random, or the time of an event. */
void random_stir(const void *data, size_t size);

void random_init(void);
