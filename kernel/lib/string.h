/*
 * Memory and string functions, and the number parser of the kernel command line.
 *
 * On the host (HOST_TEST) the libc names are renamed to k_..., so that the kernel's own versions
 * are the ones under test and ASan's interceptors of libc stay intact.
 */
#pragma once

#include <kernel/lib/types.h>

#ifdef HOST_TEST
#define memcpy	   k_memcpy
#define memmove	   k_memmove
#define memset	   k_memset
#define memcmp	   k_memcmp
#define memchr	   k_memchr
#define strlen	   k_strlen
#define strnlen	   k_strnlen
#define strcmp	   k_strcmp
#define strncmp	   k_strncmp
#define strcasecmp k_strcasecmp
#define strchr	   k_strchr
#define strrchr	   k_strrchr
#define strstr	   k_strstr
#define strlcpy	   k_strlcpy
#endif

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *mem, int byte, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *word);

/* Copies what fits and terminates it; returns strlen(src), so that >= size means "cut". */
size_t strlcpy(char *dst, const char *src, size_t size);

/* The same, but never reads src beyond what fits; returns the length, or -E2BIG when cut. */
ssize_t strscpy(char *dst, const char *src, size_t size);

/*
 * Parses an unsigned number: decimal, 0x… or 0… (octal). parse_size also takes a suffix K, M or G
 * (powers of 1024). *end, if end is given, is set to what follows the number; without end the
 * number must be the whole string. 0, -EINVAL (no number) or -ERANGE (more than 64 bits).
 */
int parse_u64(const char *s, const char **end, u64 *out);
int parse_size(const char *s, const char **end, u64 *out);

static inline bool isdigit_ascii(char c)
{
	return c >= '0' && c <= '9';
}

static inline char tolower_ascii(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/*
 * Freestanding, the compiler does not know these names. Told that they are the standard's, it
 * turns a copy or compare of a few constant bytes (a MAC address, a header) into plain moves.
 */
#ifndef HOST_TEST
#define memcpy(dst, src, n)  __builtin_memcpy(dst, src, n)
#define memmove(dst, src, n) __builtin_memmove(dst, src, n)
#define memset(dst, byte, n) __builtin_memset(dst, byte, n)
#define memcmp(a, b, n)	     __builtin_memcmp(a, b, n)
#define strlen(s)	     __builtin_strlen(s)
#endif
