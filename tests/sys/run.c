/*
 * Starts the test programs: run [--poweroff] [--leaks] [--repeat=N] PROGRAM[,ARGUMENT...][:PROGRAM...]
 * Process 1 of its machine or pid namespace: under Pollux the kernel starts it, on the host's Linux
 * tests/lib/host_linux.py does, in namespaces of its own with the same files as root.
 *
 * Each program gets the same surroundings: an empty directory, a session and signals of its own, fixed
 * limits and environment, /dev/null as input and a file as output. That file is then printed between
 * two lines that begin with "@@". With --leaks (Pollux only), a line "@@ leak" follows for each kind of memory
 * of which more is in use than before the program ran.
 */
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <tests/sys/show.h>

#define OUTPUT		"/tmp/output"
#define SCRATCH		"/tmp/scratch"
#define TIMEOUT_SECONDS 300
#define MAX_WORDS	64
/* A TCP connection that nobody has a file of any more ends by itself; if packets were lost, by its timer. */
#define ORPHAN_SECONDS 20

static const char
	*fail_every; /* one allocation in so many fails while a program runs; NULL: none */

static char *environment[] = { "PATH=/bin:/tests", "HOME=/", "LANG=C", NULL, NULL };

static const struct {
	int resource;
	struct rlimit limit;
} limits[] = {
	{ RLIMIT_NOFILE, { 1024, 4096 } },
	{ RLIMIT_STACK, { 8 << 20, RLIM_INFINITY } },
	{ RLIMIT_CORE, { 0, 0 } },
	{ RLIMIT_DATA, { RLIM_INFINITY, RLIM_INFINITY } },
	{ RLIMIT_AS, { RLIM_INFINITY, RLIM_INFINITY } },
	{ RLIMIT_FSIZE, { RLIM_INFINITY, RLIM_INFINITY } },
	{ RLIMIT_CPU, { RLIM_INFINITY, RLIM_INFINITY } },
	{ RLIMIT_NPROC, { 4096, 4096 } },
	{ RLIMIT_SIGPENDING, { 1024, 1024 } },
	{ RLIMIT_MEMLOCK, { 8 << 20, 8 << 20 } },
};

static void remove_tree(const char *path)
{
	struct dirent *entry;
	DIR *dir;
	char name[600];

	while (umount2(path, MNT_DETACH) == 0)
		;
	if (unlink(path) == 0 || !(dir = opendir(path)))
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		remove_tree(name);
	}
	closedir(dir);
	rmdir(path);
}

static bool inject(const char *every)
{
	int fd = open("/proc/sys/vm/fail_every", O_WRONLY);
	bool good = fd >= 0 && write(fd, every, strlen(every)) > 0;

	close(fd);
	return good;
}

/* "files,append,excl": program files with arguments append and excl, which are names of its tests. */
static void become_program(char *words)
{
	char path[64], *argv[MAX_WORDS] = { strtok(words, ",") };
	int output = open(OUTPUT, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0644);
	int input = open("/dev/null", O_RDONLY);
	sigset_t none;

	for (int i = 0; i < MAX_WORDS - 2 && argv[i]; i++)
		argv[i + 1] = strtok(NULL, ",");
	snprintf(path, sizeof(path), "/tests/%s", argv[0]);
	setsid();
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		setrlimit(limits[i].resource, &limits[i].limit);
	setpriority(PRIO_PROCESS, 0, 0);
	dup2(input, 0);
	dup2(output, 1);
	dup2(output, 2);
	syscall(SYS_close_range, 3, ~0U, 0);
	if (chdir(SCRATCH) == 0 && (!fail_every || inject(fail_every))) {
		do
			execve(path, argv, environment);
		while (fail_every && errno != ENOENT);
	}
	say("cannot run %s: %s", path, errno_text(errno));
	_exit(127);
}

static void print_output(void)
{
	char buf[4096];
	ssize_t n;
	int fd = open(OUTPUT, O_RDONLY);

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(1, buf, n) < 0)
			break;
	close(fd);
}

/* Reaps until `pid` has ended. Orphans come here too; on a time-out everybody else is killed. */
static void wait_for(pid_t pid, int *status)
{
	struct timespec step = { .tv_sec = TIMEOUT_SECONDS };
	sigset_t child;
	pid_t ended;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		while ((ended = waitpid(-1, status, WNOHANG)) > 0)
			if (ended == pid)
				return;
		if (sigtimedwait(&child, NULL, &step) < 0 && errno == EAGAIN) {
			say("@@ timeout");
			kill(-1, SIGKILL);
		}
	}
}

