/*
 * Hash functions for tables.
 *
 * hash_u32/hash_u64 cost one multiplication, and anybody can compute collisions: they are for keys
 * that nobody outside chooses. A table whose keys come from the network or from a user program
 * uses a secret random key, or one bucket will get them all: SipHash, or mulhash where each packet pays for it.
 */
#pragma once

#include <kernel/lib/types.h>

/* 2^32 and 2^64 divided by the golden ratio: near keys land far apart (Knuth, TAOCP 6.4). */
#define GOLDEN_RATIO_32 0x9e3779b9U
#define GOLDEN_RATIO_64 0x9e3779b97f4a7c15ULL

/* The `bits` (1 ... 32) best mixed bits of the product: its highest. */
static inline u32 hash_u32(u32 key, unsigned int bits)
{
	return key * GOLDEN_RATIO_32 >> (32 - bits);
}

static inline u32 hash_u64(u64 key, unsigned int bits)
{
	return (u32)(key * GOLDEN_RATIO_64 >> (64 - bits));
}

static inline u32 hash_ptr(const void *ptr, unsigned int bits)
{
	return hash_u64((uintptr_t)ptr, bits);
}

struct siphash_key {
	u64 word[2];
};

/* SipHash-2-4 (Aumasson, Bernstein 2012): without the key, its output looks random. */
u64 siphash(const void *data, size_t len, const struct siphash_key *key);

struct mulhash_key {
	u64 word[4];
};

static inline u64 fold_multiply(u64 a, u64 b)
{
	u64 low = a, high;

	__asm__("mulq %2" : "+a"(low), "=d"(high) : "rm"(b) : "cc");
	return low ^ high;
}

/*
 * A keyed hash of two words for a tenth of SipHash's price. It is no proof of who wrote something: whoever sees many
 * values may find the key. It is enough for a table whose values nobody outside ever sees. Which keys collide depends
 * on all four secret words: each half of a product is not linear in what is chosen, so that neither a difference nor
 * a known collision gives another one, and what hits the zero of the first product has one chance in 2^64 to be guessed.
 */
static inline u64 mulhash(u64 a, u64 b, const struct mulhash_key *key)
{
	return fold_multiply(fold_multiply(a ^ key->word[0], b ^ key->word[1]) ^ key->word[2],
			     key->word[3]);
}
