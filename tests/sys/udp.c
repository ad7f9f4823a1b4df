/* UDP over lo: datagrams, addresses, connecting, errors, poll masks, ports. */
#include <tests/sys/test.h>

#include <tests/sys/inet.h>

static char buf[70000];

static void receive(int fd, size_t size, int flags)
{
	struct sockaddr_in from = { 0 };
	socklen_t length = sizeof(from);
	ssize_t n;

	memset(buf, 0, sizeof(buf));
	n = SHOW(recvfrom(fd, buf, size, flags, (struct sockaddr *)&from, &length));
	if (n >= 0) {
		say("\"%.20s\", address length %u", buf, length);
		say_addr("from", &from);
	}
}

TEST(datagrams)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_bound("127.0.0.1", 5001);
	struct sockaddr_in to = LO(5000);
	int left;

	stay_on_one_cpu();
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	SHOW(sendto(client, "hello", 5, 0, SA(to)));
	SHOW(sendto(client, "", 0, 0, SA(to)));
	SHOW(sendto(client, "a longer one", 12, 0, SA(to)));
	settle();
	SHOW(ioctl(server, FIONREAD, &left));
	say("next %d", left);
	receive(server, 100, MSG_PEEK);
	receive(server, 3, MSG_PEEK | MSG_TRUNC);
	receive(server, 100, 0);
	SHOW(ioctl(server, FIONREAD, &left));
	say("next %d", left);
	receive(server, 100, 0);
	receive(server, 4, MSG_TRUNC);
	receive(server, 100, MSG_DONTWAIT);
}

TEST(reading_and_writing)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);
	struct iovec out[] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } };
	char first[3], second[10] = "";
	struct iovec in[] = { { first, sizeof(first) }, { second, sizeof(second) } };

	stay_on_one_cpu();
	SHOW(write(client, "xyz", 3));
	SHOW(read(server, buf, 2));
	SHOW(writev(client, out, 3));
	SHOW(readv(server, in, 2));
	say("%.3s|%s", first, second);
	SHOW(write(client, "", 0));
	settle();
	fcntl(server, F_SETFL, O_NONBLOCK);
	SHOW(read(server, buf, 10));
	SHOW(write(server, "x", 1));
	SHOW(lseek(server, 0, SEEK_CUR));
	SHOW(sendto(client, NULL, 0, 0, NULL, 0));
	settle();
	SHOW(read(server, NULL, 0));
	SHOW(recv(server, NULL, 0, 0));
	SHOW(recv(server, NULL, 0, 0));
}

TEST(messages)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_bound("127.0.0.1", 5001);
	struct sockaddr_in to = LO(5000), from = { 0 };
	struct iovec out[] = { { "abc", 3 }, { "defg", 4 } }, in = { buf, 5 };
	struct msghdr send = { &to, sizeof(to), out, 2 };
	struct msghdr receive = { &from, sizeof(from), .msg_iov = &in, .msg_iovlen = 1,
				  .msg_flags = -1 };
	struct mmsghdr many[3] = { { send }, { send }, { send } };

	stay_on_one_cpu();
	SHOW(sendmsg(client, &send, 0));
	SHOW(recvmsg(server, &receive, 0));
	say("%.7s flags %x name %u control %zu", buf, receive.msg_flags, receive.msg_namelen,
	    (size_t)receive.msg_controllen);
	say_addr("from", &from);
	SHOW(sendmmsg(client, many, 3, 0));
	say("%u %u %u", many[0].msg_len, many[1].msg_len, many[2].msg_len);
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr = (struct msghdr){ NULL, 0, &in, 1 };
	settle();
	SHOW(recvmmsg(server, many, 3, MSG_DONTWAIT, NULL));
	say("%u %u %u flags %x", many[0].msg_len, many[1].msg_len, many[2].msg_len,
	    many[0].msg_hdr.msg_flags);
	SHOW(recvmmsg(server, many, 3, MSG_DONTWAIT, NULL));
	many[1].msg_hdr.msg_iovlen = 5000;
	many[0].msg_hdr = many[2].msg_hdr = send;
	SHOW(sendmmsg(client, many, 3, 0));
	SHOW(recvmmsg(server, many, 3, MSG_WAITFORONE, NULL));
}

