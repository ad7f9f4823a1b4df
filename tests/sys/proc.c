/* /proc: what a process is told of itself and of others, and who may ask. */
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <tests/sys/test.h>

static char buf[1 << 16];

static void show_link(const char *path)
{
	ssize_t length = readlink(path, buf, sizeof(buf) - 1);

	buf[length < 0 ? 0 : length] = '\0';
	for (char *digit = strchr(buf, '['); digit && *digit; digit++) /* socket:[N] */
		if (*digit >= '0' && *digit <= '9')
			*digit = 'N';
	say("%s -> %s", path, length < 0 ? errno_text(errno) : buf);
}

static void show_fd_link(const char *what, int fd)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, buf, sizeof(buf) - 1);
	buf[length < 0 ? 0 : length] = '\0';
	say("%s: %.*s", what, (int)strcspn(buf, "0123456789"), buf);
}

/* The line of /proc/.../status or fdinfo that begins so. */
static void show_line(const char *path, const char *key)
{
	const char *text = get_file(path), *line = text;

	while (line && strncmp(line, key, strlen(key)))
		line = (line = strchr(line, '\n')) ? line + 1 : NULL;
	say("%s: %.*s", path, line ? (int)strcspn(line, "\n") : 1, line ?: "-");
}

/* The fields of a stat file, from the third on: fields[3] is the state. */
#define STAT_FIELDS 52
static int read_stat(const char *path, char *state, unsigned long long fields[STAT_FIELDS + 1])
{
	const char *at = strrchr(get_file(path), ')');
	int count = 3;

	if (!at)
		return -1;
	*state = at[2];
	at += 3;
	while (count < STAT_FIELDS && *at == ' ') {
		fields[++count] = strtoull(at, (char **)&at, 10);
	}
	return count;
}

/* ---- links ----------------------------------------------------------------------------------------------- */

TEST(self_links)
{
	char number[16];

	show_link("/proc/self/cwd");
	show_link("/proc/self/root");
	show_link("/proc/self/exe");
	show_link("/proc/mounts");
	snprintf(number, sizeof(number), "%d", getpid());
	say("%s", yes_no(readlink("/proc/self", buf, sizeof(buf)) == (ssize_t)strlen(number) &&
			 !memcmp(buf, number, strlen(number))));
	SHOW(readlink("/proc/self/cwd", buf, 3));
	SHOW(readlink("/proc/self/stat", buf, 3));
	SHOW(open("/proc/self/exe", O_WRONLY));
	SHOW(open("/proc/self/cwd", O_RDONLY | O_NOFOLLOW));
	SHOW(unlink("/proc/self/cwd"));
	SHOW(mkdir("/proc/x", 0777));
	SHOW(open("/proc/x", O_CREAT | O_WRONLY, 0644));
	SHOW(rmdir("/proc/self"));
	SHOW(symlink("a", "/proc/self/b"));
}

TEST(exe_survives_unlink)
{
	IN_CHILD("copy")
	{
		system("/bin/true 2>/dev/null");
		SHOW(link("/tests/proc", "copy"));
		if (fork() == 0) {
			execl("./copy", "copy", "show_exe", NULL);
			_exit(1);
		}
		wait(NULL);
	}
}

TEST(show_exe)
{
	show_link("/proc/self/exe");
	IN_CHILD("again")
	{
		if (getenv("AGAIN"))
			_exit(7);
		setenv("AGAIN", "1", 1);
		execl("/proc/self/exe", "x", "no_such_test", NULL);
		_exit(1);
	}
}

