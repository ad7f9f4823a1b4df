/* TCP's local ports: see net/tcp_port.c; the rest of its functions is in net/tcp.h. */
#pragma once

#include <net/tcp.h>

/* For a TIME_WAIT: the port of its connection (NULL if it has none) stays in use, in the same way: that is the answer,
 * for release. */
u32 tcp_port_hold(const struct tcp_sock *tp);
void tcp_port_release(struct tcp_port *port, u32 how);
/* Each listener once, for a listing, while others come and go. *index begins at 0; takes the reference on `after`. */
struct tcp_sock *tcp_next_listener(u32 *index, struct tcp_sock *after);
void tcp_port_init(void);
