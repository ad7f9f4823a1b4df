/* The remains of connections: see net/tcp_timewait.c. */
#pragma once

#include <net/tcp_hash.h>

void tcp_timewait_free(struct tcp_hashed *hashed);
/* May a new connection have its four? Then it is gone, and *seq is where the new one's numbers should begin. */
bool tcp_timewait_reuse(struct tcp_hashed *hashed, u32 *seq);
/* Down to /proc/sys/net/ipv4/tcp_max_tw_buckets. */
void tcp_timewait_trim(void);
void tcp_timewait_init(void);