TEST(connecting)
{
	int server = udp_bound("127.0.0.1", 5000), other = udp_bound("127.0.0.1", 5002);
	int client = udp_socket();
	struct sockaddr_in to = LO(5000), elsewhere = LO(5002), nowhere = ADDR("0.0.0.0", 5000);
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };

	stay_on_one_cpu();
	say_name(client);
	say_peer(client);
	SHOW(connect(client, SA(to)));
	say_name(client);
	say_peer(client);
	SHOW(send(client, "one", 3, 0));
	receive(server, 10, 0);
	SHOW(sendto(client, "two", 3, 0, SA(elsewhere)));
	receive(other, 10, 0);
	SHOW(send(client, "three", 5, 0));
	receive(server, 10, 0);

	/* What does not come from there is not for this one. */
	to = LO(port_of(client));
	SHOW(sendto(other, "no", 2, 0, SA(to)));
	SHOW(sendto(server, "yes", 3, 0, SA(to)));
	receive(client, 10, 0);
	settle();
	receive(client, 10, MSG_DONTWAIT);
	say_so_error(other);

	SHOW(connect(client, SA(elsewhere)));
	say_peer(client);
	SHOW(connect(client, SA(none)));
	say_name(client);
	say_peer(client);
	SHOW(send(client, "four", 4, 0));
	SHOW(connect(client, SA(nowhere)));
	say_name(client);
	say_peer(client);
	SHOW(send(client, "five", 4, 0));
	receive(server, 10, 0);
}

TEST(disconnecting_keeps_what_was_bound)
{
	struct sockaddr_in any = ADDR("0.0.0.0", 5001), mine = ADDR("127.0.0.2", 5002);
	struct sockaddr_in no_port = ADDR("127.0.0.3", 0), to = LO(5000);
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	struct sockaddr_in *addrs[] = { &any, &mine, &no_port };

	for (int i = 0; i < 3; i++) {
		int fd = udp_socket();

		SHOW(bind(fd, SA(*addrs[i])));
		SHOW(connect(fd, SA(to)));
		say_name(fd);
		SHOW(connect(fd, SA(none)));
		say_name(fd);
		SHOW(connect(fd, (struct sockaddr *)&none, 2));
		SHOW(connect(fd, SA(to)));
		say_name(fd);
		close(fd);
	}
}

TEST(wrong_addresses)
{
	struct sockaddr_in to = LO(5000), no_port = LO(0), far = ADDR("10.1.2.3", 5000);
	struct sockaddr_in everybody = ADDR("255.255.255.255", 5000);
	struct sockaddr_in lo_everybody = ADDR("127.255.255.255", 5000);
	struct sockaddr_in group = ADDR("224.1.2.3", 5000), zero = ADDR("0.1.2.3", 5000);
	int fd = udp_socket();

	SHOW(send(fd, "x", 1, 0));
	SHOW(sendto(fd, "x", 1, 0, SA(no_port)));
	SHOW(sendto(fd, "x", 1, 0, SA(far)));
	SHOW(sendto(fd, "x", 1, 0, SA(everybody)));
	SHOW(sendto(fd, "x", 1, 0, SA(lo_everybody)));
	SHOW(sendto(fd, "x", 1, 0, SA(group)));
	SHOW(sendto(fd, "x", 1, 0, SA(zero)));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, 15));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, 0));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, 2));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)buf, 128));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)buf, 129));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, -1));
	SHOW(sendto(fd, "x", 1, 0, (struct sockaddr *)1, 16));
	SHOW(sendto(fd, "x", 1, 0, NULL, 16));
	SHOW(sendto(fd, (char *)1, 1, 0, SA(to)));
	SHOW(sendto(fd, "x", 1, MSG_OOB, SA(to)));
	to.sin_family = AF_INET6;
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	SHOW(connect(fd, SA(to)));
	to.sin_family = AF_UNIX;
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	SHOW(bind(fd, SA(to)));
	to = LO(5000);
	to.sin_family = AF_UNSPEC;
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	SHOW(connect(fd, (struct sockaddr *)&to, 1));
	to = LO(5000);
	SHOW(connect(fd, (struct sockaddr *)&to, 15));
	SHOW(connect(fd, SA(far)));
	SHOW(connect(fd, SA(everybody)));
	SHOW(connect(fd, SA(lo_everybody)));
	SHOW(connect(fd, SA(group)));
	SHOW(connect(fd, SA(zero)));
	SHOW(connect(fd, SA(no_port)));
	say_peer(fd);
	SHOW(recv(fd, (char *)1, 1, MSG_DONTWAIT));
	SHOW(listen(fd, 1));
	SHOW(accept(fd, NULL, NULL));
}

