/*
 * Bitmaps: searching, filling, counting, a word at a time. Any context; the caller's lock, or none
 * if a stale answer will do.
 */
#include <kernel/lib/bitmap.h>

/* `flip` is all ones to search for zeros: the search is for ones in word ^ flip. */
static size_t find_next(const u64 *map, size_t size, size_t from, u64 flip)
{
	if (from >= size)
		return size;

	size_t index = from / BITS_PER_WORD;
	u64 word = (READ_ONCE(map[index]) ^ flip) & ~(bit_mask(from) - 1);

	while (!word) {
		if (++index >= BITMAP_WORDS(size))
			return size;
		word = READ_ONCE(map[index]) ^ flip;
	}
	/* What lies behind the end, in the last word, may be anything. */
	return min(index * BITS_PER_WORD + lowest_bit(word), size);
}

size_t find_next_bit(const u64 *map, size_t size, size_t from)
{
	return find_next(map, size, from, 0);
}

size_t find_next_zero_bit(const u64 *map, size_t size, size_t from)
{
	return find_next(map, size, from, ~0ULL);
}

/* How many bits from `from` on lie in its word, at most count. */
static size_t bits_here(size_t from, size_t count)
{
	return min(count, BITS_PER_WORD - from % BITS_PER_WORD);
}

/* `bits` ones (at least one), at from's place in its word. */
static u64 run_mask(size_t from, size_t bits)
{
	return (~0ULL >> (BITS_PER_WORD - bits)) << from % BITS_PER_WORD;
}

void bitmap_set(u64 *map, size_t from, size_t count)
{
	for (size_t bits; count; from += bits, count -= bits) {
		bits = bits_here(from, count);
		map[from / BITS_PER_WORD] |= run_mask(from, bits);
	}
}

void bitmap_clear(u64 *map, size_t from, size_t count)
{
	for (size_t bits; count; from += bits, count -= bits) {
		bits = bits_here(from, count);
		map[from / BITS_PER_WORD] &= ~run_mask(from, bits);
	}
}

/* Sums of 2, 4, then 8 bits side by side; the product adds the bytes up in its highest one. The empty asm
 * keeps compilers from recognising what this is and calling libgcc for it, which is not here. */
static size_t word_weight(u64 word)
{
	__asm__("" : "+r"(word));
	word -= (word >> 1) & 0x5555555555555555;
	__asm__("" : "+r"(word));
	word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (word * 0x0101010101010101) >> 56;
}

size_t bitmap_weight(const u64 *map, size_t size)
{
	size_t weight = 0;

	for (size_t from = 0, bits; from < size; from += bits) {
		bits = bits_here(from, size - from);
		weight += word_weight(map[from / BITS_PER_WORD] & run_mask(from, bits));
	}
	return weight;
}
