/*
 * AF_INET: which kinds of sockets there are, and what all of them do alike: addresses, binding, connecting,
 * asking. Step 7 finds them by what is decided here.
 *
 * Context: process. Locks: sk.user_lock, then port_bucket.lock.
 */
#include <net/inet.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <net/inet_device.h>
#include <net/inet_send.h>
#include <net/ping.h>
#include <net/raw.h>
#include <net/tcp.h>
#include <net/udp.h>

#define IPPROTO_MAX 263

/* ---- the family -------------------------------------------------------------------------------------------- */

struct inet_kind {
	int type;
	int protocol; /* 0: any but 0 */
	const struct sock_ops *ops;
};

/* For protocol 0, the first of its type. */
static const struct inet_kind kinds[] = {
	{ SOCK_STREAM, IPPROTO_TCP, &tcp_sock_ops },
	{ SOCK_DGRAM, IPPROTO_UDP, &udp_ops },
	{ SOCK_DGRAM, IPPROTO_ICMP, &ping_ops },
	{ SOCK_RAW, 0, &raw_ops },
};

static bool has_protocol(const struct inet_kind *kind, int protocol)
{
	return kind->protocol ? !protocol || protocol == kind->protocol : protocol != 0;
}

static const struct inet_kind *find_kind(int type, int protocol)
{
	int error = -ESOCKTNOSUPPORT;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type != type)
			continue;
		if (has_protocol(&kinds[i], protocol))
			return &kinds[i];
		error = -EPROTONOSUPPORT;
	}
	return ERR_PTR(error);
}

static const struct sock_ops *inet_select(int type, int *protocol)
{
	const struct inet_kind *kind;

	if (*protocol < 0 || *protocol >= IPPROTO_MAX)
		return ERR_PTR(-EINVAL);
	kind = find_kind(type, *protocol);
	if (IS_ERR(kind))
		return ERR_PTR(PTR_ERR(kind));
	if (type == SOCK_RAW && !may_net_admin())
		return ERR_PTR(-EPERM);
	if (!*protocol)
		*protocol = kind->protocol;
	return kind->ops;
}

const struct sock_family inet_family = {
	.family = AF_INET,
	.select = inet_select,
	.ioctl = inet_ioctl,
};

void inet_start(void)
{
	inet_port_init();
	tcp_init();
	udp_init();
	raw_init();
	ping_init();
}

/* ---- life --------------------------------------------------------------------------------------------------- */

int inet_init(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	inet->multicast_ttl = 1;
	inet->pmtudisc = IP_PMTUDISC_WANT;
	inet->flags = INET_MULTICAST_LOOP | INET_MULTICAST_ALL;
	inet->flow.protocol = sk->protocol;
	return 0;
}

void inet_destroy(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	dst_drop(&inet->flow.dst);
	if (inet->extra)
		skb_queue_purge(
			&inet->extra->errors); /* without the lock: nobody else has it any more */
	kfree(inet->extra);
}

struct inet_extra *inet_extra(struct inet_sock *inet)
{
	struct inet_extra *extra = inet->extra;

	if (!extra && (extra = kzalloc(sizeof(*extra), GFP_KERNEL))) {
		skb_queue_init(&extra->errors);
		__atomic_store_n(&inet->extra, extra, __ATOMIC_RELEASE);
	}
	return extra;
}

/* ---- binding ------------------------------------------------------------------------------------------------ */

/* An address of ours, or one at which many listen. */
static bool may_bind_addr(const struct inet_sock *inet, be32 addr)
{
	return !addr || inet->flags & (INET_FREEBIND | INET_TRANSPARENT) ||
	       ip_address_type(addr) != ROUTE_UNICAST;
}

int inet_check_bind_addr(const struct inet_sock *inet, const struct sockaddr_in *addr, u32 length)
{
	if (length < sizeof(*addr))
		return -EINVAL;
	/* Compatible with what programs for 4.2BSD did. */
	if (addr->family != AF_INET && (addr->family != AF_UNSPEC || addr->addr))
		return -EAFNOSUPPORT;
	return may_bind_addr(inet, addr->addr) ? 0 : -EADDRNOTAVAIL;
}

/* What is sent to many comes from one: the route will say which. */
void inet_set_source(struct inet_sock *inet, be32 addr)
{
	enum route_type type = addr ? ip_address_type(addr) : ROUTE_LOCAL;

	inet->rcv_saddr = addr;
	inet->saddr = type == ROUTE_BROADCAST || type == ROUTE_MULTICAST ? 0 : addr;
}

/* Under user_lock. */
static int take_addr(struct inet_sock *inet, const struct sockaddr_in *addr,
		     struct port_table *table)
{
	u16 port = ntohs(addr->port);
	int error = 0;

	if (inet->port || inet->daddr)
		return -EINVAL;
	inet_set_source(inet, addr->addr);
	if (port || !(inet->flags & INET_BIND_ADDRESS_NO_PORT))
		error = port_bind(table, inet, port);
	if (error) {
		inet_set_source(inet, 0);
		return error;
	}
	inet->flags |= (addr->addr ? INET_ADDRESS_CHOSEN : 0) | (port ? INET_PORT_CHOSEN : 0);
	return 0;
}