TEST(sizes)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);
	static const int sizes[] = { 1472,  1473,  2100,  2200,	 4096,	10000,
				     65506, 65507, 65508, 65535, 65536, 70000 };
	static char back[70000];
	int big = 300000;

	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	setsockopt(client, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	for (int i = 0; i < 70000; i++)
		buf[i] = i * 7 + i / 256;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ssize_t n;

		if (SHOW_AS("send", send(client, buf, sizes[i], 0)) < 0)
			continue;
		n = SHOW_AS("recv", recv(server, back, sizeof(back), 0));
		say("equal: %s", yes_no(n == sizes[i] && !memcmp(buf, back, n)));
	}
}

TEST(bad_memory)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);
	struct iovec parts[] = { { "good", 4 }, { (void *)8, 4 } };
	socklen_t *no_length = (socklen_t *)1;

	SHOW(writev(client, parts, 2));
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	MUST(send(client, "abcdefgh", 8, 0));
	MUST(send(client, "second", 6, 0));
	SHOW(readv(server, parts, 0));
	SHOW(recv(server, (char *)8, 4, 0));
	SHOW(recvfrom(server, buf, 10, 0, (struct sockaddr *)8, no_length));
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	SHOW(getsockname(server, (struct sockaddr *)buf, no_length));
}

TEST(refused)
{
	int client = udp_connected(5000), server;

	say_poll("fresh", client);
	SHOW(send(client, "x", 1, 0));
	wait_for(client, 0);
	say_poll("refused", client);
	say_so_error(client);
	say_poll("told", client);
	say_so_error(client);

	SHOW(send(client, "x", 1, 0));
	wait_for(client, 0);
	SHOW(recv(client, buf, 10, 0));
	SHOW(recv(client, buf, 10, MSG_DONTWAIT));
	SHOW(send(client, "x", 1, 0));
	wait_for(client, 0);
	SHOW(send(client, "x", 1, 0));
	SHOW(send(client, "x", 1, 0));
	wait_for(client, 0);
	server = udp_bound("127.0.0.1", 5000);
	SHOW(write(client, "x", 1));
	SHOW(write(client, "y", 1));
	receive(server, 10, 0);
}

TEST(refused_while_waiting)
{
	int client = udp_connected(5000);
	char go;
	int pipes[2];

	MUST(pipe(pipes));
	IN_CHILD("receiver")
	{
		if (MUST(fork()) == 0) {
			sleep_ms(20);
			send(client, "x", 1, 0);
			_exit(0);
		}
		SHOW(recv(client, &go, 1, 0));
	}
}

/* Nobody who is not connected is told, unless he asks. */
TEST(refused_unconnected)
{
	int fd = udp_socket(), probe = udp_connected(5000);
	struct sockaddr_in to = LO(5000);

	SHOW(sendto(fd, "x", 1, 0, SA(to)));
	send(probe, "x", 1, 0);
	wait_for(probe, 0);
	say_poll("unconnected", fd);
	say_so_error(fd);
	SHOW(sendto(fd, "x", 1, 0, SA(to)));
}

TEST(poll_masks)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);

	say_poll("empty", server);
	MUST(send(client, "", 0, 0));
	wait_for(server, POLLIN);
	say_poll("zero-length", server);
	SHOW(recv(server, buf, 10, 0));
	say_poll("empty again", server);
	SHOW(shutdown(server, SHUT_RD));
	say_poll("unconnected, shut down", server);
	SHOW(shutdown(client, SHUT_WR));
	say_poll("SHUT_WR", client);
	SHOW(send(client, "x", 1, 0));
	SHOW(shutdown(client, SHUT_RD));
	say_poll("both", client);
	SHOW(recv(client, buf, 10, 0));
	SHOW(shutdown(client, 3));
	SHOW(shutdown(client, -1));
}

TEST(shut_down_reader)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000), back;
	struct sockaddr_in to = LO(port_of(client));

	stay_on_one_cpu();
	MUST(connect(server, SA(to)));
	SHOW(shutdown(server, SHUT_RD));
	SHOW(send(client, "after", 5, 0));
	settle();
	say_poll("shut", server);
	SHOW(recv(server, buf, 10, 0));
	SHOW(recv(server, buf, 10, 0));
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	SHOW(send(server, "x", 1, 0));
	SHOW(recv(client, buf, 10, 0));
	back = udp_connected(5000);
	IN_CHILD("waiting reader")
	{
		if (MUST(fork()) == 0) {
			sleep_ms(20);
			shutdown(back, SHUT_RDWR);
			_exit(0);
		}
		SHOW(recv(back, buf, 10, 0));
	}
}

