/* Unix streams and sequenced packets: pairs, names, listening, ends, signals, flags. */
#include <sys/sendfile.h>
#include <tests/sys/sockets.h>

static int fds[2];

TEST(pair_basic)
{
	int n;

	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	SHOW(write(fds[0], "hello", 5));
	SHOW(ioctl(fds[1], FIONREAD, &n));
	say("%d to read", n);
	SHOW(read(fds[1], buf, 2));
	SHOW(write(fds[0], "more", 4));
	SHOW(ioctl(fds[1], FIONREAD, &n));
	say("%d to read", n);
	SHOW(read(fds[1], buf, 100));
	say("%.7s", buf);
	SHOW(write(fds[1], "back", 4));
	SHOW(recv(fds[0], buf, 100, 0));
	SHOW(write(fds[0], "", 0));
	SHOW(send(fds[0], "", 0, 0));
	SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
	SHOW(recv(fds[1], buf, 0, MSG_DONTWAIT));
	SHOW(read(fds[1], buf, 0));
	SHOW(lseek(fds[0], 0, SEEK_SET));
	SHOW(pread(fds[0], buf, 1, 0));
	SHOW(ftruncate(fds[0], 0));
	SHOW(fsync(fds[0]));
	SHOW(ioctl(fds[0], 0x1234, 0));
	say_names("one", fds[0]);
}

TEST(stat_and_proc)
{
	char path[64], link[64] = "";
	struct stat status;

	pair(fds, SOCK_STREAM);
	SHOW(fstat(fds[0], &status));
	say("mode %o, links %d, size %d", status.st_mode, (int)status.st_nlink,
	    (int)status.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	MUST(readlink(path, link, sizeof(link)));
	snprintf(path, sizeof(path), "socket:[%lu]", status.st_ino);
	say("link is %s", strcmp(link, path) ? link : "right");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	SHOW(open(path, O_RDWR));
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(fcntl(fds[0], F_GETFD));
	pair(fds, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(fcntl(fds[1], F_GETFD));
	SHOW(read(fds[0], buf, 1));
}

TEST(ends)
{
	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "abc", 3));
	close(fds[0]);
	SHOW(read(fds[1], buf, 2));
	SHOW(read(fds[1], buf, 2));
	SHOW(read(fds[1], buf, 2));
	signal(SIGPIPE, SIG_IGN);
	SHOW(write(fds[1], "x", 1));
	signal(SIGPIPE, SIG_DFL);
	SHOW(send(fds[1], "x", 1, MSG_NOSIGNAL));
	IN_CHILD("write")
	write(fds[1], "x", 1);
	IN_CHILD("send")
	send(fds[1], "x", 1, 0);
	close(fds[1]);

	say("unread data");
	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "abc", 3));
	close(fds[1]);
	say_poll("reset", fds[0]);
	SHOW(read(fds[0], buf, 1));
	SHOW(read(fds[0], buf, 1));
	SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
	close(fds[0]);

	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "abc", 3));
	MUST(write(fds[1], "abc", 3));
	close(fds[1]);
	SHOW(read(fds[0], buf, 10));
	SHOW(read(fds[0], buf, 10));
	SHOW(read(fds[0], buf, 10));
}

TEST(shutdowns)
{
	for (int how = 0; how < 3; how++) {
		say("how %d", how);
		pair(fds, SOCK_STREAM);
		MUST(write(fds[0], "ab", 2));
		MUST(write(fds[1], "cd", 2));
		SHOW(shutdown(fds[0], how));
		say_poll("self", fds[0]);
		say_poll("peer", fds[1]);
		SHOW(recv(fds[0], buf, 10, MSG_DONTWAIT));
		SHOW(recv(fds[0], buf, 10, MSG_DONTWAIT));
		SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
		SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
		SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
		SHOW(send(fds[1], "x", 1, MSG_NOSIGNAL));
		SHOW(shutdown(fds[0], how));
		close(fds[0]);
		close(fds[1]);
	}
	SHOW(shutdown(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), SHUT_RDWR));
	pair(fds, SOCK_STREAM);
	SHOW(shutdown(fds[0], 3));
	SHOW(shutdown(fds[0], -1));
}

TEST(not_connected)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	say_poll("fresh", fd);
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, "x", 1));
	SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
	SHOW(send_to(fd, "@nobody", "x", 0));
	SHOW(accept(fd, NULL, NULL));
	SHOW(listen(fd, 1));
	say_names("fresh", fd);
	SHOW(connect_to(fd, "nothing"));
	SHOW(connect_to(fd, "@nothing"));
	put_file("plain", "");
	SHOW(connect_to(fd, "plain"));
	SHOW(connect_to(fd, "plain/x"));
	SHOW(connect_to(fd, "."));
	pair(fds, SOCK_STREAM);
	SHOW(send_to(fds[0], "@nobody", "x", 0));
	SHOW(connect_to(fds[0], "@nobody"));
	SHOW(listen(fds[0], 1));
	SHOW(accept(fds[0], NULL, NULL));
	SHOW(bind_to(fds[0], "@late"));
	SHOW(listen(fds[0], 1));
}

