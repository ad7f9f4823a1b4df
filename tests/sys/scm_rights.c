/* Files and credentials through unix sockets: SCM_RIGHTS, SCM_CREDENTIALS, truncation, circles. */
#include <tests/sys/sockets.h>

static int fds[2];

#define MOST 260
static char control[CMSG_SPACE(MOST * sizeof(int)) + 200];

/* Sends `text` with these files. */
static ssize_t send_fds(int fd, const char *text, const int *files, int count)
{
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	*cmsg = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(cmsg), files, count * sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t send_fd(int fd, const char *text, int file)
{
	return send_fds(fd, text, &file, 1);
}

/* Receives and says what came; the first file that did, or -1. */
static int receive(int fd, size_t size, size_t room, int flags)
{
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room ? control : NULL,
			      .msg_controllen = room };
	ssize_t n = recvmsg(fd, &msg, flags | MSG_DONTWAIT);
	int first = -1;

	if (n < 0) {
		say("received %s", errno_text(errno));
		return -1;
	}
	say("received %zd, flags %x, control %d", n, msg.msg_flags, (int)msg.msg_controllen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		int files = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		say("level %d, type %d, length %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		for (int i = 0; i < files; i++) {
			int file;

			memcpy(&file, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			say("file %d, cloexec %d", file, fcntl(file, F_GETFD));
			if (first < 0)
				first = file;
		}
	}
	return first;
}

TEST(one_file)
{
	int file;

	put_file("f", "contents");
	pair(fds, SOCK_STREAM);
	file = MUST(open("f", O_RDONLY));
	SHOW(send_fd(fds[0], "x", file));
	close(file);
	file = receive(fds[1], 10, 100, 0);
	SHOW(read(file, buf, 100));
	SHOW(send_fd(fds[0], "y", file));
	SHOW(lseek(file, 0, SEEK_SET));
	file = receive(fds[1], 10, 100, MSG_CMSG_CLOEXEC);
	SHOW(read(file, buf, 3));
	SHOW(send_fd(fds[0], "", file));
	receive(fds[1], 10, 100, 0);
	SHOW(send_fd(fds[0], "z", MUST(open("f", O_PATH))));
	file = receive(fds[1], 10, 100, 0);
	SHOW(read(file, buf, 1));
}

TEST(to_another_process)
{
	int ends[2];

	pair(fds, SOCK_STREAM);
	MUST(pipe(ends));
	IN_CHILD("sender")
	{
		close(ends[0]);
		send_fd(fds[0], "w", ends[1]);
	}
	close(ends[1]);
	ends[1] = receive(fds[1], 10, 100, 0);
	SHOW(write(ends[1], "through", 7));
	SHOW(read(ends[0], buf, 100));
	SHOW(send_fd(fds[0], "w", ends[1]));
	close(ends[1]);
	say("in flight: not the end");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	SHOW(read(ends[0], buf, 100));
	SHOW(read(fds[1], buf, 1));
	say("not taken: closed");
	SHOW(read(ends[0], buf, 100));
}

TEST(truncation)
{
	int files[4] = { 0, 1, 0, 1 };

	pair(fds, SOCK_STREAM);
	for (size_t room = 0; room <= CMSG_SPACE(sizeof(files)) + 8; room += 4) {
		int first;

		MUST(send_fds(fds[0], "abc", files, 4));
		say("room %zu", room);
		first = receive(fds[1], 10, room, 0);
		for (int i = 0; first > 0 && i < 4; i++)
			close(first + i);
	}
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 7, 7 }));
	MUST(send_fds(fds[0], "abc", files, 4));
	receive(fds[1], 10, sizeof(control), 0);
}

TEST(borders)
{
	int file = 0;

	say("stream");
	pair(fds, SOCK_STREAM);
	MUST(write(fds[0], "ab", 2));
	MUST(send_fd(fds[0], "cd", file));
	MUST(write(fds[0], "ef", 2));
	MUST(send_fd(fds[0], "gh", file));
	receive(fds[1], 3, 100, 0);
	receive(fds[1], 10, 100, MSG_PEEK);
	receive(fds[1], 10, 100, 0);
	receive(fds[1], 10, 100, MSG_WAITALL);
	say("seqpacket");
	pair(fds, SOCK_SEQPACKET);
	MUST(write(fds[0], "ab", 2));
	MUST(send_fd(fds[0], "cd", file));
	MUST(send_fd(fds[0], "ef", file));
	receive(fds[1], 10, 100, 0);
	receive(fds[1], 1, 100, MSG_PEEK);
	receive(fds[1], 1, 100, 0);
	SHOW(recv(fds[1], buf, 10, 0));
}

