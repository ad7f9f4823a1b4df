/* Numbers as they stand in packets: most significant byte first. A be16 or be32 is only copied, compared, and
 * converted. */
#pragma once

#include <kernel/lib/types.h>

typedef u16 be16;
typedef u32 be32;
/* Behind an odd number of bytes. */
typedef u32 __attribute__((aligned(1))) be32_unaligned;

#define htons(value) ((be16)__builtin_bswap16(value))
#define ntohs(value) ((u16)__builtin_bswap16(value))
#define htonl(value) ((be32)__builtin_bswap32(value))
#define ntohl(value) ((u32)__builtin_bswap32(value))
