/*
 * Starts the test programs: run [--poweroff] [--repeat=N] PROGRAM[,ARGUMENT...][:PROGRAM...]
 * Process 1 of its machine or pid namespace: under Pollux the kernel starts it, on the host's Linux
 * tests/lib/host_linux.py does, in namespaces of its own with the same files as root.
 *
 * Each program gets the same surroundings: an empty directory, a session and signals of its own, fixed
 * limits and environment, /dev/null as input and a file as output. That file is then printed between
 * two lines that begin with "@@"; after it a line about the memory in use.
 */
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <tests/sys/show.h>

#define OUTPUT		"/tmp/output"
#define SCRATCH		"/tmp/scratch"
#define TIMEOUT_SECONDS 100
#define MAX_WORDS	64

static char *const environment[] = { "PATH=/bin:/tests", "HOME=/", "LANG=C", NULL };

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
	if (chdir(SCRATCH) == 0)
		execve(path, argv, environment);
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
	if (getpid() == 1)
		kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void print_memory(void)
{
	const char *free = strstr(get_file("/proc/meminfo"), "MemFree:");

	say("@@ memory %ld", free ? strtol(free + 8, NULL, 10) : 0);
}

static void run_program(const char *name)
{
	char words[1024];
	int status = 0;
	pid_t pid;

	snprintf(words, sizeof(words), "%s", name);
	say("@@ begin %s", name);
	mkdir(SCRATCH, 0777);
	chmod(SCRATCH, 0777);
	pid = fork();
	if (pid == 0)
		become_program(words);
	wait_for(pid, &status);
	kill_rest();
	print_output();
	say("@@ end %s %d", name, status);
	unlink(OUTPUT);
	remove_tree(SCRATCH);
	print_memory();
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
	bool poweroff = false;
	char *programs = "", *rest;
	int repeat = 1;

	forget_signals();
	prepare();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--poweroff"))
			poweroff = true;
		else if (!strncmp(argv[i], "--repeat=", 9))
			repeat = atoi(argv[i] + 9);
		else
			programs = argv[i];
	}
	for (char *name = strtok_r(programs, ":", &rest); name; name = strtok_r(NULL, ":", &rest)) {
		for (int round = 0; round < repeat; round++)
			run_program(name);
	}
	say("@@ done");
	if (poweroff)
		reboot(RB_POWER_OFF);
	return 0;
}
