/* /proc: which files there are and what their lines look like. Numbers become N. */
#include <ctype.h>
#include <sys/prctl.h>
#include <tests/sys/test.h>

/* Words that are numbers, hexadecimal ones too, become N; runs of spaces one. */
static void normalise(char *out, const char *line)
{
	bool inside = false;

	for (; *line && *line != '\n'; line++) {
		if (isdigit(*line) && !inside) {
			const char *end = line;

			while (isxdigit(*end))
				end++;
			*out++ = 'N';
			line = end - 1;
		} else if ((*line == ' ' || *line == '\t') && (line[1] == ' ' || line[1] == '\t')) {
			continue;
		} else {
			*out++ = *line == '\t' ? ' ' : *line;
		}
		inside = isalpha(*line) || *line == '_';
	}
	*out = 0;
}

static void say_lines(const char *path, const char *const *wanted)
{
	char *text = strdup(get_file(path)), *rest, line[1000];

	for (char *at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		for (int i = 0; wanted[i]; i++) {
			if (!strncmp(at, wanted[i], strlen(wanted[i]))) {
				normalise(line, at);
				say("%s: %s", path, line);
			}
		}
	}
	free(text);
}

#define LINES(path, ...) say_lines(path, (const char *const[]){ __VA_ARGS__, NULL })

TEST(self)
{
	char link[100], path[100];
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	link[n < 0 ? 0 : n] = 0;
	say("self is the pid: %s", yes_no(atoi(link) == getpid()));
	n = readlink("/proc/thread-self", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	snprintf(path, sizeof(path), "%d/task/%d", getpid(), getpid());
	say("thread-self: %s", yes_no(!strcmp(link, path)));
	n = readlink("/proc/self/exe", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	say("exe: %s", link);
	MUST(chdir("/tmp"));
	n = readlink("/proc/self/cwd", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	say("cwd: %s", link);
	n = readlink("/proc/self/root", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	say("root: %s", link);
	say("comm: %s", get_file("/proc/self/comm"));
}

TEST(cmdline_and_environ)
{
	char text[100];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));

	say("%ld bytes, ends in a zero: %s, %s", (long)n, yes_no(n > 0 && text[n - 1] == 0),
	    n > 0 ? text : "");
	fd = open("/proc/self/environ", O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = 0;
	say("%s", text);
}

TEST(stat)
{
	const char *text = get_file("/proc/self/stat"), *after = strrchr(text, ')') + 1;
	int fields = 0, pid, ppid, pgrp, session;
	char state;

	for (const char *at = after; *at; at++)
		fields += *at == ' ';
	sscanf(text, "%d", &pid);
	sscanf(after, " %c %d %d %d", &state, &ppid, &pgrp, &session);
	say("%d fields after the name, state %c", fields, state);
	say("pid %s ppid %s pgrp %s session %s", yes_no(pid == getpid()), yes_no(ppid == getppid()),
	    yes_no(pgrp == getpgrp()), yes_no(session == getsid(0)));
}

TEST(status)
{
	LINES("/proc/self/status", "Name:", "Umask:", "State:", "Tgid:", "Pid:", "PPid:", "Uid:",
	      "Gid:", "Groups:", "VmSize:", "VmRSS:", "VmPeak:", "VmData:", "VmStk:", "Threads:",
	      "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:",
	      "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:");
}

TEST(status_of_signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, SIG_IGN);
	set_handler(SIGHUP, (void (*)(int))exit, 0);
	kill(getpid(), SIGUSR1);
	for (char *at = strtok(strdup(get_file("/proc/self/status")), "\n"); at;
	     at = strtok(NULL, "\n"))
		if (!strncmp(at, "Sig", 3) || !strncmp(at, "ShdPnd", 6))
			if (strncmp(at, "SigQ", 4))
				say("%s", at);
}

TEST(maps)
{
	char *text = strdup(get_file("/proc/self/maps")), *rest;
	int named = 0, wrong = 0;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long start, end, offset, inode;
		char prot[5], dev[16];

		wrong += sscanf(line, "%lx-%lx %4s %lx %15s %lu", &start, &end, prot, &offset, dev,
				&inode) != 6;
		named += strstr(line, "/tests/proc") != NULL;
		if (strstr(line, "[stack]"))
			say("stack %s", prot);
		if (strstr(line, "[heap]"))
			say("heap %s", prot);
	}
	say("%d lines of another form, the program is there: %s", wrong, yes_no(named > 0));
}

TEST(maps_follow)
{
	char *at = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), range[64];

	mprotect(at + PAGE, PAGE, PROT_NONE);
	snprintf(range, sizeof(range), "%lx-%lx ---p", (long)(at + PAGE), (long)(at + 2 * PAGE));
	say("%s", yes_no(strstr(get_file("/proc/self/maps"), range) != NULL));
	munmap(at, 3 * PAGE);
	say("%s", yes_no(strstr(get_file("/proc/self/maps"), range) != NULL));
}

