/* See fuzz.h. */
#include <tests/fuzz/fuzz.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kernel/cpu/tsc.h>
#include <kernel/panic.h>
#include <net/icmp.h>
#include <net/inet_option.h>
#include <net/ip_impl.h>
#include <net/neigh.h>
#include <net/udp.h>
#include <tests/unit/unit.h>

#define GIVE_UP_SECONDS 60 /* reassembly and questions for MAC addresses take less */
#define MAX_PACKET	65535

static struct sock *sockets[2];
static u64 random_state;

/* The same input must do the same each time. */
uint64_t unit_random(void)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return random_state >> 16;
}

/* A check of the machine's that did not hold. */
_Noreturn void unit_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	panic("a check failed");
}

/* ---- the input ---------------------------------------------------------------------------------------------- */

u8 take_u8(struct input *input)
{
	return input_left(input) ? *input->at++ : 0;
}

u16 take_u16(struct input *input)
{
	u16 high = take_u8(input);

	return (u16)(high << 8 | take_u8(input));
}

u32 take_bytes(struct input *input, u32 size, const u8 **bytes)
{
	*bytes = input->at;
	size = min_t(u32, size, input->end - input->at);
	input->at += size;
	return size;
}

/* ---- the machine -------------------------------------------------------------------------------------------- */

static struct sock *open_socket(void)
{
	struct sock *sk = sock_alloc(&udp_ops, AF_INET, SOCK_DGRAM, IPPROTO_UDP, GFP_KERNEL);

	if (!sk || sk->ops->init(sk))
		panic("no socket");
	return sk;
}

static void boot_once(void)
{
	struct sockaddr_storage addr;

	net_shim_inet_boot();
	sockets[0] = open_socket();
	inet_fill_sockaddr(&addr.in, 0, htons(FUZZ_PORT));
	sockets[0]->ops->bind(sockets[0], &addr, sizeof(addr.in));
	sockets[1] = open_socket();
	inet_fill_sockaddr(&addr.in, SHIM_PEER, htons(FUZZ_PEER_PORT));
	sockets[1]->ops->connect(sockets[1], &addr, sizeof(addr.in), 0);
	icmp_ratemask = 0;
}

u16 fuzz_connected_port(void)
{
	return inet_sk(sockets[1])->port;
}

bool fuzz_read(const u8 **data, u32 *size)
{
	static u8 buffer[MAX_PACKET];

	for (u32 i = 0; i < ARRAY_SIZE(sockets); i++) {
		struct iov_iter to;
		struct iovec iov;
		struct msg msg = { .data = &to, .flags = MSG_DONTWAIT };
		ssize_t result;

		iov_iter_kernel(&to, &iov, buffer, sizeof(buffer));
		do
			result = sockets[i]->ops->recvmsg(sockets[i], &msg);
		while (result < 0 && result != -EAGAIN); /* an error is told once */
		if (result < 0)
			continue;
		*data = buffer;
		*size = (u32)result;
		return true;
	}
	return false;
}

/* Everything in flight ends. */
static void settle(void)
{
	const u8 *data;
	u32 size;

	net_shim_fail_nth(0);
	while (fuzz_read(&data, &size))
		;
	net_shim_advance(GIVE_UP_SECONDS * NSEC_PER_SEC);
	neigh_flush(&shim_eth);
	net_shim_drop_sent();
}

static void check_nothing_left(void)
{
	struct fragment_stats fragments;
	struct skb_stats stats;

	skb_stats_read(&stats);
	fragment_stats_read(&fragments);
	if (stats.buffers || stats.pages || fragments.datagrams || fragments.memory)
		panic("left: %llu buffers, %llu pages, %llu datagrams in pieces, %llu bytes of "
		      "them",
		      stats.buffers, stats.pages, fragments.datagrams, fragments.memory);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, data + size };

	if (!sockets[0])
		boot_once();
	net_shim_ip_boot();
	random_state = 1;
	net_shim_fail_nth(take_u8(&input)); /* an allocation; 0: none */
	fuzz_one(&input);
	settle();
	check_nothing_left();
	return 0;
}

/* ---- packets -------------------------------------------------------------------------------------------------- */

void fuzz_receive(u16 ethertype, const u8 *packet, u32 size, bool broadcast, bool scatter)
{
	static u8 frame[ETH_HLEN + MAX_PACKET];
	struct ethhdr *eth = (struct ethhdr *)frame;
	u32 length = ETH_HLEN + min_t(u32, size, MAX_PACKET);
	u64 fail = net_shim_fail_nth(0);
	struct sk_buff *skb;

	memcpy(eth->dest, shim_eth.mac, ETH_ALEN);
	if (broadcast)
		memset(eth->dest, 0xff, ETH_ALEN);
	memcpy(eth->source, shim_peer_mac, ETH_ALEN);
	eth->protocol = htons(ethertype);
	memcpy(eth + 1, packet, length - ETH_HLEN);
	if (scatter || length > RX_BUFFER_SIZE)
		skb = net_shim_scattered(
			frame, length,
			ETH_HLEN + (u32)unit_random_below(min_t(u32, length, 80) - ETH_HLEN + 1));
	else
		skb = net_shim_frame(frame, length);
	net_shim_fail_nth(fail);
	net_shim_receive(skb);
}

void fuzz_receive_ip(struct iphdr *ip, const u8 *payload, u32 size, bool scatter)
{
	static u8 packet[MAX_PACKET];

	size = min_t(u32, size, MAX_PACKET - sizeof(*ip));
	ip->version_ihl = 0x45;
	ip->total_length = htons(sizeof(*ip) + size);
	ip->checksum = 0;
	ip->checksum = ip_checksum(ip, sizeof(*ip));
	memcpy(packet, ip, sizeof(*ip));
	memcpy(packet + sizeof(*ip), payload, size);
	fuzz_receive(ETH_P_IP, packet, sizeof(*ip) + size, false, scatter);
}
