/* Pipes: atomicity, ends of file, signals, modes, size. */
#include <poll.h>
#include <sys/ioctl.h>
#include <tests/sys/test.h>

static char buf[1 << 20];

static void new_pipe(int fds[2], int flags)
{
	MUST(pipe2(fds, flags));
}

TEST(basic)
{
	int fds[2], n;

	SHOW(pipe(fds));
	SHOW(write(fds[1], "hello", 5));
	SHOW(ioctl(fds[0], FIONREAD, &n));
	say("%d to read", n);
	SHOW(read(fds[0], buf, 2));
	SHOW(read(fds[0], buf, 100));
	SHOW(write(fds[1], "", 0));
	SHOW(write(fds[0], "x", 1));
	SHOW(read(fds[1], buf, 1));
	SHOW(lseek(fds[0], 0, SEEK_SET));
	SHOW(pread(fds[0], buf, 1, 0));
	SHOW(ftruncate(fds[1], 0));
	SHOW(fsync(fds[0]));
	close(fds[1]);
	SHOW(read(fds[0], buf, 1));
	SHOW(read(fds[0], buf, 0));
}

TEST(flags)
{
	int fds[2];

	new_pipe(fds, O_CLOEXEC | O_NONBLOCK);
	SHOW(fcntl(fds[0], F_GETFD));
	SHOW(fcntl(fds[0], F_GETFL));
	SHOW(fcntl(fds[1], F_GETFL));
	SHOW(pipe2(fds, O_APPEND));
	SHOW(pipe2(fds, 0x40000000));
	SHOW(pipe2(NULL, 0));
	SHOW(pipe2((int *)1, 0));
}

TEST(failed_pipe_leaves_no_descriptor)
{
	int before = dup(1), after;

	close(before);
	pipe((int *)16);
	after = dup(1);
	say("same descriptor free: %s", yes_no(before == after));
}

TEST(stat)
{
	struct stat st;
	int fds[2];

	new_pipe(fds, 0);
	write(fds[1], "abc", 3);
	SHOW(fstat(fds[0], &st));
	say("mode %o size %ld nlink %ld uid %d blksize %ld blocks %ld", st.st_mode, st.st_size,
	    (long)st.st_nlink, st.st_uid, (long)st.st_blksize, (long)st.st_blocks);
}

TEST(epipe)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	new_pipe(fds, 0);
	close(fds[0]);
	SHOW(write(fds[1], "x", 1));
	SHOW(write(fds[1], "", 0));
}

TEST(sigpipe_kills)
{
	IN_CHILD("writer")
	{
		int fds[2];

		new_pipe(fds, 0);
		close(fds[0]);
		SHOW(write(fds[1], "x", 1));
	}
}

static void ignore(int sig)
{
	say("signal %s", signal_text(sig));
}

TEST(sigpipe_handler)
{
	int fds[2];

	set_handler(SIGPIPE, ignore, SA_RESTART);
	new_pipe(fds, 0);
	close(fds[0]);
	SHOW(write(fds[1], "x", 1));
}

TEST(nonblocking)
{
	int fds[2], total = 0, n;

	new_pipe(fds, O_NONBLOCK);
	SHOW(read(fds[0], buf, 1));
	while ((n = write(fds[1], buf, 4096)) > 0)
		total += n;
	say("%d bytes fit, then %s", total, errno_text(errno));
	SHOW(read(fds[0], buf, 4095));
	SHOW(write(fds[1], "x", 1));
	SHOW(read(fds[0], buf, 1));
	SHOW(write(fds[1], "x", 1));
	SHOW(write(fds[1], buf, 4096));
	SHOW(write(fds[1], buf, 8192));
}

/* Above PIPE_BUF a non-blocking write may be partial; up to it, it is all or nothing. */
TEST(atomic)
{
	int fds[2];

	new_pipe(fds, O_NONBLOCK);
	SHOW(write(fds[1], buf, 65536 - 4096));
	SHOW(write(fds[1], buf, 100));
	SHOW(write(fds[1], buf, 4096));
	SHOW(write(fds[1], buf, 3996));
	SHOW(write(fds[1], buf, 1));
	SHOW(read(fds[0], buf, 8192));
	SHOW(write(fds[1], buf, 20000));
	SHOW(read(fds[0], buf, sizeof(buf)));
	SHOW(read(fds[0], buf, sizeof(buf)));
}

TEST(writers_do_not_mix)
{
	int fds[2], bad = 0, count[4] = { 0 };
	char record[1000];

	new_pipe(fds, 0);
	for (int who = 0; who < 4; who++) {
		if (MUST(fork()) == 0) {
			memset(record, 'a' + who, sizeof(record));
			for (int i = 0; i < 200; i++)
				MUST(write(fds[1], record, sizeof(record)));
			_exit(0);
		}
	}
	close(fds[1]);
	for (;;) {
		size_t got = 0;
		ssize_t n;

		while (got < sizeof(record) &&
		       (n = read(fds[0], record + got, sizeof(record) - got)) > 0)
			got += n;
		if (got == 0)
			break;
		for (size_t i = 1; i < got; i++)
			bad += record[i] != record[0];
		count[record[0] - 'a']++;
	}
	while (wait(NULL) > 0)
		;
	say("%d %d %d %d records, %d bytes mixed", count[0], count[1], count[2], count[3], bad);
}

