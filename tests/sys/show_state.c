/* Helper for exec.c: what survives an exec. "-ids": only the ids; "-alarm": only whether
 * an alarm comes; "-wait": says so on descriptor 9, and waits. */
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <tests/sys/show.h>

static void show_ids(void)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	getresuid(&ruid, &euid, &suid);
	getresgid(&rgid, &egid, &sgid);
	say("uid %d %d %d gid %d %d %d secure %ld", ruid, euid, suid, rgid, egid, sgid,
	    getauxval(AT_SECURE));
}

static void show_signals(void)
{
	struct sigaction action;
	sigset_t set;

	sigpending(&set);
	say("pending: %s", yes_no(sigismember(&set, SIGUSR1)));
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("blocked: %s", yes_no(sigismember(&set, SIGUSR1)));
	sigaction(SIGUSR2, NULL, &action);
	say("ignored: %s", yes_no(action.sa_handler == SIG_IGN));
	sigaction(SIGHUP, NULL, &action);
	say("handler is gone: %s", yes_no(action.sa_handler == SIG_DFL));
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	char name[100];

	if (argc > 1 && !strcmp(argv[1], "-wait")) {
		write(9, "x", 1);
		pause();
	}
	if (argc > 1 && !strcmp(argv[1], "-alarm")) {
		sigset_t set;

		sleep_ms(30);
		sigpending(&set);
		say("alarm: %s", yes_no(sigismember(&set, SIGALRM)));
		return 0;
	}
	show_ids();
	if (argc > 1)
		return 0;
	show_signals();
	say("cwd %s umask %o", getcwd(name, sizeof(name)), umask(0));
	getrlimit(RLIMIT_NOFILE, &limit);
	say("limit %ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
	SHOW(getpriority(PRIO_PROCESS, 0));
	prctl(PR_GET_NAME, name);
	say("name %s", name);
	say("alarm: %s", yes_no(alarm(0) > 40));
	return 0;
}
