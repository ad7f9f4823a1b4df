/*
 * What net/ needs to run on the host: memory that ASan watches (each object its own malloc, each free page
 * poisoned), a clock and timers that tests move, a packet's way in from bytes and out into a list.
 *
 * net_shim.c stands in for the kernel below net/; net_shim_dev.c for the devices, where net/netdev.c is not
 * itself under test.
 */
#pragma once

#include <net/netdev.h>

/* ---- the kernel: net_shim.c ------------------------------------------------------------------------- */

/* Memory and buffers, once. Each test calls it first. */
void net_shim_boot(void);

/* Objects and pages that are out: equal before and after whatever must not leak. */
u64 net_shim_in_use(void);
/* The Nth allocation from now on fails; 0: none. What was set before and has not happened yet. */
u64 net_shim_fail_nth(u64 nth);
/* Has it come to that? */
bool net_shim_failed(void);

/* Called once, while bytes are copied to or from a program: what another CPU does meanwhile. */
extern void (*net_shim_copying)(void);

/* Time passes; timers that come due run, in order. */
void net_shim_advance(u64 ns);
u32 net_shim_timers(void);     /* how many are started */
u64 net_shim_next_timer(void); /* when the first comes due, by host_clock_ns; ~0: never */

extern char net_shim_log[1024]; /* the last line printed */
extern u32 net_shim_logged;	/* how many */

/* A file of /proc, e.g. ("net", "arp"): its text, until the next call; or what writing it answers. */
char *net_shim_proc_read(const char *directory, const char *name);
int net_shim_proc_write(const char *directory, const char *name, const char *text);

/* ---- devices: net_shim_dev.c ------------------------------------------------------------------------ */

extern struct netdev shim_eth, shim_lo; /* index 2 and 1 */
void net_shim_dev_boot(void);

/* The next frame that was sent, or NULL; the caller's. */
struct sk_buff *net_shim_sent(void);
u32 net_shim_sent_count(void);
void net_shim_drop_sent(void);
/* The card holds on to what its senders keep, too (TCP), until it lets go. */
extern bool net_shim_card_keeps;
void net_shim_card_release(void);

/* A buffer of these bytes, as the driver gives it up: data at the Ethernet header. */
struct sk_buff *net_shim_frame(const void *bytes, u32 size);
/* The same in pieces: `linear` bytes in place, the rest in frags and parts of random sizes. */
struct sk_buff *net_shim_scattered(const void *bytes, u32 size, u32 linear);
/* Up the stack as from Ethernet. Takes the reference. */
void net_shim_receive(struct sk_buff *skb);

/* ---- packets ---------------------------------------------------------------------------------------- */

#define IP4(a, b, c, d) htonl((u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define SHIM_OUR	IP4(10, 0, 2, 15)
#define SHIM_PEER	IP4(10, 0, 2, 2)
#define SHIM_FAR	IP4(192, 0, 2, 77) /* behind the peer */

extern const u8 shim_peer_mac[ETH_ALEN];

/* eth0 is 10.0.2.15/24, lo 127.0.0.1/8, the peer is the default gateway and its MAC is known. Nothing else is left of
 * earlier tests. Needs net/route.c and net/neigh.c. */
void net_shim_ip_boot(void);
/* The same, and the protocols above IP, once. net_shim_sched.c */
void net_shim_inet_boot(void);
