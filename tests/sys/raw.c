/* Raw sockets and ping sockets, over lo. */
#include <tests/sys/test.h>

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <tests/sys/inet.h>

#define ICMP_FILTER 1

static u_char buf[2000];

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

struct echo {
	struct icmphdr header;
	char data[8];
};

static struct echo make_echo(int type, int id, int sequence)
{
	struct echo echo = { { .type = type }, "payload" };

	echo.header.un.echo.id = htons(id);
	echo.header.un.echo.sequence = htons(sequence);
	echo.header.checksum = checksum(&echo, sizeof(echo));
	return echo;
}

static void receive_ip(int fd, int flags)
{
	struct sockaddr_in from = { 0 };
	socklen_t length = sizeof(from);
	struct iphdr *ip = (struct iphdr *)buf;
	struct icmphdr *icmp = (struct icmphdr *)(ip + 1);

	if (SHOW(recvfrom(fd, buf, sizeof(buf), flags, (struct sockaddr *)&from, &length)) < 0)
		return;
	say_addr("from", &from);
	say("version %d, header %d, tos %d, length %d, fragment %x, ttl %d, protocol %d, good %s",
	    ip->version, ip->ihl, ip->tos, ntohs(ip->tot_len), ntohs(ip->frag_off), ip->ttl,
	    ip->protocol, yes_no(checksum(ip, 20) == 0));
	say("icmp type %d code %d id %d sequence %d, good %s", icmp->type, icmp->code,
	    ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence),
	    yes_no(checksum(icmp, ntohs(ip->tot_len) - 20) == 0));
}

TEST(echo)
{
	int fd = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	struct sockaddr_in to = LO(0), named = LO(1234);
	struct echo echo = make_echo(ICMP_ECHO, 77, 1);

	stay_on_one_cpu();
	say_name(fd);
	SHOW(send(fd, &echo, sizeof(echo), 0));
	SHOW(sendto(fd, &echo, sizeof(echo), 0, SA(to)));
	receive_ip(fd, 0); /* the request itself */
	receive_ip(fd, 0); /* and its answer */
	SHOW(connect(fd, SA(named)));
	say_name(fd);
	say_peer(fd);
	SHOW(send(fd, &echo, sizeof(echo), 0));
	receive_ip(fd, MSG_PEEK);
	receive_ip(fd, 0);
	SHOW(recv(fd, buf, 10, MSG_TRUNC));
	settle();
	SHOW(recv(fd, buf, 10, MSG_DONTWAIT));
	say_poll("drained", fd);
}

