/* ICMP messages, mostly with a right checksum; errors mostly quote what our connected socket has sent. */
#include <tests/fuzz/fuzz.h>

#include <string.h>

#include <net/icmp.h>
#include <net/udp.h>

#define MAX_SIZE 2000

/* What an error quotes, before the input changes it. */
static u32 quote(u8 *to)
{
	struct iphdr *ip = (struct iphdr *)to;
	struct udphdr *uh = (struct udphdr *)(ip + 1);

	*ip = (struct iphdr){ .version_ihl = 0x45,
			      .total_length = htons(sizeof(*ip) + sizeof(*uh)),
			      .ttl = 64,
			      .protocol = IPPROTO_UDP,
			      .saddr = SHIM_OUR,
			      .daddr = SHIM_PEER };
	*uh = (struct udphdr){ htons(fuzz_connected_port()), htons(FUZZ_PEER_PORT),
			       htons(sizeof(*uh)), 0 };
	return sizeof(*ip) + sizeof(*uh);
}

/* A few bytes of the message at places of the input's choice. */
static void change(struct input *input, u8 *message, u32 size, u32 count)
{
	while (count-- && size) {
		u32 at = take_u8(input) % size;

		message[at] = take_u8(input);
	}
}

static u32 make_message(struct input *input, u8 *message, u8 how)
{
	struct icmphdr *icmp = (struct icmphdr *)message;
	u32 size = sizeof(*icmp);
	const u8 *bytes;

	*icmp = (struct icmphdr){ .type = take_u8(input), .code = take_u8(input) };
	icmp->rest = htonl((u32)take_u16(input) << 16 | take_u16(input));
	if (how & 1)
		size += quote(message + size);
	else
		size += take_bytes(input, take_u16(input) % (MAX_SIZE - size), &bytes);
	if (!(how & 1) && size > sizeof(*icmp))
		memcpy(icmp + 1, bytes, size - sizeof(*icmp));
	change(input, message, size, how >> 6);
	if (how & 32)
		size -= min_t(u32, size, take_u8(input));
	return size;
}

void fuzz_one(struct input *input)
{
	static u8 message[MAX_SIZE];

	while (input_left(input)) {
		u8 how = take_u8(input);
		struct iphdr ip = { .saddr = how & 2 ? SHIM_FAR : SHIM_PEER,
				    .daddr = how & 4 ? IP4(10, 0, 2, 255) : SHIM_OUR,
				    .ttl = 64,
				    .protocol = IPPROTO_ICMP };
		struct icmphdr *icmp = (struct icmphdr *)message;
		u32 size = make_message(input, message, how);

		if (how & 8 && size >= sizeof(*icmp)) {
			icmp->checksum = 0;
			icmp->checksum = ip_checksum(message, size);
		}
		fuzz_receive_ip(&ip, message, size, how & 16);
	}
}
