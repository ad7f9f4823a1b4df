/*
 * The runner of unit tests: linked into each test's binary.
 */
#include <tests/unit/unit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED 20240229

static struct unit_test *first_test;
static struct unit_test **link_of_last = &first_test; /* tests run in the order of the source */
const struct unit_test *unit_running;
static jmp_buf leave_test;
static uint64_t seed = DEFAULT_SEED;
static uint64_t random_state;

void unit_register(struct unit_test *test)
{
	*link_of_last = test;
	link_of_last = &test->next;
}

_Noreturn void unit_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("FAILED %s: %s:%d ", unit_running->name, file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (seed %llu)\n", (unsigned long long)seed);
	longjmp(leave_test, 1);
}

void unit_check_str(const char *file, int line, const char *expr, const char *a, const char *b)
{
	if (strcmp(a, b))
		unit_fail(file, line, "%s: \"%s\" is not \"%s\"", expr, a, b);
}

/* splitmix64: a counter, well mixed; any seed is as good as another. */
uint64_t unit_random(void)
{
	uint64_t x = random_state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static bool run(const struct unit_test *test)
{
	unit_running = test;
	random_state = seed;
	if (setjmp(leave_test))
		return false;
	test->run();
	printf("ok %s\n", test->name);
	return true;
}

int main(int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : "";
	const char *seed_text = getenv("UNIT_SEED");
	int passed = 0, failed = 0;

	if (seed_text)
		seed = strtoull(seed_text, NULL, 0);
	/* A crash must not swallow what was printed before it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %llu\n", (unsigned long long)seed);
	for (const struct unit_test *test = first_test; test; test = test->next) {
		if (!strstr(test->name, filter))
			continue;
		if (run(test))
			passed++;
		else
			failed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
