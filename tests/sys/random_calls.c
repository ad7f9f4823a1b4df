/*
 * random_calls SEED STEPS [log]: a random sequence of system calls on files, directories, pipes,
 * descriptors and processes, the same for the same seed. What the calls answer, and what they read, goes
 * into a hash that is printed every so often; with "log", each call is printed too. Linux and Pollux
 * must print the same.
 *
 * Nothing in here may block or depend on time: all descriptors are non-blocking, and a process that
 * forks waits for its child. Descriptors 0 to 2 are left alone.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <tests/sys/random.h>
#include <tests/sys/show.h>

#define HASH_EVERY 100
#define FIRST_FD   3
#define FDS	   40
#define NAMES	   8

static char data[1 << 17];

/* ---- random arguments ---- */

static int any_fd(void)
{
	static const int odd[] = { -1, 99, INT_MAX, -100 };
	int fd = below(30) ? FIRST_FD + (int)below(FDS) : odd[below(ARRAY_SIZE(odd))];

	if (logging)
		say("    descriptor %d", fd);
	return fd;
}

/* A path of one to three short names, some of them dots, with a slash at its end at times. */
static const char *any_path(void)
{
	static char paths[4][64];
	static int turn;
	char *path = paths[turn++ % 4];
	int parts = 1 + !below(3) + !below(6);

	path[0] = 0;
	for (int i = 0; i < parts; i++) {
		size_t length = strlen(path);
		unsigned pick = below(NAMES + 1);

		if (pick == NAMES)
			snprintf(path + length, 64 - length, "%s%s", i ? "/" : "",
				 below(3) ? "." : "..");
		else
			snprintf(path + length, 64 - length, "%s%c", i ? "/" : "", 'a' + pick);
	}
	if (!below(20))
		strcat(path, "/");
	if (logging)
		say("    path %s", path);
	return path;
}

static size_t any_size(void)
{
	static const size_t sizes[] = { 0, 1, 7, 100, 4095, 4096, 4097, 9000, 65536, 100000 };

	return sizes[below(ARRAY_SIZE(sizes))];
}

static off_t any_offset(void)
{
	static const off_t offsets[] = { 0, 1, 100, 4096, 5000, 65536, 200000, -1 };

	return offsets[below(ARRAY_SIZE(offsets))];
}

/* ---- the calls ---- */

static void do_open(void)
{
	static const int flags[] = { O_RDONLY,
				     O_WRONLY,
				     O_RDWR,
				     O_CREAT | O_RDWR,
				     O_CREAT | O_WRONLY | O_TRUNC,
				     O_CREAT | O_EXCL | O_RDWR,
				     O_RDWR | O_APPEND | O_CREAT,
				     O_DIRECTORY,
				     O_NOFOLLOW,
				     O_PATH,
				     O_RDONLY | O_TRUNC,
				     O_CREAT | O_RDWR };

	NOTE(open(any_path(), flags[below(ARRAY_SIZE(flags))] | O_NONBLOCK, 0644));
}

static void do_close(void)
{
	NOTE(close(any_fd()));
}

static void do_read(void)
{
	ssize_t n = NOTE(read(any_fd(), data, any_size()));

	if (n > 0)
		mix(data, n);
}

static void do_write(void)
{
	size_t size = any_size();

	memset(data, 'a' + below(26), size);
	NOTE(write(any_fd(), data, size));
}

static void do_pread(void)
{
	int fd = any_fd();
	ssize_t n = NOTE(pread(fd, data, any_size(), any_offset()));

	if (n > 0)
		mix(data, n);
}

static void do_pwrite(void)
{
	int fd = any_fd();

	memset(data, 'A' + below(26), 100);
	NOTE(pwrite(fd, data, 100, any_offset()));
}

