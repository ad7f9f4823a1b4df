/* Options and control messages at level SOL_IP, by their numbers; what recvmsg and sendmsg carry for them. */
#pragma once

#include <net/byteorder.h>
#include <net/sockaddr.h>

#define SOL_IP	0
#define SOL_UDP 17
#define SOL_RAW 255

#define INADDR_LOOPBACK	 0x7f000001
#define INADDR_BROADCAST 0xffffffff

#define IP_TOS			1
#define IP_TTL			2
#define IP_HDRINCL		3
#define IP_OPTIONS		4
#define IP_RECVOPTS		6
#define IP_RETOPTS		7
#define IP_PKTINFO		8
#define IP_MTU_DISCOVER		10
#define IP_RECVERR		11
#define IP_RECVTTL		12
#define IP_RECVTOS		13
#define IP_MTU			14
#define IP_FREEBIND		15
#define IP_TRANSPARENT		19
#define IP_RECVORIGDSTADDR	20
#define IP_MINTTL		21
#define IP_BIND_ADDRESS_NO_PORT 24
#define IP_MULTICAST_IF		32
#define IP_MULTICAST_TTL	33
#define IP_MULTICAST_LOOP	34
#define IP_ADD_MEMBERSHIP	35
#define IP_DROP_MEMBERSHIP	36
#define IP_MULTICAST_ALL	49
#define IP_UNICAST_IF		50
#define IP_PROTOCOL		52

struct in_pktinfo {
	u32 ifindex;
	be32 spec_dst; /* our address; to send: from which */
	be32 addr;     /* the header's destination */
};

/* IP_MULTICAST_IF, IP_ADD_MEMBERSHIP: short or long. */
struct ip_mreqn {
	be32 group;
	be32 address; /* of a device of ours */
	u32 ifindex;
};
#define IP_MREQ_SIZE 8 /* without ifindex */

enum error_origin { ERROR_LOCAL = 1, ERROR_ICMP = 2 };

/* IP_RECVERR's control message: struct sock_extended_err, and who said it. */
struct recverr {
	u32 error;
	u8 origin; /* enum error_origin */
	u8 type, code, pad;
	u32 info, data;
	struct sockaddr_in offender;
};
static_assert(sizeof(struct recverr) == 32, "the ABI says so");