TEST(statm)
{
	long size, resident, shared;

	say("%d", sscanf(get_file("/proc/self/statm"), "%ld %ld %ld", &size, &resident, &shared));
	say("sensible: %s", yes_no(size >= resident && resident > 0));
}

TEST(fd)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	for (int fd = 3; fd < 20; fd++)
		close(fd);
	MUST(dup2(0, 10));
	dir = opendir("/proc/self/fd");
	while ((entry = readdir(dir)))
		count += isdigit(entry->d_name[0]);
	say("%d descriptors", count);
	LINES("/proc/self/fdinfo/10", "pos:", "flags:", "mnt_id:");
	say("%s", get_file("/proc/self/fdinfo/99"));
	SHOW_OK(open("/proc/self/fd/99", O_RDONLY));
	SHOW_OK(open("/proc/self/fd/x", O_RDONLY));
	SHOW_OK(open("/proc/self/fd/010", O_RDONLY));
	SHOW_OK(open("/proc/self/fd/10", O_RDONLY));
}

TEST(fdinfo_position)
{
	int fd;

	put_file("f", "0123456789");
	fd = MUST(open("f", O_RDWR | O_APPEND));
	dup2(fd, 20);
	lseek(fd, 7, SEEK_SET);
	for (char *at = strtok(strdup(get_file("/proc/self/fdinfo/20")), "\n"); at;
	     at = strtok(NULL, "\n"))
		if (!strncmp(at, "pos:", 4) || !strncmp(at, "flags:", 6))
			say("%s", at);
}

TEST(system)
{
	LINES("/proc/meminfo", "MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:",
	      "Slab:", "SwapTotal:");
	LINES("/proc/uptime", "");
	LINES("/proc/loadavg", "");
	LINES("/proc/stat", "cpu ", "ctxt ", "btime ", "processes ", "procs_running ",
	      "procs_blocked ");
	say("version: %.13s", get_file("/proc/version"));
	LINES("/proc/filesystems", "nodev tmpfs", "nodev proc");
}

/* These differ from machine to machine in more than numbers. */
TEST(machine)
{
	static const char *const words[] = { "processor\t: 0\n",
					     "vendor_id\t: ", "model name\t: ", "flags\t\t: " };
	const char *text = get_file("/proc/cpuinfo");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		say("%.9s: %s", words[i], yes_no(strstr(text, words[i]) != NULL));
	text = get_file("/proc/stat");
	say("cpu0: %s, intr: %s", yes_no(strstr(text, "\ncpu0 ") != NULL),
	    yes_no(strstr(text, "\nintr ") != NULL));
	text = get_file("/proc/interrupts");
	say("a heading of CPUs: %s", yes_no(!strncmp(text + strspn(text, " "), "CPU0", 4)));
	text = get_file("/proc/softirqs");
	say("a heading of CPUs: %s, NET_RX: %s",
	    yes_no(!strncmp(text + strspn(text, " "), "CPU0", 4)),
	    yes_no(strstr(text, "NET_RX:") != NULL));
	text = get_file("/proc/slabinfo");
	say("slabinfo: %.25s", text);
	text = get_file("/proc/mounts");
	say("root: %s, proc: %s", yes_no(strstr(text, " / ") != NULL),
	    yes_no(strstr(text, " /proc proc ") != NULL));
}