TEST(listening)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int server = listener("server", SOCK_STREAM, 5), client, child;

	say_poll("listener", server);
	SHOW(fcntl(server, F_SETFL, O_NONBLOCK));
	SHOW(accept(server, NULL, NULL));
	client = connected("server", SOCK_STREAM);
	say_poll("one to accept", server);
	say_poll("not accepted", client);
	SHOW(write(client, "early", 5));
	memset(&address, 0, sizeof(address));
	child = MUST(accept(server, (void *)&address, &length));
	say_address("accepted", &address, length);
	SHOW(fcntl(child, F_GETFL));
	SHOW(read(child, buf, 10));
	say_names("child", child);
	say_names("client", client);
	say_names("server", server);
	SHOW(connect_to(client, "server"));
	SHOW(connect_to(server, "server"));
	SHOW(read(server, buf, 1));
	SHOW(send(server, "x", 1, MSG_NOSIGNAL));
	SHOW(ioctl(server, FIONREAD, &length));
	SHOW(bind_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "server"));
	SHOW(bind_to(server, "other"));
	SHOW(access("other", F_OK));
	SHOW(bind_to(server, "server"));
	SHOW(bind_to(server, "no/where"));
	SHOW(listen(server, 2));
	SHOW(listen(client, 2));
	close(server);
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "server"));
	SHOW(unlink("server"));
	SHOW(write(client, "x", 1));
	SHOW(read(child, buf, 1));
}

TEST(not_accepted)
{
	int server = listener("server", SOCK_STREAM, 5), client = connected("server", SOCK_STREAM);

	MUST(write(client, "x", 1));
	close(server);
	say_poll("listener gone", client);
	SHOW(read(client, buf, 1));
	SHOW(read(client, buf, 1));
	server = listener("@gone", SOCK_STREAM, 5);
	client = connected("@gone", SOCK_STREAM);
	MUST(write(client, "x", 1));
	close(client);
	client = MUST(accept(server, NULL, NULL));
	say_poll("client gone", client);
	SHOW(read(client, buf, 10));
	SHOW(read(client, buf, 10));
}

TEST(backlog)
{
	int server = listener("@full", SOCK_STREAM, 1), client;

	for (int i = 0; i < 4; i++) {
		client = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
		SHOW(connect_to(client, "@full"));
	}
	say_poll("refused", client);
	say_names("refused", client);
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ 0, 30000 },
		   sizeof(struct timeval));
	fcntl(client, F_SETFL, 0);
	SHOW(connect_to(client, "@full"));
	IN_CHILD("waiting client")
	{
		int status;

		client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
		if (fork() == 0) {
			sleep_ms(50);
			_exit(accept(server, NULL, NULL) < 0);
		}
		SHOW(connect_to(client, "@full"));
		wait(&status);
		say("accepter: exit %d", WEXITSTATUS(status));
	}
	SHOW(listen(server, 5));
	SHOW(connect_to(client, "@full"));
	SHOW(listen(server, 0));
	SHOW(shutdown(server, SHUT_RD));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "@full"));
	SHOW_OK(accept(server, NULL, NULL));
}

TEST(names)
{
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), other;
	struct sockaddr_un address;
	struct stat status;
	socklen_t length;

	SHOW(bind_to(fd, "path"));
	MUST(stat("path", &status));
	say("mode %o, size %d", status.st_mode, (int)status.st_size);
	SHOW(open("path", O_RDWR));
	SHOW(open("path", O_PATH));
	say_names("path", fd);
	fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	SHOW(bind(fd, (void *)&(struct sockaddr_un){ AF_UNIX }, 2));
	length = sizeof(address);
	getsockname(fd, (void *)&address, &length);
	say("autobind: length %d, first %d, then hex: %s", length, address.sun_path[0],
	    yes_no(strspn(address.sun_path + 1, "0123456789abcdef") >= 5));
	SHOW(bind(fd, (void *)&(struct sockaddr_un){ AF_UNIX }, 2));
	fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	SHOW(bind_to(fd, "@abstract"));
	SHOW(bind_to(fd, "@again"));
	say_names("abstract", fd);
	other = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	SHOW(bind_to(other, "@abstract"));
	SHOW(bind_to(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), "@abstract"));
	close(fd);
	SHOW(bind_to(other, "@abstract"));
	fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	memset(&address, 'x', sizeof(address));
	address.sun_family = AF_UNIX;
	SHOW(bind(fd, (void *)&address, sizeof(address)));
	length = sizeof(address) + 10;
	SHOW(getsockname(fd, (void *)buf, &length));
	say("length %d, ends with %d", length, buf[110]);
	SHOW(connect(other, (void *)&address, sizeof(address)));
	SHOW(bind(fd, (void *)&address, 1));
	SHOW(bind(fd, (void *)&address, sizeof(address) + 1));
	SHOW(bind(fd, (void *)&address, 200));
	SHOW(bind(fd, (void *)8, 20));
	address.sun_family = AF_INET;
	SHOW(bind(fd, (void *)&address, 10));
	SHOW(connect(fd, (void *)&address, 10));
	SHOW(connect(fd, (void *)&address, 2));
}

