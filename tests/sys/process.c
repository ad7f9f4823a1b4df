/* Processes: fork, vfork, clone, exit, what a child inherits. */
#include <linux/sched.h>
#include <sys/prctl.h>
#include <tests/sys/test.h>

static volatile int shared = 1;

TEST(fork_copies_memory)
{
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		shared = 2;
		_exit(shared);
	}
	MUST(waitpid(pid, &status, 0));
	say_status("child", status);
	say("parent's copy: %d", shared);
}

TEST(exit_codes)
{
	static const int codes[] = { 0, 1, 127, 255, 256, 257, -1 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		pid_t pid = MUST(fork());

		if (pid == 0)
			syscall(SYS_exit_group, codes[i]);
		reap("child", pid);
	}
}

TEST(getppid)
{
	pid_t parent = getpid();

	IN_CHILD("child")
	{
		say("parent: %s", yes_no(getppid() == parent));
		say("own pid is another: %s", yes_no(getpid() != parent));
		say("tid is pid: %s", yes_no(syscall(SYS_gettid) == getpid()));
	}
}

TEST(vfork_waits_and_shares)
{
	volatile int seen = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		seen = 7;
		_exit(3);
	}
	say("seen %d", seen);
	reap("child", pid);
}

TEST(vfork_ends_at_exec)
{
	char *const argv[] = { "/tests/show_fds", NULL };
	pid_t pid = vfork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(9);
	}
	reap("child", pid);
}

TEST(orphans_go_to_init)
{
	int fds[2];
	char byte;

	MUST(pipe(fds));
	if (MUST(fork()) == 0) {
		if (MUST(fork()) == 0) {
			close(fds[0]);
			while (getppid() != 1)
				sleep_ms(1);
			write(fds[1], "x", 1);
			_exit(0);
		}
		_exit(0);
	}
	wait(NULL);
	SHOW(read(fds[0], &byte, 1));
}

TEST(subreaper)
{
	int fds[2], is = 0;
	char byte;

	MUST(pipe(fds));
	SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
	SHOW(prctl(PR_GET_CHILD_SUBREAPER, &is));
	say("%d", is);
	if (MUST(fork()) == 0) {
		pid_t reaper = getppid();

		if (MUST(fork()) == 0) {
			close(fds[0]);
			while (getppid() != reaper)
				sleep_ms(1);
			write(fds[1], "x", 1);
			_exit(5);
		}
		_exit(0);
	}
	SHOW(read(fds[0], &byte, 1));
	for (int i = 0, status; i < 2; i++) {
		MUST(wait(&status));
		say_status("a child", status);
	}
	SHOW(wait(NULL));
}

TEST(zombie)
{
	char path[64];
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(0);
	siginfo_t info;
	MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	SHOW(kill(pid, 0));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	say("state %c", strrchr(get_file(path), ')')[2]);
	SHOW(getpgid(pid) == getpgid(0));
	SHOW(waitpid(pid, NULL, 0) == pid);
	SHOW(kill(pid, 0));
	SHOW(getpgid(pid));
}

static char stack[65536] __attribute__((aligned(16)));

static int child_function(void *arg)
{
	shared = 42;
	return 6;
}

TEST(clone_vm)
{
	pid_t pid = clone(child_function, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);

	reap("child", pid);
	say("shared %d", shared);
	pid = clone(child_function, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	reap("child", pid);
}

TEST(clone_without_signal)
{
	int status;
	pid_t pid = clone(child_function, stack + sizeof(stack), 0, NULL);

	SHOW(waitpid(pid, &status, 0));
	SHOW(waitpid(pid, &status, __WCLONE) == pid);
	say_status("child", status);
	say("copied: %d", shared);
	signal(SIGUSR1, SIG_IGN); /* before the child can end */
	pid = clone(child_function, stack + sizeof(stack), SIGUSR1, NULL);
	SHOW(waitpid(pid, &status, __WALL) == pid);
}

static int close_and_chdir(void *arg)
{
	close(*(int *)arg);
	MUST(chdir("/"));
	umask(0777);
	return 0;
}

TEST(clone_files_and_fs)
{
	char cwd[PATH_MAX];
	int fd = MUST(dup(0));

	reap("child",
	     clone(close_and_chdir, stack + sizeof(stack), CLONE_FILES | CLONE_FS | SIGCHLD, &fd));
	SHOW(fcntl(fd, F_GETFD));
	say("%s", getcwd(cwd, sizeof(cwd)));
	SHOW(umask(0));
	fd = MUST(dup(0));
	MUST(chdir("/tmp"));
	reap("child", clone(close_and_chdir, stack + sizeof(stack), SIGCHLD, &fd));
	SHOW(fcntl(fd, F_GETFD));
	say("%s", getcwd(cwd, sizeof(cwd)));
}

TEST(clone_tids)
{
	pid_t parent_tid = 0, child_tid = 0, pid;

	pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid,
		      &child_tid, 0);
	if (pid == 0)
		_exit(child_tid == getpid() ? 0 : 1);
	reap("child", pid);
	say("%s %s", yes_no(parent_tid == pid), yes_no(child_tid == 0));
}

