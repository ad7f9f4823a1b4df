/* What the files of TCP's sockets promise each other. Process context, if nothing else is said. */
#pragma once

#include <net/tcp.h>

#define SOL_TCP 6

/* For the table of sock_ops in net/tcp_socket.c. */
int tcp_connect(struct sock *sk, const struct sockaddr_storage *addr, u32 length, u32 file_flags);
ssize_t tcp_sendmsg(struct sock *sk, struct msg *msg);
ssize_t tcp_recvmsg(struct sock *sk, struct msg *msg);
int tcp_setsockopt(struct sock *sk, int level, int option, const void *value, u32 length);
int tcp_getsockopt(struct sock *sk, int level, int option, void *value, u32 *length);
long tcp_ioctl(struct sock *sk, u32 command, u64 arg);
void tcp_keepalive_changed(struct sock *sk);

/* RFC 9293's ABORT: the connection ends here and now, and the socket is as if it were new; its port and its options it
 * keeps. Under user_lock. */
void tcp_disconnect(struct tcp_sock *tp);

static inline bool tcp_in(const struct tcp_sock *tp, u32 states)
{
	return TCPF(READ_ONCE(tp->hashed.state)) & states;
}
#define TCPF_CONNECTING (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))
#define TCPF_SENDING	(TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))

/* Bytes in order that were not read yet. Looked at without the lock it may be a moment old. */
static inline u32 tcp_readable(const struct tcp_sock *tp)
{
	u32 fin = READ_ONCE(tp->flags) & TCP_F_FIN_RECEIVED ? 1 : 0;
	s32 bytes = READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq) - fin;

	return bytes < 0 ? 0 : bytes;
}
/* Is the byte at which the program has arrived the urgent one? */
static inline bool tcp_at_mark(const struct tcp_sock *tp)
{
	return READ_ONCE(tp->urg_valid) && READ_ONCE(tp->rcv_urg) == READ_ONCE(tp->copied_seq);
}

/* May one more buffer be queued? And for poll: is it worth to wake a writer, a third being free? */
bool tcp_has_room(const struct tcp_sock *tp);
bool tcp_is_writable(const struct tcp_sock *tp);

void tcp_proc_init(void);
void tcp_sysctl_init(void);