TEST(fd_links)
{
	int fds[2], fd;
	struct stat st;

	MUST(pipe(fds));
	show_fd_link("pipe", fds[0]);
	show_fd_link("eventfd", MUST(eventfd(0, 0)));
	put_file("file", "text");
	fd = MUST(open("file", O_RDONLY));
	show_fd_link("file", fd);
	MUST(unlink("file"));
	show_fd_link("unlinked", fd);
	show_fd_link("directory", MUST(open(".", O_RDONLY)));
	show_fd_link("null", MUST(open("/dev/null", O_RDWR)));
	SHOW(readlink("/proc/self/fd/999", buf, sizeof(buf)));
	SHOW(readlink("/proc/self/fd/-1", buf, sizeof(buf)));
	SHOW(readlink("/proc/self/fd/00", buf, sizeof(buf)));
	SHOW(readlink("/proc/self/fd/1x", buf, sizeof(buf)));
	SHOW(readlink("/proc/self/fd/4294967296", buf, sizeof(buf)));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	MUST(lstat(buf, &st));
	say("mode %o size %ld", st.st_mode, (long)st.st_size);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fds[1]);
	MUST(lstat(buf, &st));
	say("mode %o", st.st_mode);
	MUST(stat(buf, &st));
	say("leads to %o", st.st_mode & S_IFMT);
}

