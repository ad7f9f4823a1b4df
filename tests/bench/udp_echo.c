/*
 * Sends every datagram back to where it came from; the guest's side of tools/bench_net.py.
 *
 *	udp_echo recvfrom PORT		sleeps in recvfrom
 *	udp_echo epoll PORT		sleeps in epoll_wait; then takes what there is
 *	udp_echo mmsg PORT		takes and sends up to 32 a call, by recvmmsg and sendmmsg
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

/* False when there was nothing to receive. */
static int echo(int sock, int flags)
{
	static char datagram[2048];
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	ssize_t size = recvfrom(sock, datagram, sizeof(datagram), flags, (struct sockaddr *)&peer,
				&length);

	if (size < 0)
		return 0;
	sendto(sock, datagram, size, 0, (struct sockaddr *)&peer, length);
	return 1;
}

static void echo_by_epoll(int sock)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = must("epoll_create1", epoll_create1(0));

	must("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, sock, &event));
	for (;;) {
		epoll_wait(ep, &event, 1, -1);
		while (echo(sock, MSG_DONTWAIT))
			;
	}
}

#define BATCH 32

static void echo_by_mmsg(int sock)
{
	static char datagrams[BATCH][2048];
	struct sockaddr_in peers[BATCH];
	struct mmsghdr batch[BATCH];
	struct iovec data[BATCH];
	int count;

	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			data[i] = (struct iovec){ datagrams[i], sizeof(datagrams[i]) };
			batch[i].msg_hdr = (struct msghdr){ .msg_name = &peers[i],
							    .msg_namelen = sizeof(peers[i]),
							    .msg_iov = &data[i],
							    .msg_iovlen = 1 };
		}
		count = recvmmsg(sock, batch, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < count; i++)
			data[i].iov_len = batch[i].msg_len;
		if (count > 0)
			syscall(SYS_sendmmsg, sock, batch, count, 0); /* musl sends one a call */
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	int sock = must("socket", socket(AF_INET, SOCK_DGRAM, 0));

	must("bind", bind(sock, (struct sockaddr *)&any, sizeof(any)));
	printf("udp_echo: ready\n");
	fflush(stdout);
	if (!strcmp(argv[1], "epoll"))
		echo_by_epoll(sock);
	if (!strcmp(argv[1], "mmsg"))
		echo_by_mmsg(sock);
	for (;;)
		echo(sock, 0);
}
