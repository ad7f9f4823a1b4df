/* Ports of UDP: who may have which, who may share one, and which is given to who does not care. */
#include <tests/sys/test.h>

#include <tests/sys/inet.h>

enum { PLAIN = 0, ADDR_REUSE = 1, PORT_REUSE = 2, BOTH = 3 };

static int try_bind(const char *text, int port, int reuse, int *fd)
{
	struct sockaddr_in addr = ADDR(text, port);

	*fd = udp_socket();
	set_option(*fd, SOL_SOCKET, SO_REUSEADDR, reuse & ADDR_REUSE ? 1 : 0);
	set_option(*fd, SOL_SOCKET, SO_REUSEPORT, reuse & PORT_REUSE ? 1 : 0);
	return bind(*fd, SA(addr));
}

static const char *const reuse_names[] = { "plain", "reuseaddr", "reuseport", "both" };

TEST(conflicts)
{
	static const char *const addrs[] = { "0.0.0.0", "127.0.0.1", "127.0.0.2" };
	int first, second;

	for (size_t a = 0; a < ARRAY_SIZE(addrs); a++)
		for (size_t b = 0; b < ARRAY_SIZE(addrs); b++)
			for (int i = PLAIN; i <= BOTH; i++)
				for (int j = PLAIN; j <= BOTH; j++) {
					MUST(try_bind(addrs[a], 5000, i, &first));
					say("%s %s, then %s %s: %s", addrs[a], reuse_names[i],
					    addrs[b], reuse_names[j],
					    try_bind(addrs[b], 5000, j, &second) ? errno_text(errno)
										 : "fine");
					close(first);
					close(second);
				}
}

TEST(other_users_do_not_share)
{
	int first, second;

	MUST(try_bind("127.0.0.1", 5000, PORT_REUSE, &first));
	IN_CHILD("nobody")
	{
		become_nobody();
		SHOW(try_bind("127.0.0.1", 5000, PORT_REUSE, &second));
		SHOW(try_bind("127.0.0.1", 5000, BOTH, &second));
		SHOW(try_bind("127.0.0.2", 5000, PLAIN, &second));
	}
}

TEST(binding)
{
	struct sockaddr_in addr = LO(5000), far = ADDR("10.1.2.3", 5000),
			   group = ADDR("224.0.0.9", 5001);
	struct sockaddr_in everybody = ADDR("255.255.255.255", 5002);
	int fd = udp_socket();

	SHOW(bind(fd, (struct sockaddr *)&addr, 15));
	SHOW(bind(fd, (struct sockaddr *)&addr, 0));
	SHOW(bind(fd, SA(far)));
	SHOW(bind(fd, SA(addr)));
	SHOW(bind(fd, SA(addr)));
	addr.sin_port = htons(5003);
	SHOW(bind(fd, SA(addr)));
	say_name(fd);
	fd = udp_socket();
	SHOW(bind(fd, SA(group)));
	say_name(fd);
	fd = udp_socket();
	SHOW(bind(fd, SA(everybody)));
	say_name(fd);
	fd = udp_socket();
	addr = (struct sockaddr_in){ .sin_family = AF_UNSPEC, .sin_port = htons(5004) };
	SHOW(bind(fd, SA(addr)));
	say_name(fd);
	fd = udp_socket();
	addr.sin_addr.s_addr = inet_addr("127.0.0.1");
	SHOW(bind(fd, SA(addr)));
	addr = LO(5005);
	SHOW(connect(fd, SA(addr)));
	SHOW(bind(fd, SA(addr)));
	fd = udp_socket();
	set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	SHOW(bind(fd, SA(far)));
	say_name(fd);
}

TEST(privileged)
{
	struct sockaddr_in low = LO(1023), high = LO(1024), none = LO(0);
	int fd;

	fd = udp_socket();
	SHOW(bind(fd, SA(low)));
	close(fd);
	become_nobody();
	fd = udp_socket();
	SHOW(bind(fd, SA(low)));
	SHOW(bind(fd, SA(high)));
	fd = udp_socket();
	SHOW(bind(fd, SA(none)));
}

