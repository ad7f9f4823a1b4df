/*
 * Memory and string functions. Any context; no locks, no state.
 *
 * Copies move eight bytes at a time, eight words a turn: under TCG that beats `rep movsq`, and
 * `rep movsb` by ten times (each iteration of a rep is a pass through the emulator's loop). The
 * bytes that do not fill a word are covered by one word that overlaps its neighbour, so there is
 * no byte loop at all.
 */
#include <kernel/lib/string.h>

#include <kernel/lib/errno.h>

/* Otherwise the compiler recognises memset's loop as a memset, and calls it: for ever. */
#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define WORD	    sizeof(u64)
#define CHUNK_WORDS 8
#define CHUNK	    (CHUNK_WORDS * WORD)

/* Words at any address, aliasing whatever type lies there. */
typedef u64 __attribute__((may_alias, aligned(1))) any_u64;
typedef u32 __attribute__((may_alias, aligned(1))) any_u32;

static inline u64 get64(const u8 *p)
{
	return *(const any_u64 *)p;
}

static inline void put64(u8 *p, u64 value)
{
	*(any_u64 *)p = value;
}

/* Up to two words. All loads come before all stores, so any overlap is harmless. */
static __always_inline void copy_small(u8 *d, const u8 *s, size_t n)
{
	if (n >= sizeof(u64)) {
		u64 head = get64(s), tail = get64(s + n - sizeof(u64));

		put64(d, head);
		put64(d + n - sizeof(u64), tail);
	} else if (n >= sizeof(u32)) {
		u32 head = *(const any_u32 *)s, tail = *(const any_u32 *)(s + n - sizeof(u32));

		*(any_u32 *)d = head;
		*(any_u32 *)(d + n - sizeof(u32)) = tail;
	} else if (n) {
		u8 head = s[0], middle = s[n / 2], tail = s[n - 1];

		d[0] = head;
		d[n / 2] = middle;
		d[n - 1] = tail;
	}
}

/*
 * Upwards. The last word is read before anything is written and written last, which makes this
 * right for overlapping areas too, as long as dst is below src.
 */
static __always_inline void copy_up(u8 *d, const u8 *s, size_t n)
{
	u8 *last = d + n - WORD;
	u64 tail = get64(s + n - WORD);

	for (; n >= CHUNK; n -= CHUNK, d += CHUNK, s += CHUNK) {
#pragma GCC unroll 8
		for (int i = 0; i < CHUNK_WORDS; i++)
			put64(d + i * WORD, get64(s + i * WORD));
	}
	for (; n > WORD; n -= WORD, d += WORD, s += WORD)
		put64(d, get64(s));
	put64(last, tail);
}

/* Downwards, for dst above src: the mirror image. */
static void copy_down(u8 *d, const u8 *s, size_t n)
{
	u64 head = get64(s);

	for (; n >= CHUNK; n -= CHUNK) {
#pragma GCC unroll 8
		for (size_t i = 1; i <= CHUNK_WORDS; i++)
			put64(d + n - i * WORD, get64(s + n - i * WORD));
	}
	for (; n > WORD; n -= WORD)
		put64(d + n - WORD, get64(s + n - WORD));
	put64(d, head);
}

void *(memcpy)(void *dst, const void *src, size_t n)
{
	if (n <= 2 * WORD)
		copy_small(dst, src, n);
	else
		copy_up(dst, src, n);
	return dst;
}

void *(memmove)(void *dst, const void *src, size_t n)
{
	if (n <= 2 * WORD)
		copy_small(dst, src, n);
	else if ((uintptr_t)dst - (uintptr_t)src >= n) /* below src, or clear of it */
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

static __always_inline void set_chunk(u8 *d, u64 word)
{
#pragma GCC unroll 8
	for (int i = 0; i < CHUNK_WORDS; i++)
		put64(d + i * WORD, word);
}

/* The last word, or chunk, overlaps the one before. */
void *(memset)(void *dst, int byte, size_t n)
{
	u8 *d = dst, *end = d + n;
	u64 word = (u8)byte * 0x0101010101010101ULL;

	if (n < WORD) {
		while (n)
			d[--n] = (u8)byte;
	} else if (n < CHUNK) {
		for (; d < end - WORD; d += WORD)
			put64(d, word);
		put64(end - WORD, word);
	} else {
		for (; d < end - CHUNK; d += CHUNK)
			set_chunk(d, word);
		set_chunk(end - CHUNK, word);
	}
	return dst;
}

int(memcmp)(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n >= WORD && get64(p) == get64(q); n -= WORD, p += WORD, q += WORD)
		;
	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

void *memchr(const void *mem, int byte, size_t n)
{
	for (const u8 *p = mem; n; n--, p++) {
		if (*p == (u8)byte)
			return (void *)p;
	}
	return NULL;
}

size_t(strlen)(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--, a++, b++)
		;
	return n ? (u8)*a - (u8)*b : 0;
}

int strcasecmp(const char *a, const char *b)
{
	for (; *a && tolower_ascii(*a) == tolower_ascii(*b); a++, b++)
		;
	return (u8)tolower_ascii(*a) - (u8)tolower_ascii(*b);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (!*s)
			return NULL;
	}
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++);
	return (char *)found;
}

char *strstr(const char *s, const char *word)
{
	size_t n = strlen(word);

	for (; strncmp(s, word, n); s++) {
		if (!*s)
			return NULL;
	}
	return (char *)s;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = min(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (n < size) {
		memcpy(dst, src, n + 1);
		return (ssize_t)n;
	}
	if (size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
	}
	return -E2BIG;
}

static unsigned int digit_value(char c)
{
	char lower = tolower_ascii(c);

	if (isdigit_ascii(c))
		return (unsigned int)(c - '0');
	if (lower >= 'a' && lower <= 'f')
		return (unsigned int)(lower - 'a' + 10);
	return 16;
}

/* Reads digits up to the first that is none; *s is left there. */
static int parse_digits(const char **s, u64 *out)
{
	unsigned int base = 10;
	u64 value = 0;

	if ((*s)[0] == '0' && ((*s)[1] | 0x20) == 'x' && digit_value((*s)[2]) < 16) {
		base = 16;
		*s += 2;
	} else if ((*s)[0] == '0') {
		base = 8;
	}
	if (digit_value(**s) >= base)
		return -EINVAL;
	for (; digit_value(**s) < base; (*s)++) {
		if (__builtin_mul_overflow(value, (u64)base, &value) ||
		    __builtin_add_overflow(value, (u64)digit_value(**s), &value))
			return -ERANGE;
	}
	*out = value;
	return 0;
}

static int parse_end(const char *s, const char **end)
{
	if (end)
		*end = s;
	return end || !*s ? 0 : -EINVAL;
}

int parse_u64(const char *s, const char **end, u64 *out)
{
	int err = parse_digits(&s, out);

	return err ? err : parse_end(s, end);
}

int parse_size(const char *s, const char **end, u64 *out)
{
	static const struct {
		char name;
		u8 shift;
	} suffixes[] = { { 'k', 10 }, { 'm', 20 }, { 'g', 30 } };
	int err = parse_digits(&s, out);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (tolower_ascii(*s) != suffixes[i].name)
			continue;
		if (*out >> (64 - suffixes[i].shift))
			return -ERANGE;
		*out <<= suffixes[i].shift;
		s++;
		break;
	}
	return parse_end(s, end);
}
