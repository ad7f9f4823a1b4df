/*
 * What connect(), accept() and close() cost beside few connections and beside many: the only process of a guest whose TSC
 * counts instructions. Prints a line for each number of connections that are open meanwhile, then switches the machine off:
 *
 *	beside 10: connect 7000 accept 3000 close 9000
 *
 *	init N...	the numbers, rising
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 101 /* the median counts: a table may grow, a timer may fire */

enum operation { CONNECT, ACCEPT, CLOSE, NR_OPERATIONS };

static const struct sockaddr_in address = {
	.sin_family = AF_INET,
	.sin_port = 0x0700, /* 7, in the network's order */
	.sin_addr.s_addr = 0x0100007f,
};
static uint64_t ticks[NR_OPERATIONS][ROUNDS];
static int listener;

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	reboot(RB_POWER_OFF);
	exit(1);
}

static void connection(int ends[2], uint64_t at[3])
{
	ends[0] = must("socket", socket(AF_INET, SOCK_STREAM, 0));
	at[0] = __builtin_ia32_rdtsc();
	must("connect", connect(ends[0], (const struct sockaddr *)&address, sizeof(address)));
	at[1] = __builtin_ia32_rdtsc();
	ends[1] = must("accept", accept(listener, NULL, NULL));
	at[2] = __builtin_ia32_rdtsc();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(int beside)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at[3];
		int ends[2];

		connection(ends, at);
		close(ends[0]);
		close(ends[1]);
		ticks[CONNECT][i] = at[1] - at[0];
		ticks[ACCEPT][i] = at[2] - at[1];
		ticks[CLOSE][i] = __builtin_ia32_rdtsc() - at[2];
	}
	for (int i = 0; i < NR_OPERATIONS; i++)
		qsort(ticks[i], ROUNDS, sizeof(uint64_t), compare);
	printf("beside %d: connect %lu accept %lu close %lu\n", beside, ticks[CONNECT][ROUNDS / 2],
	       ticks[ACCEPT][ROUNDS / 2], ticks[CLOSE][ROUNDS / 2]);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	int open = 0;

	must("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	listener = must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("bind", bind(listener, (const struct sockaddr *)&address, sizeof(address)));
	must("listen", listen(listener, 10));
	for (int i = 1; i < argc; i++) {
		for (; open < atoi(argv[i]); open++) {
			uint64_t at[3];
			int ends[2];

			connection(ends, at);
		}
		measure(open);
	}
	reboot(RB_POWER_OFF);
	return 0;
}
