/*
 * Hash functions for tables.
 *
 * hash_u32/hash_u64 cost one multiplication, and anybody can compute collisions: they are for keys
 * that nobody outside chooses. A table whose keys come from the network or from a user program
 * uses SipHash with a secret random key, or one bucket will get them all.
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
