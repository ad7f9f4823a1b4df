/*
 * The client of tools/bench_net.py, on the host. Prints one line of NAME=NUMBER words.
 *
 *	load udp ADDRESS PORT SECONDS SOCKETS WINDOW SIZE
 *		keeps WINDOW datagrams of SIZE bytes under way on each of SOCKETS sockets
 *	load flood ADDRESS PORT SECONDS SIZE [RATE]
 *		sends RATE datagrams a second, or as fast as it can, and counts what comes back; `worst` of a second
 *	load ping ADDRESS COUNT
 *		an ICMP echo every 3 ms
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "times.h"

#define MAX_SOCKETS 64
#define MAX_SIZE    1472
#define BURST	    32
#define LOST_NS	    200000000 /* a reply that takes longer does not come */

static int connected_socket(const char *address, const char *port)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int sock = must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));

	inet_pton(AF_INET, address, &peer.sin_addr);
	must("connect", connect(sock, (struct sockaddr *)&peer, sizeof(peer)));
	return sock;
}

/* ---- a window of datagrams ----------------------------------------------------------------------- */

static struct flow {
	int under_way;
	uint64_t heard; /* when the last reply came, or the window was filled anew */
} flows[MAX_SOCKETS];

static char datagram[MAX_SIZE];
static uint64_t received, lost;

static void fill_window(struct flow *flow, int sock, int window, int size)
{
	while (flow->under_way < window) {
		uint64_t sent = now_ns();

		memcpy(datagram, &sent, sizeof(sent));
		if (send(sock, datagram, size, 0) < 0)
			return;
		flow->under_way++;
	}
}

static void take_replies(struct flow *flow, int sock)
{
	static char reply[MAX_SIZE];
	uint64_t sent, now;

	while (recv(sock, reply, sizeof(reply), 0) >= (ssize_t)sizeof(sent)) {
		now = now_ns();
		memcpy(&sent, reply, sizeof(sent));
		note_time(now - sent);
		received++;
		flow->under_way--;
		flow->heard = now;
	}
}

static void give_up_lost(struct flow *flow)
{
	uint64_t now = now_ns();

	if (now - flow->heard < LOST_NS)
		return;
	lost += flow->under_way;
	flow->under_way = 0;
	flow->heard = now;
}

static void udp(char **argv)
{
	int n = atoi(argv[5]), window = atoi(argv[6]), size = atoi(argv[7]);
	uint64_t start = now_ns(), end = start + atof(argv[4]) * 1e9;
	struct pollfd fds[MAX_SOCKETS];

	for (int i = 0; i < n; i++) {
		fds[i] = (struct pollfd){ .fd = connected_socket(argv[2], argv[3]),
					  .events = POLLIN };
		flows[i].heard = start;
	}
	while (now_ns() < end) {
		for (int i = 0; i < n; i++)
			fill_window(&flows[i], fds[i].fd, window, size);
		poll(fds, n, 10);
		for (int i = 0; i < n; i++) {
			take_replies(&flows[i], fds[i].fd);
			give_up_lost(&flows[i]);
		}
	}
	printf("received=%lu lost=%lu seconds=%.3f", received, lost, (now_ns() - start) / 1e9);
	print_times();
}

/* ---- a flood ------------------------------------------------------------------------------------- */

/* The fewest that came back within a second, of those that are over. */
static uint64_t worst = UINT64_MAX;

static void count_seconds(uint64_t now)
{
	static uint64_t begin, before;

	if (!begin)
		begin = now;
	if (now - begin < 1000000000)
		return;
	if (received - before < worst)
		worst = received - before;
	before = received;
	begin = now;
}

static void flood(char **argv)
{
	int sock = connected_socket(argv[2], argv[3]);
	uint64_t start = now_ns(), now = start, end = start + atof(argv[4]) * 1e9, sent = 0;
	double rate = argv[6] ? atof(argv[6]) / 1e9 : 1e9;
	struct iovec data = { datagram, atoi(argv[5]) };
	struct mmsghdr burst[BURST] = { 0 };
	char reply[MAX_SIZE];

	for (int i = 0; i < BURST; i++)
		burst[i].msg_hdr = (struct msghdr){ .msg_iov = &data, .msg_iovlen = 1 };
	for (; now < end; now = now_ns()) {
		int number = sent < (now - start) * rate ? sendmmsg(sock, burst, BURST, 0) : 0;

		sent += number > 0 ? number : 0;
		while (recv(sock, reply, sizeof(reply), 0) >= 0)
			received++;
		count_seconds(now);
	}
	printf("sent=%lu received=%lu worst=%lu seconds=%.3f\n", sent, received,
	       worst == UINT64_MAX ? received : worst, (now_ns() - start) / 1e9);
}

/* ---- ping ---------------------------------------------------------------------------------------- */

static uint16_t checksum(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static int reply_arrives(int sock, uint16_t sequence)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
		char data[64];
	} reply;

	while (recv(sock, &reply, sizeof(reply), 0) >=
	       (ssize_t)(sizeof(reply.ip) + sizeof(reply.icmp)))
		if (reply.icmp.type == ICMP_ECHOREPLY && reply.icmp.un.echo.sequence == sequence)
			return 1;
	return 0;
}

static void ping(char **argv)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct timeval second = { 1, 0 };
	int sock = must("socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	struct {
		struct icmphdr icmp;
		char data[56];
	} echo = { .icmp.type = ICMP_ECHO };

	inet_pton(AF_INET, argv[2], &peer.sin_addr);
	must("connect", connect(sock, (struct sockaddr *)&peer, sizeof(peer)));
	must("setsockopt", setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)));
	for (int i = 0; i < atoi(argv[3]); i++) {
		uint64_t start = now_ns();

		echo.icmp.un.echo.sequence = i;
		echo.icmp.checksum = 0;
		echo.icmp.checksum = checksum(&echo, sizeof(echo));
		must("send", send(sock, &echo, sizeof(echo), 0));
		if (reply_arrives(sock, i)) {
			note_time(now_ns() - start);
			received++;
		}
		usleep(3000);
	}
	printf("received=%lu", received);
	print_times();
}

int main(int argc, char **argv)
{
	if (argc == 8 && !strcmp(argv[1], "udp"))
		udp(argv);
	else if ((argc == 6 || argc == 7) && !strcmp(argv[1], "flood"))
		flood(argv);
	else if (argc == 4 && !strcmp(argv[1], "ping"))
		ping(argv);
	else
		return 1;
	return 0;
}
