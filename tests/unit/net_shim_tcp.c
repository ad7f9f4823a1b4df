/* What net/inet.c and net/ip_input.c name of TCP, for tests that are not about it. */
#include <net/tcp.h>

static void drop(struct sk_buff *skb)
{
	skb_put(skb);
}

const struct ip_protocol tcp_protocol = { .rcv = drop };
const struct sock_ops tcp_sock_ops = { .name = "TCP", .size = sizeof(struct tcp_sock) };

void tcp_init(void)
{
}
