/*
 * ChaCha20's block function, RFC 8439. Any context; no locks, no state.
 */
#include <kernel/lib/chacha20.h>

#include <kernel/lib/string.h>

#define WORDS	      (CHACHA20_BLOCK_SIZE / sizeof(u32))
#define DOUBLE_ROUNDS 10

static inline u32 rotate_left(u32 word, int bits)
{
	return word << bits | word >> (32 - bits);
}

/* Section 2.1. Inlined with constant indices, so that the words stay in registers. */
static __always_inline void quarter_round(u32 *x, u32 a, u32 b, u32 c, u32 d)
{
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 7);
}

/* Section 2.3: the words form a 4x4 square; its columns, then its diagonals. */
static __always_inline void double_round(u32 x[WORDS])
{
	quarter_round(x, 0, 4, 8, 12);
	quarter_round(x, 1, 5, 9, 13);
	quarter_round(x, 2, 6, 10, 14);
	quarter_round(x, 3, 7, 11, 15);
	quarter_round(x, 0, 5, 10, 15);
	quarter_round(x, 1, 6, 11, 12);
	quarter_round(x, 2, 7, 8, 13);
	quarter_round(x, 3, 4, 9, 14);
}

void chacha20_block(const u8 key[CHACHA20_KEY_SIZE], u32 counter,
		    const u8 nonce[CHACHA20_NONCE_SIZE], u8 out[CHACHA20_BLOCK_SIZE])
{
	u32 start[WORDS], x[WORDS];

	memcpy(start, "expand 32-byte k", 16);
	memcpy(start + 4, key, CHACHA20_KEY_SIZE);
	start[12] = counter;
	memcpy(start + 13, nonce, CHACHA20_NONCE_SIZE);

	memcpy(x, start, sizeof(x));
	for (int round = 0; round < DOUBLE_ROUNDS; round++)
		double_round(x);
	for (size_t i = 0; i < WORDS; i++)
		x[i] += start[i];
	memcpy(out, x, sizeof(x));
}
