/*
 * For programs that do random things, the same for the same seed, on Linux and on Pollux: what the calls answer goes
 * into a hash, which must be the same on both; with "log" on the command line each answer is printed too.
 */
#pragma once

#include <tests/sys/show.h>

static uint64_t random_state, hash = 14695981039346656037UL;
static bool logging;

/* PROGRAM SEED STEPS [log]: how many steps. */
static inline unsigned read_arguments(int argc, char **argv)
{
	if (argc < 3) {
		say("usage: %s SEED STEPS [log]", argv[0]);
		exit(1);
	}
	random_state = strtoul(argv[1], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
	logging = argc > 3;
	return strtoul(argv[2], NULL, 10);
}

static inline uint64_t next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717UL >> 16;
}

static inline unsigned below(unsigned limit)
{
	return next() % limit;
}

static inline void mix(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211UL;
	if (logging)
		say("    hash %016lx", hash);
}

/* Every result passes here. */
static inline long note(const char *what, long result)
{
	long value = result == -1 ? -errno : result;

	mix(&value, sizeof(value));
	if (logging)
		say("  %s = %#lx %s", what, value, value < 0 ? errno_text(-value) : "");
	return result;
}

#define NOTE(call) note(#call, call)
