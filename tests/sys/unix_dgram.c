/* Unix datagrams: pairs, names, who may send to whom, full queues, poll, flags. */
#include <tests/sys/sockets.h>

static int fds[2];

static int dgram(const char *name)
{
	int fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));

	if (name)
		MUST(bind_to(fd, name));
	return fd;
}

static void receive_from(int fd, int flags)
{
	struct sockaddr_un address = { 0 };
	socklen_t length = sizeof(address);

	if (SHOW(recvfrom(fd, buf, sizeof(buf), flags, (void *)&address, &length)) >= 0)
		say_address("from", &address, length);
}

TEST(pairs)
{
	int n;

	pair(fds, SOCK_DGRAM);
	say_poll("fresh", fds[0]);
	SHOW(write(fds[0], "abc", 3));
	SHOW(write(fds[0], "", 0));
	SHOW(write(fds[0], "defgh", 5));
	SHOW(ioctl(fds[1], FIONREAD, &n));
	say("%d to read", n);
	SHOW(read(fds[1], buf, 2));
	SHOW(read(fds[1], buf, 10));
	SHOW(recv(fds[1], buf, 0, 0));
	SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
	receive_from(fds[1], MSG_DONTWAIT);
	MUST(write(fds[0], "abc", 3));
	receive_from(fds[1], 0);
	SHOW(listen(fds[0], 1));
	SHOW(accept(fds[0], NULL, NULL));
	say_names("one", fds[0]);
	SHOW(connect_to(fds[0], "@nobody"));
	close(fds[1]);
	say_poll("peer gone", fds[0]);
	SHOW(write(fds[0], "x", 1));
	SHOW(write(fds[0], "x", 1));
	SHOW(recv(fds[0], buf, 1, MSG_DONTWAIT));
	say_names("one", fds[0]);
}

TEST(names)
{
	int a = dgram("a"), b = dgram("@b"), c = dgram(NULL);

	SHOW(send_to(a, "@b", "from a", 0));
	SHOW(send_to(c, "@b", "from nobody", 0));
	SHOW(send_to(b, "a", "from b", 0));
	SHOW(send_to(b, "nothing", "x", 0));
	SHOW(send_to(b, "@nothing", "x", 0));
	receive_from(b, 0);
	receive_from(b, MSG_PEEK);
	receive_from(b, 0);
	receive_from(a, 0);
	SHOW(send(a, "x", 1, 0));
	SHOW(sendto(a, "x", 1, 0, (void *)"", 1));
	SHOW(sendto(a, "x", 1, 0, (void *)8, 10));
	SHOW(connect_to(a, "@b"));
	SHOW(send(a, "connected", 9, 0));
	receive_from(b, 0);
	say_names("a", a);
	SHOW(send_to(c, "a", "x", 0));
	SHOW(send_to(b, "a", "x", 0));
	SHOW(connect_to(c, "a"));
	SHOW(send_to(a, "a", "x", 0));
	SHOW(connect(a, (void *)&(struct sockaddr_un){ AF_UNSPEC }, 2));
	SHOW(connect(a, (void *)&(struct sockaddr_un){ AF_UNSPEC }, 1));
	SHOW(send(a, "x", 1, 0));
	SHOW(send_to(a, "a", "to myself", 0));
	receive_from(a, 0);
	receive_from(a, MSG_DONTWAIT);
	close(b);
	SHOW(connect_to(a, "@b"));
	SHOW(send_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "a", "x", 0));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "a"));
}

TEST(reconnect)
{
	int a = dgram("@a"), b = dgram("@b"), c = dgram("@c");

	MUST(connect_to(a, "@b"));
	MUST(connect_to(b, "@a"));
	MUST(send(b, "queued", 6, 0));
	SHOW(connect_to(a, "@c"));
	SHOW(recv(a, buf, 10, MSG_DONTWAIT));
	say_poll("b", b);
	say_error("b", b);
	SHOW(send(b, "x", 1, 0));
	SHOW(send(a, "x", 1, 0));
	receive_from(c, 0);
	MUST(connect_to(c, "@a"));
	SHOW(connect_to(a, "@b"));
	say_error("c", c);
	close(b);
	SHOW(send(a, "x", 1, 0));
	SHOW(send(a, "x", 1, 0));
	b = dgram("@b");
	SHOW(send(a, "x", 1, 0));
	SHOW(connect_to(a, "@b"));
	SHOW(send(a, "x", 1, 0));
}