int inet_bind(struct inet_sock *inet, const struct sockaddr_storage *addr, u32 length,
	      struct port_table *table)
{
	u16 port = ntohs(addr->in.port);
	int error = inet_check_bind_addr(inet, &addr->in, length);

	if (error)
		return error;
	if (table->privileged && port && port < READ_ONCE(ip_unprivileged_port_start) &&
	    !may_net_admin())
		return -EACCES;
	mutex_lock(&inet->sk.user_lock);
	error = take_addr(inet, &addr->in, table);
	mutex_unlock(&inet->sk.user_lock);
	return error;
}

/* Under user_lock. */
static int choose_port(struct inet_sock *inet, struct port_table *table)
{
	return !inet->port && port_bind(table, inet, 0) ? -EAGAIN : 0;
}

int inet_autobind_slow(struct inet_sock *inet, struct port_table *table)
{
	int error;

	mutex_lock(&inet->sk.user_lock);
	error = choose_port(inet, table);
	mutex_unlock(&inet->sk.user_lock);
	return error;
}

/* ---- connecting datagram sockets ------------------------------------------------------------------------------ */

/* Addresses change under the lock of the chain on which the socket is. */
static void set_peer(struct inet_sock *inet, struct port_table *table, be32 rcv_saddr, be32 daddr,
		     be16 dport)
{
	struct port_bucket *bucket = port_bucket(table, inet->port);

	spin_lock_bh(&bucket->lock);
	inet->rcv_saddr = rcv_saddr;
	inet->daddr = daddr;
	inet->dport = dport;
	spin_unlock_bh(&bucket->lock);
}

/* Under user_lock. Keeps what bind() was told, gives back what was chosen since. */
static int disconnect(struct inet_sock *inet, struct port_table *table)
{
	be32 saddr = inet->flags & INET_ADDRESS_CHOSEN ? inet->rcv_saddr : 0;

	set_peer(inet, table, saddr, 0, 0);
	if (!saddr)
		inet->saddr = 0;
	if (!(inet->flags & INET_PORT_CHOSEN))
		port_unbind(table, inet);
	return 0;
}

/* Under user_lock. */
static int connect_to(struct inet_sock *inet, const struct sockaddr_in *to,
		      struct port_table *table)
{
	struct inet_send send;
	struct flow *flow = &inet->flow;
	int error;

	send = (struct inet_send){ .daddr = to->addr, .dport = to->port };
	inet_send_options(inet, &send);
	error = inet_send_route(inet, &send);
	if (error)
		return error;
	if (!inet->saddr)
		inet->saddr = flow->saddr;
	set_peer(inet, table, inet->rcv_saddr ?: flow->saddr, flow->daddr, to->port);
	return 0;
}

int inet_datagram_connect(struct inet_sock *inet, const struct sockaddr_storage *addr, u32 length,
			  struct port_table *table)
{
	int error;

	if (length < sizeof(addr->family))
		return -EINVAL;
	mutex_lock(&inet->sk.user_lock);
	if (addr->family == AF_UNSPEC)
		error = disconnect(inet, table);
	else if (!(error = choose_port(inet, table)))
		error = length < sizeof(addr->in) ? -EINVAL
			: addr->family != AF_INET ? -EAFNOSUPPORT
						  : connect_to(inet, &addr->in, table);
	mutex_unlock(&inet->sk.user_lock);
	return error;
}

void inet_datagram_close(struct sock *sk, struct port_table *table)
{
	mutex_lock(&sk->user_lock);
	port_unbind(table, inet_sk(sk));
	mutex_unlock(&sk->user_lock);
	sock_put(sk);
}

int inet_getname(struct sock *sk, struct sockaddr_storage *addr, bool peer)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (!peer)
		inet_fill_sockaddr(&addr->in, inet->rcv_saddr ?: inet->saddr, htons(inet->port));
	else if (inet->dport)
		inet_fill_sockaddr(&addr->in, inet->daddr, inet->dport);
	else
		return -ENOTCONN;
	return sizeof(addr->in);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

int inet_datagram_shutdown(struct sock *sk, u32 how)
{
	spin_lock_bh(&sk->lock);
	sk->shutdown |= how;
	spin_unlock_bh(&sk->lock);
	sock_wake_all(sk, SOCK_READABLE | SOCK_WRITABLE | EPOLLRDHUP | EPOLLHUP);
	return inet_sk(sk)->daddr ? 0 : -ENOTCONN;
}

u32 inet_datagram_poll(struct sock *sk)
{
	u32 ready = 0;

	if (READ_ONCE(sk->error) || inet_has_errors(inet_sk(sk)))
		ready |= EPOLLERR | (sk->options & SK_SELECT_ERR_QUEUE ? EPOLLPRI : 0);
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
		ready |= EPOLLRDHUP | SOCK_READABLE;
	if (READ_ONCE(sk->shutdown) == SHUTDOWN_MASK)
		ready |= EPOLLHUP;
	if (!skb_queue_empty(&sk->receive_queue))
		ready |= SOCK_READABLE;
	if (sock_writable(sk))
		ready |= SOCK_WRITABLE;
	return ready;
}