TEST(reopen_by_link)
{
	int fd, again;

	put_file("file", "0123456789");
	fd = MUST(open("file", O_RDONLY));
	MUST(read(fd, buf, 4));
	MUST(unlink("file"));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	again = MUST(open(buf, O_RDWR));
	SHOW(read(again, buf, 3));
	say("%.3s", buf);
	SHOW(write(again, "abc", 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(read(fd, buf, 9));
	say("%.6s", buf);
	SHOW(open("/proc/self/fd/99", O_RDONLY));
	SHOW(open("/proc/self/fd/1/x", O_RDONLY));
}

/* ---- files ----------------------------------------------------------------------------------------------- */

TEST(fdinfo)
{
	int fd;
	char path[64];

	put_file("file", "0123456789");
	fd = MUST(open("file", O_RDWR | O_APPEND | O_CLOEXEC));
	MUST(lseek(fd, 5, SEEK_SET));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	MUST(dup2(fd, 50));
	MUST(lseek(fd, 7, SEEK_SET));
	show_line("/proc/self/fdinfo/50", "pos:");
	show_line("/proc/self/fdinfo/50", "flags:");
	MUST(fcntl(50, F_SETFD, FD_CLOEXEC));
	show_line("/proc/self/fdinfo/50", "flags:");
	SHOW(open("/proc/self/fdinfo/99", O_RDONLY));
}

TEST(cmdline_and_environ)
{
	int fd = MUST(open("/proc/self/cmdline", O_RDONLY)), length;

	length = read(fd, buf, sizeof(buf));
	say("%s", yes_no(length > 0 && !buf[length - 1] && strstr(buf, "proc")));
	IN_CHILD("exec")
	{
		char *argv[] = { "/tests/proc", "show_cmdline", "", "c d", NULL };
		char *envp[] = { "A=1", "B=2 3", NULL };

		execve("/tests/proc", argv, envp);
	}
}

static void say_with_zeroes(const char *path)
{
	int fd = MUST(open(path, O_RDONLY)), length = MUST(read(fd, buf, sizeof(buf)));

	for (int i = 0; i < length; i++)
		buf[i] = buf[i] ? buf[i] : '|';
	say("%s: %.*s", path, length, buf);
}

TEST(show_cmdline)
{
	if (strcmp(getenv("A") ?: "", "1"))
		return;
	say_with_zeroes("/proc/self/cmdline");
	say_with_zeroes("/proc/self/environ");
	show_line("/proc/self/status", "Name:");
}

TEST(comm)
{
	int fd = MUST(open("/proc/self/comm", O_RDWR));

	SHOW(write(fd, "a name that is too long", 23));
	SHOW(prctl(PR_GET_NAME, buf));
	say("%s", buf);
	SHOW(pread(fd, buf, 100, 0));
	say("%.16s", buf);
	MUST(prctl(PR_SET_NAME, "new)\n\\x"));
	show_line("/proc/self/status", "Name:");
	SHOW(write(fd, "short\n", 6));
	say("%s", get_file("/proc/self/comm"));
	SHOW(write(fd, "", 0));
}

TEST(status)
{
	static const char *const keys[] = {
		"Umask:",   "State:",	   "TracerPid:", "Uid:",    "Gid:",    "FDSize:", "Groups:",
		"Threads:", "SigPnd:",	   "ShdPnd:",	 "SigBlk:", "SigIgn:", "SigCgt:", "CapInh:",
		"CapAmb:",  "NoNewPrivs:", "Seccomp:",	 "VmSwap:", "VmLck:",  "Kthread:"
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(signal(SIGUSR2, SIG_IGN) == SIG_ERR ? -1 : 0);
	set_handler(SIGHUP, exit, 0);
	MUST(raise(SIGUSR1));
	MUST(kill(getpid(), SIGRTMIN + 3));
	umask(027);
	MUST(setgroups(3, (gid_t[]){ 5, 3, 9 }));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(setresgid(11, 12, 13));
	MUST(setresuid(21, 22, 23));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		show_line("/proc/thread-self/status", keys[i]);
}

TEST(stat)
{
	unsigned long long fields[STAT_FIELDS + 1], size, resident;
	char state = 0;

	MUST(prctl(PR_SET_NAME, "a) b (c"));
	SHOW(read_stat("/proc/self/stat", &state, fields));
	say("state %c", state);
	say("%s %s %s", yes_no(fields[4] == (unsigned)getppid()),
	    yes_no(fields[5] == (unsigned)getpgrp()), yes_no(fields[6] == (unsigned)getsid(0)));
	say("tty %llu %lld", fields[7], fields[8]);
	say("nice %lld priority %lld threads %llu", fields[19], fields[18], fields[20]);
	MUST(setpriority(PRIO_PROCESS, 0, 7));
	read_stat("/proc/self/stat", &state, fields);
	say("nice %lld priority %lld", fields[19], fields[18]);
	say("exit signal %llu policy %llu", fields[38], fields[41]);
	say("code %s stack %s heap %s args %s", yes_no(fields[26] && fields[26] < fields[27]),
	    yes_no(fields[28] > fields[27]), yes_no(fields[47] > fields[27]),
	    yes_no(fields[48] < fields[49] && fields[49] <= fields[50] && fields[50] < fields[51]));
	sscanf(get_file("/proc/self/statm"), "%llu %llu", &size, &resident);
	say("%s %s", yes_no(size && size * PAGE >= fields[23]),
	    yes_no(resident && resident <= size));
}

/* Areas do not overlap, and these are among them. */
TEST(maps)
{
	unsigned long start, end, last = 0;
	void *shared =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *guard = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool sorted = true;
	char mode[5], path[200], *line, *rest, offset[20], dev[20], ino[20];

	free(malloc(100));
	put_file("mapped file", "x");
	mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, MUST(open("mapped file", O_RDONLY)), 0);
	for (line = strtok_r((char *)get_file("/proc/self/maps"), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		path[0] = 0;
		if (sscanf(line, "%lx-%lx %4s %19s %19s %19s %199[^\n]", &start, &end, mode, offset,
			   dev, ino, path) < 6)
			say("odd: %s", line);
		sorted &= start >= last && start < end;
		last = end;
		if (strchr(path, ' ') || !strcmp(path, "[stack]"))
			say("%s %s %s column %ld", mode, offset, path,
			    (long)(strstr(line, path) - line));
		if (start == (unsigned long)guard)
			say("guard %s %lu", mode, (end - start) / PAGE);
		if (start == (unsigned long)shared)
			say("shared %s", mode);
	}
	say("sorted: %s", yes_no(sorted));
	say("the program: %s", yes_no(strstr(get_file("/proc/self/maps"), "/tests/proc\n")));
}

TEST(limits)
{
	const char *text;

	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 77, 99 }));
	MUST(setrlimit(RLIMIT_NICE, &(struct rlimit){ 0, 0 }));
	text = get_file("/proc/self/limits");
	say("%.*s", (int)(strstr(text, "Max msgqueue") - text), text);
}

TEST(small_reads)
{
	static char whole[4096];
	int fd = MUST(open("/proc/self/limits", O_RDONLY)), done = 0, n;

	strcpy(whole, get_file("/proc/self/limits"));
	while ((n = read(fd, buf + done, 7)) > 0)
		done += n;
	say("same: %s", yes_no(done == (int)strlen(whole) && !memcmp(buf, whole, done)));
	SHOW(pread(fd, buf, 10, done));
	SHOW(lseek(fd, 6, SEEK_SET));
	SHOW(read(fd, buf, 4));
	say("same: %s", yes_no(!memcmp(buf, whole + 6, 4)));
	SHOW(read(fd, NULL, 4));
	SHOW(pread(fd, NULL, 4, 0));
	SHOW(read(fd, (void *)-4096L, 4));
	SHOW(write(fd, "x", 1));
	SHOW(open("/proc/version", O_WRONLY | O_TRUNC) >= 0);
	SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
}

