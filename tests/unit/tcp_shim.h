/*
 * What TCP's sender needs to run alone on the host: a connection that is established, a way for its segments out into
 * a list, acknowledgements made by hand; or a peer that receives what a path lets through, and answers.
 */
#pragma once

#include "net_shim.h"

#include <net/tcp_sender.h>

#define SHIM_ISS shim_iss
#define SHIM_MSS 1000U /* payload, whatever the options */
#define US	 1000ULL
#define MS	 1000000ULL

/* A segment that was sent. */
struct shim_segment {
	u32 seq, length, ack, tsval;
	u16 window;
	u8 flags;
	u8 nr_sacks;
	u32 sacks[8];
	struct sk_buff *skb; /* a reference */
};

/* The connection; ESTABLISHED, snd_una = SHIM_ISS + 1. `flags`: TCP_F_*. */
struct tcp_sock *shim_connection(u32 flags, const struct tcp_cong_ops *cong);
void shim_end(void); /* nothing may be left */
extern struct tcp_sock *shim_tp;
extern u32 shim_iss;
extern int shim_done;	 /* the error of tcp_done(); -1: not called */
extern bool shim_no_way; /* ip_output() fails */
extern bool shim_keeps;	 /* the NIC keeps its references, until shim_release() */
void shim_release(void);

/* The program writes so many bytes; position decides the value of each. Pushes if asked to. */
void shim_write(u32 bytes, bool push);
u8 shim_byte(u32 seq);

/* The next that was sent, its bytes checked; false: none. The buffer's reference is dropped. */
bool shim_sent(struct shim_segment *segment);
#define SHIM_EXPECT(at, bytes)                             \
	do {                                               \
		struct shim_segment segment_;              \
		CHECK(shim_sent(&segment_));               \
		CHECK_EQ(segment_.seq - SHIM_ISS - 1, at); \
		CHECK_EQ(segment_.length, bytes);          \
	} while (0)
#define SHIM_EXPECT_NOTHING()                 \
	do {                                  \
		struct shim_segment segment_; \
		CHECK(!shim_sent(&segment_)); \
	} while (0)

/* An ACK of the first `acked` bytes; and blocks of bytes, in pairs, until 0, 0. Counts are checked after it. */
void shim_ack(u32 acked);
void shim_ack_sack(u32 acked, const u32 *blocks);
extern u32 shim_window; /* that it tells */
extern bool shim_ack_has_data;
extern u32 shim_tsecr; /* 0: the latest */
/* Do the counts agree with the marks in the queue? */
void shim_check(void);

/* ---- a peer behind a path ------------------------------------------------------------------------------------- */

struct shim_path {
	u64 delay_ns;	    /* one way */
	u64 per_segment_ns; /* the bottleneck's pace; 0: none */
	u32 queue;	    /* segments that wait there at most; 0: any */
	/* Is the Nth data segment lost? delayed for so long besides? */
	bool (*lose)(u32 nth, const struct shim_segment *segment);
	u64 (*late)(u32 nth);
	bool lose_acks_too; /* one in four */
	bool nic_keeps;	    /* its references, for some time */
	bool no_memory;	    /* now and then */
	bool delayed_acks;
};
/* Until all `bytes` are delivered and acknowledged, or `limit_ns` has passed; how long it took. ~0: not done. */
u64 shim_transfer(const struct shim_path *path, u32 bytes, u64 limit_ns);
extern u32 shim_segments, shim_retransmitted; /* in the last transfer */
