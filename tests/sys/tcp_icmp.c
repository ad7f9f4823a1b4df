/* TCP over lo: what ICMP errors do to a connection. They are made here: a raw socket sees the segments, another one
 * answers them as a router would. */
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <tests/sys/tcp.h>

static unsigned char segment[2048], message[128];
static char buf[64];
static int segments = -1, icmp = -1;

static void open_raw(void)
{
	segments = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
	icmp = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

/* The next segment to this port. */
static void wait_segment(int port)
{
	const struct iphdr *ip = (void *)segment;
	const struct tcphdr *tcp = (void *)(segment + 20);

	do
		MUST(recv(segments, segment, sizeof(segment), 0));
	while (ip->protocol != IPPROTO_TCP || ntohs(tcp->dest) != port);
}

/* About that segment; `skew` from its sequence number. */
static void send_error(int type, int code, unsigned skew)
{
	struct sockaddr_in to = LO(0);
	struct icmphdr *header = (void *)message;
	struct tcphdr *tcp = (void *)(message + 28);
	unsigned sum = 0;

	memset(message, 0, sizeof(message));
	header->type = type;
	header->code = code;
	memcpy(message + 8, segment, 40);
	tcp->seq = htonl(ntohl(tcp->seq) + skew);
	for (int i = 0; i < 48; i += 2)
		sum += message[i] << 8 | message[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	header->checksum = htons(~sum);
	MUST(sendto(icmp, message, 48, 0, SA(to)));
}

/* A connection that gets no answer: the accept queue is full. */
static int under_way(int port, int recverr)
{
	struct sockaddr_in addr = LO(port);
	int fd = tcp_socket();

	tcp_listener(port, 0);
	tcp_client(port);
	open_raw();
	no_wait(fd);
	if (recverr)
		set_option(fd, SOL_IP, IP_RECVERR, 1);
	SHOW(connect(fd, SA(addr)));
	wait_segment(port);
	return fd;
}

static void say_queue(int fd)
{
	char control[256];
	struct sockaddr_in name = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_name = &name,
			      .msg_namelen = sizeof(name),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct sock_extended_err *error;
	struct cmsghdr *cmsg;

	if (SHOW(recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT)) < 0)
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	error = (void *)CMSG_DATA(cmsg);
	say("flags %x, to port %u, level %d, type %d: %s, origin %d, ICMP %d %d", msg.msg_flags,
	    ntohs(name.sin_port), cmsg->cmsg_level, cmsg->cmsg_type, errno_text(error->ee_errno),
	    error->ee_origin, error->ee_type, error->ee_code);
}

static void try_connecting(int port, int type, int code)
{
	int fd = under_way(port, 0);

	send_error(type, code, 0);
	wait_for(fd, POLLOUT);
	say_masks("after it", fd);
	say_so_error(fd);
	say_state("it", fd);
	close(segments);
	close(icmp);
	close(fd);
}

TEST(connecting)
{
	try_connecting(6300, ICMP_DEST_UNREACH, ICMP_NET_UNREACH);
	try_connecting(6301, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH);
	try_connecting(6302, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH);
	try_connecting(6303, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
	try_connecting(6304, ICMP_DEST_UNREACH, 13);
	try_connecting(6305, ICMP_TIME_EXCEEDED, 0);
	try_connecting(6306, ICMP_PARAMETERPROB, 0);
}

/* A guess at the sequence number. */
TEST(forged)
{
	int fd = under_way(6310, 0);

	send_error(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 1000);
	send_error(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, -1000);
	usleep(20000);
	say_state("it", fd);
	say_so_error(fd);
}

TEST(queued)
{
	int fd = under_way(6320, 1);

	send_error(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	wait_for(fd, POLLOUT);
	say_masks("after it", fd);
	say_queue(fd);
	say_queue(fd);
	say_so_error(fd);
	say_masks("told", fd);
}

/* A connection lives on, and remembers; a program that wants to know is told. */
static void try_established(int port, int recverr)
{
	int ends[2];

	open_raw();
	tcp_pair(ends, port);
	if (recverr)
		set_option(ends[0], SOL_IP, IP_RECVERR, 1);
	MUST(write(ends[0], "x", 1));
	do
		wait_segment(port);
	while (((struct iphdr *)segment)->tot_len != htons(53));
	usleep(20000);
	send_error(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 1);
	usleep(20000);
	say_masks("after it", ends[0]);
	say_queue(ends[0]);
	say_so_error(ends[0]);
	say_so_error(ends[0]);
	SHOW(write(ends[0], "y", 1));
	wait_readable(ends[1], 2);
	SHOW(read(ends[1], buf, sizeof(buf)));
	say_state("it", ends[0]);
	close(segments);
	close(icmp);
}

TEST(established)
{
	try_established(6330, 0);
	try_established(6331, 1);
}
