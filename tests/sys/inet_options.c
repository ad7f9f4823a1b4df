/* Options and control messages of AF_INET sockets; the kinds of sockets that there are. */
#include <tests/sys/test.h>

#include <linux/errqueue.h>
#include <tests/sys/inet.h>

static char buf[2000];

TEST(kinds)
{
	for (int type = 0; type < 10; type++)
		for (int protocol = -1; protocol < 264; protocol++) {
			char what[40];
			int fd;

			/* TCP comes by itself; Linux's other protocols do not come. */
			if (type == SOCK_STREAM || protocol == 136 || protocol > 255 ||
			    (protocol > 3 && protocol < 255 && protocol != IPPROTO_UDP))
				continue;
			snprintf(what, sizeof(what), "socket(%d, %d)", type, protocol);
			fd = socket(AF_INET, type, protocol);
			SHOW_AS(what, fd < 0 ? fd : 0);
			close(fd);
		}
	become_nobody();
	SHOW(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	SHOW(socket(AF_INET, SOCK_RAW, 0));
	SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
}

struct option {
	int number;
	const char *name;
};
#define OPTION(name)        \
	{                   \
		name, #name \
	}

static const struct option options[] = {
	OPTION(IP_TOS),
	OPTION(IP_TTL),
	OPTION(IP_HDRINCL),
	OPTION(IP_RECVOPTS),
	OPTION(IP_RETOPTS),
	OPTION(IP_PKTINFO),
	OPTION(IP_MTU_DISCOVER),
	OPTION(IP_RECVERR),
	OPTION(IP_RECVTTL),
	OPTION(IP_RECVTOS),
	OPTION(IP_MTU),
	OPTION(IP_FREEBIND),
	OPTION(IP_TRANSPARENT),
	OPTION(IP_RECVORIGDSTADDR),
	OPTION(IP_MINTTL),
	OPTION(IP_BIND_ADDRESS_NO_PORT),
	OPTION(IP_MULTICAST_TTL),
	OPTION(IP_MULTICAST_LOOP),
	OPTION(IP_MULTICAST_ALL),
	OPTION(IP_MULTICAST_IF),
	OPTION(IP_UNICAST_IF),
	{ 52, "IP_PROTOCOL" },
	{ 60, "60" },
};

static void say_option(int fd, const struct option *option, socklen_t room)
{
	u_char value[8] = { [0 ... 7] = 0xee };
	socklen_t length = room;

	if (getsockopt(fd, IPPROTO_IP, option->number, value, &length))
		say("get %s, room %u: %s", option->name, room, errno_text(errno));
	else
		say("get %s, room %u: %u bytes, %02x%02x%02x%02x %02x", option->name, room, length,
		    value[0], value[1], value[2], value[3], value[4]);
}

static void try_options(int fd)
{
	static const int values[] = { 0, 1, 2, 6, 255, 256, -1, -2 };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];

		say_option(fd, option, 4);
		for (size_t j = 0; j < ARRAY_SIZE(values); j++)
			for (int length = 0; length <= 4; length += length ? 3 : 1) {
				int result = setsockopt(fd, IPPROTO_IP, option->number, &values[j],
							length);

				say("set %s to %d by %d: %s", option->name, values[j], length,
				    result ? errno_text(errno) : "fine");
				say_option(fd, option, 4);
			}
		say_option(fd, option, 1);
		say_option(fd, option, 3);
		say_option(fd, option, 0);
		say_option(fd, option, 8);
		say_option(fd, option, -1);
	}
}

TEST(every_option)
{
	try_options(udp_socket());
}

TEST(every_option_of_a_raw_socket)
{
	try_options(MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)));
}

TEST(every_option_as_nobody)
{
	become_nobody();
	try_options(udp_socket());
}

