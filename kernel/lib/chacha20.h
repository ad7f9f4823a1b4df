/*
 * ChaCha20 (RFC 8439): the key stream from which random numbers are made.
 */
#pragma once

#include <kernel/lib/types.h>

#define CHACHA20_KEY_SIZE   32
#define CHACHA20_NONCE_SIZE 12
#define CHACHA20_BLOCK_SIZE 64

/* Block number `counter` of the key stream of (key, nonce): section 2.3. */
void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter,
		    const u8 nonce[CHACHA20_NONCE_SIZE], u8 out[CHACHA20_BLOCK_SIZE]);
