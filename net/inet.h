/*
 * A socket of AF_INET: its addresses, its port, its IP options. udp.c, raw.c, ping.c and tcp.c embed it.
 *
 * Locks, in acquire order:
 *   sk.user_lock		whoever binds, connects, sends, or changes an option
 *   port_bucket.lock	_bh: a table's chain, and the addresses of the sockets on it: softirqs look there
 */
#pragma once

#include <kernel/lib/bitmap.h>
#include <kernel/lib/hlist.h>
#include <net/ip.h>
#include <net/sock.h>

struct inet_extra;

struct inet_sock {
	struct sock sk; /* first */

	/* changed under user_lock and, while in a table, under its bucket's lock; either is enough to read */
	struct hlist_node port_node;
	be32 rcv_saddr; /* what is received must be for this address; 0: for any */
	be32 daddr;	/* connected to; 0: not */
	be16 dport;
	u16 port; /* the local one; 0: none yet. A raw socket's: its protocol */

	/* under user_lock */
	be32 saddr; /* to send from; 0: the route's choice. Not rcv_saddr if that is no host's address */
	u32 flags; /* INET_*; softirqs look at them without the lock */
	u8 tos;
	u8 ttl; /* 0: the system's default */
	u8 multicast_ttl;
	u8 pmtudisc; /* IP_PMTUDISC_* */
	u8 min_ttl;
	be32 flow_saddr; /* what was asked for, when flow.saddr was found */
	struct inet_extra
		*extra; /* what few sockets have; made when first wanted, NULL until then */
	/* where the last packet went, and the next one probably goes: the route is looked up only if the address
	 * is another one */
	struct flow flow;
};

/* Options that are on or off, and what the user chose rather than we. */
enum inet_flag {
	INET_PKTINFO = 1 << 0,
	INET_RECVTTL = 1 << 1,
	INET_RECVTOS = 1 << 2,
	INET_RECVOPTS = 1 << 3,
	INET_RECVORIGDSTADDR = 1 << 4,
	INET_RECVERR = 1 << 5,
	INET_HDRINCL = 1 << 6,
	INET_FREEBIND = 1 << 7,
	INET_TRANSPARENT = 1 << 8,
	INET_MULTICAST_LOOP = 1 << 9,
	INET_MULTICAST_ALL = 1 << 10,
	INET_BIND_ADDRESS_NO_PORT = 1 << 11,
	INET_ADDRESS_CHOSEN = 1 << 12, /* by bind(): disconnecting leaves it */
	INET_PORT_CHOSEN = 1 << 13,
	INET_RETOPTS = 1 << 14,
	INET_RECVCHECKSUM = 1 << 15,
};
#define INET_CMSG_FLAGS \
	(INET_PKTINFO | INET_RECVTTL | INET_RECVTOS | INET_RECVOPTS | INET_RECVORIGDSTADDR)

struct membership {
	be32 group;
	u32 ifindex;
};
#define MAX_MEMBERSHIPS 20

struct inet_extra {
	/* under sk.lock */
	struct skb_queue errors; /* MSG_ERRQUEUE; each buffer's cb is a struct queued_error */
	/* under user_lock */
	u8 options_length;
	u8 options[IP_MAX_OPTIONS];
	be32 multicast_addr; /* IP_MULTICAST_IF */
	u32 multicast_ifindex;
	u32 unicast_ifindex; /* IP_UNICAST_IF */
	/* changed under user_lock; softirqs look without: a datagram is let in or not */
	u32 nr_memberships;
	struct membership memberships[MAX_MEMBERSHIPS];
};

static inline struct inet_sock *inet_sk(struct sock *sk)
{
	return container_of(sk, struct inet_sock, sk);
}

static inline bool may_net_admin(void)
{
	return current->cred.euid == 0;
}

/* The kinds, their /proc files, their settings. After ip_init(). */
void inet_start(void);

/* ---- life: net/inet.c -------------------------------------------------------------------------------- */

/* For sock_ops: defaults; what every kind does at its end. */
int inet_init(struct sock *sk);
void inet_destroy(struct sock *sk);
/* sk->extra, made if need be; NULL: no memory. Under user_lock. */
struct inet_extra *inet_extra(struct inet_sock *inet);

/* ---- addresses: net/inet.c ---------------------------------------------------------------------------- */

struct port_table;

/* sock_ops.bind for a kind with ports in `table`. */
int inet_bind(struct inet_sock *inet, const struct sockaddr_storage *addr, u32 length,
	      struct port_table *table);
/* The checks of it that do not depend on the kind: is it an address that a socket may have? */
int inet_check_bind_addr(const struct inet_sock *inet, const struct sockaddr_in *addr, u32 length);
/* Receive for this address, and send from it, if one can. Under user_lock. */
void inet_set_source(struct inet_sock *inet, be32 addr);
/* Give an unbound socket a port. 0, or -EAGAIN if there is none. */
int inet_autobind_slow(struct inet_sock *inet, struct port_table *table);
static inline int inet_autobind(struct inet_sock *inet, struct port_table *table)
{
	return likely(READ_ONCE(inet->port)) ? 0 : inet_autobind_slow(inet, table);
}
/* sock_ops.connect for datagrams: remembers where to, and finds the way there; AF_UNSPEC forgets it. */
int inet_datagram_connect(struct inet_sock *inet, const struct sockaddr_storage *addr, u32 length,
			  struct port_table *table);