/* What is left of a program's processes must not disturb the next one. */
static void kill_rest(void)
{
	sigset_t child;

	if (getpid() == 1)
		kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	/* Nor may one that told of their end wait for us, for it would be counted. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (sigtimedwait(&child, NULL, &(struct timespec){ 0, 0 }) > 0)
		;
}

/* ---- what is in use ---- */

#define MAX_CACHES 96

static struct usage {
	long pages_kib; /* all but slabs, and the kernel's page tables, which stay */
	int nr_caches;
	struct {
		char name[32];
		long objects;
	} caches[MAX_CACHES];
} before, after;

static long meminfo(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

/* Without what the allocators keep for later. The number of objects of each cache, and not how many slabs they
 * happen to be spread over. */
static void get_usage(struct usage *usage)
{
	const char *text;

	close(socket(AF_UNIX, SOCK_STREAM,
		     0)); /* lets the kernel look for sockets that hold each other */
	/* what is left of connections, on Pollux, goes when there may be none; then there may be as many as ever */
	put_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
	put_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "262144");
	put_file("/proc/sys/vm/drop_caches", "3");
	text = get_file("/proc/meminfo");
	usage->pages_kib = meminfo(text, "MemTotal:") - meminfo(text, "MemFree:") -
			   meminfo(text, "\nSlab:") - meminfo(text, "KernelTables:");
	text = strchr(strchr(get_file("/proc/slabinfo"), '\n') + 1, '\n') + 1;
	for (usage->nr_caches = 0; usage->nr_caches < MAX_CACHES && *text; usage->nr_caches++) {
		sscanf(text, "%31s %ld", usage->caches[usage->nr_caches].name,
		       &usage->caches[usage->nr_caches].objects);
		text = strchr(text, '\n') + 1;
	}
}

/* Caches come to the end of the list, and none ever goes. */
static bool has_grown(const char *name)
{
	long more = after.pages_kib - before.pages_kib;
	bool grown = more > 0;

	if (name && more > 0)
		say("@@ leak %s: %ld KiB of pages", name, more);
	for (int i = 0; i < after.nr_caches; i++) {
		more = after.caches[i].objects -
		       (i < before.nr_caches ? before.caches[i].objects : 0);
		grown |= more > 0;
		if (name && more > 0)
			say("@@ leak %s: %ld of %s", name, more, after.caches[i].name);
	}
	return grown;
}

/* ---- running ---- */

static void run_program(const char *name, bool show)
{
	char words[1024];
	int status = 0;
	pid_t pid;

	snprintf(words, sizeof(words), "%s", name);
	if (show)
		say("@@ begin %s", name);
	mkdir(SCRATCH, 0777);
	chmod(SCRATCH, 0777);
	pid = fork();
	if (pid == 0)
		become_program(words);
	wait_for(pid, &status);
	kill_rest();
	while (fail_every && !inject("0"))
		;
	if (show) {
		print_output();
		say("@@ end %s %d", name, status);
	}
	unlink(OUTPUT);
	remove_tree(SCRATCH);
}

/* A table of the kernel's may grow to a program's needs, once. A leak leaks again. */
static void look_for_leaks(const char *name)
{
	get_usage(&after);
	if (!has_grown(NULL))
		return;
	before = after;
	run_program(name, false);
	get_usage(&after);
	for (int i = 0; has_grown(NULL) && i < ORPHAN_SECONDS * 10; i++) {
		usleep(100000);
		get_usage(&after);
	}
	has_grown(name);
}

static void prepare(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	mkdir("/tmp", 01777);
	chmod("/tmp", 01777);
	mkdir("/proc", 0555);
	mount("proc", "/proc", "proc", 0, NULL);
}

/* Whoever started us may ignore signals, the ones that libc keeps for itself too; both kernels begin alike. */
static void forget_signals(void)
{
	static const char to_default[32]; /* the kernel's struct sigaction, all zero: SIG_DFL */

	for (int sig = 1; sig <= 64; sig++)
		syscall(SYS_rt_sigaction, sig, to_default, NULL, 8);
}

int main(int argc, char **argv)
{
	bool poweroff = false, leaks = false;
	char *programs = "", *rest;
	int repeat = 1;

	forget_signals();
	prepare();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--poweroff"))
			poweroff = true;
		else if (!strcmp(argv[i], "--leaks"))
			leaks = true;
		else if (!strncmp(argv[i], "--fail-every=", 13)) {
			fail_every = argv[i] + 13;
			environment[3] =
				"TEST_SECONDS=1"; /* for who failed, somebody else may wait */
		} else if (!strncmp(argv[i], "--repeat=", 9))
			repeat = atoi(argv[i] + 9);
		else
			programs = argv[i];
	}
	for (char *name = strtok_r(programs, ":", &rest); name; name = strtok_r(NULL, ":", &rest)) {
		if (leaks)
			get_usage(&before);
		for (int round = 0; round < repeat; round++)
			run_program(name, true);
		if (leaks)
			look_for_leaks(name);
	}
	say("@@ done");
	if (poweroff)
		reboot(RB_POWER_OFF);
	return 0;
}
