/* Regular files: opening, reading, writing, seeking, truncating. */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <tests/sys/test.h>

static char buf[1 << 16];

static void size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		say("%s: %s", path, errno_text(errno));
	else
		say("%s: %ld bytes", path, (long)st.st_size);
}

TEST(open_flags)
{
	int fd;

	SHOW_OK(open("none", O_RDONLY));
	SHOW_OK(open("a", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(open("a", O_CREAT | O_EXCL | O_WRONLY, 0644));
	SHOW_OK(open("a", O_CREAT, 0644));
	SHOW_OK(open("a", O_DIRECTORY));
	SHOW_OK(open("a/", O_RDONLY));
	SHOW_OK(open("a/b", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(open("new/", O_CREAT | O_WRONLY, 0644));
	SHOW_OK(open("", O_RDONLY));
	SHOW_OK(open("", O_CREAT | O_RDWR, 0644));
	SHOW_OK(open(".", O_RDONLY));
	SHOW_OK(open(".", O_WRONLY));
	SHOW_OK(open(".", O_RDWR | O_CREAT, 0644));
	SHOW_OK(open(".", O_RDONLY | O_CREAT, 0644));
	SHOW_OK(open("a", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
	SHOW_OK(open("..", O_RDONLY | O_DIRECTORY));
	SHOW_OK(open(".", O_RDONLY | O_TRUNC));
	fd = MUST(open("a", O_WRONLY));
	SHOW(read(fd, buf, 1));
	fd = MUST(open("a", O_RDONLY));
	SHOW(write(fd, "x", 1));
	SHOW(ftruncate(fd, 0));
	fd = MUST(open("a", O_ACCMODE));
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, "x", 1));
}

TEST(getfl)
{
	static const int flags[] = { O_RDONLY,
				     O_WRONLY,
				     O_RDWR,
				     O_RDWR | O_APPEND,
				     O_RDONLY | O_NONBLOCK,
				     O_RDONLY | O_CLOEXEC,
				     O_RDWR | O_SYNC,
				     O_RDWR | O_DSYNC,
				     O_PATH,
				     O_RDWR | O_CREAT | O_TRUNC,
				     O_RDONLY | O_NOFOLLOW,
				     O_RDONLY | O_NOATIME };

	put_file("a", "text");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = MUST(open("a", flags[i], 0644));

		say("%o: fl %o fd %d", flags[i], fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST(o_trunc_needs_no_write)
{
	put_file("a", "some text");
	MUST(open("a", O_RDONLY | O_TRUNC));
	size_of("a");
}

TEST(append)
{
	int one, two;

	put_file("a", "start");
	one = MUST(open("a", O_WRONLY | O_APPEND));
	two = MUST(open("a", O_RDWR | O_APPEND));
	SHOW(lseek(one, 0, SEEK_CUR));
	SHOW(write(one, "1", 1));
	SHOW(write(two, "2", 1));
	SHOW(lseek(two, 0, SEEK_CUR));
	SHOW(lseek(one, 0, SEEK_SET));
	SHOW(write(one, "3", 1));
	SHOW(pwrite(one, "4", 1, 0));
	say("%s", get_file("a"));
	SHOW(fcntl(one, F_SETFL, 0));
	SHOW(pwrite(one, "S", 1, 0));
	SHOW(lseek(one, 1, SEEK_SET));
	SHOW(write(one, "T", 1));
	say("%s", get_file("a"));
}

TEST(seek)
{
	int fd;

	put_file("a", "0123456789");
	fd = MUST(open("a", O_RDWR));
	SHOW(lseek(fd, 3, SEEK_SET));
	SHOW(lseek(fd, 3, SEEK_CUR));
	SHOW(lseek(fd, -1, SEEK_END));
	SHOW(read(fd, buf, 10));
	SHOW(lseek(fd, -1, SEEK_SET));
	SHOW(lseek(fd, -100, SEEK_CUR));
	SHOW(lseek(fd, -11, SEEK_END));
	SHOW(lseek(fd, 100, SEEK_END));
	SHOW(read(fd, buf, 10));
	SHOW(write(fd, "x", 1));
	size_of("a");
	SHOW(lseek(fd, 0, 99));
	SHOW(lseek(fd, LONG_MAX, SEEK_SET));
	SHOW(lseek(fd, 1, SEEK_CUR));
	SHOW(lseek(fd, LONG_MAX, SEEK_END));
	SHOW(write(fd, "x", 1));
	SHOW(read(fd, buf, 1));
	SHOW(lseek(-1, 0, SEEK_SET));
}

TEST(seek_holes)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	MUST(pwrite(fd, "x", 1, 10 * PAGE));
	MUST(ftruncate(fd, 20 * PAGE));
	SHOW(lseek(fd, 0, SEEK_DATA));
	SHOW(lseek(fd, 0, SEEK_HOLE));
	SHOW(lseek(fd, 10 * PAGE + 5, SEEK_DATA));
	SHOW(lseek(fd, 10 * PAGE, SEEK_HOLE));
	SHOW(lseek(fd, 11 * PAGE, SEEK_DATA));
	SHOW(lseek(fd, 11 * PAGE, SEEK_HOLE));
	SHOW(lseek(fd, 20 * PAGE, SEEK_HOLE));
	SHOW(lseek(fd, 20 * PAGE, SEEK_DATA));
	SHOW(lseek(fd, -1, SEEK_DATA));
}

TEST(holes_are_zero)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));
	int nonzero = 0;

	memset(buf, 'x', sizeof(buf));
	MUST(pwrite(fd, "x", 1, 5000));
	SHOW(read(fd, buf, sizeof(buf)));
	for (int i = 0; i < 5001; i++)
		nonzero += buf[i] != 0;
	say("%d bytes are not zero", nonzero);
	MUST(ftruncate(fd, 100));
	MUST(ftruncate(fd, 5001));
	SHOW(pread(fd, buf, 1, 5000));
	say("after shrinking and growing: %d", buf[0]);
}

TEST(truncate)
{
	int fd;

	put_file("a", "0123456789");
	SHOW(truncate("a", 4));
	say("%s", get_file("a"));
	SHOW(truncate("a", 8));
	size_of("a");
	SHOW(truncate("a", -1));
	SHOW(truncate(".", 0));
	SHOW(truncate("none", 0));
	SHOW(truncate("a/", 0));
	fd = MUST(open("a", O_RDWR));
	SHOW(lseek(fd, 6, SEEK_SET));
	SHOW(ftruncate(fd, 2));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(write(fd, "x", 1));
	size_of("a");
	SHOW(ftruncate(fd, -1));
	SHOW(ftruncate(-1, 0));
	SHOW(ftruncate(MUST(open(".", O_RDONLY)), 0));
	SHOW(ftruncate(MUST(open("a", O_PATH)), 0));
}

TEST(file_size_limit)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	signal(SIGXFSZ, SIG_IGN);
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
	MUST(lseek(fd, (1 << 20) - 10, SEEK_SET));
	SHOW(write(fd, "0123456", 7));
	SHOW(write(fd, "0123456", 7));
	SHOW(write(fd, "0123456", 7));
	SHOW(pwrite(fd, "x", 1, 2 << 20));
	SHOW(ftruncate(fd, (1 << 20) + 1));
	SHOW(truncate("a", (1 << 20) + 1));
	IN_CHILD("writer")
	{
		signal(SIGXFSZ, SIG_DFL);
		write(fd, "x", 1);
	}
}

TEST(pread_pwrite)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	SHOW(pwrite(fd, "hello", 5, 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(pread(fd, buf, 100, 4));
	SHOW(pread(fd, buf, 100, 8));
	SHOW(pread(fd, buf, 100, 1000));
	SHOW(pread(fd, buf, 100, -1));
	SHOW(pwrite(fd, buf, 1, -1));
	SHOW(pread(-1, buf, 1, 0));
	SHOW(pread(MUST(open(".", O_RDONLY)), buf, 1, 0));
	SHOW(pwrite(fd, buf, 1, LONG_MAX));
}

TEST(vectors)
{
	struct iovec iov[3] = { { "one", 3 }, { NULL, 0 }, { "three", 5 } };
	char a[2], b[100];
	struct iovec in[2] = { { a, sizeof(a) }, { b, sizeof(b) } };
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	SHOW(writev(fd, iov, 3));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(readv(fd, in, 2));
	say("%.2s %.6s", a, b);
	SHOW(preadv(fd, in, 2, 4));
	SHOW(pwritev(fd, iov, 3, 100));
	SHOW(preadv(fd, in, 2, -1));
	SHOW(writev(fd, iov, 0));
	SHOW(writev(fd, iov, -1));
	SHOW(writev(fd, iov, IOV_MAX + 1));
	SHOW(writev(fd, NULL, 1));
	iov[1].iov_len = (size_t)-1;
	SHOW(writev(fd, iov, 3));
	iov[1] = (struct iovec){ (void *)16, 4 };
	SHOW(writev(fd, iov, 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(syscall(SYS_preadv2, fd, in, 2, -1, -1, 0));
	SHOW(syscall(SYS_preadv2, fd, in, 2, 0, 0, 0x1000));
	SHOW(syscall(SYS_pwritev2, fd, iov, 1, 0, 0, 2));
	size_of("a");
}

TEST(long_vector)
{
	static struct iovec iov[IOV_MAX];
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	for (int i = 0; i < IOV_MAX; i++)
		iov[i] = (struct iovec){ buf, i % 3 };
	SHOW(writev(fd, iov, IOV_MAX));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(readv(fd, iov, IOV_MAX));
}

TEST(directory_reads)
{
	int fd = MUST(open(".", O_RDONLY));

	SHOW(read(fd, buf, 1));
	SHOW(write(fd, buf, 1));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, NULL, 0));
}

TEST(o_path)
{
	struct stat st;
	int fd;

	put_file("a", "text");
	fd = MUST(open("a", O_PATH | O_RDWR));
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, buf, 1));
	SHOW(fstat(fd, &st));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(fchmod(fd, 0600));
	SHOW(fchown(fd, 0, 0));
	SHOW(ioctl(fd, FIONREAD, buf));
	SHOW(fsync(fd));
	SHOW_OK(dup(fd));
	SHOW(fcntl(fd, F_GETFL));
	SHOW(fcntl(fd, F_SETFL, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
	fd = MUST(open(".", O_PATH));
	SHOW_OK(openat(fd, "a", O_RDONLY));
	SHOW(fchdir(fd));
	SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	MUST(symlink("a", "link"));
	fd = MUST(open("link", O_PATH | O_NOFOLLOW));
	SHOW(fstat(fd, &st));
	say("mode %o", st.st_mode);
	SHOW(readlinkat(fd, "", buf, sizeof(buf)));
	SHOW_OK(openat(fd, "", O_RDONLY));
}

TEST(unlinked_file_lives)
{
	struct stat st;
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	MUST(write(fd, "text", 4));
	SHOW(unlink("a"));
	SHOW(fstat(fd, &st));
	say("nlink %ld size %ld", (long)st.st_nlink, (long)st.st_size);
	SHOW(pread(fd, buf, 10, 0));
	SHOW(write(fd, "more", 4));
	SHOW(fchmod(fd, 0400));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	fd = SHOW_OK(open(buf, O_RDONLY));
}

TEST(o_tmpfile)
{
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	SHOW_AS("open(O_TMPFILE)", fd == -1 ? -1 : 0);
	SHOW(write(fd, "text", 4));
	SHOW(fstat(fd, &st));
	say("nlink %ld", (long)st.st_nlink);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	SHOW(linkat(AT_FDCWD, buf, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	say("%s", get_file("named"));
	SHOW_OK(open(".", O_TMPFILE | O_RDONLY, 0600));
	SHOW_OK(open("named", O_TMPFILE | O_RDWR, 0600));
}

TEST(sendfile)
{
	int in, out = MUST(open("out", O_RDWR | O_CREAT, 0644)), fds[2];
	off_t offset = 3;

	put_file("in", "0123456789");
	in = MUST(open("in", O_RDONLY));
	MUST(pipe(fds));
	SHOW(sendfile(out, in, &offset, 4));
	say("offset %ld", (long)offset);
	SHOW(lseek(in, 0, SEEK_CUR));
	SHOW(sendfile(out, in, NULL, 100));
	SHOW(sendfile(out, in, NULL, 100));
	say("%s", get_file("out"));
	offset = 0;
	SHOW(sendfile(fds[1], in, &offset, 5));
	SHOW(read(fds[0], buf, 100));
	SHOW(sendfile(fds[1], fds[0], NULL, 5));
	offset = -1;
	SHOW(sendfile(out, in, &offset, 5));
	SHOW(sendfile(in, in, NULL, 5));
	SHOW(sendfile(out, -1, NULL, 5));
	SHOW(sendfile(out, in, (off_t *)16, 5));
	SHOW(sendfile(out, MUST(open(".", O_RDONLY)), NULL, 5));
	offset = 0;
	SHOW(sendfile(MUST(eventfd(0, 0)), in, &offset, 8));
	SHOW(sendfile(MUST(eventfd(0, 0)), in, NULL,
		      8)); /* at the end there is nothing to refuse */
}

TEST(copy_file_range)
{
	int in, out = MUST(open("out", O_RDWR | O_CREAT, 0644));
	off_t from = 2, to = 5;

	put_file("in", "0123456789");
	in = MUST(open("in", O_RDWR));
	SHOW(copy_file_range(in, &from, out, &to, 4, 0));
	say("%ld %ld", (long)from, (long)to);
	SHOW(copy_file_range(in, NULL, out, NULL, 100, 0));
	SHOW(lseek(out, 0, SEEK_CUR));
	SHOW(copy_file_range(in, NULL, out, NULL, 100, 1));
	from = 0;
	to = 2;
	SHOW(copy_file_range(in, &from, in, &to, 5, 0));
	to = 10;
	SHOW(copy_file_range(in, &from, in, &to, 5, 0));
	size_of("in");
	size_of("out");
}

TEST(fallocate)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	SHOW(fallocate(fd, 0, 0, 10000));
	size_of("a");
	SHOW(fallocate(fd, 1, 0, 50000));
	size_of("a");
	SHOW(fallocate(fd, 0, 0, 0));
	SHOW(fallocate(fd, 0, -1, 10));
	MUST(pwrite(fd, "xxxx", 4, 0));
	SHOW(fallocate(fd, 3, 1, 2));
	SHOW(pread(fd, buf, 4, 0));
	say("%d %d %d %d", buf[0], buf[1], buf[2], buf[3]);
	SHOW(fallocate(fd, 0x80, 0, 10));
	SHOW(posix_fallocate(fd, 0, 60000));
	size_of("a");
}

TEST(hints)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644)), fds[2];

	MUST(pipe(fds));
	SHOW(fsync(fd));
	SHOW(fdatasync(fd));
	SHOW(syncfs(fd));
	SHOW(sync_file_range(fd, 0, 0, 0));
	SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	SHOW(posix_fadvise(fd, 0, 0, 99) == EINVAL);
	SHOW(posix_fadvise(fds[0], 0, 0, POSIX_FADV_NORMAL) == ESPIPE);
	SHOW(readahead(fd, 0, 100));
	SHOW(readahead(fds[0], 0, 100));
	sync();
}

