/* What ifconfig, route and arp ask for, by ioctl; lo is the interface that every machine has. */
#include <tests/sys/test.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/route.h>
#include <tests/sys/inet.h>

#define REQUEST(name_)            \
	{                         \
		.ifr_name = name_ \
	}

static void ask(int fd, const char *what, unsigned long command, const char *name)
{
	struct ifreq request = { 0 };
	u_char *bytes = (u_char *)&request.ifr_addr;

	strcpy(request.ifr_name, name);
	if (ioctl(fd, command, &request)) {
		say("%s of %s: %s", what, name, errno_text(errno));
		return;
	}
	say("%s of %s: %02x%02x%02x%02x %02x%02x%02x%02x %02x%02x%02x%02x", what, name, bytes[0],
	    bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8],
	    bytes[9], bytes[10], bytes[11]);
}
#define ASK(fd, command, name) ask(fd, #command, command, name)

static void ask_everything(int fd, const char *name)
{
	ASK(fd, SIOCGIFFLAGS, name);
	ASK(fd, SIOCGIFADDR, name);
	ASK(fd, SIOCGIFDSTADDR, name);
	ASK(fd, SIOCGIFBRDADDR, name);
	ASK(fd, SIOCGIFNETMASK, name);
	ASK(fd, SIOCGIFMETRIC, name);
	ASK(fd, SIOCGIFMTU, name);
	ASK(fd, SIOCGIFHWADDR, name);
	ASK(fd, SIOCGIFINDEX, name);
	ASK(fd, SIOCGIFTXQLEN, name);
	ASK(fd, SIOCGIFMAP, name);
	ASK(fd, 0x89ef, name);
}

TEST(what_lo_is)
{
	ask_everything(udp_socket(), "lo");
	ask_everything(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), "lo");
}

/* Its addresses are not there, the device is. */
TEST(what_an_alias_is)
{
	static const unsigned long changes[] = { SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFBRDADDR,
						 SIOCSIFFLAGS };
	struct ifreq request = REQUEST("lo:1");
	int fd = udp_socket();

	ask_everything(fd, "lo:1");
	ask_everything(fd, "nothing:1");
	ASK(fd, SIOCDEVPRIVATE, "lo:1");
	ASK(fd, SIOCDEVPRIVATE + 15, "nothing");
	for (u_int i = 0; i < ARRAY_SIZE(changes); i++)
		SHOW(ioctl(fd, changes[i], &request));
	strcpy(request.ifr_name, "nothing");
	for (u_int i = 0; i < ARRAY_SIZE(changes); i++)
		SHOW(ioctl(fd, changes[i], &request));
	request.ifr_addr.sa_family = AF_INET;
	for (u_int i = 0; i < ARRAY_SIZE(changes); i++)
		SHOW(ioctl(fd, changes[i], &request));
}

TEST(what_is_not_there)
{
	struct ifreq request = { .ifr_ifindex = 99 };
	int fd = udp_socket();

	ask_everything(fd, "nothing");
	ask_everything(fd, "");
	SHOW(ioctl(fd, SIOCGIFNAME, &request));
	request.ifr_ifindex = 1;
	SHOW(ioctl(fd, SIOCGIFNAME, &request));
	say("%s", request.ifr_name);
	SHOW(ioctl(fd, SIOCGIFFLAGS, 1));
	SHOW(ioctl(fd, SIOCGIFNAME, 1));
	SHOW(ioctl(fd, SIOCGIFCONF, 1));
	SHOW(ioctl(fd, SIOCADDRT, 1));
	SHOW(ioctl(fd, SIOCGARP, 1));
}

