/* Frames of any kind, one after the other. */
#include <tests/fuzz/fuzz.h>

void fuzz_one(struct input *input)
{
	while (input_left(input)) {
		u8 how = take_u8(input);
		u16 ethertype = how & 1 ? ETH_P_IP : how & 2 ? ETH_P_ARP : take_u16(input);
		const u8 *packet;
		u32 size = take_bytes(input, take_u16(input), &packet);

		fuzz_receive(ethertype, packet, size, how & 4, how & 8);
	}
}