TEST(constants)
{
	static const char *const names[] = {
		"fs/nr_open",	       "kernel/ostype",
		"kernel/overflowuid",  "kernel/ngroups_max",
		"kernel/cap_last_cap", "kernel/random/poolsize",
		"vm/max_map_count",    "kernel/randomize_va_space",
	};
	char path[100];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		say("%s: %.*s", names[i], (int)strcspn(get_file(path), "\n"), get_file(path));
	}
	SHOW(strlen(get_file("/proc/sys/kernel/random/uuid")));
	strcpy(buf, get_file("/proc/sys/kernel/random/boot_id"));
	say("%s", yes_no(!strcmp(buf, get_file("/proc/sys/kernel/random/boot_id"))));
	SHOW(open("/proc/sys/nothing", O_RDONLY));
	SHOW(open("/proc/sys", O_WRONLY));
}

TEST(oom_score_adj)
{
	int fd = MUST(open("/proc/self/oom_score_adj", O_RDWR));

	SHOW(write(fd, "12\n", 3));
	say("%s", get_file("/proc/self/oom_score_adj"));
	SHOW(write(fd, "1001", 4));
	SHOW(write(fd, "-1001", 5));
	SHOW(write(fd, "x", 1));
	IN_CHILD("inherits")
	{
		say("%s", get_file("/proc/self/oom_score_adj"));
	}
}

/* ---- directories ----------------------------------------------------------------------------------------- */

static void list(const char *path, bool numbers)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir) {
		say("%s: %s", path, errno_text(errno));
		return;
	}
	while ((entry = readdir(dir)))
		if ((entry->d_name[0] >= '0' && entry->d_name[0] <= '9') == numbers &&
		    entry->d_name[0] != '.')
			count++;
	say("%s: %s", path, count ? "some" : "none");
	closedir(dir);
}

static void *wait_for_byte(void *pipe)
{
	prctl(PR_SET_NAME, "a thread");
	read(*(int *)pipe, buf, 1);
	return NULL;
}

TEST(threads)
{
	pthread_t thread;
	int fds[2], count = 0, others = 0;
	struct dirent *entry;
	char path[300];
	DIR *dir;

	MUST(pipe(fds));
	pthread_create(&thread, NULL, wait_for_byte, &fds[0]);
	sleep_ms(50);
	dir = opendir("/proc/self/task");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (atoi(entry->d_name) == getpid())
			continue;
		others++;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		show_line("/proc/self/status", "Threads:");
		say("%.14s", get_file(path));
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		say("by its own number: %s", get_file(path));
		snprintf(path, sizeof(path), "/proc/self/task/%s/task", entry->d_name);
		SHOW_AS("task below task", open(path, O_RDONLY));
		snprintf(path, sizeof(path), "/proc/self/task/%s/fd", entry->d_name);
		say("%s", yes_no(open(path, O_RDONLY) >= 0));
	}
	say("%d threads, %d others", count, others);
	SHOW(open("/proc/self/task/1", O_RDONLY));
	MUST(write(fds[1], "x", 1));
	pthread_join(thread, NULL);
}

TEST(listing)
{
	int fd;

	list("/proc", true);
	list("/proc", false);
	list("/proc/self/fd", true);
	list("/proc/self/task", true);
	list("/proc/self", true);
	list("/proc/self/fdinfo", true);
	list("/proc/sys/kernel", false);
	list("/proc/self/stat", false);
	SHOW(chdir("/proc/self/fd"));
	SHOW(access("1", F_OK));
	SHOW(chdir("../task"));
	SHOW(access("../stat", R_OK));
	fd = MUST(open("/proc", O_RDONLY));
	SHOW(read(fd, buf, 10));
	SHOW(write(fd, buf, 10));
}