static void nothing(int sig)
{
}

TEST(full_queue)
{
	int receiver = dgram("@full"), sender = dgram(NULL), n = 0;
	struct timeval limit = { 0, 30000 };

	MUST(connect_to(sender, "@full"));
	while (send(sender, "x", 1, MSG_DONTWAIT) == 1)
		n++;
	say("%d datagrams, then %s", n, errno_text(errno));
	say_poll("sender", sender);
	SHOW(send_to(dgram(NULL), "@full", "x", MSG_DONTWAIT));
	say_poll("another", dgram(NULL));
	SHOW(read(receiver, buf, 10));
	say_poll("sender", sender);
	MUST(write(sender, "x", 1));
	say_poll("sender", sender);
	MUST(setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	SHOW(write(sender, "x", 1));
	limit.tv_usec = 0;
	MUST(setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	set_handler(SIGALRM, nothing, 0);
	signal_when_asleep(SIGALRM);
	SHOW(write(sender, "x", 1));
	if (fork() == 0) {
		sleep_ms(30);
		MUST(read(receiver, buf, 10));
		_exit(0);
	}
	SHOW(write(sender, "x", 1));
	wait(NULL);
	if (fork() == 0) {
		sleep_ms(30);
		MUST(read(receiver, buf, 10));
		_exit(0);
	}
	SHOW(poll(&(struct pollfd){ sender, POLLOUT, 0 }, 1, 5000));
	wait(NULL);
	MUST(write(sender, "x", 1));
	if (fork() == 0) {
		sleep_ms(30);
		_exit(0);
	}
	close(receiver);
	SHOW(write(sender, "x", 1));
	wait(NULL);
}

TEST(receiver_closes_while_sender_waits)
{
	int receiver = dgram("@ends"), sender = dgram(NULL);
	pid_t child;

	MUST(connect_to(sender, "@ends"));
	while (send(sender, "x", 1, MSG_DONTWAIT) == 1)
		;
	child = MUST(fork());
	if (child == 0) {
		close(receiver);
		SHOW(write(sender, "x", 1));
		_exit(0);
	}
	wait_asleep(child, child);
	close(receiver);
	reap("sender", child);
}

TEST(shutdowns)
{
	for (int how = 0; how < 3; how++) {
		say("how %d", how);
		pair(fds, SOCK_DGRAM);
		MUST(write(fds[0], "ab", 2));
		MUST(write(fds[1], "cd", 2));
		SHOW(shutdown(fds[0], how));
		say_poll("self", fds[0]);
		say_poll("peer", fds[1]);
		SHOW(recv(fds[0], buf, 10, 0));
		SHOW(recv(fds[0], buf, 10, MSG_DONTWAIT));
		SHOW(send(fds[0], "x", 1, 0));
		SHOW(recv(fds[1], buf, 10, 0));
		SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
		SHOW(send(fds[1], "x", 1, 0));
	}
	pair(fds, SOCK_DGRAM);
	shutdown(fds[0], SHUT_RD);
	SHOW(recv(fds[0], buf, 10, 0));
}

TEST(sizes)
{
	static const size_t sizes[] = { 0, 1, 2240, 2241, 60000, 100000, 180000 };
	static char large[200000], back[200000];

	pair(fds, SOCK_DGRAM);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = i * 7;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		say("%zu", sizes[i]);
		SHOW(write(fds[0], large, sizes[i]));
		SHOW(read(fds[1], back, sizeof(back)));
		say("right: %s", yes_no(!memcmp(large, back, sizes[i])));
	}
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){ 5000 }, sizeof(int)));
	SHOW(write(fds[0], large, 9968));
	SHOW(write(fds[0], large, 9969));
}

