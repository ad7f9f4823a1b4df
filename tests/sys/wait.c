/* wait4 and waitid: whom they find, what they tell. */
#include <sys/syscall.h>
#include <tests/sys/test.h>

static pid_t child(int code)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t sleeper(void)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void say_info(const char *what, const siginfo_t *info, pid_t pid)
{
	say("%s: signo %d code %d errno %d pid %s uid %d status %d", what, info->si_signo,
	    info->si_code, info->si_errno,
	    info->si_pid == pid ? "the child's"
	    : info->si_pid	? "another"
				: "0",
	    info->si_uid, info->si_status);
}

TEST(choosing)
{
	int status;
	pid_t a = child(1), b = child(2), c = child(3);

	SHOW(waitpid(b, &status, 0) == b);
	say_status("b", status);
	SHOW(waitpid(b, &status, 0));
	MUST(setpgid(0, 0));
	SHOW(waitpid(0, &status, WNOHANG));
	SHOW(waitpid(-99999, &status, 0));
	SHOW(waitpid(-getpgid(a), &status, 0) == a || true);
	SHOW(waitpid(-1, &status, 0) == c || true);
	SHOW(waitpid(-1, &status, WNOHANG));
	SHOW(waitpid(1, &status, 0));
	SHOW(waitpid(INT_MIN, &status, 0));
	SHOW(waitpid(-1, &status, 0x100));
}

TEST(by_group)
{
	int status;
	pid_t a = sleeper(), b = sleeper();

	MUST(setpgid(a, a));
	MUST(setpgid(b, a));
	SHOW(waitpid(-a, &status, WNOHANG));
	kill(-a, SIGTERM);
	SHOW(waitpid(-a, &status, 0) > 0);
	say_status("one", status);
	SHOW(waitpid(-a, &status, 0) > 0);
	SHOW(waitpid(-a, &status, 0));
}

TEST(killed)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGHUP, SIGALRM, SIGUSR1, SIGPIPE, 40 };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		pid_t pid = sleeper();

		kill(pid, signals[i]);
		reap("child", pid);
	}
	IN_CHILD("abort")
	{
		abort();
	}
}

TEST(stop_and_continue)
{
	int status;
	pid_t pid = sleeper();

	SHOW(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG));
	kill(pid, SIGSTOP);
	SHOW(waitpid(pid, &status, WUNTRACED) == pid);
	say_status("child", status);
	SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	SHOW(waitpid(pid, &status, WCONTINUED) == pid);
	say_status("child", status);
	SHOW(waitpid(pid, &status, WCONTINUED | WNOHANG));
	MUST(setpgid(pid, pid));
	kill(pid, SIGTSTP);
	SHOW(waitpid(pid, &status, WUNTRACED) == pid);
	say_status("child", status);
	kill(pid, SIGTERM);
	sleep_ms(10);
	SHOW(waitpid(pid, &status, WNOHANG));
	kill(pid, SIGCONT);
	reap("child", pid);
	pid = sleeper();
	kill(pid, SIGSTOP);
	kill(pid, SIGKILL);
	reap("stopped and killed", pid);
}

