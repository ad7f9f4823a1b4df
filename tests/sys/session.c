/* Process groups and sessions. */
#include <tests/sys/test.h>

static pid_t sleeper(void)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(setpgid)
{
	pid_t a = sleeper(), b = sleeper();

	SHOW(getpgid(a) == getpgrp());
	SHOW(setpgid(a, 0));
	SHOW(getpgid(a) == a);
	SHOW(setpgid(b, a));
	SHOW(getpgid(b) == a);
	SHOW(setpgid(b, 0));
	SHOW(setpgid(a, b));
	SHOW(setpgid(a, 99999));
	SHOW(setpgid(a, -1));
	SHOW(setpgid(-1, 0));
	SHOW(setpgid(99999, 0));
	SHOW(setpgid(1, 1));
	SHOW(setpgid(getppid(), 0));
	SHOW(getpgid(99999));
	SHOW(getpgid(-1));
	end(a);
	end(b);
	SHOW(setpgid(0, 0));
	SHOW(getpgrp() == getpid());
	SHOW(setsid());
}

TEST(setsid)
{
	pid_t before = getsid(0);

	SHOW(setsid() == getpid());
	SHOW(getsid(0) == getpid());
	SHOW(getpgrp() == getpid());
	SHOW(getsid(0) == before);
	SHOW(setsid());
	SHOW(setpgid(0, 0));
	SHOW(getsid(99999));
	IN_CHILD("child")
	{
		SHOW(getsid(0) == getppid());
		SHOW(getpgrp() == getppid());
		SHOW(setsid() == getpid());
	}
}

TEST(other_session)
{
	int fds[2];
	char byte;
	pid_t pid;

	MUST(pipe(fds));
	pid = MUST(fork());
	if (pid == 0) {
		setsid();
		write(fds[1], "x", 1);
		pause();
	}
	read(fds[0], &byte, 1);
	SHOW(setpgid(pid, 0));
	SHOW(setpgid(pid, getpgrp()));
	SHOW(setpgid(0, pid));
	SHOW(getsid(pid) == pid);
	end(pid);
}

TEST(after_exec)
{
	int fds[2];
	char byte;
	pid_t pid;

	MUST(pipe(fds));
	pid = MUST(fork());
	if (pid == 0) {
		dup2(fds[1], 9);
		execl("/tests/show_state", "zero", "-wait", NULL);
	}
	read(fds[0], &byte, 1);
	SHOW(setpgid(pid, pid));
	end(pid);
}

static void on_hup(int sig)
{
	say("%s", signal_text(sig));
}

/* A stopped group that becomes an orphan gets SIGHUP and SIGCONT. */
TEST(orphaned_group)
{
	int fds[2];
	char byte;

	MUST(pipe(fds));
	if (MUST(fork()) == 0) {
		pid_t pid = MUST(fork());

		if (pid == 0) {
			setpgid(0, 0);
			close(fds[0]);
			set_handler(SIGHUP, on_hup, 0);
			write(fds[1], "x", 1);
			raise(SIGSTOP);
			say("continued");
			_exit(0);
		}
		read(fds[0], &byte, 1);
		waitpid(pid, NULL, WUNTRACED);
		_exit(0);
	}
	close(fds[1]);
	wait(NULL);
	while (read(fds[0], &byte, 1) > 0)
		;
	say("it has ended");
}

TEST(orphans_do_not_stop_from_the_terminal)
{
	IN_CHILD("leader")
	{
		setsid();
		set_handler(SIGCONT, on_hup, 0);
		raise(SIGTSTP);
		raise(SIGTTIN);
		raise(SIGTTOU);
		say("not stopped");
	}
}

TEST(kill_targets)
{
	pid_t a, b;

	signal(SIGUSR1, SIG_IGN);
	a = sleeper();
	b = sleeper();
	MUST(setpgid(a, a));
	MUST(setpgid(b, a));
	SHOW(kill(-a, 0));
	SHOW(kill(-a, SIGUSR1));
	SHOW(kill(-99999, SIGUSR1));
	SHOW(kill(99999, SIGUSR1));
	SHOW(kill(a, 65));
	SHOW(kill(a, -1));
	SHOW(kill(INT_MIN, SIGUSR1));
	SHOW(kill(0, 0));
	IN_CHILD("nobody")
	{
		become_nobody();
		SHOW(kill(a, 0));
		SHOW(kill(-a, SIGUSR1));
		SHOW(kill(1, 0));
		SHOW(kill(getpid(), 0));
	}
	SHOW(kill(-a, SIGTERM));
	reap("a", a);
	reap("b", b);
	SHOW(kill(-a, 0));
}

TEST(same_user_may_signal)
{
	pid_t pid = MUST(fork());
	int status;

	if (pid == 0) {
		become_nobody();
		raise(SIGSTOP);
		pause();
	}
	MUST(waitpid(pid, &status, WUNTRACED));
	IN_CHILD("other user")
	{
		MUST(setresuid(1001, 1001, 1001));
		SHOW(kill(pid, SIGTERM));
	}
	IN_CHILD("same user")
	{
		MUST(setresuid(1000, 1000, 1000));
		SHOW(kill(pid, SIGTERM));
		SHOW(kill(pid, SIGCONT));
	}
	reap("target", pid);
}