TEST(ioctls)
{
	int fd, n;

	put_file("a", "0123456789");
	fd = MUST(open("a", O_RDONLY));
	MUST(lseek(fd, 3, SEEK_SET));
	SHOW(ioctl(fd, FIONREAD, &n));
	say("%d", n);
	n = 1;
	SHOW(ioctl(fd, FIONBIO, &n));
	SHOW(fcntl(fd, F_GETFL));
	SHOW(ioctl(fd, FIOCLEX));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, FIONCLEX));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(ioctl(fd, TIOCGWINSZ, buf));
	SHOW(ioctl(fd, 0x12345678, 0));
	SHOW(isatty(fd));
}

TEST(big_file)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644)), bad = 0;

	for (int i = 0; i < 64; i++) {
		memset(buf, i, sizeof(buf));
		MUST(write(fd, buf, sizeof(buf)));
	}
	for (int i = 63; i >= 0; i--) {
		MUST(pread(fd, buf, sizeof(buf), i * sizeof(buf)));
		bad += buf[0] != i || buf[sizeof(buf) - 1] != i;
	}
	say("%d blocks wrong", bad);
	size_of("a");
	SHOW(pwrite(fd, "x", 1, 1L << 40));
	size_of("a");
}

TEST(devices)
{
	static const char *const names[] = { "/dev/null", "/dev/zero", "/dev/full",
					     "/dev/urandom" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = MUST(open(names[i], O_RDWR));
		struct stat st;

		memset(buf, 'x', 100);
		MUST(fstat(fd, &st));
		say("%s: mode %o device %d:%d", names[i], st.st_mode, (int)(st.st_rdev >> 8),
		    (int)(st.st_rdev & 255));
		SHOW(read(fd, buf, 10));
		SHOW(write(fd, buf, 10));
		SHOW(lseek(fd, 10, SEEK_SET));
		SHOW(pread(fd, buf, 10, 0));
		SHOW(pwrite(fd, buf, 10, 0));
		SHOW(ftruncate(fd, 0));
	}
	SHOW_OK(open("/dev/null", O_RDONLY | O_TRUNC));
	SHOW_OK(open("/dev/null", O_RDONLY | O_DIRECTORY));
	SHOW_OK(open("/dev/tty", O_RDWR));
}