TEST(waitid)
{
	siginfo_t info;
	pid_t pid = child(9);

	memset(&info, 0xff, sizeof(info));
	SHOW(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	say_info("exited", &info, pid);
	SHOW(waitid(P_ALL, 0, &info, WEXITED));
	say_info("exited", &info, pid);
	SHOW(waitid(P_PID, pid, &info, WEXITED));
	pid = sleeper();
	memset(&info, 0xff, sizeof(info));
	SHOW(waitid(P_PID, pid, &info, WEXITED | WSTOPPED | WNOHANG));
	say_info("nothing yet", &info, pid);
	kill(pid, SIGSTOP);
	SHOW(waitid(P_PID, pid, &info, WSTOPPED));
	say_info("stopped", &info, pid);
	kill(pid, SIGCONT);
	SHOW(waitid(P_PGID, getpgid(0), &info, WCONTINUED));
	say_info("continued", &info, pid);
	kill(pid, SIGKILL);
	SHOW(waitid(P_PID, pid, &info, WEXITED));
	say_info("killed", &info, pid);
	SHOW(waitid(P_ALL, 0, &info, WEXITED));
	SHOW(waitid(P_ALL, 0, &info, 0));
	SHOW(waitid(P_ALL, 0, &info, WNOHANG));
	SHOW(waitid(99, 0, &info, WEXITED));
	SHOW(waitid(P_PID, 0, &info, WEXITED));
	SHOW(waitid(P_PID, -5, &info, WEXITED));
	SHOW(waitid(P_ALL, 0, &info, WEXITED | 0x100));
	pid = child(3);
	SHOW(waitid(P_PID, pid, NULL, WEXITED));
}

static void ignore(int sig)
{
}

/* Who asks for stops only does not wait for one that can stop no more. */
TEST(stops_of_the_dead)
{
	siginfo_t info;
	pid_t pid = child(9);

	SHOW(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	SHOW(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG));
	SHOW(waitid(P_PID, pid, &info, WSTOPPED));
	SHOW(waitid(P_ALL, 0, &info, WCONTINUED));
	reap("child", pid);
	pid = sleeper();
	IN_CHILD("not its parent")
	SHOW(waitid(P_PID, pid, &info, WSTOPPED));
	if (MUST(fork()) == 0) {
		sleep_ms(50);
		kill(pid, SIGKILL);
		_exit(0);
	}
	SHOW(waitid(P_PID, pid, &info, WSTOPPED)); /* it ends meanwhile */
	reap("sleeper", pid);
	MUST(wait(NULL));
}

TEST(wait_interrupted)
{
	pid_t pid = sleeper();
	int status;

	set_handler(SIGALRM, ignore, 0);
	signal_when_asleep(SIGALRM);
	SHOW(waitpid(pid, &status, 0));
	kill(pid, SIGKILL);
	reap("child", pid);
}

TEST(sigchld_ignored)
{
	int status;

	signal(SIGCHLD, SIG_IGN);
	child(1);
	SHOW(waitpid(-1, &status, 0));
	signal(SIGCHLD, SIG_DFL);
	set_handler(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	child(1);
	SHOW(waitpid(-1, &status, 0));
}

static volatile sig_atomic_t children;
static siginfo_t last;

static void on_child(int sig, siginfo_t *info, void *context)
{
	children++;
	last = *info;
}

/* The signal may come a moment after wait() has seen the change. */
static void await_code(int code)
{
	for (int i = 0; i < 1000 && last.si_code != code; i++)
		sleep_ms(1);
}

TEST(sigchld_information)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t pid;
	int status;

	MUST(sigaction(SIGCHLD, &action, NULL));
	pid = child(4);
	MUST(waitpid(pid, &status, 0));
	say("%d signals", children);
	say_info("exited", &last, pid);
	pid = sleeper();
	kill(pid, SIGSTOP);
	MUST(waitpid(pid, &status, WUNTRACED));
	await_code(CLD_STOPPED);
	say_info("stopped", &last, pid);
	kill(pid, SIGCONT);
	MUST(waitpid(pid, &status, WCONTINUED));
	await_code(CLD_CONTINUED);
	say_info("continued", &last, pid);
	action.sa_flags |= SA_NOCLDSTOP;
	MUST(sigaction(SIGCHLD, &action, NULL));
	children = 0;
	kill(pid, SIGSTOP);
	MUST(waitpid(pid, &status, WUNTRACED));
	say("%d signals", children);
	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0));
	await_code(CLD_KILLED);
	say_info("killed", &last, pid);
}

static long used(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

TEST(usage_of_children)
{
	struct rusage before, after;
	int status;
	pid_t pid;

	getrusage(RUSAGE_CHILDREN, &before);
	pid = MUST(fork());
	if (pid == 0) {
		use_cpu(30);
		_exit(0);
	}
	SHOW(wait4(pid, &status, 0, &after) == pid);
	say("its time: %s", yes_no(used(&after) >= 10000));
	getrusage(RUSAGE_CHILDREN, &after);
	say("all children's: %s", yes_no(used(&after) >= 10000));
	SHOW(getrusage(5, &after));
	SHOW(getrusage(RUSAGE_SELF, &after));
	SHOW(getrusage(1 /* RUSAGE_THREAD */, &after));
}

TEST(pointers)
{
	pid_t pid = child(1);

	SHOW(waitpid(pid, NULL, 0) == pid);
	pid = child(1);
	SHOW(syscall(SYS_wait4, pid, 16, 0, 0));
	SHOW(syscall(SYS_wait4, pid, 0, 0, 0));
	pid = child(1);
	SHOW(syscall(SYS_waitid, P_PID, pid, 16, WEXITED, 0));
	SHOW(syscall(SYS_wait4, pid, 0, 0, 0));
}

static void *wait_for_any(void *arg)
{
	int status;

	SHOW(waitpid(-1, &status, 0) > 0);
	SHOW(waitpid(-1, &status, WNOHANG | __WNOTHREAD));
	return NULL;
}

TEST(children_belong_to_the_process)
{
	pthread_t thread;

	child(1);
	pthread_create(&thread, NULL, wait_for_any, NULL);
	pthread_join(thread, NULL);
}
