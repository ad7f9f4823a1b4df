/* The remains of connections: see net/tcp_timewait.c. */
#pragma once

#include <net/tcp_hash.h>

void tcp_timewait_free(struct tcp_hashed *hashed);
/* May `tp`, a new connection, have its four? Then it stands in the table instead, and its numbers begin beyond the old ones. */
bool tcp_timewait_reuse(struct tcp_hashed *hashed, struct tcp_sock *tp);
/* Down to /proc/sys/net/ipv4/tcp_max_tw_buckets. */
void tcp_timewait_trim(void);
void tcp_timewait_init(void);
