/* What the clients on the host have in common: the clock, round-trip times. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_SAMPLES 4000000

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* ---- round-trip times ---------------------------------------------------------------------------- */

static uint32_t samples[MAX_SAMPLES];
static size_t n_samples;

static void note_time(uint64_t ns)
{
	if (n_samples < MAX_SAMPLES)
		samples[n_samples++] = ns;
}

static int by_size(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static double percentile_us(int percent)
{
	return n_samples ? samples[(n_samples - 1) * percent / 100] / 1e3 : 0;
}

static void print_times(void)
{
	qsort(samples, n_samples, sizeof(*samples), by_size);
	printf(" p50_us=%.1f p99_us=%.1f\n", percentile_us(50), percentile_us(99));
}