TEST(mistakes)
{
	struct iovec iov = { "x", 1 };
	struct {
		struct cmsghdr header;
		int data[8];
	} cmsg = { { sizeof(struct cmsghdr) + 4, SOL_SOCKET, SCM_RIGHTS }, { 0 } };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &cmsg,
			      .msg_controllen = sizeof(struct cmsghdr) + 4 };
	static int many[MOST];

	pair(fds, SOCK_STREAM);
	SHOW(send_fd(fds[0], "x", 99));
	SHOW(send_fd(fds[0], "x", -1));
	SHOW(send_fds(fds[0], "x", many, 253));
	SHOW(send_fds(fds[0], "x", many, 254));
	SHOW(send_fds(fds[0], "x", many, 0));
	cmsg.header.cmsg_len = 3;
	SHOW(sendmsg(fds[0], &msg, 0));
	cmsg.header.cmsg_len = 100;
	SHOW(sendmsg(fds[0], &msg, 0));
	cmsg.header.cmsg_len = sizeof(struct cmsghdr) + 4;
	cmsg.header.cmsg_type = 77;
	SHOW(sendmsg(fds[0], &msg, 0));
	cmsg.header.cmsg_level = 1234;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_controllen = 5;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_control = (void *)8;
	msg.msg_controllen = 20;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_controllen = 1 << 20;
	SHOW(sendmsg(fds[0], &msg, 0));
	msg.msg_controllen = -1;
	SHOW(sendmsg(fds[0], &msg, 0));
	close(fds[1]);
	SHOW(send_fd(fds[0], "x", 0));
	SHOW(send_fd(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), "x", 0));
	SHOW(send_fd(MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), "x", 0));
}

static ssize_t send_creds(int fd, pid_t pid, uid_t uid, gid_t gid)
{
	struct iovec iov = { "c", 1 };
	struct ucred cred = { pid, uid, gid };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = CMSG_SPACE(sizeof(cred)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	*cmsg = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(cred)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_CREDENTIALS };
	memcpy(CMSG_DATA(cmsg), &cred, sizeof(cred));
	return sendmsg(fd, &msg, 0);
}

static void receive_creds(int fd)
{
	struct iovec iov = { buf, 10 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct cmsghdr *cmsg = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct ucred cred;

	say("received %zd, flags %x", n, msg.msg_flags);
	if (!cmsg)
		return;
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	say("level %d, type %d, length %d: pid %s, uid %d, gid %d", cmsg->cmsg_level,
	    cmsg->cmsg_type, (int)cmsg->cmsg_len,
	    cred.pid == getpid()    ? "mine"
	    : cred.pid == getppid() ? "parent"
	    : cred.pid		    ? "other"
				    : "0",
	    cred.uid, cred.gid);
}

TEST(credentials)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		say("type %d", types[i]);
		pair(fds, types[i]);
		MUST(write(fds[0], "before", 6));
		receive_creds(fds[1]);
		MUST(write(fds[0], "before", 6));
		MUST(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)));
		receive_creds(fds[1]);
		MUST(write(fds[0], "x", 1));
		receive_creds(fds[1]);
		SHOW(send_creds(fds[0], getpid(), 5, 6));
		receive_creds(fds[1]);
		IN_CHILD("nobody")
		{
			become_nobody();
			SHOW(send_creds(fds[0], getpid(), 1000, 1000));
			SHOW(send_creds(fds[0], getppid(), 1000, 1000));
			SHOW(send_creds(fds[0], getpid(), 0, 1000));
			SHOW(send_creds(fds[0], getpid(), 1000, 0));
			MUST(write(fds[0], "y", 1));
		}
		MUST(write(fds[0], "z", 1));
		receive_creds(fds[1]);
		receive_creds(fds[1]);
		receive_creds(fds[1]);
		SHOW(send_creds(fds[0], 30000, 1, 1));
		SHOW(send_creds(fds[0], getpid(), -1, 1));
	}
}

