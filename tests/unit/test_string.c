/* sources: kernel/lib/string.c */
/*
 * The memory functions against libc's: every small size at every pair of alignments, and blocks
 * of exactly the right size from malloc, so that ASan sees a byte too many.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* From here on the names mean the kernel's versions; these are libc's. */
static void *(*const libc_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*const libc_memmove)(void *, const void *, size_t) = memmove;
static void *(*const libc_memset)(void *, int, size_t) = memset;
static int (*const libc_memcmp)(const void *, const void *, size_t) = memcmp;
static void *(*const libc_memchr)(const void *, int, size_t) = memchr;
static size_t (*const libc_strlen)(const char *) = strlen;
static size_t (*const libc_strnlen)(const char *, size_t) = strnlen;
static int (*const libc_strcmp)(const char *, const char *) = strcmp;
static int (*const libc_strncmp)(const char *, const char *, size_t) = strncmp;
static int (*const libc_strcasecmp)(const char *, const char *) = strcasecmp;
static char *(*const libc_strchr)(const char *, int) = strchr;
static char *(*const libc_strrchr)(const char *, int) = strrchr;
static char *(*const libc_strstr)(const char *, const char *) = strstr;

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define ALIGNMENTS 8
#define ALL_SIZES  200 /* past three turns of the unrolled loop */
#define AREA	   (ALL_SIZES + 4 * ALIGNMENTS)

static const size_t big_sizes[] = { 255, 256, 257, 1448, 1500, 4095, 4096, 4097, 65536 + 3 };

