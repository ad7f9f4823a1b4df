/* The ioctls about network devices, routes and neighbours: numbers and structures, as Linux has them. */
#pragma once

#include <kernel/mm/uaccess.h>
#include <net/netdev.h>
#include <net/sockaddr.h>

#define SIOCOUTQ       0x5411 /* bytes that wait to be sent */
#define SIOCADDRT      0x890b
#define SIOCDELRT      0x890c
#define SIOCGIFNAME    0x8910
#define SIOCGIFCONF    0x8912
#define SIOCGIFFLAGS   0x8913
#define SIOCSIFFLAGS   0x8914
#define SIOCGIFADDR    0x8915
#define SIOCSIFADDR    0x8916
#define SIOCGIFDSTADDR 0x8917
#define SIOCGIFBRDADDR 0x8919
#define SIOCSIFBRDADDR 0x891a
#define SIOCGIFNETMASK 0x891b
#define SIOCSIFNETMASK 0x891c
#define SIOCGIFMETRIC  0x891d
#define SIOCGIFMTU     0x8921
#define SIOCSIFMTU     0x8922
#define SIOCSIFHWADDR  0x8924
#define SIOCGIFHWADDR  0x8927
#define SIOCGIFINDEX   0x8933
#define SIOCGIFTXQLEN  0x8942
#define SIOCSIFTXQLEN  0x8943
#define SIOCETHTOOL    0x8946
#define SIOCDARP       0x8953
#define SIOCGARP       0x8954
#define SIOCSARP       0x8955
#define SIOCGIFMAP     0x8970
#define SIOCDEVPRIVATE 0x89f0 /* 16 of them */

#define RTF_MTU 0x0040 /* rtentry.mtu means something */

struct sockaddr_hw {
	u16 family; /* ARPHRD_* */
	u8 address[14];
};

struct ifreq {
	char name[IFNAMSIZ];
	union {
		struct sockaddr_in addr;
		struct sockaddr_hw hwaddr;
		s16 flags;
		s32 number;
		u8 room[24];
	};
};
static_assert(sizeof(struct ifreq) == 40, "the ABI says so");

struct ifconf {
	s32 length;
	void __user *requests;
};

struct rtentry {
	u64 pad1;
	struct sockaddr_in dest, gateway, mask;
	u16 flags; /* RTF_* */
	u64 pad2, pad3;
	s16 metric; /* plus one */
	const char __user *dev;
	u64 mtu, window;
	u16 irtt;
};
static_assert(sizeof(struct rtentry) == 120, "the ABI says so");

struct arpreq {
	struct sockaddr_in addr;
	struct sockaddr_hw hwaddr;
	s32 flags; /* ATF_* */
	struct sockaddr_in mask;
	char dev[IFNAMSIZ];
};
static_assert(sizeof(struct arpreq) == 68, "the ABI says so");

#define ATF_COM	    0x02 /* the address is known */
#define ATF_PERM    0x04
#define ATF_PUBL    0x08 /* answer for others */
#define ATF_NETMASK 0x20
#define ATF_DONTPUB 0x40

struct sock;

/* What a command is about. Linux gives devices further addresses under names such as "eth0:1"; here a device has one. */
enum netdev_subject {
	OF_DEVICE,  /* "eth0:1" is eth0 */
	OF_LABEL,   /* it is another, and not there */
	OF_ADDRESS, /* so it is here; and what is set must be of AF_INET */
};

/* An ioctl about one device. */
struct netdev_command {
	u32 command;
	bool change; /* for root, and gives nothing back */
	int (*run)(struct netdev *dev, struct ifreq *ifr);
	enum netdev_subject subject;
};
/* Looks the command up in a table, and runs it on the device that the program names. -ENOTTY: not there. */
long netdev_command_ioctl(const struct netdev_command *commands, size_t count, u32 command,
			  u64 arg);
/* sock_family.ioctl, for any family: what is not about addresses. */
long netdev_ioctl(struct sock *sk, u32 command, u64 arg);
