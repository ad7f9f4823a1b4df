/* Fragments at any place and of any length. Each byte says where it belongs, so what comes out of it shows whether they
 * were put together rightly. */
#include <tests/fuzz/fuzz.h>

#include <kernel/cpu/tsc.h>
#include <kernel/panic.h>
#include <net/udp.h>

#define MAX_DATAGRAM 65535

static u8 byte_at(u32 offset)
{
	return (u8)(offset * 7 + (offset >> 8) * 13);
}

/* The whole datagram, of which every fragment is a part: no checksum, and the length is what the last one says. */
static void fill(u8 *datagram, u32 length)
{
	struct udphdr *uh = (struct udphdr *)datagram;

	for (u32 i = 0; i < MAX_DATAGRAM; i++)
		datagram[i] = byte_at(i);
	*uh = (struct udphdr){ htons(1), htons(FUZZ_PORT), htons(length), 0 };
}

static void check_received(void)
{
	const u8 *data;
	u32 size;

	while (fuzz_read(&data, &size))
		for (u32 i = 0; i < size; i++)
			if (data[i] != byte_at(i + sizeof(struct udphdr)))
				panic("byte %u is wrong", i);
}

static void receive_piece(struct input *input, const u8 *datagram, u8 how)
{
	u32 start = (u32)(how & 1 ? take_u8(input) : take_u16(input) & IP_OFFSET) * 8;
	u32 size = how & 2 ? take_u8(input) : take_u16(input) % 1481;
	struct iphdr ip = {
		.saddr = SHIM_PEER,
		.daddr = SHIM_OUR,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.id = htons(how >> 4 & 3),
		.fragment = htons(start / 8 | (how & 4 ? 0 : IP_MF)),
	};

	if (!(how & 4))
		size &= ~7U;
	fuzz_receive_ip(&ip, datagram + min_t(u32, start, MAX_DATAGRAM - size), size, how & 8);
}

void fuzz_one(struct input *input)
{
	static u8 datagram[MAX_DATAGRAM];

	fill(datagram, take_u16(input));
	while (input_left(input)) {
		u8 how = take_u8(input);

		if (how == 0xff)
			net_shim_advance(take_u8(input) * NSEC_PER_SEC);
		else
			receive_piece(input, datagram, how);
		check_received();
	}
}