/* ---- the dead -------------------------------------------------------------------------------------------- */

TEST(zombie)
{
	unsigned long long fields[STAT_FIELDS + 1] = { 0 };
	char path[64], state = 0;
	pid_t pid = MUST(fork());
	int stat_fd, dir_fd;

	if (pid == 0)
		_exit(3);
	sleep_ms(50);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	SHOW(read_stat(path, &state, fields));
	say("state %c parent %s size %llu", state, yes_no(fields[4] == (unsigned)getpid()),
	    fields[23]);
	stat_fd = MUST(open(path, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	show_line(path, "Name:" + 5);
	say("%.24s", strstr(get_file(path), "State:"));
	snprintf(path, sizeof(path), "/proc/%d", pid);
	dir_fd = MUST(open(path, O_RDONLY));
	MUST(fchdir(dir_fd));
	say("cmdline '%s'", get_file("cmdline"));
	say("maps '%s'", get_file("maps"));
	SHOW(readlink("exe", buf, 10));
	SHOW(readlink("cwd", buf, 10));
	SHOW(openat(dir_fd, "fd/0", O_RDONLY));
	list("fd", true);

	MUST(waitpid(pid, NULL, 0));
	SHOW(read(stat_fd, buf, 10));
	SHOW(openat(dir_fd, "stat", O_RDONLY));
	SHOW(fstatat(dir_fd, "status", &(struct stat){ 0 }, 0));
	SHOW(readlinkat(dir_fd, "exe", buf, 10));
	SHOW(openat(dir_fd, ".", O_RDONLY));
	SHOW(open(path, O_RDONLY));
	list(".", false);
}

/* ---- others ---------------------------------------------------------------------------------------------- */

static void try_all(pid_t pid)
{
	static const char *const names[] = {
		"stat",	  "status", "cmdline", "comm",		"environ", "maps",  "fd",
		"fdinfo", "task",   "limits",  "oom_score_adj", "syscall", "wchan", "personality"
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		SHOW_AS(names[i], open(path, O_RDONLY) >= 0 ? 0 : -1);
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	SHOW_AS("exe", readlink(path, buf, 100) > 0 ? 0 : -1);
	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	SHOW_AS("fd/0", readlink(path, buf, 100) > 0 ? 0 : -1);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	SHOW_AS("comm for writing", open(path, O_WRONLY) >= 0 ? 0 : -1);
}

TEST(permissions)
{
	pid_t pid = getpid();

	IN_CHILD("root, of another")
	{
		try_all(pid);
	}
	IN_CHILD("nobody, of root")
	{
		become_nobody();
		try_all(pid);
	}
	IN_CHILD("nobody, of itself")
	{
		become_nobody();
		say("own fd: %s", yes_no(access("/proc/self/fd/1", F_OK) == 0));
		say("own exe: %s", yes_no(readlink("/proc/self/exe", buf, 100) > 0));
		say("own environ: %s", yes_no(open("/proc/self/maps", O_RDONLY) >= 0));
	}
}

/* What was opened with permission does not show more when the process has become another program. */
TEST(environ_of_old_program)
{
	int fds[2], fd;
	char path[64], byte;
	pid_t pid;

	MUST(pipe(fds));
	pid = MUST(fork());
	if (pid == 0) {
		char *argv[] = { "/tests/proc", "sleep_a_little", NULL };
		char *envp[] = { "SECRET=1", NULL };

		read(fds[0], &byte, 1);
		execve(argv[0], argv, envp);
	}
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = MUST(open(path, O_RDONLY));
	SHOW(read(fd, buf, sizeof(buf)) > 0);
	MUST(write(fds[1], "x", 1));
	sleep_ms(200);
	SHOW(pread(fd, buf, sizeof(buf), 0));
	fd = MUST(open(path, O_RDONLY));
	SHOW(pread(fd, buf, sizeof(buf), 0) > 0);
	MUST(kill(pid, SIGKILL));
	reap("child", pid);
	SHOW(pread(fd, buf, sizeof(buf), 0));
}

TEST(sleep_a_little)
{
	if (getenv("SECRET"))
		sleep(5);
}
