/*
 * All of our TCP on the host, between a wire and programs that the test plays: segments are made from what they say,
 * and what we send is taken apart again. Over net_shim_ip_boot(); used by the scripts (test_tcp_script.c) and by
 * tests/fuzz/fuzz_tcp_*.c.
 */
#pragma once

#include "net_shim.h"

#include <net/tcp.h>

#define MACHINE_MAX_PAYLOAD 65000

/* A segment, with absolute numbers. What an option's field says when it is not there is in machine_segment(). */
struct machine_segment {
	u8 flags; /* TCPHDR_* */
	u16 sport, dport;
	u32 seq, ack;
	u32 length; /* of the payload */
	u16 window, urgent;
	u8 tos;	    /* IP's */
	u16 mss;    /* 0: none */
	s16 wscale; /* -1: none */
	bool sack_permitted, has_timestamp, bad_checksum;
	u32 tsval, tsecr;
	u8 nr_sacks;
	u32 sacks[8]; /* start and end of each */
	u8 nr_raw;    /* bytes of options as they are, behind the others */
	u8 raw[40];
	const u8 *
		payload; /* received: until the next one. To send: NULL: machine_byte() from `base` on */
	u32 base;	 /* the sequence number that has machine_byte(0) */
};

static inline struct machine_segment machine_segment(u8 flags, u32 seq, u32 length, u32 ack)
{
	return (struct machine_segment){ .flags = flags,
					 .seq = seq,
					 .length = length,
					 .ack = ack,
					 .window = 65535,
					 .wscale = -1 };
}

/* The byte at a place in the stream, in either direction. */
static inline u8 machine_byte(u32 at)
{
	return (at * 2654435761U) >> 24;
}

/* Each test calls it first: nothing is left of earlier ones. */
void machine_boot(void);
/* Everything in flight ends: hours pass. The programs have closed their sockets. Nothing may be left. */
void machine_end(void);

/* From the peer. Allocations for it do not fail. */
void machine_receive(const struct machine_segment *segment);
/* An ICMP error about a segment that we have sent. */
void machine_receive_icmp(u8 type, u8 code, u16 mtu, const struct machine_segment *about);
/* The next that we have sent, in order; false: none. */
bool machine_sent(struct machine_segment *segment);
/* Time passes; what is sent meanwhile leaves the card at once. */
void machine_advance(u64 ns);

/* ---- the program -------------------------------------------------------------------------------------------- */

struct sock *machine_socket(void);
int machine_bind(struct sock *sk, u16 port);
int machine_connect(struct sock *sk, u16 port);	    /* to the peer */
struct sock *machine_accept(struct sock *listener); /* or ERR_PTR */
/* Bytes of the stream from `at` on; MSG_* besides MSG_DONTWAIT. */
ssize_t machine_write(struct sock *sk, u32 at, u32 size, u32 flags);
/* The same from a page of a file, by reference, from `offset` in it on. */
ssize_t machine_lend(struct sock *sk, u32 at, u32 offset, u32 size, u32 flags);
/* What is read is in machine_bytes. */
ssize_t machine_recv(struct sock *sk, u32 size, u32 flags);
extern const u8 *const machine_bytes;
/* The same with MSG_WAITALL, and into a program's memory. What it waits for must come while it copies: net_shim_copying. */
ssize_t machine_recv_all(struct sock *sk, u32 size, u32 flags);
/* What is read must be the stream from `at` on; with MSG_OOB one byte, any. */
ssize_t machine_read(struct sock *sk, u32 at, u32 size, u32 flags);

/* ---- what must be true at any time ------------------------------------------------------------------------------ */

/* A connection's numbers, queues, and what they are charged for. What does not hold ends the test, as do other findings
 * of this file; machine_where says what was done last. */
extern const char *machine_where;
void machine_check(struct tcp_sock *tp);
/* All that are in the table. */
void machine_check_all(void);