static volatile int handled;

static void count_signal(int sig)
{
	handled++;
}

/* A sibling ends with the signal that we end with, not with one that it may choose for our parent. */
TEST(clone_parent)
{
	int status;

	set_handler(SIGUSR1, count_signal, SA_RESTART);
	IN_CHILD("child")
	{
		pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGUSR1, 0, 0, 0, 0);

		if (pid == 0)
			_exit(5);
		SHOW(waitpid(pid, NULL, 0));
	}
	SHOW(wait(&status) > 0);
	say_status("sibling", status);
	say("%d signals", handled);
}

TEST(clone_flags)
{
	SHOW(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
	SHOW(syscall(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, stack + sizeof(stack), 0, 0, 0));
	SHOW(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
	SHOW(syscall(SYS_unshare, CLONE_FILES | CLONE_FS));
	SHOW(syscall(SYS_unshare, 0x10));
}

TEST(clone3)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int pidfd = -1;
	pid_t pid;

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(11);
	reap("child", pid);
	SHOW(syscall(SYS_clone3, &args, 8));
	SHOW(syscall(SYS_clone3, &args, 1 << 20));
	SHOW(syscall(SYS_clone3, NULL, sizeof(args)));
	args.flags = CLONE_PIDFD;
	args.pidfd = (uintptr_t)&pidfd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(12);
	say("pidfd: %s", yes_no(pidfd >= 0));
	SHOW(fcntl(pidfd, F_GETFD));
	reap("child", pid);
	args.exit_signal = 65;
	SHOW(syscall(SYS_clone3, &args, sizeof(args)));
	args.exit_signal = SIGCHLD;
	args.flags = 1UL << 50;
	SHOW(syscall(SYS_clone3, &args, sizeof(args)));
	args.flags = 0;
	args.stack = 4096;
	SHOW(syscall(SYS_clone3, &args, sizeof(args)));
}

TEST(inherited)
{
	struct rlimit limit = { 100, 200 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR1);
	setrlimit(RLIMIT_NOFILE, &limit);
	setpriority(PRIO_PROCESS, 0, 5);
	alarm(100);
	prctl(PR_SET_NAME, "renamed");
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	IN_CHILD("child")
	{
		struct sigaction action;
		char name[16];
		int sig = -1;

		sigpending(&set);
		say("pending: %s", yes_no(sigismember(&set, SIGUSR1)));
		sigprocmask(SIG_BLOCK, NULL, &set);
		say("blocked: %s", yes_no(sigismember(&set, SIGUSR1)));
		sigaction(SIGUSR2, NULL, &action);
		say("ignored: %s", yes_no(action.sa_handler == SIG_IGN));
		getrlimit(RLIMIT_NOFILE, &limit);
		say("limit: %ld", (long)limit.rlim_cur);
		SHOW(getpriority(PRIO_PROCESS, 0));
		SHOW(alarm(0));
		prctl(PR_GET_NAME, name);
		say("name: %s", name);
		prctl(PR_GET_PDEATHSIG, &sig);
		say("parent death signal: %d", sig);
	}
}

TEST(parent_death_signal)
{
	int fds[2];
	char byte;

	MUST(pipe(fds));
	if (MUST(fork()) == 0) {
		if (MUST(fork()) == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			write(fds[1], "r", 1);
			close(fds[0]);
			pause();
			_exit(0);
		}
		MUST(read(fds[0], &byte, 1));
		_exit(0);
	}
	close(fds[1]);
	wait(NULL);
	SHOW(read(fds[0], &byte, 1));
}

TEST(process_limit)
{
	struct rlimit limit = { 5, 5 };
	int count = 0;

	MUST(setrlimit(RLIMIT_NPROC, &limit));
	MUST(setresuid(4321, 4321, 4321));
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			pause();
		if (pid < 0) {
			say("%d children, then %s", count, errno_text(errno));
			break;
		}
		count++;
	}
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	kill(-1, SIGKILL);
}

TEST(many_children)
{
	int ended = 0, status;

	for (int i = 0; i < 300; i++)
		if (MUST(fork()) == 0)
			_exit(i % 7);
	while (wait(&status) > 0)
		ended += WEXITSTATUS(status);
	say("sum of exit codes %d", ended);
}

/* Whoever waits for its vfork'd child can still be killed; the child lives on. */
TEST(killed_while_a_vfork_lasts)
{
	int fds[2], dead[2];
	char byte;
	pid_t pid;

	MUST(pipe(fds));
	MUST(pipe(dead));
	pid = MUST(fork());
	if (pid == 0) {
		if (vfork() == 0) {
			write(fds[1], "x", 1);
			read(dead[0], &byte, 1);
			write(fds[1], "y", 1);
			_exit(0);
		}
		_exit(1);
	}
	MUST(read(fds[0], &byte, 1));
	kill(pid, SIGTERM);
	kill(pid, SIGKILL);
	reap("parent", pid);
	MUST(write(dead[1], "x", 1));
	SHOW(read(fds[0], &byte, 1));
	say("%c", byte);
}
