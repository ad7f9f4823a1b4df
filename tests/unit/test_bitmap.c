/* sources: kernel/lib/bitmap.c */
/*
 * Bitmaps against an array of bools.
 */
#include <stdlib.h>

#include <kernel/lib/bitmap.h>
#include <tests/unit/unit.h>

#define MAX_BITS 300

static bool model[MAX_BITS];
static u64 *map;
static size_t size;

static void start(size_t bits)
{
	size = bits;
	map = calloc(BITMAP_WORDS(bits), sizeof(u64));
	for (size_t i = 0; i < bits; i++)
		model[i] = false;
	/* What lies behind the end must not matter. */
	for (size_t i = bits; i < BITMAP_WORDS(bits) * BITS_PER_WORD; i++) {
		if (unit_random() % 2)
			__set_bit(i, map);
	}
}

static size_t model_next(size_t from, bool value)
{
	while (from < size && model[from] != value)
		from++;
	return from < size ? from : size;
}

static void check_map(void)
{
	size_t weight = 0, bit, expected = model_next(0, true);

	for (size_t i = 0; i < size; i++) {
		CHECK_EQ(test_bit(i, map), model[i]);
		CHECK_EQ(find_next_bit(map, size, i), model_next(i, true));
		CHECK_EQ(find_next_zero_bit(map, size, i), model_next(i, false));
		weight += model[i];
	}
	CHECK_EQ(find_first_bit(map, size), model_next(0, true));
	CHECK_EQ(find_first_zero_bit(map, size), model_next(0, false));
	CHECK_EQ(find_next_bit(map, size, size), size);
	CHECK_EQ(find_next_bit(map, size, size + 1000), size);
	CHECK_EQ(find_next_zero_bit(map, size, size + 1000), size);
	CHECK_EQ(bitmap_weight(map, size), weight);
	for_each_set_bit(bit, map, size) {
		CHECK_EQ(bit, expected);
		expected = model_next(bit + 1, true);
	}
	CHECK_EQ(expected, size);
}

static void change_one(void)
{
	size_t bit = unit_random_below(size);

	switch (unit_random_below(8)) {
	case 0:
		set_bit(bit, map);
		model[bit] = true;
		break;
	case 1:
		clear_bit(bit, map);
		model[bit] = false;
		break;
	case 2:
		__set_bit(bit, map);
		model[bit] = true;
		break;
	case 3:
		__clear_bit(bit, map);
		model[bit] = false;
		break;
	case 4:
		CHECK_EQ(test_and_set_bit(bit, map), model[bit]);
		model[bit] = true;
		break;
	case 5:
		CHECK_EQ(test_and_clear_bit(bit, map), model[bit]);
		model[bit] = false;
		break;
	case 6:
		CHECK_EQ(__test_and_set_bit(bit, map), model[bit]);
		model[bit] = true;
		break;
	case 7:
		CHECK_EQ(__test_and_clear_bit(bit, map), model[bit]);
		model[bit] = false;
		break;
	}
}

static void change_run(void)
{
	size_t from = unit_random_below(size + 1), count = unit_random_below(size - from + 1);
	bool value = unit_random() % 2;

	if (value)
		bitmap_set(map, from, count);
	else
		bitmap_clear(map, from, count);
	for (size_t i = from; i < from + count; i++)
		model[i] = value;
}

TEST(random_operations_at_every_size)
{
	for (size_t bits = 1; bits <= MAX_BITS; bits++) {
		start(bits);
		for (int round = 0; round < 60; round++) {
			if (round % 4)
				change_one();
			else
				change_run();
			check_map();
		}
		free(map);
	}
}

TEST(every_run_in_three_words)
{
	for (size_t from = 0; from < 192; from++) {
		for (size_t count = 0; count <= 192 - from; count++) {
			DECLARE_BITMAP(bits, 192) = { 0 };

			bitmap_set(bits, from, count);
			CHECK_EQ(bitmap_weight(bits, 192), count);
			CHECK_EQ(find_first_bit(bits, 192), count ? from : 192);
			CHECK_EQ(find_next_zero_bit(bits, 192, from), from + count);
			bitmap_clear(bits, from, count);
			CHECK_EQ(bitmap_weight(bits, 192), 0);
		}
	}
}

TEST(empty_map)
{
	u64 word = ~0ULL;

	CHECK_EQ(find_first_bit(&word, 0), 0);
	CHECK_EQ(find_first_zero_bit(&word, 0), 0);
	CHECK_EQ(bitmap_weight(&word, 0), 0);
}

TEST(lowest_and_highest_bit)
{
	for (unsigned int low = 0; low < 64; low++) {
		for (unsigned int high = low; high < 64; high++) {
			CHECK_EQ(lowest_bit(BIT(low) | BIT(high)), low);
			CHECK_EQ(highest_bit(BIT(low) | BIT(high)), high);
		}
	}
}
