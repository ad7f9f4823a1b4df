/* Named pipes: who waits for whom on open, and when readers see the end. */
#include <poll.h>
#include <tests/sys/test.h>

static char buf[100];

TEST(open_modes)
{
	int reader, writer;

	signal(SIGPIPE, SIG_IGN);
	SHOW(mkfifo("f", 0644));
	SHOW(mkfifo("f", 0644));
	SHOW_OK(open("f", O_WRONLY | O_NONBLOCK));
	reader = open("f", O_RDONLY | O_NONBLOCK);
	SHOW(read(reader, buf, 1));
	writer = open("f", O_WRONLY | O_NONBLOCK);
	SHOW(read(reader, buf, 1));
	SHOW(write(writer, "abc", 3));
	SHOW(read(reader, buf, 10));
	close(writer);
	SHOW(read(reader, buf, 10));
	writer = MUST(open("f", O_WRONLY));
	close(reader);
	SHOW(write(writer, "abc", 3));
	SHOW_OK(open("f", O_RDWR));
	SHOW_OK(open("f", O_PATH));
	SHOW_OK(open("f", O_RDONLY | O_DIRECTORY));
	SHOW_OK(open("f", O_RDONLY | O_NONBLOCK | O_TRUNC));
}

TEST(both_ends_wait)
{
	MUST(mkfifo("f", 0644));
	if (MUST(fork()) == 0) {
		int writer = MUST(open("f", O_WRONLY));

		MUST(write(writer, "hello", 5));
		_exit(0);
	}
	sleep_ms(10);
	SHOW(read(MUST(open("f", O_RDONLY)), buf, 100));
	wait(NULL);
	if (MUST(fork()) == 0) {
		int reader = MUST(open("f", O_RDONLY));

		_exit(read(reader, buf, 100));
	}
	sleep_ms(10);
	SHOW(write(MUST(open("f", O_WRONLY)), "hello", 5));
	reap("reader", -1);
}

static void ignore(int sig)
{
}

TEST(open_is_interrupted)
{
	MUST(mkfifo("f", 0644));
	set_handler(SIGALRM, ignore, 0);
	signal_when_asleep(SIGALRM);
	SHOW_OK(open("f", O_RDONLY));
	signal_when_asleep(SIGALRM);
	SHOW_OK(open("f", O_WRONLY));
}

TEST(data_goes_when_all_are_gone)
{
	int both, reader;

	MUST(mkfifo("f", 0644));
	both = MUST(open("f", O_RDWR));
	MUST(write(both, "abc", 3));
	reader = MUST(open("f", O_RDONLY | O_NONBLOCK));
	close(both);
	SHOW(read(reader, buf, 2));
	close(reader);
	both = MUST(open("f", O_RDWR | O_NONBLOCK));
	SHOW(read(both, buf, 10));
}

TEST(unlinked)
{
	int both;

	MUST(mkfifo("f", 0644));
	both = MUST(open("f", O_RDWR));
	SHOW(unlink("f"));
	MUST(write(both, "abc", 3));
	MUST(mkfifo("f", 0644));
	SHOW_OK(open("f", O_WRONLY | O_NONBLOCK));
	SHOW(read(both, buf, 10));
}

static void say_revents(int fd)
{
	struct pollfd pfd = { fd, POLLIN | POLLOUT, 0 };

	SHOW(poll(&pfd, 1, 0));
	say("revents %x", pfd.revents);
}

TEST(hangup)
{
	int reader, writer;

	MUST(mkfifo("f", 0644));
	reader = MUST(open("f", O_RDONLY | O_NONBLOCK));
	say_revents(reader);
	writer = MUST(open("f", O_WRONLY));
	say_revents(reader);
	say_revents(writer);
	MUST(write(writer, "x", 1));
	close(writer);
	say_revents(reader);
	read(reader, buf, 1);
	say_revents(reader);
	writer = MUST(open("f", O_WRONLY));
	say_revents(reader);
	close(reader);
	say_revents(writer);
}

TEST(permissions)
{
	MUST(mkfifo("f", 0600));
	become_nobody();
	SHOW_OK(open("f", O_RDONLY | O_NONBLOCK));
	SHOW_OK(open("f", O_RDWR));
}
