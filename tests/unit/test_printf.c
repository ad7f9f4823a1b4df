/* sources: kernel/lib/printf.c kernel/lib/string.c */
/*
 * The kernel's printf against libc's on random formats, then what libc does not have.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int (*const libc_snprintf)(char *, size_t, const char *, ...) = snprintf;
static int (*const libc_strcmp)(const char *, const char *) = strcmp;

#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define ROUNDS 300000

#define CHECK_FORMAT(expected, ...)                                   \
	do {                                                          \
		char buf_[200];                                       \
		int len_ = snprintf(buf_, sizeof(buf_), __VA_ARGS__); \
                                                                      \
		CHECK_STR(buf_, expected);                            \
		CHECK_EQ(len_, sizeof(expected) - 1);                 \
	} while (0)

static const char *pick(const char *const *from, size_t n)
{
	return from[unit_random_below(n)];
}
#define PICK(array) pick(array, ARRAY_SIZE(array))

static u64 random_value(void)
{
	static const u64 edges[] = { 0,		 1,	   7,	       8,	  9,
				     10,	 99,	   127,	       128,	  255,
				     256,	 32767,	   32768,      65535,	  INT_MAX,
				     1ULL << 31, UINT_MAX, 1ULL << 32, LLONG_MAX, 1ULL << 63,
				     ULLONG_MAX };
	u64 value = unit_random() % 2 ? edges[unit_random_below(ARRAY_SIZE(edges))]
				      : unit_random() >> unit_random_below(64);

	return unit_random() % 4 ? value : 0 - value;
}

/* Appends one random conversion without its letter: flags, width, precision. */
static void random_prefix(char *format, const char *flags, bool precision)
{
	static const char *const widths[] = { "", "", "1", "5", "12", "30" };
	static const char *const precisions[] = { "", "", ".", ".0", ".1", ".4", ".25" };

	strlcpy(format, "<%", 4);
	for (int i = (int)unit_random_below(4); i > 0 && *flags; i--) {
		char *end = format + strlen(format);

		end[0] = flags[unit_random_below(strlen(flags))];
		end[1] = '\0';
	}
	strlcpy(format + strlen(format), PICK(widths), 8);
	if (precision)
		strlcpy(format + strlen(format), PICK(precisions), 8);
}

static void compare(const char *format, const char *mine, int mine_len, const char *libcs,
		    int libcs_len)
{
	if (mine_len != libcs_len || libc_strcmp(mine, libcs))
		unit_fail(__FILE__, __LINE__, "%s: \"%s\" (%d) is not \"%s\" (%d)", format, mine,
			  mine_len, libcs, libcs_len);
}

/* Now and then into a buffer that is too small. The arguments are used twice. */
#define COMPARE(format, ...)                                                              \
	do {                                                                              \
		char mine_[128] = "?", libcs_[128] = "?";                                 \
		size_t size_ = unit_random() % 4 ? sizeof(mine_) : unit_random_below(40); \
		int mine_len_ = snprintf(mine_, size_, format, __VA_ARGS__);              \
		int libcs_len_ = libc_snprintf(libcs_, size_, format, __VA_ARGS__);       \
                                                                                          \
		compare(format, mine_, mine_len_, libcs_, libcs_len_);                    \
	} while (0)

static void compare_integer(const char *conversions, const char *flags)
{
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j", "t" };
	char format[40], *end;
	const char *length = PICK(lengths);
	u64 value = random_value();

	random_prefix(format, flags, true);
	strlcpy(format + strlen(format), length, 8);
	end = format + strlen(format);
	end[0] = conversions[unit_random_below(strlen(conversions))];
	strlcpy(end + 1, ">", 2);
	if (length[0] == 'h' || !length[0])
		COMPARE(format, (int)value);
	else
		COMPARE(format, value);
}

TEST(signed_integers_as_libc)
{
	for (int i = 0; i < ROUNDS; i++)
		compare_integer("di", "-+ 0");
}

TEST(unsigned_integers_as_libc)
{
	for (int i = 0; i < ROUNDS; i++) {
		compare_integer("oxX", "-#0");
		compare_integer("u", "-0");
	}
}

TEST(strings_and_characters_as_libc)
{
	static const char *const strings[] = { "", "a", "hello", "a longer string than most" };
	char format[40];

	for (int i = 0; i < ROUNDS / 10; i++) {
		const char *string = PICK(strings);
		int c = (int)unit_random_below(256);

		random_prefix(format, "-", true);
		strlcpy(format + strlen(format), "s>", 3);
		COMPARE(format, string);
		random_prefix(format, "-", false);
		strlcpy(format + strlen(format), "c>", 3);
		COMPARE(format, c);
	}
}

