// SPDX-License-Identifier: MIT
/*
 * A crowd of TCP clients on the other end of a guest's wire. They are no sockets: each is a few bytes in a table, and
 * says no more than a handshake needs. So a hundred thousand of them cost the host nothing.
 *
 *	crowd DEVICE GUEST GUEST_MAC GATEWAY GATEWAY_MAC PORT COUNT
 *
 * The clients are behind the gateway, 25,000 to an address. Commands on standard input, an answer to each:
 *
 *	open		all of them connect
 *	echo N		client N sends 64 bytes, and has them back
 *	close		all of them say FIN, and wait for the guest's
 *
 * What is lost is sent again when nothing has come for a while.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PER_ADDRESS 25000
#define FIRST_PORT  10000
#define UNDER_WAY   96 /* fewer than the guest's card has buffers */
#define QUIET_MS    300
#define ECHO_BYTES  64

enum state { NEW, CONNECTING, CONNECTED, CLOSING, CLOSED };

struct client {
	uint32_t seq, ack; /* the next of ours, of theirs */
	uint8_t state;
};

struct frame {
	struct ether_header ether;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t rest[ETH_FRAME_LEN];
} __attribute__((packed));

static struct client *clients;
static unsigned int count, done, echoed;
static in_addr_t guest, gateway, crowd; /* crowd: of the first 25,000 */
static uint8_t guest_mac[6], gateway_mac[6];
static uint16_t port;
static int wire;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- sending ------------------------------------------------------------------------------------------ */

