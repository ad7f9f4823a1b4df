/* Runs the in-kernel tests and prints a line for each. See kernel/selftest.h. */
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/selftest.h>

extern const struct selftest selftests_start[], selftests_end[];

/* Does the name begin with one of the comma-separated words? */
static bool selected(const struct selftest *test, const char *filter)
{
	if (!filter || !*filter)
		return !test->only_by_name;
	while (*filter) {
		const char *comma = strchr(filter, ',');
		size_t length = comma ? (size_t)(comma - filter) : strlen(filter);

		if (strncmp(test->name, filter, length) == 0)
			return true;
		filter += length + (comma ? 1 : 0);
	}
	return false;
}

static bool run_one(const struct selftest *test)
{
	struct selftest_result result = { 0 };

	test->run(&result);
	if (!result.what) {
		printk("selftest: %s ... ok\n", test->name);
		return true;
	}
	printk("selftest: %s ... FAILED: %s:%d: %s\n", test->name, result.file, result.line,
	       result.what);
	return false;
}

int selftest_run(const char *filter)
{
	int passed = 0, failed = 0;

	for (const struct selftest *test = selftests_start; test < selftests_end; test++) {
		if (!selected(test, filter))
			continue;
		if (run_one(test))
			passed++;
		else
			failed++;
	}
	if (!passed && !failed) {
		printk("selftest: no test's name begins with '%s'\n", filter);
		failed = 1;
	}
	printk("selftest: %d passed, %d failed\n", passed, failed);
	return failed;
}