TEST(permission)
{
	int server = listener("server", SOCK_STREAM, 5);

	MUST(chmod("server", 0644));
	MUST(chmod(".", 0777));
	IN_CHILD("nobody")
	{
		become_nobody();
		SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "server"));
		MUST(mkdir("own", 0755));
		SHOW(bind_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "own/x"));
		SHOW(bind_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "/x"));
	}
	MUST(chmod("server", 0622));
	IN_CHILD("nobody")
	{
		become_nobody();
		SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "server"));
	}
	SHOW_OK(accept(server, NULL, NULL));
	SHOW(symlink("server", "link"));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "link"));
	SHOW(rename("server", "moved"));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "moved"));
	SHOW(link("moved", "hard"));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "hard"));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), "hard"));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), "hard"));
	SHOW(mknod("made", S_IFSOCK | 0666, 0));
	SHOW(connect_to(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "made"));
}

TEST(flags)
{
	struct iovec iov[2] = { { buf, 3 }, { buf + 10, 5 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_flags = 0x1234 };

	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "abcdef", 6));
	SHOW(recv(fds[1], buf, 3, MSG_PEEK));
	SHOW(recv(fds[1], buf, 10, MSG_PEEK));
	MUST(write(fds[0], "gh", 2));
	SHOW(recv(fds[1], buf, 10, MSG_PEEK));
	say("%.8s", buf);
	SHOW(recv(fds[1], buf, 3, MSG_TRUNC));
	SHOW(recvmsg(fds[1], &msg, 0));
	say("flags %x, %.3s %.2s", msg.msg_flags, buf, buf + 10);
	SHOW(recv(fds[1], buf, 1, MSG_DONTWAIT));
	SHOW(recv(fds[1], buf, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	IN_CHILD("writer")
	{
		if (fork() == 0) {
			for (int i = 0; i < 5; i++) {
				sleep_ms(10);
				MUST(write(fds[0], "xy", 2));
			}
			_exit(0);
		}
		SHOW(recv(fds[1], buf, 10, MSG_WAITALL));
		wait(NULL);
	}
	MUST(write(fds[0], "abc", 3));
	shutdown(fds[0], SHUT_WR);
	SHOW(recv(fds[1], buf, 10, MSG_WAITALL));
	SHOW(recv(fds[1], buf, 10, MSG_WAITALL));
	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "abc", 3));
	SHOW(recv(fds[1], buf, 10, MSG_WAITALL | MSG_DONTWAIT));
	SHOW(send(fds[0], "x", 1, MSG_MORE | MSG_CONFIRM | MSG_EOR | MSG_DONTROUTE));
	SHOW(recv(fds[1], buf, 10, 0));
}

static void nothing(int sig)
{
}

static void write_one(int sig)
{
	write(fds[1], "x", 1);
}

