/* IP headers with options, whose lengths and checksum are mostly right. */
#include <tests/fuzz/fuzz.h>

#include <string.h>

#define MAX_SIZE 2000

void fuzz_one(struct input *input)
{
	static u8 packet[MAX_SIZE];
	struct iphdr *ip = (struct iphdr *)packet;

	while (input_left(input)) {
		u8 how = take_u8(input);
		const u8 *bytes;
		u32 size = take_bytes(input, how & 1 ? take_u8(input) : take_u16(input) % MAX_SIZE,
				      &bytes);

		memset(packet, 0, sizeof(*ip));
		memcpy(packet, bytes, size);
		if (how & 2) {
			ip->version_ihl = (u8)(0x40 | (ip->version_ihl & 15 ?: 5));
			ip->total_length = htons(size);
		}
		if (how & 4) {
			ip->saddr = SHIM_PEER;
			ip->daddr = SHIM_OUR;
		}
		if (how & 8 && IP_HLEN(ip) >= sizeof(*ip) && IP_HLEN(ip) <= size) {
			ip->checksum = 0;
			ip->checksum = ip_checksum(ip, IP_HLEN(ip));
		}
		fuzz_receive(ETH_P_IP, packet, size, how & 16, how & 32);
	}
}
