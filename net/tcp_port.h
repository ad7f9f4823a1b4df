/* TCP's local ports: see net/tcp_port.c; the rest of its functions is in net/tcp.h. */
#pragma once

#include <net/tcp.h>

/* For a TIME_WAIT: the port of its connection stays in use. NULL if it had none; release takes that too. */
struct tcp_port *tcp_port_hold(const struct tcp_sock *tp);
void tcp_port_release(struct tcp_port *port);
/* Each listener once, for a listing, while others come and go. *index begins at 0; takes the reference on `after`. */
struct tcp_sock *tcp_next_listener(u32 *index, struct tcp_sock *after);
void tcp_port_init(void);