TEST(waits)
{
	struct timeval limit = { 0, 30000 };
	int64_t begun;

	pair(fds, SOCK_STREAM);
	set_handler(SIGALRM, nothing, 0);
	signal_when_asleep(SIGALRM);
	SHOW(read(fds[0], buf, 1));
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	begun = now_ns();
	SHOW(read(fds[0], buf, 1));
	say("waited: %s", yes_no(now_ns() - begun >= 30 * MSEC));
	limit.tv_sec = 100;
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	set_handler(SIGALRM, nothing, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(read(fds[0], buf, 1));
	while (write(fds[0], buf, 1000) == 1000)
		;
	SHOW(write(fds[0], buf, 1000));
	limit = (struct timeval){ 0 };
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	set_handler(SIGALRM, write_one, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(read(fds[0], buf, 1));
}

/* Everything arrives, whatever the sizes. */
TEST(bulk)
{
	static const size_t sizes[] = { 1, 7, 2239, 2240, 2241, 4096, 32768, 32769, 65000 };
	unsigned char next = 0, expected = 0;
	size_t total = 0, right = 0;
	ssize_t n;

	pair(fds, SOCK_STREAM);
	if (fork() == 0) {
		close(fds[1]);
		for (int round = 0; round < 50; round++) {
			size_t size = sizes[round % ARRAY_SIZE(sizes)];

			for (size_t i = 0; i < size; i++)
				buf[i] = next++;
			MUST(write(fds[0], buf, size));
		}
		_exit(0);
	}
	close(fds[0]);
	while ((n = read(fds[1], buf, 1 + total % 30000)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			right += (unsigned char)buf[i] == expected++;
		total += n;
	}
	wait(NULL);
	say("%zu bytes, %zu right", total, right);
}

TEST(full)
{
	size_t written = 0;
	ssize_t n;

	pair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	while ((n = write(fds[0], buf, sizeof(buf))) > 0)
		written += n;
	say("full: %s, between 64 KiB and 512 KiB: %s", errno_text(errno),
	    yes_no(written > 64 << 10 && written < 512 << 10));
	say_poll("full", fds[0]);
	while ((n = read(fds[1], buf, sizeof(buf))) > 0)
		written -= n;
	say("%zu lost", written);
	say_poll("drained", fds[0]);
}

TEST(sendfile_to_socket)
{
	off_t offset = 2;
	int file;

	put_file("file", "0123456789");
	file = MUST(open("file", O_RDONLY));
	pair(fds, SOCK_STREAM);
	SHOW(sendfile(fds[0], file, &offset, 5));
	SHOW(read(fds[1], buf, 100));
	say("%.5s", buf);
	SHOW(sendfile(fds[0], file, NULL, 100));
	SHOW(read(fds[1], buf, 100));
}

TEST(inherited)
{
	pair(fds, SOCK_STREAM);
	IN_CHILD("child")
	{
		close(fds[0]);
		MUST(write(fds[1], "from child", 10));
	}
	SHOW(read(fds[0], buf, 100));
	close(fds[1]);
	SHOW(read(fds[0], buf, 100));
	pair(fds, SOCK_STREAM);
	SHOW(dup2(fds[0], 50));
	close(fds[0]);
	SHOW(write(fds[1], "x", 1));
	SHOW(read(50, buf, 1));
}

TEST(seqpacket)
{
	struct iovec iov = { buf, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int server, client, child;

	pair(fds, SOCK_SEQPACKET);
	SHOW(write(fds[0], "abcdef", 6));
	SHOW(write(fds[0], "", 0));
	SHOW(send(fds[0], "gh", 2, MSG_EOR));
	SHOW(recvmsg(fds[1], &msg, 0));
	say("flags %x", msg.msg_flags);
	SHOW(read(fds[1], buf, 10));
	SHOW(recvmsg(fds[1], &msg, 0));
	say("flags %x", msg.msg_flags);
	SHOW(send_to(fds[0], "@nobody", "xyz", 0));
	SHOW(recv(fds[1], buf, 1, MSG_PEEK | MSG_TRUNC));
	close(fds[0]);
	say_poll("peer gone", fds[1]);
	SHOW(read(fds[1], buf, 10));
	SHOW(recv(fds[1], buf, 10, MSG_DONTWAIT));
	IN_CHILD("writer")
	SHOW(write(fds[1], "x", 1));
	server = listener("@packets", SOCK_SEQPACKET, 2);
	client = connected("@packets", SOCK_SEQPACKET);
	child = MUST(accept(server, NULL, NULL));
	SHOW(write(client, "packet", 6));
	SHOW(read(child, buf, 100));
	SHOW(shutdown(client, SHUT_WR));
	say_poll("shut down", client);
	say_poll("peer", child);
	SHOW(read(child, buf, 100));
	SHOW(write(client, "x", 1));
	child = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	say_poll("fresh", child);
	SHOW(write(child, "x", 1));
	SHOW(read(child, buf, 1));
	say_poll("listener", server);
}

TEST(peer_credentials)
{
	struct ucred cred = { 7, 7, 7 };
	socklen_t length = sizeof(cred);
	int server = listener("@cred", SOCK_STREAM, 2), client;

	SHOW(getsockopt(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), SOL_SOCKET, SO_PEERCRED, &cred,
			&length));
	say("%d %d %d, %d bytes", cred.pid, cred.uid, cred.gid, length);
	pair(fds, SOCK_STREAM);
	SHOW(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &length));
	say("%s %d %d, %d bytes", yes_no(cred.pid == getpid()), cred.uid, cred.gid, length);
	IN_CHILD("client")
	{
		become_nobody();
		client = connected("@cred", SOCK_STREAM);
		getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &length);
		say("%s %d %d", yes_no(cred.pid == getppid()), cred.uid, cred.gid);
	}
	client = MUST(accept(server, NULL, NULL));
	getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &length);
	say("%s %d %d", yes_no(cred.pid != getpid()), cred.uid, cred.gid);
	length = 5;
	SHOW(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &length));
	say("%d bytes", length);
}
