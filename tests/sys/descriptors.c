/* Descriptors: dup and its family, close-on-exec, limits, fcntl, what /proc says of them. */
#include <sys/eventfd.h>
#include <tests/sys/test.h>

static char buf[1000];

TEST(lowest_is_given)
{
	int fd = MUST(open("/dev/null", O_RDONLY));

	close(fd);
	say("%s", yes_no(open("/dev/null", O_RDONLY) == fd));
	say("%s", yes_no(open("/dev/null", O_RDONLY) == fd + 1));
	close(fd);
	say("%s", yes_no(dup(1) == fd));
	say("%s", yes_no(dup(1) == fd + 2));
}

TEST(dup)
{
	int fd;

	put_file("a", "0123456789");
	fd = MUST(open("a", O_RDONLY | O_CLOEXEC));
	SHOW(dup2(fd, 20));
	SHOW(read(20, buf, 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(fcntl(20, F_GETFD));
	SHOW(dup2(fd, fd) == fd);
	SHOW(dup2(99, 99));
	SHOW(dup2(99, 5));
	SHOW(dup2(fd, -1));
	SHOW(dup2(fd, 1 << 20));
	SHOW(dup2(fd, 1024));
	SHOW(dup2(fd, 1023));
	SHOW(dup3(fd, fd, 0));
	SHOW(dup3(fd, 21, O_CLOEXEC));
	SHOW(fcntl(21, F_GETFD));
	SHOW(dup3(fd, 21, 0));
	SHOW(fcntl(21, F_GETFD));
	SHOW(syscall(SYS_dup3, fd, 22, O_NONBLOCK));
	SHOW(dup(-1));
	SHOW(dup(99));
	SHOW(close(20));
	SHOW(close(20));
	SHOW(close(-1));
	SHOW(close(1 << 30));
}

TEST(dup2_closes_what_was_there)
{
	int fds[2];

	MUST(pipe(fds));
	SHOW(dup2(1, fds[1]) == fds[1]);
	SHOW(read(fds[0], buf, 1));
}

TEST(fcntl_dupfd)
{
	SHOW(fcntl(0, F_DUPFD, 100));
	SHOW(fcntl(0, F_DUPFD, 100));
	SHOW(fcntl(0, F_DUPFD_CLOEXEC, 100));
	SHOW(fcntl(102, F_GETFD));
	SHOW(fcntl(0, F_DUPFD, -1));
	SHOW(fcntl(0, F_DUPFD, 1024));
	SHOW(fcntl(0, F_DUPFD, 1023));
	SHOW(fcntl(0, F_DUPFD, 1023));
	SHOW(fcntl(99, F_DUPFD, 0));
}

TEST(fcntl_flags)
{
	int fd = MUST(open("a", O_RDWR | O_CREAT, 0644));

	SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, F_SETFD, 0xff00));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT));
	SHOW(fcntl(fd, F_GETFL));
	SHOW(fcntl(fd, F_SETFL, 0));
	SHOW(fcntl(fd, F_GETFL));
	SHOW(fcntl(fd, 9999));
	SHOW(fcntl(-1, F_GETFD));
	SHOW(fcntl(99, F_GETFL));
}

TEST(status_flags_are_shared_by_dup)
{
	int fd = MUST(dup(0));

	SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
	say("%s", yes_no(fcntl(0, F_GETFL) & O_NONBLOCK));
	IN_CHILD("child")
	{
		SHOW(fcntl(0, F_SETFL, 0));
	}
	say("%s", yes_no(fcntl(0, F_GETFL) & O_NONBLOCK));
}

TEST(offset_is_shared_by_fork)
{
	int fd;

	put_file("a", "0123456789");
	fd = MUST(open("a", O_RDONLY));
	IN_CHILD("child")
	{
		MUST(read(fd, buf, 4));
		close(fd);
	}
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(read(fd, buf, 1));
	say("%c", buf[0]);
}

TEST(emfile)
{
	struct rlimit limit = { 20, 20 };
	int count = 0, fds[2];

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	while (open("/dev/null", O_RDONLY) >= 0)
		count++;
	say("%d opened, then %s", count, errno_text(errno));
	SHOW(dup(0));
	SHOW(pipe(fds));
	SHOW(eventfd(0, 0));
	SHOW(dup2(0, 19));
	SHOW(dup2(0, 20));
	SHOW(fcntl(0, F_DUPFD, 0));
	close(19);
	SHOW(pipe(fds));
	SHOW(dup(0));
	SHOW_OK(open("none", O_CREAT | O_RDWR, 0644));
	SHOW(access("none", F_OK));
}