TEST(filter)
{
	int fd = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), udp;
	struct sockaddr_in to = LO(0);
	struct echo echo = make_echo(ICMP_ECHO, 77, 1);
	uint32_t filter = 0xffffffff;
	socklen_t length = sizeof(filter);

	stay_on_one_cpu();
	SHOW(getsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, &length));
	say("filter %x, %u bytes", filter, length);
	filter = 1 << ICMP_ECHO;
	SHOW(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	SHOW(sendto(fd, &echo, sizeof(echo), 0, SA(to)));
	receive_ip(fd, 0);
	settle();
	SHOW(recv(fd, buf, 10, MSG_DONTWAIT));
	filter = ~(1 << ICMP_DEST_UNREACH);
	SHOW(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	SHOW(sendto(fd, &echo, sizeof(echo), 0, SA(to)));
	settle();
	SHOW(recv(fd, buf, 10, MSG_DONTWAIT));
	udp = udp_connected(5000);
	MUST(send(udp, "x", 1, 0));
	SHOW(recv(fd, buf, sizeof(buf), 0));
	say("type %d code %d, about protocol %d", buf[20], buf[21], buf[28 + 9]);
	SHOW(setsockopt(fd, SOL_RAW, 99, &filter, sizeof(filter)));
	SHOW(getsockopt(fd, SOL_RAW, 99, &filter, &length));
	fd = MUST(socket(AF_INET, SOCK_RAW, 99));
	SHOW(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	SHOW(getsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, &length));
}

TEST(a_protocol_of_its_own)
{
	int a = MUST(socket(AF_INET, SOCK_RAW, 99)), b = MUST(socket(AF_INET, SOCK_RAW, 99));
	int other = MUST(socket(AF_INET, SOCK_RAW, 98)), left = -1;
	struct sockaddr_in to = LO(0), second = ADDR("127.0.0.2", 0), far = ADDR("10.1.2.3", 0);

	stay_on_one_cpu();
	SHOW(bind(b, SA(second)));
	SHOW(bind(b, SA(far)));
	SHOW(bind(b, (struct sockaddr *)&to, 8));
	say_name(b);
	SHOW(sendto(other, "x", 1, 0, (struct sockaddr *)&to, 8));
	SHOW(sendto(other, "x", 1, MSG_OOB, SA(to)));
	to.sin_family = AF_INET6;
	SHOW(sendto(other, "x", 1, 0, SA(to)));
	to.sin_family = AF_UNSPEC;
	SHOW(sendto(other, "x", 1, 0, SA(to)));
	to.sin_family = AF_INET;
	SHOW(sendto(a, "hello", 5, 0, SA(to)));
	SHOW(sendto(a, "second", 6, 0, SA(second)));
	settle();
	SHOW(ioctl(a, FIONREAD, &left));
	say("next %d", left);
	SHOW(recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(recv(b, buf, sizeof(buf), MSG_DONTWAIT));
	say("%.6s", buf + 20);
	SHOW(recv(b, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(recv(other, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(sendto(a, buf, 0, 0, SA(to)));
	settle();
	SHOW(recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(listen(a, 1));
	SHOW(shutdown(a, SHUT_RDWR));
	say_poll("shut", a);
}

/* A whole packet of our own: what is left out is filled in. */
TEST(header_included)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} packet = { { .version = 4,
		       .ihl = 5,
		       .ttl = 9,
		       .tos = 8,
		       .protocol = IPPROTO_UDP,
		       .daddr = inet_addr("127.0.0.1") },
		     { .source = htons(6000), .dest = htons(5000), .len = htons(12) },
		     "abc" };
	int fd = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)), ttl = 0;
	int server = udp_bound("127.0.0.1", 5000), sniffer;
	struct sockaddr_in to = LO(0), from = { 0 };
	socklen_t length = sizeof(ttl);

	stay_on_one_cpu();
	SHOW(getsockopt(fd, IPPROTO_IP, IP_HDRINCL, &ttl, &length));
	say("IP_HDRINCL %d", ttl);
	sniffer = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	SHOW(sendto(fd, &packet, 19, 0, SA(to)));
	SHOW(sendto(fd, &packet, sizeof(packet), 0, SA(to)));
	length = sizeof(from);
	SHOW(recvfrom(server, buf, 100, 0, (struct sockaddr *)&from, &length));
	say_addr("from", &from);
	wait_for(sniffer, POLLIN);
	SHOW(recv(sniffer, buf, 100, MSG_DONTWAIT));
	say("ttl %d, tos %d, length %d, good %s", buf[8], buf[1], buf[2] << 8 | buf[3],
	    yes_no(checksum(buf, 20) == 0));
	packet.ip.saddr = inet_addr("127.0.0.5");
	packet.ip.id = htons(4242);
	packet.ip.tot_len = htons(7);
	packet.ip.check = 1;
	SHOW(sendto(fd, &packet, sizeof(packet), 0, SA(to)));
	SHOW(recvfrom(server, buf, 100, 0, (struct sockaddr *)&from, &length));
	say_addr("from", &from);
	wait_for(sniffer, POLLIN);
	SHOW(recv(sniffer, buf, 100, MSG_DONTWAIT));
	say("id %d, length %d, good %s", buf[4] << 8 | buf[5], buf[2] << 8 | buf[3],
	    yes_no(checksum(buf, 20) == 0));
	packet.ip.ihl = 15;
	SHOW(sendto(fd, &packet, sizeof(packet), 0, SA(to)));
	packet.ip.ihl = 4;
	SHOW(sendto(fd, &packet, sizeof(packet), 0, SA(to)));
	settle();
	SHOW(recv(server, buf, 100, MSG_DONTWAIT));
	SHOW(recv(fd, buf, 100, MSG_DONTWAIT));
}

TEST(bad_checksum_of_udp)
{
	struct udphdr udp = {
		.source = htons(6000), .dest = htons(5000), .len = htons(8), .check = htons(0xbad)
	};
	int fd = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	int server = udp_bound("127.0.0.1", 5000);
	struct sockaddr_in to = LO(0);

	stay_on_one_cpu();
	udp.check = 0;
	udp.len = htons(9);
	SHOW(sendto(fd, &udp, sizeof(udp), 0, SA(to)));
	udp.len = htons(7);
	SHOW(sendto(fd, &udp, sizeof(udp), 0, SA(to)));
	SHOW(sendto(fd, &udp, 7, 0, SA(to)));
	settle();
	SHOW(recv(server, buf, 100, MSG_DONTWAIT));
	udp.len = htons(8);
	SHOW(sendto(fd, &udp, sizeof(udp), 0, SA(to)));
	settle();
	SHOW(recv(server, buf, 100, MSG_DONTWAIT));
}

TEST(ping)
{
	struct echo echo = make_echo(ICMP_ECHO, 1, 5);
	struct sockaddr_in to = LO(0), named = LO(4321), other = ADDR("127.0.0.2", 4321);
	struct sockaddr_in from = { 0 };
	socklen_t length = sizeof(from);
	struct icmphdr *icmp = (struct icmphdr *)buf;
	int fd, second;

	stay_on_one_cpu();
	SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	put_file("/proc/sys/net/ipv4/ping_group_range", "0 0");
	say("%s", get_file("/proc/sys/net/ipv4/ping_group_range"));
	fd = MUST(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	say_name(fd);
	SHOW(bind(fd, SA(named)));
	SHOW(bind(fd, SA(named)));
	SHOW(sendto(fd, &echo, 7, 0, SA(to)));
	say_name(fd);
	SHOW(sendto(fd, &echo, sizeof(echo), 0, SA(to)));
	SHOW(recvfrom(fd, buf, 100, 0, (struct sockaddr *)&from, &length));
	say_addr("from", &from);
	say("type %d code %d id %d sequence %d \"%s\" good %s", icmp->type, icmp->code,
	    ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence), buf + 8,
	    yes_no(checksum(buf, sizeof(echo)) == 0));
	settle();
	SHOW(recv(fd, buf, 100, MSG_DONTWAIT));
	second = MUST(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	SHOW(bind(second, SA(other)));
	SHOW(connect(second, SA(to)));
	say_peer(second);
	SHOW(send(second, &echo, sizeof(echo), 0));
	wait_for(second, POLLIN);
	say_poll("answered", second);
	SHOW(recv(second, buf, 3, MSG_TRUNC));
	echo.header.type = ICMP_ECHOREPLY;
	SHOW(send(second, &echo, sizeof(echo), 0));
	echo.header.type = ICMP_ECHO;
	echo.header.code = 1;
	SHOW(send(second, &echo, sizeof(echo), 0));
	SHOW(send(second, &echo, 8, MSG_OOB));
	/* What cannot be sent takes a port all the same. */
	fd = MUST(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	SHOW(sendto(fd, &echo, 7, 0, SA(to)));
	say("has a port: %s", yes_no(port_of(fd)));
	SHOW(bind(fd, SA(other)));
	put_file("/proc/sys/net/ipv4/ping_group_range", "1 0");
	say("%s", get_file("/proc/sys/net/ipv4/ping_group_range"));
}
