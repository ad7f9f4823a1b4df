/* TCP's local ports: see net/tcp_port.c; the rest of its functions is in net/tcp.h. */
#pragma once

#include <net/tcp.h>

/* What counts of one that has a port, when another one wants it too. */
struct tcp_port_user {
	be32 saddr; /* 0: any */
	u32 dev, options, uid;
	u8 state;
};

/* Of a TIME_WAIT: it has the port of its connection, as that had it. */
struct tcp_port_remains {
	struct tcp_port *port;	/* NULL: it had none */
	struct hlist_node node; /* on the port's list, under its bucket's lock */
	/* constant */
	struct tcp_port_user user;
	u32 how; /* TCP_F_CONNECTOR, or 0 */
};

void tcp_port_hold(struct tcp_port_remains *remains, const struct tcp_sock *tp);
void tcp_port_release(struct tcp_port_remains *remains);
/* Each listener once, for a listing, while others come and go. *index begins at 0; takes the reference on `after`. */
struct tcp_sock *tcp_next_listener(u32 *index, struct tcp_sock *after);
void tcp_port_init(void);