TEST(limit_lowered_below_open_ones)
{
	struct rlimit limit = { 10, 100 };

	MUST(dup2(1, 50));
	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	SHOW(fcntl(50, F_GETFD));
	SHOW(dup2(1, 50));
	SHOW(write(50, "", 0));
	SHOW(close(50));
	SHOW(dup2(1, 50));
}

TEST(many)
{
	struct rlimit limit = { 4000, 4000 };
	int highest = -1, fd;

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = dup(0)) >= 0)
		highest = fd;
	say("highest %d, then %s", highest, errno_text(errno));
	SHOW(close(1234));
	SHOW(dup(0));
	SHOW(syscall(SYS_close_range, 100, 3900, 0));
	SHOW(dup(0));
	SHOW(fcntl(3901, F_GETFD));
}

TEST(limit_without_privilege)
{
	struct rlimit limit = { 4096, 4096 };

	SHOW(setrlimit(RLIMIT_NOFILE, &limit));
	SHOW(dup2(0, 4095));
	become_nobody();
	limit.rlim_max++;
	SHOW(setrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_max = 10;
	SHOW(setrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 10;
	SHOW(setrlimit(RLIMIT_NOFILE, &limit));
}

TEST(close_range)
{
	for (int fd = 10; fd < 20; fd++)
		MUST(dup2(0, fd));
	SHOW(syscall(SYS_close_range, 12, 14, 0));
	for (int fd = 11; fd < 16; fd++)
		SHOW(fcntl(fd, F_GETFD));
	SHOW(syscall(SYS_close_range, 15, 16, 4));
	SHOW(fcntl(15, F_GETFD));
	SHOW(fcntl(17, F_GETFD));
	SHOW(syscall(SYS_close_range, 20, 10, 0));
	SHOW(syscall(SYS_close_range, 10, 10, 0x100));
	SHOW(syscall(SYS_close_range, 16, ~0U, 2));
	SHOW(fcntl(17, F_GETFD));
}

TEST(cloexec)
{
	char *const argv[] = { "/tests/show_fds", NULL };

	for (int fd = 3; fd < 20; fd++)
		close(fd);
	MUST(dup3(0, 10, O_CLOEXEC));
	MUST(dup2(0, 11));
	MUST(open("/dev/null", O_RDONLY | O_CLOEXEC));
	MUST(fcntl(0, F_DUPFD_CLOEXEC, 12));
	MUST(fcntl(0, F_DUPFD, 13));
	execv(argv[0], argv);
	say("exec failed: %s", errno_text(errno));
}

/* "pipe:[123]" as "pipe:[N]" */
static void say_link(const char *what, int fd)
{
	char path[64], *bracket;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	if (n < 0) {
		say("%s: %s", what, errno_text(errno));
		return;
	}
	buf[n] = 0;
	bracket = strchr(buf, '[');
	if (bracket && bracket[1] >= '0' && bracket[1] <= '9')
		strcpy(bracket, "[N]");
	say("%s: %s", what, buf);
}

TEST(names_in_proc)
{
	int fds[2], fd;

	MUST(pipe(fds));
	say_link("pipe", fds[0]);
	say_link("eventfd", eventfd(0, 0));
	say_link("null", open("/dev/null", O_RDONLY));
	put_file("/tmp/file", "");
	fd = open("/tmp/file", O_RDONLY);
	say_link("file", fd);
	MUST(rename("/tmp/file", "/tmp/moved"));
	say_link("moved", fd);
	MUST(unlink("/tmp/moved"));
	say_link("unlinked", fd);
	say_link("directory", open("/tmp", O_RDONLY));
	say_link("root", open("/", O_PATH));
	say_link("memfd", syscall(SYS_memfd_create, "name", 0));
	say_link("closed", 99);
}

TEST(memfd)
{
	int fd = syscall(SYS_memfd_create, "x", 0);
	struct stat st;

	SHOW(write(fd, "hello", 5));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, buf, 10));
	SHOW(fstat(fd, &st));
	say("mode %o nlink %ld size %ld", st.st_mode, (long)st.st_nlink, (long)st.st_size);
	SHOW(ftruncate(fd, 100000));
	SHOW(fcntl(fd, F_GETFD));
	fd = syscall(SYS_memfd_create, "x", 1);
	SHOW(fcntl(fd, F_GETFD));
	SHOW(syscall(SYS_memfd_create, "x", 0x1000));
	SHOW(syscall(SYS_memfd_create, NULL, 0));
}
