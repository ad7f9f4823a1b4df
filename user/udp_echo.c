/*
 * Sends every datagram back to where it came from: udp_echo [PORT] (default 7). Blocks in recvfrom, so the kernel's
 * whole way is in it and nothing else: this is what `make bench` measures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7) };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0)
		fail("socket");
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	printf("udp_echo: port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		static char datagram[65536];
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		ssize_t size = recvfrom(sock, datagram, sizeof(datagram), 0,
					(struct sockaddr *)&from, &length);

		/* A peer that has gone, a full queue: the next one may do better. */
		if (size < 0 && errno != EINTR)
			perror("recvfrom");
		else if (size >= 0)
			sendto(sock, datagram, size, 0, (struct sockaddr *)&from, length);
	}
}
