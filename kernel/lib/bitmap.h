/*
 * Bitmaps: arrays of u64, bit 0 is the lowest of the first word. Sizes are in bits.
 *
 * set_bit(), clear_bit() and the test_and_ pair are atomic: each is one locked instruction, and a
 * full barrier. The __ forms are not: for a bitmap that a lock protects, or that has one user.
 */
#pragma once

#include <kernel/lib/types.h>

#define BITS_PER_WORD		   64
#define BITMAP_WORDS(bits)	   DIV_ROUND_UP(bits, BITS_PER_WORD)
#define DECLARE_BITMAP(name, bits) u64 name[BITMAP_WORDS(bits)]

static inline u64 bit_mask(size_t bit)
{
	return BIT(bit % BITS_PER_WORD);
}

static inline bool test_bit(size_t bit, const u64 *map)
{
	return READ_ONCE(map[bit / BITS_PER_WORD]) & bit_mask(bit);
}

static inline void __set_bit(size_t bit, u64 *map)
{
	map[bit / BITS_PER_WORD] |= bit_mask(bit);
}

static inline void __clear_bit(size_t bit, u64 *map)
{
	map[bit / BITS_PER_WORD] &= ~bit_mask(bit);
}

static inline bool __test_and_set_bit(size_t bit, u64 *map)
{
	bool old = test_bit(bit, map);

	__set_bit(bit, map);
	return old;
}

static inline bool __test_and_clear_bit(size_t bit, u64 *map)
{
	bool old = test_bit(bit, map);

	__clear_bit(bit, map);
	return old;
}

/*
 * bts and btr leave the old bit in the carry flag. With a memory operand they take the bit's
 * number across the whole map, word index included: no masks, no division.
 */
static inline bool test_and_set_bit(size_t bit, u64 *map)
{
	bool old;

	__asm__ volatile("lock btsq %2, %1" : "=@ccc"(old), "+m"(*map) : "r"(bit) : "memory");
	return old;
}

static inline bool test_and_clear_bit(size_t bit, u64 *map)
{
	bool old;

	__asm__ volatile("lock btrq %2, %1" : "=@ccc"(old), "+m"(*map) : "r"(bit) : "memory");
	return old;
}

static inline void set_bit(size_t bit, u64 *map)
{
	test_and_set_bit(bit, map);
}

static inline void clear_bit(size_t bit, u64 *map)
{
	test_and_clear_bit(bit, map);
}

/* The number of the lowest or highest set bit; word must not be 0. */
static inline unsigned int lowest_bit(u64 word)
{
	return (unsigned int)__builtin_ctzll(word);
}

static inline unsigned int highest_bit(u64 word)
{
	return 63 - (unsigned int)__builtin_clzll(word);
}

/* The first such bit at or behind `from`, or `size` if there is none. */
size_t find_next_bit(const u64 *map, size_t size, size_t from);
size_t find_next_zero_bit(const u64 *map, size_t size, size_t from);

static inline size_t find_first_bit(const u64 *map, size_t size)
{
	return find_next_bit(map, size, 0);
}

static inline size_t find_first_zero_bit(const u64 *map, size_t size)
{
	return find_next_zero_bit(map, size, 0);
}

#define for_each_set_bit(bit, map, size)                            \
	for ((bit) = find_first_bit((map), (size)); (bit) < (size); \
	     (bit) = find_next_bit((map), (size), (bit) + 1))

/* Not atomic: a run of bits, and how many are set. */
void bitmap_set(u64 *map, size_t from, size_t count);
void bitmap_clear(u64 *map, size_t from, size_t count);
size_t bitmap_weight(const u64 *map, size_t size);