TEST(flags)
{
	struct iovec iov = { buf, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	pair(fds, SOCK_DGRAM);
	MUST(write(fds[0], "abcdef", 6));
	SHOW(recv(fds[1], buf, 2, MSG_PEEK));
	SHOW(recv(fds[1], buf, 2, MSG_PEEK | MSG_TRUNC));
	SHOW(recvmsg(fds[1], &msg, MSG_PEEK));
	say("flags %x", msg.msg_flags);
	SHOW(recvmsg(fds[1], &msg, MSG_TRUNC));
	say("flags %x", msg.msg_flags);
	SHOW(send(fds[0], "x", 1, MSG_OOB));
	SHOW(recv(fds[0], buf, 1, MSG_OOB));
	SHOW(send(fds[0], "x", 1, MSG_EOR | MSG_MORE));
	SHOW(recv(fds[1], buf, 10, MSG_WAITALL));
	iov.iov_len = 10;
	MUST(write(fds[0], "abcdef", 6));
	msg.msg_name = buf + 100;
	msg.msg_namelen = 50;
	msg.msg_control = buf + 200;
	msg.msg_controllen = 50;
	SHOW(recvmsg(fds[1], &msg, MSG_CMSG_CLOEXEC));
	say("flags %x, name %d, control %d", msg.msg_flags, msg.msg_namelen,
	    (int)msg.msg_controllen);
}

TEST(many_messages)
{
	struct mmsghdr messages[5];
	struct iovec iov[5];
	struct timespec limit = { 0, 20 * MSEC };

	pair(fds, SOCK_DGRAM);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < 5; i++) {
		iov[i] = (struct iovec){ buf + i * 10, i + 1 };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	SHOW(sendmmsg(fds[0], messages, 5, 0));
	say("lengths %d %d", messages[0].msg_len, messages[4].msg_len);
	SHOW(recvmmsg(fds[1], messages, 3, 0, NULL));
	say("lengths %d %d", messages[0].msg_len, messages[2].msg_len);
	SHOW(recvmmsg(fds[1], messages, 5, MSG_WAITFORONE, NULL));
	SHOW(recvmmsg(fds[1], messages, 5, MSG_DONTWAIT, NULL));
	SHOW(sendmmsg(fds[0], messages, 0, 0));
	SHOW(sendmmsg(fds[0], (void *)8, 1, 0));
	SHOW(recvmmsg(fds[1], (void *)8, 1, MSG_DONTWAIT, NULL));
	messages[1].msg_hdr.msg_iov = (void *)8;
	SHOW(sendmmsg(fds[0], messages, 5, 0));
	SHOW(sendmmsg(fds[0], messages + 1, 4, 0));
	messages[1].msg_hdr.msg_iov = &iov[1];
	MUST(write(fds[0], "a", 1));
	MUST(write(fds[0], "b", 1));
	SHOW(recvmmsg(fds[1], messages, 3, 0, &(struct timespec){ 0, 0 }));
	limit.tv_nsec = -1;
	SHOW(recvmmsg(fds[1], messages, 3, 0, &limit));
	SHOW(recvmmsg(fds[1], messages, 3, 0, (void *)8));
}

TEST(timestamps)
{
	char control[200];
	struct iovec iov = { buf, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *cmsg;
	struct timeval now, then;

	pair(fds, SOCK_DGRAM);
	for (int i = 0; i < 2; i++) {
		MUST(setsockopt(fds[1], SOL_SOCKET, i ? SO_TIMESTAMPNS : SO_TIMESTAMP, &(int){ 1 },
				4));
		MUST(write(fds[0], "x", 1));
		msg.msg_controllen = sizeof(control);
		MUST(recvmsg(fds[1], &msg, 0));
		gettimeofday(&now, NULL);
		cmsg = CMSG_FIRSTHDR(&msg);
		say("level %d, type %d, length %d", cmsg->cmsg_level, cmsg->cmsg_type,
		    (int)cmsg->cmsg_len);
		memcpy(&then, CMSG_DATA(cmsg), sizeof(then));
		say("just now: %s", yes_no(now.tv_sec - then.tv_sec <= 2));
	}
}
