/* splice, tee, and sendfile into a socket: pages that change hands. */
#include <poll.h>
#include <sys/sendfile.h>
#include <tests/sys/tcp.h>

#define SIZE (40 * 4096 + 123)

static char data[SIZE], got[SIZE + 100];
static int ends[2], in[2], out[2], file;

static char byte_at(long pos)
{
	return pos * 7 + pos / 251;
}

static int make_file(const char *name, long size)
{
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

	for (long i = 0; i < SIZE; i++)
		data[i] = byte_at(i);
	if (size)
		MUST(write(fd, data, size));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void say_read(int fd, long from, long size)
{
	long done = 0, n = 0;

	while (done < size && (n = read(fd, got + done, size - done)) > 0)
		done += n;
	say("%ld read, %s", done, memcmp(got, data + from, done) ? "others" : "the same");
}

static void start(void)
{
	file = make_file("file", SIZE);
	MUST(pipe(in));
	MUST(pipe(out));
}

TEST(file_to_pipe)
{
	off_t at = 100;

	start();
	SHOW(splice(file, NULL, in[1], NULL, 10, 0));
	say("at %ld", (long)lseek(file, 0, SEEK_CUR));
	say_read(in[0], 0, 10);
	SHOW(splice(file, &at, in[1], NULL, 5000, 0));
	say("%ld, at %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
	say_read(in[0], 100, 5000);
	SHOW(splice(file, NULL, in[1], NULL, SIZE, 0));
	SHOW(splice(file, NULL, in[1], NULL, 10, SPLICE_F_NONBLOCK));
	say_masks("full", in[1]);
	MUST(fcntl(in[1], F_SETFL, O_NONBLOCK));
	SHOW(splice(file, NULL, in[1], NULL, 10, 0));
	SHOW(write(in[1], "x", 1));
	say_read(in[0], 10, 65526);
	lseek(file, 0, SEEK_END);
	SHOW(splice(file, NULL, in[1], NULL, 10, 0));
}

/* What is behind a file's bytes in a pipe is not written into the file. */
TEST(file_is_not_written)
{
	start();
	SHOW(splice(file, NULL, in[1], NULL, 10, 0));
	SHOW(write(in[1], "0123456789", 10));
	SHOW(read(in[0], got, 20));
	say("%.10s", got + 10);
	SHOW(pread(file, got, 20, 0));
	say("%s", memcmp(got, data, 20) ? "written" : "as it was");
	SHOW(splice(file, NULL, in[1], NULL, 4096 - 10, 0));
	SHOW(read(in[0], got, 4096));
	SHOW(write(in[1], got, 4096));
	memset(got, 'x', 4096);
	SHOW(write(in[1], got, 10));
	SHOW(pread(file, got, 4096, 0));
	say("%s", memcmp(got, data, 4096) ? "written" : "as it was");
}

TEST(pipe_to_file)
{
	int to = make_file("to", 0);
	loff_t at = 5;

	start();
	MUST(write(in[1], data, 10000));
	SHOW(splice(in[0], NULL, to, NULL, 4, 0));
	say("at %ld", (long)lseek(to, 0, SEEK_CUR));
	SHOW(splice(in[0], NULL, to, &at, 20000, 0));
	say("%ld, at %ld", (long)at, (long)lseek(to, 0, SEEK_CUR));
	SHOW(splice(in[0], NULL, to, NULL, 10, SPLICE_F_NONBLOCK));
	lseek(to, 5, SEEK_SET);
	say_read(to, 4, 9996);
	close(in[1]);
	SHOW(splice(in[0], NULL, to, NULL, 10, 0));
	MUST(fcntl(to, F_SETFL, O_APPEND));
	SHOW(splice(out[0], NULL, to, NULL, 10, SPLICE_F_NONBLOCK));
}

TEST(between_pipes)
{
	start();
	MUST(write(in[1], data, 10000));
	SHOW(tee(in[0], out[1], 5000, 0));
	say_read(out[0], 0, 5000);
	SHOW(splice(in[0], NULL, out[1], NULL, 100, 0));
	SHOW(write(out[1], data + 100, 10));
	SHOW(splice(in[0], NULL, out[1], NULL, 20000, 0));
	say_read(out[0], 0, 100);
	say_read(out[0], 100, 10);
	say_read(out[0], 100, 9900);
	SHOW(splice(in[0], NULL, out[1], NULL, 1, SPLICE_F_NONBLOCK));
	SHOW(tee(in[0], out[1], 1, SPLICE_F_NONBLOCK));
	SHOW(tee(in[0], in[1], 1, 0));
	SHOW(splice(in[0], NULL, in[1], NULL, 1, 0));
	close(in[1]);
	SHOW(splice(in[0], NULL, out[1], NULL, 1, 0));
	SHOW(tee(in[0], out[1], 1, 0));
}

TEST(mistakes)
{
	loff_t at = 0, negative = -1;

	start();
	SHOW(splice(file, NULL, file, NULL, 1, 0));
	SHOW(splice(file, NULL, in[1], NULL, 0, 99));
	SHOW(splice(file, NULL, in[1], NULL, 1, 99));
	SHOW(splice(-1, NULL, in[1], NULL, 1, 0));
	SHOW(splice(file, NULL, -1, NULL, 1, 0));
	SHOW(splice(file, NULL, in[0], NULL, 1, 0));
	SHOW(splice(in[1], NULL, file, NULL, 1, 0));
	SHOW(splice(in[0], &at, file, NULL, 1, 0));
	SHOW(splice(file, NULL, in[1], &at, 1, 0));
	SHOW(splice(file, &negative, in[1], NULL, 1, 0));
	SHOW(splice(file, (loff_t *)1, in[1], NULL, 1, 0));
	SHOW(tee(file, in[1], 1, 0));
	SHOW(tee(in[0], out[1], 0, 0));
	close(in[0]);
	signal(SIGPIPE, SIG_IGN);
	SHOW(splice(file, NULL, in[1], NULL, 1, 0));
}

/* ---- sockets ---------------------------------------------------------------------------------------------- */

TEST(file_to_socket)
{
	off_t at = 100;

	start();
	tcp_pair(ends, 6400);
	SHOW(sendfile(ends[0], file, NULL, SIZE));
	say_read(ends[1], 0, SIZE);
	SHOW(sendfile(ends[0], file, &at, 5000));
	say("%ld, at %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
	say_read(ends[1], 100, 5000);
	at = SIZE - 10;
	SHOW(sendfile(ends[0], file, &at, 5000));
	say_read(ends[1], SIZE - 10, 10);
	SHOW(sendfile(ends[0], file, &at, 5000));
	/* small pieces, written and lent by turns */
	for (int i = 0; i < 100; i++) {
		at = 1000 + 10 * i;
		MUST(i % 2 ? sendfile(ends[0], file, &at, 10)
			   : send(ends[0], data + 1000 + 10 * i, 10, MSG_MORE));
	}
	say_read(ends[1], 1000, 1000);
}

TEST(through_a_pipe)
{
	long done = 0;

	start();
	tcp_pair(ends, 6410);
	while (done < SIZE) {
		long n = MUST(splice(file, NULL, in[1], NULL, 10000, SPLICE_F_MORE));

		while (n > 0) {
			long sent = MUST(splice(in[0], NULL, ends[0], NULL, n,
						done + n < SIZE ? SPLICE_F_MORE : 0));

			n -= sent;
			done += sent;
		}
	}
	say_read(ends[1], 0, SIZE);
	/* and back: out of the socket into a file */
	file = make_file("back", 0);
	MUST(write(ends[1], data, 5000));
	wait_readable(ends[0], 5000);
	SHOW(splice(ends[0], NULL, out[1], NULL, 3000, 0));
	SHOW(splice(out[0], NULL, file, NULL, 3000, 0));
	SHOW(splice(ends[0], NULL, out[1], NULL, 2000, SPLICE_F_NONBLOCK));
	SHOW(splice(out[0], NULL, file, NULL, 3000, 0));
	lseek(file, 0, SEEK_SET);
	say_read(file, 0, 5000);
	no_wait(ends[0]);
	SHOW(splice(ends[0], NULL, out[1], NULL, 1, 0));
	MUST(shutdown(ends[1], SHUT_WR));
	wait_for(ends[0], POLLRDHUP);
	SHOW(splice(ends[0], NULL, out[1], NULL, 1, 0));
}

/* What is on its way is the file's: it goes as it then is, and stays although the file is cut. */
TEST(cut_while_sent)
{
	long size, n, done = 0;

	start();
	tcp_pair(ends, 6420);
	set_option(ends[0], SOL_SOCKET, SO_SNDBUF, 20000);
	no_wait(ends[0]);
	size = MUST(sendfile(ends[0], file, NULL, SIZE));
	say("some: %s", size > 0 ? "yes" : "no");
	while ((n = sendfile(ends[0], file, NULL, SIZE - size)) > 0)
		size += n;
	SHOW(ftruncate(file, 0));
	while (done < size && (n = read(ends[1], got, sizeof(got))) > 0)
		done += n;
	say("all: %s", done == size ? "yes" : "no");
}

TEST(no_room)
{
	int big = MUST(open("big", O_RDWR | O_CREAT, 0600));
	long n, total = 0;
	off_t at = 0;

	MUST(ftruncate(big, 64 << 20));
	start();
	tcp_pair(ends, 6430);
	no_wait(ends[0]);
	/* acknowledgements that are still on their way make room once more */
	for (int quiet = 0; quiet < 5; quiet++) {
		while ((n = sendfile(ends[0], big, &at, 64 << 20)) > 0) {
			total += n;
			quiet = 0;
		}
		usleep(20000);
	}
	say("%s, %s", errno_text(errno), total == at ? "as far as it says" : "elsewhere");
	MUST(write(in[1], "x", 1));
	SHOW(splice(in[0], NULL, ends[0], NULL, 1, 0));
	SHOW(read(in[0], got, 10));
	close(ends[1]);
	wait_for(ends[0], POLLHUP);
	signal(SIGPIPE, SIG_IGN);
	SHOW(sendfile(ends[0], file, NULL, 10));
	SHOW(sendfile(ends[0], file, NULL, 10));
	MUST(write(in[1], "x", 1));
	SHOW(splice(in[0], NULL, ends[0], NULL, 1, 0));
}

TEST(broken)
{
	start();
	tcp_pair(ends, 6440);
	MUST(shutdown(ends[0], SHUT_WR));
	sendfile(ends[0], file, NULL, 10);
}

TEST(others)
{
	int pair[2], to = tcp_socket();

	start();
	signal(SIGPIPE, SIG_IGN);
	SHOW(sendfile(to, file, NULL, 10));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	SHOW(sendfile(pair[0], file, NULL, 10000));
	say_read(pair[1], 0, 10000);
	SHOW(splice(file, NULL, in[1], NULL, 3000, 0));
	SHOW(splice(in[0], NULL, pair[0], NULL, 3000, 0));
	say_read(pair[1], 10000, 3000);
	SHOW(sendfile(in[1], file, NULL, 6000));
	say_read(in[0], 13000, 6000);
}