TEST(mtu)
{
	int fd = udp_connected(5000), value;
	socklen_t length = sizeof(value);

	SHOW(getsockopt(fd, IPPROTO_IP, IP_MTU, &value, &length));
	say("mtu %d", value);
	SHOW(setsockopt(fd, IPPROTO_IP, IP_MTU, &value, length));
	SHOW(getsockopt(fd, IPPROTO_IP, IP_TTL, &value, NULL));
	SHOW(getsockopt(fd, IPPROTO_IP, IP_TTL, NULL, &length));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_TTL, NULL, 4));
	SHOW(setsockopt(fd, 12345, 1, &value, 4));
	SHOW(getsockopt(fd, 12345, 1, &value, &length));
}

static void say_cmsgs(struct msghdr *msg)
{
	say("flags %x, control %zu", msg->msg_flags, (size_t)msg->msg_controllen);
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		u_char *data = CMSG_DATA(cmsg);
		char text[200] = "";

		for (size_t i = 0; i < cmsg->cmsg_len - CMSG_LEN(0) && i < 60; i++)
			sprintf(text + strlen(text), "%s%02x", i % 4 ? "" : " ", data[i]);
		say("level %d type %d length %zu:%s", cmsg->cmsg_level, cmsg->cmsg_type,
		    (size_t)cmsg->cmsg_len, text);
	}
}

static void receive(int fd, int flags, size_t room)
{
	static char control[1000];
	struct sockaddr_in from = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { &from,	       sizeof(from),	       .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };

	memset(buf, 0, sizeof(buf));
	if (SHOW(recvmsg(fd, &msg, flags)) >= 0) {
		say("\"%.20s\" name %u", buf, msg.msg_namelen);
		say_addr("name", &from);
		say_cmsgs(&msg);
	}
}

TEST(what_came_with_it)
{
	int server = udp_bound("0.0.0.0", 5000), client = udp_bound("127.0.0.1", 5001);
	struct sockaddr_in to = ADDR("127.0.0.2", 5000);

	set_option(server, IPPROTO_IP, IP_PKTINFO, 1);
	set_option(server, IPPROTO_IP, IP_RECVTTL, 1);
	set_option(server, IPPROTO_IP, IP_RECVTOS, 1);
	set_option(server, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	set_option(client, IPPROTO_IP, IP_TTL, 77);
	set_option(client, IPPROTO_IP, IP_TOS, 0x48);
	for (int i = 0; i < 5; i++)
		MUST(sendto(client, "hello", 5, 0, SA(to)));
	receive(server, 0, 1000);
	receive(server, 0, 0);
	receive(server, 0, 20);
	receive(server, 0, 40);
	receive(server, MSG_PEEK, 1000);
}

static void send_with(int fd, int level, int type, const void *data, size_t length, size_t claimed)
{
	struct sockaddr_in to = LO(5000);
	struct iovec iov = { "x", 1 };
	union {
		struct cmsghdr header;
		char room[100];
	} control = { .header = { claimed, .cmsg_level = level, .cmsg_type = type } };
	struct msghdr msg = { &to,
			      sizeof(to),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(length) };

	memcpy(CMSG_DATA(&control.header), data, length);
	say("level %d type %d length %zu (%zu): %s", level, type, length, claimed,
	    sendmsg(fd, &msg, 0) < 0 ? errno_text(errno) : "sent");
}

TEST(sent_with_it)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_socket();
	static const int values[] = { -1, 0, 1, 99, 255, 256 };
	struct in_pktinfo info = { 0 };
	u_char byte = 7;

	stay_on_one_cpu();
	set_option(server, IPPROTO_IP, IP_RECVTTL, 1);
	set_option(server, IPPROTO_IP, IP_RECVTOS, 1);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		send_with(client, IPPROTO_IP, IP_TTL, &values[i], 4, CMSG_LEN(4));
		send_with(client, IPPROTO_IP, IP_TOS, &values[i], 4, CMSG_LEN(4));
	}
	send_with(client, IPPROTO_IP, IP_TOS, &byte, 1, CMSG_LEN(1));
	send_with(client, IPPROTO_IP, IP_TTL, &byte, 1, CMSG_LEN(1));
	send_with(client, IPPROTO_IP, IP_TTL, values, 4, 8);
	send_with(client, IPPROTO_IP, IP_TTL, values, 4, 200);
	send_with(client, IPPROTO_IP, 99, values, 4, CMSG_LEN(4));
	send_with(client, 99, 99, values, 4, CMSG_LEN(4));
	send_with(client, SOL_SOCKET, SCM_RIGHTS, values, 4, CMSG_LEN(4));
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, 8, CMSG_LEN(8));
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), CMSG_LEN(sizeof(info)));
	info.ipi_spec_dst.s_addr = inet_addr("127.0.0.9");
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), CMSG_LEN(sizeof(info)));
	info.ipi_spec_dst.s_addr = inet_addr("10.1.2.3");
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), CMSG_LEN(sizeof(info)));
	info.ipi_spec_dst.s_addr = 0;
	info.ipi_ifindex = 1;
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), CMSG_LEN(sizeof(info)));
	info.ipi_ifindex = 99;
	send_with(client, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info), CMSG_LEN(sizeof(info)));
	settle();
	while (recv(server, buf, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		MUST(recvfrom(server, buf, 1, MSG_PEEK, (struct sockaddr *)&from, &length));
		say("from %s", inet_ntoa(from.sin_addr));
		{
			char control[100];
			struct iovec iov = { buf, 1 };
			struct msghdr msg = { .msg_iov = &iov,
					      .msg_iovlen = 1,
					      .msg_control = control,
					      .msg_controllen = sizeof(control) };

			MUST(recvmsg(server, &msg, 0));
			say_cmsgs(&msg);
		}
	}
}