static void fill_random(u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (u8)unit_random();
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

TEST(memcpy_all_sizes_and_alignments)
{
	u8 src[AREA], mine[AREA], libcs[AREA];

	fill_random(src, AREA);
	for (size_t n = 0; n <= ALL_SIZES; n++) {
		for (size_t a = 0; a < ALIGNMENTS * ALIGNMENTS; a++) {
			size_t to = a / ALIGNMENTS, from = a % ALIGNMENTS;

			libc_memset(mine, 0xa5, AREA);
			libc_memset(libcs, 0xa5, AREA);
			CHECK(memcpy(mine + to, src + from, n) == mine + to);
			libc_memcpy(libcs + to, src + from, n);
			CHECK(!libc_memcmp(mine, libcs, AREA));
		}
	}
}

TEST(memmove_all_overlaps)
{
	u8 src[AREA], mine[AREA], libcs[AREA];

	fill_random(src, AREA);
	for (size_t n = 0; n <= 100; n++) {
		for (size_t a = 0; a < 110 * 17; a++) {
			size_t to = a / 17 % 110, from = 40 + a % 17;

			libc_memcpy(mine, src, AREA);
			libc_memcpy(libcs, src, AREA);
			CHECK(memmove(mine + to, mine + from, n) == mine + to);
			libc_memmove(libcs + to, libcs + from, n);
			CHECK(!libc_memcmp(mine, libcs, AREA));
		}
	}
}

TEST(memmove_big_overlaps)
{
	static u8 src[3 * 4096], mine[3 * 4096], libcs[3 * 4096];

	fill_random(src, sizeof(src));
	for (int round = 0; round < 3000; round++) {
		size_t n = unit_random_below(2 * 4096);
		size_t to = unit_random_below(4096), from = unit_random_below(4096);

		if (round % 2) /* near each other */
			from = to + unit_random_below(min(4096 - to, (size_t)70));
		libc_memcpy(mine, src, sizeof(src));
		libc_memcpy(libcs, src, sizeof(src));
		memmove(mine + to, mine + from, n);
		libc_memmove(libcs + to, libcs + from, n);
		CHECK(!libc_memcmp(mine, libcs, sizeof(src)));
	}
}

TEST(memset_all_sizes_and_alignments)
{
	u8 mine[AREA], libcs[AREA];

	for (size_t n = 0; n <= ALL_SIZES; n++) {
		for (size_t to = 0; to < ALIGNMENTS; to++) {
			int byte = (int)unit_random();

			libc_memset(mine, 0x11, AREA);
			libc_memset(libcs, 0x11, AREA);
			CHECK(memset(mine + to, byte, n) == mine + to);
			libc_memset(libcs + to, byte, n);
			CHECK(!libc_memcmp(mine, libcs, AREA));
		}
	}
}

TEST(memcmp_sees_each_byte)
{
	u8 a[AREA], b[AREA];

	for (size_t n = 0; n <= 80; n++) {
		for (size_t k = 0; k < ALIGNMENTS * ALIGNMENTS; k++) {
			u8 *p = a + k / ALIGNMENTS, *q = b + k % ALIGNMENTS;

			fill_random(p, n + 1);
			libc_memcpy(q, p, n);
			q[n] = p[n] ^ 1; /* behind the end: must not count */
			CHECK_EQ(memcmp(p, q, n), 0);
			for (size_t i = 0; i < n; i++) {
				q[i] ^= 0x80;
				CHECK_EQ(sign(memcmp(p, q, n)), sign(libc_memcmp(p, q, n)));
				q[i] ^= 0x80;
			}
		}
	}
}

static void exact_blocks(size_t n)
{
	u8 *src = malloc(n), *dst = malloc(n);

	fill_random(src, n);
	memcpy(dst, src, n);
	CHECK(!libc_memcmp(dst, src, n) && !memcmp(dst, src, n));
	memset(dst, 7, n);
	memmove(dst, src, n);
	CHECK(!libc_memcmp(dst, src, n));
	memset(dst, 7, n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(dst[i], 7);
	CHECK(memchr(dst, 8, n) == NULL);
	free(src);
	free(dst);
}

TEST(memory_functions_stay_inside_their_blocks)
{
	for (size_t n = 0; n <= ALL_SIZES; n++)
		exact_blocks(n);
	for (size_t i = 0; i < ARRAY_SIZE(big_sizes); i++)
		exact_blocks(big_sizes[i]);
}

TEST(memchr_finds_the_first)
{
	u8 area[64];

	for (int round = 0; round < 20000; round++) {
		size_t n = unit_random_below(sizeof(area) + 1);
		int byte = (int)unit_random_below(16) - 4 + 256 * (round & 1);

		for (size_t i = 0; i < sizeof(area); i++)
			area[i] = (u8)unit_random_below(16);
		CHECK(memchr(area, byte, n) == libc_memchr(area, byte, n));
	}
}

/* A short string of few letters, so that matches and near misses are common; malloc'ed exactly. */
static char *random_string(size_t max, const char *letters)
{
	size_t n = unit_random_below(max + 1);
	char *s = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = letters[unit_random_below(libc_strlen(letters))];
	s[n] = '\0';
	return s;
}

TEST(string_functions_agree_with_libc)
{
	for (int round = 0; round < 200000; round++) {
		char *a = random_string(12, "abA\xe4"), *b = random_string(4, "abB\xe4");
		size_t n = unit_random_below(8);
		int c = "abA\xe4z"[unit_random_below(6)]; /* the terminator too */

		CHECK_EQ(strlen(a), libc_strlen(a));
		CHECK_EQ(strnlen(a, n), libc_strnlen(a, n));
		CHECK_EQ(sign(strcmp(a, b)), sign(libc_strcmp(a, b)));
		CHECK_EQ(sign(strncmp(a, b, n)), sign(libc_strncmp(a, b, n)));
		CHECK_EQ(sign(strcasecmp(a, b)), sign(libc_strcasecmp(a, b)));
		CHECK(strchr(a, c) == libc_strchr(a, c));
		CHECK(strrchr(a, c) == libc_strrchr(a, c));
		CHECK(strstr(a, b) == libc_strstr(a, b));
		free(a);
		free(b);
	}
}

TEST(strnlen_and_strncmp_need_no_terminator)
{
	char *s = malloc(3);

	libc_memcpy(s, "abc", 3);
	CHECK_EQ(strnlen(s, 3), 3);
	CHECK_EQ(strncmp(s, "abcd", 3), 0);
	free(s);
}

TEST(strlcpy_returns_the_length_it_wanted)
{
	char buf[4] = "xyz";

	CHECK_EQ(strlcpy(buf, "abcdef", 0), 6);
	CHECK_STR(buf, "xyz");
	CHECK_EQ(strlcpy(buf, "abcdef", 1), 6);
	CHECK_STR(buf, "");
	CHECK_EQ(strlcpy(buf, "abcdef", 4), 6);
	CHECK_STR(buf, "abc");
	CHECK_EQ(strlcpy(buf, "ab", 4), 2);
	CHECK_STR(buf, "ab");
	CHECK_EQ(strlcpy(buf, "abc", 4), 3);
	CHECK_STR(buf, "abc");
}

TEST(strscpy_says_when_it_cuts)
{
	char buf[4] = "xyz";
	char *unterminated = malloc(4);

	CHECK_EQ(strscpy(buf, "abc", 0), -E2BIG);
	CHECK_STR(buf, "xyz");
	CHECK_EQ(strscpy(buf, "", 1), 0);
	CHECK_STR(buf, "");
	CHECK_EQ(strscpy(buf, "a", 1), -E2BIG);
	CHECK_STR(buf, "");
	CHECK_EQ(strscpy(buf, "abc", 4), 3);
	CHECK_STR(buf, "abc");
	CHECK_EQ(strscpy(buf, "abcd", 4), -E2BIG);
	CHECK_STR(buf, "abc");

	libc_memcpy(unterminated, "wxyz", 4);
	CHECK_EQ(strscpy(buf, unterminated, 4), -E2BIG);
	CHECK_STR(buf, "wxy");
	free(unterminated);
}

static const struct {
	const char *text;
	int err_u64, err_size; /* as a whole string */
	u64 u64_value, size_value;
	const char *rest_u64, *rest_size; /* with an end pointer, where that succeeds */
} numbers[] = {
	{ "0", 0, 0, 0, 0, "", "" },
	{ "42", 0, 0, 42, 42, "", "" },
	{ "0x2a", 0, 0, 42, 42, "", "" },
	{ "0XfF", 0, 0, 255, 255, "", "" },
	{ "0755", 0, 0, 0755, 0755, "", "" },
	{ "08", -EINVAL, -EINVAL, 0, 0, "8", "8" },
	{ "0x", -EINVAL, -EINVAL, 0, 0, "x", "x" },
	{ "0xg", -EINVAL, -EINVAL, 0, 0, "xg", "xg" },
	{ "12,7", -EINVAL, -EINVAL, 12, 12, ",7", ",7" },
	{ "12k", -EINVAL, 0, 12, 12 * KiB, "k", "" },
	{ "12M", -EINVAL, 0, 12, 12 * MiB, "M", "" },
	{ "0x10G,x", -EINVAL, -EINVAL, 16, 16 * GiB, "G,x", ",x" },
	{ "1kk", -EINVAL, -EINVAL, 1, KiB, "kk", "k" },
	{ "1T", -EINVAL, -EINVAL, 1, 1, "T", "T" },
	{ "18446744073709551615", 0, 0, UINT64_MAX, UINT64_MAX, "", "" },
	{ "0xffffffffffffffff", 0, 0, UINT64_MAX, UINT64_MAX, "", "" },
	{ "01777777777777777777777", 0, 0, UINT64_MAX, UINT64_MAX, "", "" },
	{ "17179869183G", -EINVAL, 0, 17179869183, 17179869183 * GiB, "G", "" },
	{ "17179869184G", -EINVAL, -ERANGE, 17179869184, 0, "G", NULL },
	{ "18446744073709551616", -ERANGE, -ERANGE, 0, 0, NULL, NULL },
	{ "18446744073709551620", -ERANGE, -ERANGE, 0, 0, NULL, NULL },
	{ "0x10000000000000000", -ERANGE, -ERANGE, 0, 0, NULL, NULL },
	{ "99999999999999999999999", -ERANGE, -ERANGE, 0, 0, NULL, NULL },
	{ "", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
	{ "k", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
	{ "-1", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
	{ "+1", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
	{ " 1", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
	{ "ff", -EINVAL, -EINVAL, 0, 0, NULL, NULL },
};

static void check_number(int (*parse)(const char *, const char **, u64 *), const char *text,
			 int whole_err, u64 value, const char *rest)
{
	const char *end = NULL;
	u64 out = 0;

	CHECK_EQ(parse(text, NULL, &out), whole_err);
	if (!whole_err)
		CHECK_EQ(out, value);
	if (rest) {
		CHECK_EQ(parse(text, &end, &out), 0);
		CHECK_EQ(out, value);
		CHECK_STR(end, rest);
	} else {
		CHECK_EQ(parse(text, &end, &out), whole_err);
	}
}

TEST(parse_numbers)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		check_number(parse_u64, numbers[i].text, numbers[i].err_u64, numbers[i].u64_value,
			     numbers[i].rest_u64);
		check_number(parse_size, numbers[i].text, numbers[i].err_size,
			     numbers[i].size_value, numbers[i].rest_size);
	}
}
