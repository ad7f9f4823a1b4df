/*
 * The Internet checksum (RFC 1071), as sums are passed around: 32 bits wide, in the byte order that the packet has,
 * added up in any order, and folded to 16 bits and complemented at the end.
 */
#pragma once

#include <net/byteorder.h>

/* The end-around carry: what one's complement addition is. */
static inline u64 checksum_add_carry(u64 sum, u64 value)
{
	__asm__("addq %1, %0; adcq $0, %0" : "+r"(sum) : "rm"(value) : "cc");
	return sum;
}

static inline u32 checksum_fold_64(u64 sum)
{
	u32 low = (u32)sum;

	__asm__("addl %1, %0; adcl $0, %0" : "+r"(low) : "r"((u32)(sum >> 32)) : "cc");
	return low;
}

/* Folded, and complemented: as it stands in packets. */
static inline u16 checksum_fold(u32 sum)
{
	u16 low = (u16)sum;

	__asm__("addw %1, %0; adcw $0, %0" : "+r"(low) : "r"((u16)(sum >> 16)) : "cc");
	return (u16)~low;
}

/* Not folded; any alignment. */
u32 checksum_add(const void *data, size_t length, u32 sum);
/* Of these bytes alone, folded and complemented. */
u16 ip_checksum(const void *data, size_t length);

static inline u32 checksum_pseudo(be32 saddr, be32 daddr, u8 protocol, u32 length)
{
	return checksum_fold_64((u64)saddr + daddr + htons(protocol) + htonl(length));
}
