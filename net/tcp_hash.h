/* The table of TCP's connections, requests and remains: see net/tcp_hash.c. */
#pragma once

#include <net/tcp.h>

struct tcp_four { /* ours, theirs */
	be32 saddr, daddr;
	be16 sport, dport;
};

u32 tcp_hash(be32 saddr, be32 daddr, be16 sport, be16 dport);

/* With a reference, or NULL. Softirq. */
struct tcp_hashed *tcp_hash_lookup(const struct tcp_four *four);
/* Any context but hard IRQ, as the next two. NULL: it is in, and the table has a reference. Else the one with the same four, referenced: it is not in. */
struct tcp_hashed *tcp_hash_add(struct tcp_hashed *hashed);
/* In the place of `old`, whose four it has, in one step: a segment finds one or the other. false: `old` was not
 * there any more. */
bool tcp_hash_replace(struct tcp_hashed *old, struct tcp_hashed *new);
/* false: it was not in. */
bool tcp_hash_remove(struct tcp_hashed *hashed);

void tcp_hashed_get(struct tcp_hashed *hashed);
void tcp_hashed_put(struct tcp_hashed *hashed);
/* The last reference to a request or a TIME_WAIT: its owner's files free it. */
void tcp_hashed_free(struct tcp_hashed *hashed);

/* After a connection was made or accepted, in process context: a few more buckets if there are many entries. */
void tcp_hash_grow(void);
/* Each entry once, more or less, while others come and go. *index begins at 0; takes the reference on `after`. */
struct tcp_hashed *tcp_hash_next(u32 *index, struct tcp_hashed *after);

void tcp_hash_init(void);