static void do_vectors(void)
{
	size_t first = any_size() % 5000, second = any_size() % 5000;
	struct iovec iov[2] = { { data, first }, { data + 5000, second } };
	int fd = any_fd();

	memset(data, '0' + below(10), 10000);
	if (below(2))
		NOTE(writev(fd, iov, 2));
	else if (NOTE(readv(fd, iov, 2)) > 0)
		mix(data, 10000);
}

static void do_lseek(void)
{
	int fd = any_fd();
	off_t offset = any_offset();

	NOTE(lseek(fd, offset, below(4)));
}

static void do_truncate(void)
{
	if (below(2))
		NOTE(truncate(any_path(), any_offset()));
	else
		NOTE(ftruncate(any_fd(), any_offset()));
}

static void do_dup(void)
{
	int fd = any_fd();

	switch (below(4)) {
	case 0:
		NOTE(dup(fd));
		break;
	case 1:
		NOTE(dup2(fd, FIRST_FD + below(FDS)));
		break;
	case 2:
		NOTE(syscall(SYS_dup3, fd, FIRST_FD + below(FDS), below(2) ? O_CLOEXEC : 0));
		break;
	case 3:
		NOTE(fcntl(fd, below(2) ? F_DUPFD : F_DUPFD_CLOEXEC, FIRST_FD + below(FDS)));
		break;
	}
}

static void do_fcntl(void)
{
	int fd = any_fd();

	switch (below(4)) {
	case 0:
		NOTE(fcntl(fd, F_GETFD));
		break;
	case 1:
		NOTE(fcntl(fd, F_SETFD, below(2)));
		break;
	case 2:
		NOTE(fcntl(fd, F_GETFL));
		break;
	case 3:
		NOTE(fcntl(fd, F_SETFL, O_NONBLOCK | (below(2) ? O_APPEND : 0)));
		break;
	}
}

static void do_pipe(void)
{
	int fds[2] = { -5, -5 };

	NOTE(pipe2(fds, O_NONBLOCK | (below(2) ? O_CLOEXEC : 0)));
	note("ends", fds[0] * 1000 + fds[1]);
}

static void do_eventfd(void)
{
	NOTE(eventfd(below(3), EFD_NONBLOCK | (below(2) ? EFD_SEMAPHORE : 0)));
}

static void do_poll(void)
{
	struct pollfd pfd[5];

	for (int i = 0; i < 5; i++)
		pfd[i] = (struct pollfd){ any_fd(), below(16), 0 };
	NOTE(poll(pfd, 1 + below(5), 0));
	for (int i = 0; i < 5; i++)
		note("revents", pfd[i].revents);
}

static void note_stat(long result, const struct stat *st)
{
	if (result)
		return;
	/* Pollux keeps no mode for a pipe without a name. */
	note("mode", S_ISFIFO(st->st_mode) ? S_IFIFO : st->st_mode);
	if (!S_ISDIR(st->st_mode))
		note("size", st->st_size);
	note("links", st->st_nlink);
}

static void do_stat(void)
{
	struct stat st;

	switch (below(3)) {
	case 0:
		note_stat(NOTE(stat(any_path(), &st)), &st);
		break;
	case 1:
		note_stat(NOTE(lstat(any_path(), &st)), &st);
		break;
	case 2:
		note_stat(NOTE(fstat(any_fd(), &st)), &st);
		break;
	}
}

static void do_names(void)
{
	const char *from = any_path(), *to = any_path();

	switch (below(9)) {
	case 0:
		NOTE(link(from, to));
		break;
	case 1:
		NOTE(unlink(from));
		break;
	case 2:
		NOTE(rename(from, to));
		break;
	case 3:
		NOTE(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, below(4)));
		break;
	case 4:
		NOTE(mkdir(from, 0777));
		break;
	case 5:
		NOTE(rmdir(from));
		break;
	case 6:
		NOTE(symlink(from, to));
		break;
	case 7:
		NOTE(mkfifo(from, 0644));
		break;
	case 8:
		if (NOTE(readlink(from, data, 100)) > 0)
			mix(data, strnlen(data, 1));
		break;
	}
}

