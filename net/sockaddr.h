/* Addresses and numbers of the socket interface, as programs give them. */
#pragma once

#include <net/byteorder.h>

#define AF_UNSPEC 0
#define AF_UNIX	  1
#define AF_INET	  2
#define AF_INET6  10
#define AF_PACKET 17

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  00004000
#define SOCK_CLOEXEC   02000000

#define IPPROTO_IP   0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP  6
#define IPPROTO_UDP  17
#define IPPROTO_RAW  255

struct sockaddr_in {
	u16 family;
	be16 port;
	be32 addr;
	u8 zero[8];
};

#define UNIX_PATH_MAX 108
struct sockaddr_un {
	u16 family;
	char path[UNIX_PATH_MAX];
};

struct sockaddr_storage {
	union {
		u16 family;
		struct sockaddr_in in;
		u64 in_words[2]; /* the same, for those who only move it */
		struct sockaddr_un un;
		u8 bytes[128];
	};
};
static_assert(sizeof(struct sockaddr_storage) == 128, "the ABI says so");

#define MSG_OOB		 0x1
#define MSG_PEEK	 0x2
#define MSG_DONTROUTE	 0x4
#define MSG_CTRUNC	 0x8
#define MSG_TRUNC	 0x20
#define MSG_DONTWAIT	 0x40
#define MSG_EOR		 0x80
#define MSG_WAITALL	 0x100
#define MSG_CONFIRM	 0x800
#define MSG_ERRQUEUE	 0x2000
#define MSG_NOSIGNAL	 0x4000
#define MSG_MORE	 0x8000
#define MSG_WAITFORONE	 0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