TEST(error_queue)
{
	int client = udp_connected(5000), unconnected = udp_bound("127.0.0.1", 5001), one = 1;
	struct sockaddr_in to = LO(5000);

	SHOW(setsockopt(client, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	SHOW(setsockopt(unconnected, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	receive(client, MSG_ERRQUEUE, 1000);
	MUST(send(client, "hello", 5, 0));
	wait_for(client, 0);
	say_poll("refused", client);
	receive(client, MSG_ERRQUEUE, 1000);
	say_poll("told", client);
	say_so_error(client);
	MUST(sendto(unconnected, "unconnected", 11, 0, SA(to)));
	wait_for(unconnected, 0);
	say_poll("unconnected", unconnected);
	say_so_error(unconnected);
	say_poll("its queue", unconnected);
	receive(unconnected, MSG_ERRQUEUE, 20);
	say_poll("nothing", unconnected);
	/* Turning it off forgets. */
	MUST(send(client, "again", 5, 0));
	wait_for(client, 0);
	set_option(client, IPPROTO_IP, IP_RECVERR, 0);
	say_poll("off", client);
	say_so_error(client);
}

TEST(too_big_to_go_whole)
{
	static char big[70000];
	int client = udp_connected(5000), server = udp_bound("127.0.0.1", 5000);

	MUST(setsockopt(server, SOL_SOCKET, SO_RCVBUF, (int[]){ 400000 }, 4));
	for (int discover = IP_PMTUDISC_DONT; discover <= IP_PMTUDISC_PROBE; discover++) {
		set_option(client, IPPROTO_IP, IP_MTU_DISCOVER, discover);
		SHOW(send(client, big, 65507, 0));
		SHOW(send(client, big, 65508, 0));
	}
}

TEST(multicast_memberships)
{
	struct ip_mreqn request = { .imr_multiaddr.s_addr = inet_addr("224.1.2.3") };
	struct in_addr lo = { inet_addr("127.0.0.1") }, far = { inet_addr("10.1.2.3") };
	int fd = udp_socket(), i;

	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 8));
	request.imr_address = lo;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, 8));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 8));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 8));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, 8));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, 8));
	request.imr_address = far;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 8));
	request.imr_ifindex = 99;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	request.imr_ifindex = 1;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	request.imr_multiaddr = lo;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
	for (i = 0; i < 30; i++) {
		request.imr_multiaddr.s_addr = htonl(0xe0010000 + i);
		if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)))
			break;
	}
	say("%d more, then %s", i, errno_text(errno));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, 3));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, 4));
	SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &far, 4));
	say_option(fd, &(struct option)OPTION(IP_MULTICAST_IF), 4);
	request.imr_ifindex = 99;
	SHOW(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)));
}
