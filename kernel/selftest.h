/*
 * Tests that run inside the kernel: `selftest` on the command line runs them all, `selftest=a,b` those
 * whose names begin with one of the words; then the machine ends with a status.
 *
 *	SELFTEST(list_basics)
 *	{
 *		EXPECT(list_empty(&head));
 *	}
 */
#pragma once

#include <kernel/lib/types.h>

struct selftest_result {
	const char *file, *what; /* the first expectation that failed; NULL: none */
	int line;
};

struct selftest {
	const char *name;
	void (*run)(struct selftest_result *result);
	bool only_by_name; /* destructive: not part of a plain `selftest` */
};

#define SELFTEST_DEFINE(ident, only_by_name_)                                          \
	static void selftest_##ident(struct selftest_result *result);                  \
	/* aligned: the compiler's own choice would leave gaps in the section */       \
	static const struct selftest selftest_entry_##ident __used __aligned(8)        \
		__section(".selftests") = { #ident, selftest_##ident, only_by_name_ }; \
	static void selftest_##ident(struct selftest_result *result)

#define SELFTEST(ident)		SELFTEST_DEFINE(ident, false)
#define SELFTEST_BY_NAME(ident) SELFTEST_DEFINE(ident, true)

/* Leaves the test at the first failure. For use in the test's own function. */
#define EXPECT(condition)                                                                     \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			*result = (struct selftest_result){ __FILE__, #condition, __LINE__ }; \
			return;                                                               \
		}                                                                             \
	} while (0)

/* Runs what `filter` names ("" or NULL: all); returns how many failed. */
int selftest_run(const char *filter);