TEST(list)
{
	struct ifreq requests[20];
	struct ifconf conf = { .ifc_len = 0 };
	int fd = udp_socket();

	SHOW(ioctl(fd, SIOCGIFCONF, &conf));
	say("room of one is enough: %s", yes_no(conf.ifc_len >= 40));
	conf = (struct ifconf){ .ifc_len = sizeof(requests), .ifc_req = requests };
	SHOW(ioctl(fd, SIOCGIFCONF, &conf));
	say("first: %s %s", requests[0].ifr_name,
	    inet_ntoa(((struct sockaddr_in *)&requests[0].ifr_addr)->sin_addr));
	conf.ifc_len = 39;
	SHOW(ioctl(fd, SIOCGIFCONF, &conf));
	say("%d", conf.ifc_len);
	conf.ifc_len = -1;
	SHOW(ioctl(fd, SIOCGIFCONF, &conf));
	say("%d", conf.ifc_len);
	conf = (struct ifconf){ .ifc_len = 100, .ifc_buf = (char *)1 };
	SHOW(ioctl(fd, SIOCGIFCONF, &conf));
}

static void set_addr(int fd, const char *what, unsigned long command, const char *text, int family)
{
	struct ifreq request = REQUEST("lo");
	struct sockaddr_in addr = ADDR(text, 0);

	addr.sin_family = family;
	memcpy(&request.ifr_addr, &addr, sizeof(addr));
	say("%s %s, family %d: %s", what, text, family,
	    ioctl(fd, command, &request) ? errno_text(errno) : "fine");
}

TEST(changing_addresses)
{
	int fd = udp_socket();

	set_addr(fd, "address", SIOCSIFADDR, "10.0.0.1", AF_INET6);
	set_addr(fd, "address", SIOCSIFADDR, "224.0.0.1", AF_INET);
	set_addr(fd, "netmask", SIOCSIFNETMASK, "255.0.255.0", AF_INET);
	set_addr(fd, "address", SIOCSIFADDR, "192.168.7.1", AF_INET);
	ask_everything(fd, "lo");
	set_addr(fd, "netmask", SIOCSIFNETMASK, "255.255.0.0", AF_INET);
	ASK(fd, SIOCGIFNETMASK, "lo");
	set_addr(fd, "broadcast", SIOCSIFBRDADDR, "192.168.255.255", AF_INET6);
	set_addr(fd, "address", SIOCSIFADDR, "0.0.0.0", AF_INET);
	ASK(fd, SIOCGIFADDR, "lo");
	set_addr(fd, "netmask", SIOCSIFNETMASK, "255.0.0.0", AF_INET);
	set_addr(fd, "address", SIOCSIFADDR, "127.0.0.1", AF_INET);
	ask_everything(fd, "lo");
}

TEST(changing_the_rest)
{
	struct ifreq request = REQUEST("lo");
	struct sockaddr_in to = LO(5000);
	int fd = udp_socket();

	request.ifr_mtu = 1500;
	SHOW(ioctl(fd, SIOCSIFMTU, &request));
	ASK(fd, SIOCGIFMTU, "lo");
	request.ifr_mtu = 65536;
	SHOW(ioctl(fd, SIOCSIFMTU, &request));
	request.ifr_qlen = -1;
	SHOW(ioctl(fd, SIOCSIFTXQLEN, &request));
	request.ifr_qlen = 1000;
	SHOW(ioctl(fd, SIOCSIFTXQLEN, &request));
	SHOW(ioctl(fd, SIOCGIFFLAGS, &request));
	request.ifr_flags &= ~IFF_UP;
	SHOW(ioctl(fd, SIOCSIFFLAGS, &request));
	ASK(fd, SIOCGIFFLAGS, "lo");
	request.ifr_flags |= IFF_UP;
	SHOW(ioctl(fd, SIOCSIFFLAGS, &request));
	ASK(fd, SIOCGIFFLAGS, "lo");
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
}

TEST(as_nobody)
{
	struct ifreq request = REQUEST("lo");
	struct rtentry route = { 0 };
	struct arpreq arp = { 0 };
	int fd = udp_socket();

	become_nobody();
	ASK(fd, SIOCGIFFLAGS, "lo");
	SHOW(ioctl(fd, SIOCSIFFLAGS, &request));
	SHOW(ioctl(fd, SIOCSIFADDR, &request));
	SHOW(ioctl(fd, SIOCSIFMTU, &request));
	SHOW(ioctl(fd, SIOCADDRT, &route));
	SHOW(ioctl(fd, SIOCDELRT, &route));
	SHOW(ioctl(fd, SIOCSARP, &arp));
	SHOW(ioctl(fd, SIOCDARP, &arp));
	SHOW(ioctl(fd, SIOCGARP, &arp));
}