TEST(chosen)
{
	enum { MANY = 200 };
	struct sockaddr_in none = LO(0), to = LO(5000);
	int seen[MANY], in_range = 0, doubles = 0;

	for (int i = 0; i < MANY; i++) {
		int fd = udp_socket();

		if (i & 1)
			MUST(bind(fd, SA(none)));
		else
			MUST(sendto(fd, "x", 1, 0, SA(to)));
		seen[i] = port_of(fd);
		in_range += seen[i] >= 32768 && seen[i] <= 60999;
		for (int j = 0; j < i; j++)
			doubles += seen[i] == seen[j];
	}
	say("%d in range, %d twice", in_range, doubles);
}

TEST(a_small_range)
{
	struct sockaddr_in none = LO(0), to = LO(5000);
	int fds[12];

	put_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40009");
	say("%s", get_file("/proc/sys/net/ipv4/ip_local_port_range"));
	for (int i = 0; i < 10; i++) {
		fds[i] = udp_socket();
		MUST(bind(fds[i], SA(none)));
	}
	fds[10] = udp_socket();
	SHOW(bind(fds[10], SA(none)));
	SHOW(sendto(fds[10], "x", 1, 0, SA(to)));
	SHOW(connect(fds[10], SA(to)));
	none = ADDR("127.0.0.2", 0);
	SHOW(bind(fds[10], SA(none)));
	close(fds[10]);
	close(fds[3]);
	fds[11] = udp_socket();
	SHOW(connect(fds[11], SA(to)));
	put_file("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
	say("%s", get_file("/proc/sys/net/ipv4/ip_local_port_range"));
}

/* As many as there are ports, and one more. */
TEST(all_of_them)
{
	struct sockaddr_in none = LO(0);
	int got = 0, fd;

	put_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40899");
	while ((fd = udp_socket()) >= 0 && bind(fd, SA(none)) == 0)
		got++;
	say("%d, then %s", got, errno_text(errno));
	close(100);
	SHOW(bind(fd, SA(none)));
	put_file("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999");
}

TEST(bind_to_device)
{
	int fd = udp_socket(), server = udp_bound("127.0.0.1", 5000);
	struct sockaddr_in to = LO(5000);
	char name[16];
	socklen_t length = sizeof(name);

	SHOW(setsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, "nothing", 7));
	SHOW(setsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	SHOW(getsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, name, &length));
	say("%u %s", length, name);
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	SHOW(recv(server, name, 1, 0));
	SHOW(setsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
}

/* The table that netstat reads; lines in any order. */
TEST(listing)
{
	int bound = udp_bound("127.0.0.1", 5000), connected = udp_connected(5000), line = 0;
	char needle[200], *text;

	set_option(connected, SOL_SOCKET, SO_BROADCAST, 1);
	text = (char *)get_file("/proc/net/udp");
	say("%.*s|", (int)strcspn(text, "\n"), text);
	snprintf(needle, sizeof(needle), ": 0100007F:1388 00000000:0000 07 00000000:00000000 ");
	say("bound: %s", yes_no(strstr(text, needle)));
	snprintf(needle, sizeof(needle), ": 0100007F:%04X 0100007F:1388 01 00000000:00000000 ",
		 port_of(connected));
	say("connected: %s", yes_no(strstr(text, needle)));
	for (char *next = text; (next = strchr(next, '\n')); next++)
		line++;
	say("%d lines of %zu", line, strlen(text) / line);
	MUST(send(connected, "x", 1, 0));
	text = (char *)get_file("/proc/net/udp");
	say("queued: %s", yes_no(!strstr(text, ":1388 00000000:0000 07 00000000:00000000")));
	close(bound);
	text = (char *)get_file("/proc/net/udp");
	say("closed: %s", yes_no(!strstr(text, "0100007F:1388 00000000")));
}