static void ignore(int sig)
{
}

TEST(waiting)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);
	struct timeval timeout = { 0, 20000 };
	int64_t start;

	if (MUST(fork()) == 0) {
		sleep_ms(20);
		send(client, "wake", 4, 0);
		_exit(0);
	}
	SHOW(recv(server, buf, 10, 0));
	wait(NULL);
	MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	start = now_ns();
	SHOW(recv(server, buf, 10, 0));
	say("not early: %s", yes_no(now_ns() - start >= 20000000));
	/* Again and again: the first may come before the wait begins. */
	set_handler(SIGALRM, ignore, SA_RESTART);
	timeout.tv_sec = 10;
	MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	ualarm(10000, 10000);
	SHOW(recv(server, buf, 10, 0));
	ualarm(0, 0);
	timeout = (struct timeval){ 0, 0 };
	MUST(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	set_handler(SIGALRM, ignore, 0);
	ualarm(10000, 10000);
	SHOW(recv(server, buf, 10, 0));
	ualarm(0, 0);
}

/* What does not fit is lost, and the sender does not notice. */
TEST(full_queue)
{
	int server = udp_bound("127.0.0.1", 5000), client = udp_connected(5000);
	int sent = 0, received = 0, small = 10000;

	stay_on_one_cpu();
	MUST(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	while (sent < 500 && send(client, "x", 1, 0) == 1)
		sent++;
	settle();
	while (recv(server, buf, 10, MSG_DONTWAIT) == 1)
		received++;
	say("sent %d, some received: %s, some lost: %s", sent, yes_no(received > 0),
	    yes_no(received < sent));
	SHOW(send(client, "again", 5, 0));
	SHOW(recv(server, buf, 10, 0));
}

TEST(corking)
{
	int server = udp_bound("127.0.0.1", 5000), other = udp_bound("127.0.0.1", 5002);
	int client = udp_connected(5000);
	struct sockaddr_in elsewhere = LO(5002);
	static char big[40000];
	int on = 1, off = 0;
	socklen_t length = sizeof(on);

	stay_on_one_cpu();
	SHOW(send(client, "ab", 2, MSG_MORE));
	SHOW(send(client, "cd", 2, MSG_MORE));
	settle();
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	SHOW(send(client, "ef", 2, 0));
	receive(server, 10, 0);
	SHOW(setsockopt(client, IPPROTO_UDP, 1, &on, sizeof(on)));
	SHOW(getsockopt(client, IPPROTO_UDP, 1, &on, &length));
	say("corked %d", on);
	SHOW(send(client, "12", 2, 0));
	SHOW(send(client, "", 0, 0));
	SHOW(send(client, "34", 2, 0));
	settle();
	SHOW(recv(server, buf, 10, MSG_DONTWAIT));
	SHOW(setsockopt(client, IPPROTO_UDP, 1, &off, sizeof(off)));
	receive(server, 10, 0);
	SHOW(sendto(client, "x", 1, MSG_MORE, SA(elsewhere)));
	SHOW(send(client, "y", 1, 0));
	settle();
	receive(other, 10, MSG_DONTWAIT);
	SHOW(send(client, big, sizeof(big), MSG_MORE));
	SHOW(send(client, big, sizeof(big), 0));
	settle();
	SHOW(recv(server, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(send(client, "z", 1, 0));
	settle();
	SHOW(recv(server, buf, sizeof(buf), MSG_DONTWAIT));
	SHOW(setsockopt(client, IPPROTO_UDP, 1, &on, 3));
	SHOW(setsockopt(client, IPPROTO_UDP, 99, &on, 4));
	SHOW(getsockopt(client, IPPROTO_UDP, 99, &on, &length));
}

TEST(broadcast)
{
	struct sockaddr_in to = ADDR("127.255.255.255", 5000);
	int a = udp_socket(), b = udp_socket(), sender = udp_socket();
	int specific, exact;
	struct sockaddr_in any = ADDR("0.0.0.0", 5000);

	stay_on_one_cpu();
	set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
	SHOW(bind(a, SA(any)));
	SHOW(bind(b, SA(any)));
	specific = udp_socket();
	set_option(specific, SOL_SOCKET, SO_REUSEADDR, 1);
	exact = udp_socket();
	set_option(exact, SOL_SOCKET, SO_REUSEADDR, 1);
	any = LO(5000);
	SHOW(bind(specific, SA(any)));
	SHOW(bind(exact, SA(to)));
	say_name(exact);
	SHOW(sendto(sender, "x", 1, 0, SA(to)));
	SHOW(connect(sender, SA(to)));
	set_option(sender, SOL_SOCKET, SO_BROADCAST, 1);
	SHOW(sendto(sender, "all", 3, 0, SA(to)));
	SHOW(connect(sender, SA(to)));
	SHOW(send(sender, "all", 3, 0));
	settle();
	for (int i = 0; i < 2; i++) {
		SHOW(recv(a, buf, 10, MSG_DONTWAIT));
		SHOW(recv(b, buf, 10, MSG_DONTWAIT));
		SHOW(recv(specific, buf, 10, MSG_DONTWAIT));
		SHOW(recv(exact, buf, 10, MSG_DONTWAIT));
	}
	set_option(exact, SOL_SOCKET, SO_BROADCAST, 1);
	to = LO(5000);
	SHOW(sendto(exact, "from", 4, 0, SA(to)));
	receive(specific, 10, 0);
}

/* The one that knows most gets it. */
TEST(who_receives)
{
	struct sockaddr_in any = ADDR("0.0.0.0", 5000), mine = LO(5000), to = LO(5000);
	struct sockaddr_in second = ADDR("127.0.0.2", 5000), peer = LO(5001);
	int wild = udp_socket(), bound = udp_socket(), connected = udp_socket();
	int sender = udp_bound("127.0.0.1", 5001), stranger = udp_bound("127.0.0.1", 5002);

	stay_on_one_cpu();
	set_option(wild, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(bound, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(connected, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind(connected, SA(mine)));
	MUST(connect(connected, SA(peer)));
	MUST(bind(bound, SA(mine)));
	MUST(bind(wild, SA(any)));
	MUST(sendto(sender, "to connected", 12, 0, SA(to)));
	MUST(sendto(stranger, "to bound", 8, 0, SA(to)));
	MUST(sendto(stranger, "to wild", 7, 0, SA(second)));
	settle();
	receive(connected, 20, MSG_DONTWAIT);
	receive(connected, 20, MSG_DONTWAIT);
	receive(bound, 20, MSG_DONTWAIT);
	receive(bound, 20, MSG_DONTWAIT);
	receive(wild, 20, MSG_DONTWAIT);
	receive(wild, 20, MSG_DONTWAIT);
	close(connected);
	MUST(sendto(sender, "to bound", 8, 0, SA(to)));
	settle();
	receive(bound, 20, MSG_DONTWAIT);
	/* The newest of equals. */
	connected = udp_socket();
	set_option(connected, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind(connected, SA(mine)));
	MUST(sendto(sender, "to the newest", 13, 0, SA(to)));
	settle();
	receive(connected, 20, MSG_DONTWAIT);
	receive(bound, 20, MSG_DONTWAIT);
}

TEST(sharing_by_reuseport)
{
	enum { SHARERS = 4, PEERS = 64 };
	int sharers[SHARERS], total = 0, used = 0, faithful = 0;
	struct sockaddr_in mine = LO(5000);

	stay_on_one_cpu();
	for (int i = 0; i < SHARERS; i++) {
		sharers[i] = udp_socket();
		set_option(sharers[i], SOL_SOCKET, SO_REUSEPORT, 1);
		MUST(bind(sharers[i], SA(mine)));
	}
	for (int i = 0; i < PEERS; i++) {
		int peer = udp_connected(5000), where[2] = { -1, -2 };

		for (int round = 0; round < 2; round++) {
			MUST(send(peer, "x", 1, 0));
			settle();
			for (int j = 0; j < SHARERS; j++)
				if (recv(sharers[j], buf, 10, MSG_DONTWAIT) == 1) {
					where[round] = j;
					used |= 1 << j;
					total++;
				}
		}
		faithful += where[0] == where[1];
		close(peer);
	}
	say("%d received, %d peers stayed with one, all had work: %s", total, faithful,
	    yes_no(used == (1 << SHARERS) - 1));
}