TEST(sysctl)
{
	static const char *const paths[] = {
		"/proc/sys/kernel/pid_max",   "/proc/sys/kernel/ostype",
		"/proc/sys/kernel/hostname",  "/proc/sys/kernel/threads-max",
		"/proc/sys/fs/nr_open",	      "/proc/sys/fs/file-max",
		"/proc/sys/fs/pipe-max-size", "/proc/sys/vm/overcommit_memory",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		say("%s: %s", paths[i], access(paths[i], R_OK) ? errno_text(errno) : "there");
	say("%s", get_file("/proc/sys/kernel/ostype"));
}

TEST(other_processes)
{
	char path[64];
	pid_t pid = MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	say("%s", get_file(path));
	snprintf(path, sizeof(path), "/proc/%d", pid);
	SHOW(access(path, F_OK));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	SHOW(access(path, F_OK));
	SHOW(access("/proc/99999", F_OK));
	SHOW(access("/proc/0", F_OK));
	SHOW(access("/proc/01", F_OK));
}

TEST(held_open_after_death)
{
	char path[64], byte;
	int dir, file;
	pid_t pid = MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d", pid);
	dir = MUST(open(path, O_RDONLY));
	file = MUST(openat(dir, "status", O_RDONLY));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	SHOW_OK(openat(dir, "status", O_RDONLY));
	SHOW(read(file, &byte, 1));
}

TEST(of_another_user)
{
	char link[64];

	become_nobody();
	SHOW_OK(open("/proc/1/status", O_RDONLY));
	SHOW_OK(open("/proc/1/environ", O_RDONLY));
	SHOW_OK(open("/proc/1/fd", O_RDONLY));
	SHOW_OK(readlink("/proc/1/exe", link, sizeof(link)));
	SHOW_OK(readlink("/proc/1/cwd", link, sizeof(link)));
}

TEST(cannot_be_changed)
{
	SHOW_OK(open("/proc/new", O_CREAT | O_WRONLY, 0644));
	SHOW(mkdir("/proc/new", 0755));
	SHOW(unlink("/proc/version"));
	SHOW_OK(open("/proc/self/status", O_WRONLY));
	SHOW(unlink("/proc/self/status"));
	SHOW(rmdir("/proc/self/fd"));
	SHOW(symlink("x", "/proc/x"));
}

TEST(small_reads)
{
	char whole[100], pieces[100];
	int fd = MUST(open("/proc/self/comm", O_RDONLY)), length = 0;
	ssize_t n = read(fd, whole, sizeof(whole));

	MUST(lseek(fd, 0, SEEK_SET));
	while (read(fd, pieces + length, 1) == 1)
		length++;
	say("%s", yes_no(length == n && !memcmp(whole, pieces, n)));
	SHOW(pread(fd, pieces, 100, 2) == n - 2);
	SHOW(pread(fd, pieces, 100, 1000));
	SHOW(lseek(fd, 3, SEEK_SET));
	SHOW(read(fd, (void *)16, 10));
}

TEST(tasks)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir = opendir("/proc/self/task");

	while ((entry = readdir(dir)))
		count += isdigit(entry->d_name[0]);
	say("%d tasks", count);
	LINES("/proc/thread-self/status", "Name:", "Threads:");
}

TEST(limits)
{
	LINES("/proc/self/limits", "Limit", "Max open files", "Max processes", "Max stack size");
}

/* A zombie has a name, and little else. */
TEST(zombie)
{
	char path[64], stat[300];
	siginfo_t info;
	pid_t pid = MUST(fork());

	if (pid == 0) {
		prctl(PR_SET_NAME, "shade");
		_exit(3);
	}
	MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	snprintf(stat, sizeof(stat), "%.200s", get_file(path));
	say("%.10s", strchr(stat, '(') ?: stat);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	say("%s", get_file(path));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	say("%.29s", get_file(path));
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	say("cmdline: %zu bytes", strlen(get_file(path)));
	reap("child", pid);
}

TEST(hostname)
{
	char name[65];

	put_file("/proc/sys/kernel/hostname", "castor\n");
	MUST(gethostname(name, sizeof(name)));
	say("%s, %s", name, get_file("/proc/sys/kernel/hostname"));
	MUST(sethostname("pollux", 6));
	say("%s", get_file("/proc/sys/kernel/hostname"));
	become_nobody();
	SHOW(open("/proc/sys/kernel/hostname", O_WRONLY));
}