TEST(width_and_precision_from_arguments_as_libc)
{
	const char *volatile zero_flag = "<%0*.*x>"; /* volatile: or the compiler warns */

	for (int width = -9; width < 9; width++) {
		for (int precision = -3; precision < 9; precision++) {
			COMPARE("<%*.*d>", width, precision, -42);
			COMPARE(zero_flag, width, precision, 42);
			COMPARE("<%*.*s>", width, precision, "hello");
		}
	}
}

TEST(many_conversions_in_one_format)
{
	CHECK_FORMAT("1 two 200 d 0x5 % 18446744073709551615 -7", "%d %s %hhu %c %#lx %% %zu %lld",
		     1, "two", (u8)200, 'd', 5UL, SIZE_MAX, -7LL);
}

TEST(size_zero_writes_nothing)
{
	char c = 'x';

	CHECK_EQ(snprintf(NULL, 0, "%d", 12345), 5);
	CHECK_EQ(snprintf(&c, 0, "%d", 12345), 5);
	CHECK_EQ(c, 'x');
}

TEST(output_stays_in_a_buffer_of_its_size)
{
	for (size_t size = 0; size < 40; size++) {
		char *buf = malloc(size);
		int len = snprintf(buf, size, "%30d|%-5s", -1, "x");

		CHECK_EQ(len, 36);
		if (size)
			CHECK_EQ(strlen(buf), min(size - 1, (size_t)36));
		free(buf);
	}
}

TEST(scnprintf_returns_what_fitted)
{
	char buf[4];

	CHECK_EQ(scnprintf(buf, sizeof(buf), "%d", 12345), 3);
	CHECK_STR(buf, "123");
	CHECK_EQ(scnprintf(buf, sizeof(buf), "%d", 12), 2);
	CHECK_EQ(scnprintf(buf, sizeof(buf), "%d", 123), 3);
	CHECK_EQ(scnprintf(buf, 1, "%d", 12), 0);
	CHECK_EQ(scnprintf(NULL, 0, "%d", 12), 0);
}

TEST(null_string)
{
	const char *volatile nothing = NULL; /* volatile: or the compiler warns */

	CHECK_FORMAT("(null)|  (null)|(nu", "%s|%8s|%.3s", nothing, nothing, nothing);
}

TEST(precision_bounds_the_read_of_a_string)
{
	char *s = malloc(3);

	s[0] = s[1] = s[2] = 'a';
	CHECK_FORMAT("aaa|aa", "%.3s|%.2s", s, s);
	free(s);
}

TEST(plain_pointer)
{
	CHECK_FORMAT("0x0000000000001234", "%p", (void *)0x1234);
	CHECK_FORMAT("0xffffffff80000000.", "%p.", (void *)0xffffffff80000000);
	CHECK_FORMAT("0x0000000000000000", "%p", (void *)0);
	CHECK_FORMAT("  0x0000000000000001|0x0000000000000001  |", "%20p|%-20p|", (void *)1,
		     (void *)1);
}

TEST(ip_and_mac_addresses)
{
	u8 ip[] = { 10, 0, 2, 255 }, mac[] = { 0x52, 0x54, 0, 0x12, 0xab, 0xff };

	CHECK_FORMAT("10.0.2.255:80", "%pI4:%d", (void *)ip, 80);
	CHECK_FORMAT("     10.0.2.255|10.0.2.255     |", "%15pI4|%-15pI4|", (void *)ip, (void *)ip);
	CHECK_FORMAT("52:54:00:12:ab:ff!", "%pM!", (void *)mac);
}

static const char *name_symbol(u64 address, char *buf, size_t size)
{
	snprintf(buf, size, "symbol+0x%llx", address);
	return buf;
}

TEST(symbols)
{
	CHECK_FORMAT("0x0000000000000010.", "%pS.", (void *)16);
	printf_symbol_hook = name_symbol;
	CHECK_FORMAT("symbol+0x10.", "%pS.", (void *)16);
	CHECK_FORMAT("   symbol+0x10", "%14pS", (void *)16);
	printf_symbol_hook = NULL;
}

TEST(unknown_conversions_show)
{
	const char *volatile unknown = "a%yb%", *volatile percent = "100%";

	CHECK_FORMAT("a%yb%", unknown, 0);
	CHECK_FORMAT("100%", percent, 0);
}