TEST(blocking_write_is_whole)
{
	int fds[2];
	long total = 0;
	ssize_t n;

	new_pipe(fds, 0);
	IN_CHILD("writer")
	{
		close(fds[0]);
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		fcntl(fds[1], F_SETPIPE_SZ, 4096);
		if (fork())
			_exit(0);
		n = write(fds[1], buf, 300000);
		_exit(n == 300000 ? 0 : 1);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf, 7777)) > 0)
		total += n;
	say("%ld bytes", total);
}

TEST(size)
{
	int fds[2];

	new_pipe(fds, O_NONBLOCK);
	SHOW(fcntl(fds[0], F_GETPIPE_SZ));
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, 0));
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, 1));
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, 5000));
	SHOW(fcntl(fds[1], F_SETPIPE_SZ, 100000));
	SHOW(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20));
	SHOW(fcntl(fds[1], F_SETPIPE_SZ, -1));
	SHOW(write(fds[1], buf, 50000));
	SHOW(fcntl(fds[1], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(fds[1], F_GETPIPE_SZ));
	SHOW(fcntl(1, F_GETPIPE_SZ));
}

TEST(size_limit_without_root)
{
	int fds[2];

	new_pipe(fds, 0);
	become_nobody();
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, 1 << 20));
	SHOW(fcntl(fds[0], F_SETPIPE_SZ, (1 << 20) + 1));
}

TEST(bad_buffers)
{
	int fds[2];

	new_pipe(fds, O_NONBLOCK);
	SHOW(write(fds[1], (void *)16, 10));
	SHOW(write(fds[1], "abcdef", 6));
	SHOW(read(fds[0], (void *)16, 3));
	SHOW(read(fds[0], buf, 10));
	SHOW(write(fds[1], NULL, 0));
	SHOW(read(fds[0], NULL, 0));
}

TEST(interrupted)
{
	int fds[2];

	set_handler(SIGALRM, ignore, 0);
	new_pipe(fds, 0);
	signal_when_asleep(SIGALRM);
	SHOW(read(fds[0], buf, 1));
	MUST(write(fds[1], buf, 65536));
	signal_when_asleep(SIGALRM);
	SHOW(write(fds[1], buf, 10));
	SHOW(read(fds[0], buf, 60000));
	signal_when_asleep(SIGALRM);
	SHOW(write(fds[1], buf, 100000));
}

TEST(poll_ends)
{
	struct pollfd pfd[2];
	int fds[2];

	new_pipe(fds, 0);
	pfd[0] = (struct pollfd){ fds[0], POLLIN | POLLOUT, 0 };
	pfd[1] = (struct pollfd){ fds[1], POLLIN | POLLOUT, 0 };
	SHOW(poll(pfd, 2, 0));
	say("revents %x %x", pfd[0].revents, pfd[1].revents);
	write(fds[1], "x", 1);
	SHOW(poll(pfd, 2, 0));
	say("revents %x %x", pfd[0].revents, pfd[1].revents);
	close(fds[1]);
	SHOW(poll(pfd, 1, 0));
	say("revents %x", pfd[0].revents);
	read(fds[0], buf, 1);
	SHOW(poll(pfd, 1, 0));
	say("revents %x", pfd[0].revents);
}

TEST(reader_wakes_when_last_writer_goes)
{
	int fds[2];

	new_pipe(fds, 0);
	if (MUST(fork()) == 0) {
		sleep_ms(20);
		_exit(0);
	}
	close(fds[1]);
	SHOW(read(fds[0], buf, 1));
	wait(NULL);
}

TEST(through_proc)
{
	int fds[2], other;
	char path[64];

	new_pipe(fds, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	other = SHOW_OK(open(path, O_WRONLY)) == 0 ? open(path, O_WRONLY) : -1;
	SHOW(write(other, "abc", 3));
	SHOW(read(fds[0], buf, 10));
}

/* It is opened anew, with flags of its own, and from either side. */
TEST(reopened)
{
	int fds[2], reader, writer;
	char path[64];

	new_pipe(fds, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	reader = MUST(open(path, O_RDONLY | O_NONBLOCK));
	say("%x %x", fcntl(fds[0], F_GETFL) & (O_NONBLOCK | O_ACCMODE),
	    fcntl(reader, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
	SHOW(read(reader, buf, 1));
	writer = MUST(open(path, O_WRONLY));
	close(fds[1]);
	SHOW(read(reader, buf, 1));
	SHOW(write(writer, "abc", 3));
	SHOW(read(fds[0], buf, 10));
	close(writer);
	SHOW(read(fds[0], buf, 10));
	writer = MUST(open(path, O_RDWR));
	SHOW(read(reader, buf, 1));
	SHOW(open(path, O_ACCMODE));
	SHOW_OK(open(path, O_WRONLY | O_NONBLOCK));
}