static struct rtentry route_to(const char *dest, const char *mask, const char *gateway, int flags)
{
	struct rtentry route = { .rt_flags = flags };
	struct sockaddr_in addr = ADDR(dest, 0);

	memcpy(&route.rt_dst, &addr, sizeof(addr));
	addr = ADDR(mask, 0);
	memcpy(&route.rt_genmask, &addr, sizeof(addr));
	if (gateway) {
		addr = ADDR(gateway, 0);
		memcpy(&route.rt_gateway, &addr, sizeof(addr));
	}
	return route;
}

static void try_route(int fd, unsigned long command, const char *dest, const char *mask,
		      const char *gateway, const char *dev, int flags)
{
	struct rtentry route = route_to(dest, mask, gateway, flags);

	route.rt_dev = (char *)dev;
	say("%s %s/%s by %s, %s, flags %x: %s", command == SIOCADDRT ? "add" : "delete", dest, mask,
	    gateway, dev ? dev : "no device", flags,
	    ioctl(fd, command, &route) ? errno_text(errno) : "fine");
}

TEST(routes)
{
	struct sockaddr_in to = ADDR("10.9.8.7", 5000);
	int fd = udp_socket();

	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.0.0", "0.0.0.0", "nothing", RTF_UP);
	try_route(fd, SIOCADDRT, "10.0.0.1", "255.0.0.0", "0.0.0.0", "lo", RTF_UP);
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.255.0", "0.0.0.0", "lo", RTF_UP);
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.0.0", NULL, NULL, RTF_UP | RTF_GATEWAY);
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.0.0", "192.168.1.1", NULL,
		  RTF_UP | RTF_GATEWAY);
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.0.0", "0.0.0.0", "lo", RTF_UP);
	try_route(fd, SIOCADDRT, "10.0.0.0", "255.0.0.0", "0.0.0.0", "lo", RTF_UP);
	say("%s", get_file("/proc/net/route"));
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	try_route(fd, SIOCDELRT, "10.0.0.0", "255.255.0.0", "0.0.0.0", "lo", RTF_UP);
	try_route(fd, SIOCDELRT, "10.0.0.0", "255.0.0.0", "0.0.0.0", NULL, RTF_UP);
	try_route(fd, SIOCDELRT, "10.0.0.0", "255.0.0.0", "0.0.0.0", "lo", RTF_UP);
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	try_route(fd, SIOCADDRT, "10.9.8.7", "0.0.0.0", "0.0.0.0", "lo", RTF_UP | RTF_HOST);
	say("%s", get_file("/proc/net/route"));
	try_route(fd, SIOCDELRT, "10.9.8.7", "0.0.0.0", "0.0.0.0", "lo", RTF_UP | RTF_HOST);
}

TEST(arp)
{
	struct arpreq request = { 0 };
	struct sockaddr_in addr = ADDR("10.9.8.7", 0);
	int fd = udp_socket();

	SHOW(ioctl(fd, SIOCGARP, &request));
	memcpy(&request.arp_pa, &addr, sizeof(addr));
	SHOW(ioctl(fd, SIOCGARP, &request));
	strcpy(request.arp_dev, "nothing");
	SHOW(ioctl(fd, SIOCGARP, &request));
	SHOW(ioctl(fd, SIOCSARP, &request));
	strcpy(request.arp_dev, "lo");
	SHOW(ioctl(fd, SIOCGARP, &request));
	SHOW(ioctl(fd, SIOCDARP, &request));
	request.arp_flags = ATF_NETMASK;
	SHOW(ioctl(fd, SIOCSARP, &request));
	request.arp_dev[0] = 0;
	request.arp_flags = ATF_COM;
	SHOW(ioctl(fd, SIOCSARP, &request));
	say("%s", get_file("/proc/net/arp"));
}