/* sock_ops.close for datagrams. */
void inet_datagram_close(struct sock *sk, struct port_table *table);
/* sock_ops.getname */
int inet_getname(struct sock *sk, struct sockaddr_storage *addr, bool peer);
static inline void inet_fill_sockaddr(struct sockaddr_in *in, be32 addr, be16 port)
{
	*in = (struct sockaddr_in){ .family = AF_INET, .port = port, .addr = addr };
}
/* sock_ops.shutdown for datagrams: -ENOTCONN (but done) if not connected. */
int inet_datagram_shutdown(struct sock *sk, u32 how);
/* sock_ops.poll for datagrams. */
u32 inet_datagram_poll(struct sock *sk);
/* sock_ops.ioctl for datagrams: FIONREAD, SIOCOUTQ; net/inet_ioctl.c. */
long inet_datagram_ioctl(struct sock *sk, u32 command, u64 arg);

/* ---- ports: net/inet_port.c ---------------------------------------------------------------------------- */

struct port_bucket {
	spinlock_t lock;
	struct hlist_head socks; /* the newest first; a reference each */
};

/* Sockets by local port. `used` says without a lock that a port is surely free. */
struct port_table {
	struct port_bucket *buckets;
	u32 mask; /* their number, less one */
	u16 low;  /* lowest and highest port to choose; high 0: those of ip_local_port_range */
	u16 high;
	bool privileged; /* ports below ip_unprivileged_port_start are root's */
	/* May the two not have the same port? Under the bucket's lock. NULL: they may. */
	bool (*conflict)(const struct inet_sock *inet, const struct inet_sock *other);
	DECLARE_BITMAP(used, 65536);
};

static inline struct port_bucket *port_bucket(const struct port_table *table, u16 port)
{
	return &table->buckets[port & table->mask];
}
void port_table_init(struct port_table *table, struct port_bucket *buckets, u32 count);
/* Under user_lock, addresses set. Port 0: any. 0 or -EADDRINUSE. */
int port_bind(struct port_table *table, struct inet_sock *inet, u16 port);
void port_unbind(struct port_table *table, struct inet_sock *inet);
/* Linux's rule for datagrams. */
bool port_conflict_datagram(const struct inet_sock *inet, const struct inet_sock *other);

/* Each socket on `port` that matches, one after the other, with no lock held in between: returns it with a
 * reference, and drops the one on `after` (NULL: begin). A walk ends early if `after` has left meanwhile. */
struct inet_sock *port_next_match(struct port_table *table, u16 port, struct inet_sock *after,
				  bool (*match)(const struct inet_sock *inet, const void *packet),
				  const void *packet);
/* The same over the whole table, for listings; *bucket starts at 0. */
struct inet_sock *port_next(struct port_table *table, u32 *bucket, struct inet_sock *after);
/* /proc/net/{udp,raw,icmp}; `width` of the first column. */
void port_show(struct port_table *table, struct seq_buf *out, int width);

/* /proc/sys/net/ipv4: low port in the lower half, high port in the upper, so that both are read at once. */
extern u32 ip_local_port_range;
extern u32 ip_unprivileged_port_start;
/* Two numbers as sysctls give them: "1\t2". 0 or -EINVAL. */
int inet_parse_pair(const char *text, u64 *low, u64 *high);
void inet_port_init(void);

/* ---- options at level SOL_IP: net/inet_option.c ---------------------------------------------------------- */

#define IP_PMTUDISC_DONT      0
#define IP_PMTUDISC_WANT      1
#define IP_PMTUDISC_DO	      2
#define IP_PMTUDISC_PROBE     3
#define IP_PMTUDISC_INTERFACE 4
#define IP_PMTUDISC_OMIT      5

int inet_setsockopt(struct sock *sk, int level, int option, const void *value, u32 length);
int inet_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length);

/* Control messages about a packet that was received. */
void inet_put_cmsgs(struct inet_sock *inet, struct msg *msg, const struct sk_buff *skb);

/* ---- sending: net/inet_send.h, inet_send.c ---------------------------------------------------------------------------- */

/* What a send was asked for, from its address, its control messages, and the socket. */
struct inet_send {
	be32 daddr;
	be16 dport;
	be32 saddr;
	u32 oif;
	u8 tos, ttl;
	u8 options_length;
	const u8 *options;
};

/* ---- errors: net/inet_error.c ----------------------------------------------------------------------------- */

/* An ICMP error reached the socket: SO_ERROR, and the error queue if it is wanted. `packet` is at what we sent,
 * behind its transport header of `header` bytes; `port` is where that went. Softirq. */
void inet_icmp_error(struct inet_sock *inet, struct sk_buff *packet, const struct iphdr *ip,
		     const struct icmp_error *error, u32 header, be16 port);
/* Only into the queue, if the socket wants errors there. */
void inet_queue_icmp_error(struct inet_sock *inet, struct sk_buff *packet, const struct iphdr *ip,
			   const struct icmp_error *error, u32 header, be16 port);
/* An error of our own: a packet that is too big for `mtu`. */
void inet_local_error(struct inet_sock *inet, int error, be32 daddr, be16 port, u32 mtu);
/* recvmsg(MSG_ERRQUEUE) */
ssize_t inet_receive_error(struct inet_sock *inet, struct msg *msg);
bool inet_has_errors(const struct inet_sock *inet);
void inet_purge_errors(struct inet_sock *inet);