static void do_modes(void)
{
	switch (below(4)) {
	case 0:
		NOTE(chmod(any_path(), 0600 + below(0100)));
		break;
	case 1:
		NOTE(fchmod(any_fd(), 0600 + below(0100)));
		break;
	case 2:
		NOTE(access(any_path(), below(8)));
		break;
	case 3:
		NOTE(umask(below(0100)));
		break;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void do_list(void)
{
	char names[64][16];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir = opendir(any_path());

	note("opendir", dir ? 0 : -1);
	if (!dir)
		return;
	while ((entry = readdir(dir)) && count < ARRAY_SIZE(names))
		snprintf(names[count++], 16, "%.10s %d", entry->d_name, entry->d_type);
	closedir(dir);
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++)
		mix(names[i], strlen(names[i]));
	note("entries", count);
}

static void do_chdir(void)
{
	char name[2] = { 'a' + below(NAMES), 0 };

	NOTE(chdir(below(2) ? ".." : name));
}

/* Not into pipes, nor from a file to itself: how many pages that moves at once is each kernel's own business. */
static void do_sendfile(void)
{
	off_t offset = any_offset();
	int out = any_fd(), in = any_fd();
	struct stat to, from;

	if (fstat(out, &to) == 0 && fstat(in, &from) == 0 &&
	    (S_ISFIFO(to.st_mode) ||
	     (S_ISREG(to.st_mode) && S_ISREG(from.st_mode) && to.st_ino == from.st_ino)))
		return;
	NOTE(sendfile(out, in, below(2) ? &offset : NULL, 1 + any_size()));
	note("offset", offset);
}

/* What is mapped is read by the kernel, for it may lie beyond the end of its file. */
static void do_map(void)
{
	char *at = mmap(NULL, PAGE, PROT_READ, below(2) ? MAP_SHARED : MAP_PRIVATE, any_fd(), 0);
	int fds[2];

	if (note("mmap", at == MAP_FAILED ? -1 : 0))
		return;
	if (pipe(fds) == 0) {
		if (NOTE(write(fds[1], at, PAGE)) > 0)
			mix(data, MUST(read(fds[0], data, PAGE)));
		close(fds[0]);
		close(fds[1]);
	}
	munmap(at, PAGE);
}

static void steps(unsigned count);

static void do_fork(void)
{
	unsigned count = below(20);
	uint64_t seed = next() | 1;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		random_state = seed;
		steps(count);
		_exit(hash & 0x7f);
	}
	MUST(waitpid(pid, &status, 0));
	note("child", status);
}

static void (*const calls[])(void) = {
	do_open,    do_open,   do_open,	   do_close, do_read,	  do_read,  do_write, do_write,
	do_pread,   do_pwrite, do_vectors, do_lseek, do_truncate, do_dup,   do_fcntl, do_pipe,
	do_eventfd, do_poll,   do_stat,	   do_stat,  do_names,	  do_names, do_names, do_names,
	do_names,   do_modes,  do_list,	   do_chdir, do_sendfile, do_map,   do_fork,
};

static void steps(unsigned count)
{
	static int depth;

	depth++;
	for (unsigned i = 1; i <= count; i++) {
		unsigned pick = below(ARRAY_SIZE(calls));

		if (calls[pick] == do_fork && depth > 2)
			pick = 0;
		calls[pick]();
		if (depth == 1 && i % HASH_EVERY == 0)
			say("step %u: %016lx", i, hash);
	}
	depth--;
}

int main(int argc, char **argv)
{
	unsigned count = read_arguments(argc, argv);

	signal(SIGPIPE, SIG_IGN);
	for (int fd = FIRST_FD; fd < 1000; fd++)
		close(fd);
	MUST(mkdir("top", 0777));
	MUST(chdir("top"));
	/* ".." leads no further out than to a directory of our own. */
	MUST(chroot("."));
	MUST(chdir("/"));
	steps(count);
	return 0;
}
