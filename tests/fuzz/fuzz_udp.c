/* UDP headers, mostly for a port that is open, with a checksum that is right or none. */
#include <tests/fuzz/fuzz.h>

#include <string.h>

#include <net/udp.h>

#define MAX_SIZE 2000

static u16 right_checksum(const struct iphdr *ip, const u8 *datagram, u32 size)
{
	static struct {
		be32 saddr, daddr;
		be16 protocol, length;
		u8 datagram[MAX_SIZE];
	} summed;

	summed.saddr = ip->saddr;
	summed.daddr = ip->daddr;
	summed.protocol = htons(IPPROTO_UDP);
	summed.length = htons(size);
	memcpy(summed.datagram, datagram, size);
	return ip_checksum(&summed, offsetof(__typeof__(summed), datagram) + size) ?: 0xffff;
}

static void receive(struct input *input, u8 how)
{
	static u8 datagram[MAX_SIZE];
	struct udphdr *uh = (struct udphdr *)datagram;
	struct iphdr ip = { .saddr = how & 1 ? SHIM_FAR : SHIM_PEER,
			    .daddr = how & 2 ? IP4(10, 0, 2, 255) : SHIM_OUR,
			    .ttl = take_u8(input),
			    .protocol = IPPROTO_UDP };
	u16 source = take_u16(input), length = take_u16(input);
	const u8 *data;
	u32 size = sizeof(*uh) + take_bytes(input, take_u16(input) % (MAX_SIZE - 8), &data);

	*uh = (struct udphdr){ htons(source), htons(FUZZ_PORT), htons(how & 4 ? size : length), 0 };
	if (how & 8) {
		uh->source = htons(FUZZ_PEER_PORT);
		uh->dest = htons(fuzz_connected_port());
	} else if (how & 16) {
		uh->dest = htons(take_u16(input));
	}
	memcpy(uh + 1, data, size - sizeof(*uh));
	if (how & 32)
		uh->checksum = right_checksum(&ip, datagram, size);
	if (how & 64)
		size = min_t(u32, size, take_u8(input));
	fuzz_receive_ip(&ip, datagram, size, how & 128);
}

void fuzz_one(struct input *input)
{
	while (input_left(input))
		receive(input, take_u8(input));
}