/* A socket in its own queue, two in each other's, a listener in that of one who waits to be accepted. A pipe that
 * goes with them tells when they are gone: another unix socket's end may have to come first. */
static void say_circle(const char *what, int pipe_end)
{
	close(MUST(socket(AF_UNIX, SOCK_STREAM, 0)));
	for (int i = 0; i < 1000 && read(pipe_end, buf, 1) < 0; i++)
		sleep_ms(1);
	say("%s: %s", what, read(pipe_end, buf, 1) == 0 ? "gone" : errno_text(errno));
}

TEST(circles)
{
	int ends[2], listening, client;

	MUST(pipe2(ends, O_NONBLOCK));
	pair(fds, SOCK_DGRAM);
	MUST(send_fds(fds[0], "x", (int[]){ fds[1], ends[1] }, 2));
	close(ends[1]);
	close(fds[0]);
	SHOW(read(ends[0], buf, 1));
	close(fds[1]);
	say_circle("itself", ends[0]);

	MUST(pipe2(ends, O_NONBLOCK));
	pair(fds, SOCK_STREAM);
	MUST(send_fds(fds[0], "x", (int[]){ fds[0], ends[1] }, 2));
	MUST(send_fd(fds[1], "x", fds[1]));
	close(fds[0]);
	close(fds[1]);
	close(ends[1]);
	say_circle("each other", ends[0]);

	MUST(pipe2(ends, O_NONBLOCK));
	listening = listener("@circle", SOCK_STREAM, 5);
	client = connected("@circle", SOCK_STREAM);
	MUST(send_fds(client, "x", (int[]){ listening, ends[1] }, 2));
	close(ends[1]);
	close(listening);
	close(client);
	say_circle("a listener", ends[0]);

	MUST(pipe2(ends, O_NONBLOCK));
	pair(fds, SOCK_STREAM);
	MUST(send_fds(fds[0], "x", (int[]){ fds[0], fds[1], ends[1] }, 3));
	close(ends[1]);
	close(fds[0]);
	close(MUST(socket(AF_UNIX, SOCK_STREAM, 0)));
	SHOW(read(ends[0], buf, 1));
	receive(fds[1], 10, sizeof(control), 0);
}

/* Each one in the queue of the next: the end of the last ends them all. */
TEST(long_chain)
{
	int before = -1, ends[2];

	MUST(pipe2(ends, O_NONBLOCK));
	before = ends[1];
	for (int i = 0; i < 2000; i++) {
		pair(fds, SOCK_STREAM);
		MUST(send_fd(fds[0], "x", before));
		close(before);
		close(fds[0]);
		before = fds[1];
	}
	SHOW(read(ends[0], buf, 1));
	close(before);
	SHOW(read(ends[0], buf, 1));
}

TEST(limit)
{
	IN_CHILD("nobody")
	{
		int n = 0;

		become_nobody();
		MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 50, 50 }));
		pair(fds, SOCK_STREAM);
		while (send_fds(fds[0], "x", (int[]){ 0, 1, 0, 1 }, 4) == 1)
			n++;
		say("%d messages, then %s", n, errno_text(errno));
		MUST(read(fds[1], buf, 1));
		SHOW(send_fd(fds[0], "x", 0));
	}
}

/* Many processes send each other sockets and end at any time. */
TEST(storm)
{
	int sockets[8][2];

	for (int i = 0; i < 8; i++)
		pair(sockets[i], i % 2 ? SOCK_STREAM : SOCK_DGRAM);
	for (int p = 0; p < 4; p++) {
		if (fork() == 0) {
			srandom(p);
			for (int i = 0; i < 120; i++) {
				int *one = sockets[random() % 8], *two = sockets[random() % 8];

				pair(fds, SOCK_STREAM);
				send_fds(one[random() % 2], "x",
					 (int[]){ two[random() % 2], fds[0], fds[1] }, 3);
				close(fds[0]);
				close(fds[1]);
				recv(two[random() % 2], buf, 10,
				     MSG_DONTWAIT | (random() % 2 ? MSG_PEEK : 0));
			}
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("done");
}
