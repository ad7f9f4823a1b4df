/*
 * What the fuzzers of net/ have in common. Each tests/fuzz/fuzz_*.c makes packets of whatever libFuzzer thinks of, and
 * gives them to the protocols as the card does; all of it runs on the host, over tests/unit/net_shim.h, under ASan and
 * UBSan. After each input every packet buffer must have come back.
 *
 * The machine is net_shim_ip_boot()'s, with two UDP sockets: one bound to FUZZ_PORT, one connected to the peer.
 */
#pragma once

#include <tests/unit/net_shim.h>

#include <net/ip.h>

#define FUZZ_PORT      7
#define FUZZ_PEER_PORT 5000

/* The input, as it is eaten up. At its end there are only zeros. */
struct input {
	const u8 *at, *end;
};
u8 take_u8(struct input *input);
u16 take_u16(struct input *input);
/* At most `size` of what is left; how many there are. They stay where they are. */
u32 take_bytes(struct input *input, u32 size, const u8 **bytes);
static inline bool input_left(const struct input *input)
{
	return input->at < input->end;
}

/* The port that the connected socket sends from. */
u16 fuzz_connected_port(void);

/* A frame to us, from these bytes behind the Ethernet header. `scatter`: not in one piece. */
void fuzz_receive(u16 ethertype, const u8 *packet, u32 size, bool broadcast, bool scatter);
/* The same of an IP header, whose lengths and checksum are made right, and a payload. */
void fuzz_receive_ip(struct iphdr *ip, const u8 *payload, u32 size, bool scatter);

/* What the sockets have received, one after the other. False: nothing is left. */
bool fuzz_read(const u8 **data, u32 *size);

/* What the fuzzer does with one input. */
void fuzz_one(struct input *input);