static uint32_t sum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? at[i] : at[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void put(const void *frame, size_t size)
{
	while (send(wire, frame, size, 0) < 0)
		if (errno != ENOBUFS && errno != EAGAIN)
			die("send");
}

static void say(unsigned int number, uint8_t flags, uint32_t seq, size_t data)
{
	struct frame frame = { .ether.ether_type = htons(ETHERTYPE_IP) };
	const uint8_t *bytes = (const uint8_t *)&frame;
	size_t tcp = sizeof(frame.tcp) + data;
	uint32_t total;

	memcpy(frame.ether.ether_dhost, guest_mac, 6);
	memcpy(frame.ether.ether_shost, gateway_mac, 6);
	frame.ip.version = 4;
	frame.ip.ihl = 5;
	frame.ip.tot_len = htons(sizeof(frame.ip) + tcp);
	frame.ip.frag_off = htons(IP_DF);
	frame.ip.ttl = 64;
	frame.ip.protocol = IPPROTO_TCP;
	frame.ip.saddr = htonl(ntohl(crowd) + number / PER_ADDRESS);
	frame.ip.daddr = guest;
	frame.ip.check = fold(sum(bytes + offsetof(struct frame, ip), sizeof(frame.ip), 0));
	frame.tcp.th_sport = htons(FIRST_PORT + number % PER_ADDRESS);
	frame.tcp.th_dport = htons(port);
	frame.tcp.th_seq = htonl(seq);
	frame.tcp.th_ack = flags & TH_ACK ? htonl(clients[number].ack) : 0;
	frame.tcp.th_off = 5;
	frame.tcp.th_flags = flags;
	frame.tcp.th_win = htons(65535);
	memset(frame.rest, 'x', data);
	total = sum(bytes + offsetof(struct frame, ip.saddr), 8, IPPROTO_TCP + tcp);
	frame.tcp.th_sum = fold(sum(bytes + offsetof(struct frame, tcp), tcp, total));
	put(&frame, sizeof(frame) - sizeof(frame.rest) + data);
}

/* What it says first in a state, and again if there is no answer. */
static void speak(unsigned int number)
{
	struct client *client = &clients[number];

	if (client->state == CONNECTING)
		say(number, TH_SYN, client->seq - 1, 0);
	else if (client->state == CLOSING)
		say(number, TH_FIN | TH_ACK, client->seq - 1, 0);
}

/* ---- what comes ----------------------------------------------------------------------------------------- */

static void answer_arp(uint8_t *frame)
{
	static const uint8_t request[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t *arp = frame + sizeof(struct ether_header), asker[10];

	if (memcmp(arp, request, sizeof(request)) || memcmp(arp + 24, &gateway, 4))
		return;
	memcpy(asker, arp + 8, sizeof(asker));
	memcpy(frame, asker, 6);
	memcpy(frame + 6, gateway_mac, 6);
	arp[7] = 2;
	memcpy(arp + 8, gateway_mac, 6);
	memcpy(arp + 14, &gateway, 4);
	memcpy(arp + 18, asker, sizeof(asker));
	put(frame, sizeof(struct ether_header) + 28);
}

static void move(struct client *client, enum state from, enum state to)
{
	if (client->state != from)
		return;
	client->state = to;
	done++;
}

static void hear(const struct frame *frame)
{
	uint32_t address = ntohl(frame->ip.daddr) - ntohl(crowd);
	uint32_t number = address * PER_ADDRESS + ntohs(frame->tcp.th_dport) - FIRST_PORT;
	uint32_t data = ntohs(frame->ip.tot_len) - sizeof(frame->ip) - frame->tcp.th_off * 4;
	struct client *client = &clients[number];

	if (frame->ip.protocol != IPPROTO_TCP || number >= count)
		return;
	if (frame->tcp.th_flags & TH_RST) {
		fprintf(stderr, "crowd: the guest resets client %u\n", number);
		exit(1);
	}
	if (frame->tcp.th_flags & TH_SYN) {
		client->ack = ntohl(frame->tcp.th_seq) + 1;
		move(client, CONNECTING, CONNECTED);
	} else if (ntohl(frame->tcp.th_seq) == client->ack) {
		client->ack += data;
		echoed += data;
		if (frame->tcp.th_flags & TH_FIN) {
			client->ack++;
			move(client, CLOSING, CLOSED);
		}
	}
	if (data || frame->tcp.th_flags & (TH_SYN | TH_FIN))
		say(number, TH_ACK, client->seq, 0);
}

/* One frame, or nothing for so long: false. */
static int listen_for(int ms)
{
	struct pollfd ready = { .fd = wire, .events = POLLIN };
	struct frame frame;
	ssize_t size = recv(wire, &frame, sizeof(frame), MSG_DONTWAIT);

	if (size < 0 && poll(&ready, 1, ms) <= 0)
		return 0;
	if (size < (ssize_t)sizeof(frame.ether))
		return 1;
	if (frame.ether.ether_type == htons(ETHERTYPE_ARP))
		answer_arp((uint8_t *)&frame);
	else if (frame.ether.ether_type == htons(ETHERTYPE_IP))
		hear(&frame);
	return 1;
}

/* ---- commands --------------------------------------------------------------------------------------------- */

/* All of them do it, UNDER_WAY at a time. Each one's SYN and FIN takes a number. */
static void all(enum state doing)
{
	unsigned int next = 0;

	for (done = 0; done < count;) {
		for (; next < count && next < done + UNDER_WAY; next++) {
			clients[next].state = doing;
			clients[next].seq++;
			speak(next);
		}
		if (!listen_for(QUIET_MS))
			for (unsigned int i = 0; i < next; i++)
				speak(i);
	}
	while (listen_for(QUIET_MS)) /* whose last ACK was lost asks again */
		;
}

static void echo(unsigned int number)
{
	uint32_t seq = clients[number].seq;

	clients[number].seq += ECHO_BYTES;
	for (echoed = 0; echoed < ECHO_BYTES;) {
		say(number, TH_ACK | TH_PUSH, seq, ECHO_BYTES);
		while (echoed < ECHO_BYTES && listen_for(QUIET_MS))
			;
	}
}

static void read_mac(const char *text, uint8_t *mac)
{
	for (int i = 0; i < 6; i++)
		mac[i] = strtoul(text + 3 * i, NULL, 16);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	char line[32];

	if (argc != 8)
		return 2;
	wire = socket(AF_PACKET, SOCK_RAW, 0);
	address.sll_ifindex = if_nametoindex(argv[1]);
	setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 16 << 20 }, sizeof(int));
	if (bind(wire, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	guest = inet_addr(argv[2]);
	read_mac(argv[3], guest_mac);
	gateway = inet_addr(argv[4]);
	read_mac(argv[5], gateway_mac);
	port = atoi(argv[6]);
	count = atoi(argv[7]);
	crowd = inet_addr("192.0.2.1");
	clients = calloc(count, sizeof(*clients));
	if (!clients)
		die("calloc");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "open\n"))
			all(CONNECTING);
		else if (!strcmp(line, "close\n"))
			all(CLOSING);
		else
			echo(atoi(line + 5));
		printf("done\n");
		fflush(stdout);
	}
	return 0;
}
