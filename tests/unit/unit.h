/*
 * A unit test is a tests/unit/test_*.c, built for the host under ASan and UBSan together with the
 * kernel's sources that a comment on its first line names:
 *
 *	sources: kernel/lib/rbtree.c kernel/lib/string.c
 *
 * What follows is includes and any number of
 *
 *	TEST(an_empty_tree_has_no_first)
 *	{
 *		struct rb_root root = RB_ROOT;
 *
 *		CHECK(!rb_first(&root));
 *	}
 *
 * There is no list of tests and no main() to write. `make unit` runs all; a binary run by hand
 * takes part of a name, and runs the tests that have it in theirs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

void unit_register(struct unit_test *test);
extern const struct unit_test *unit_running;

/* Reports a failed check and leaves the test. */
_Noreturn void unit_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define TEST(id)                                                                  \
	static void test_##id(void);                                              \
	__attribute__((constructor)) static void register_##id(void)              \
	{                                                                         \
		static struct unit_test test = { .name = #id, .run = test_##id }; \
                                                                                  \
		unit_register(&test);                                             \
	}                                                                         \
	static void test_##id(void)

#define CHECK(expr)                                                 \
	do {                                                        \
		if (!(expr))                                        \
			unit_fail(__FILE__, __LINE__, "%s", #expr); \
	} while (0)

/* Integers or pointers; prints both sides. */
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
                                                                                                   \
		if (a_ != b_)                                                                      \
			unit_fail(__FILE__, __LINE__, "%s == %s: %lld (0x%llx) and %lld (0x%llx)", \
				  #a, #b, a_, (unsigned long long)a_, b_, (unsigned long long)b_); \
	} while (0)

#define CHECK_STR(a, b) unit_check_str(__FILE__, __LINE__, #a, (a), (b))
void unit_check_str(const char *file, int line, const char *expr, const char *a, const char *b);

/*
 * Random numbers. Each test starts from the same seed, which a failure prints; UNIT_SEED in the
 * environment sets another.
 */
uint64_t unit_random(void);

/* 0 ... n - 1 */
static inline uint64_t unit_random_below(uint64_t n)
{
	return unit_random() % n;
}
