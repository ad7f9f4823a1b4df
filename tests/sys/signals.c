/* Signals: handlers and their flags, masks, queues, waiting for them. */
#include <sys/prctl.h>
#include <tests/sys/test.h>
#include <ucontext.h>

static volatile int seen, depth, deepest;

static void say_signal(int sig)
{
	say("handler: %s", signal_text(sig));
}

static void say_info(int sig, siginfo_t *info, void *context)
{
	say("%s: signo %d code %d pid %s uid %d value %d", signal_text(sig), info->si_signo,
	    info->si_code, info->si_pid == getpid() ? "own" : "other", info->si_uid,
	    info->si_value.sival_int);
}

static void set_info_handler(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	MUST(sigaction(sig, &action, NULL));
}

static void block(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	MUST(sigprocmask(how, &set, NULL));
}

TEST(sigaction)
{
	struct sigaction action = { .sa_handler = say_signal, .sa_flags = SA_RESTART | SA_NODEFER },
			 old;

	SHOW(sigaction(SIGUSR1, &action, NULL));
	SHOW(sigaction(SIGUSR1, NULL, &old));
	say("%s flags %x", yes_no(old.sa_handler == say_signal), old.sa_flags & 0x7bffffff);
	SHOW(sigaction(SIGKILL, &action, NULL));
	SHOW(sigaction(SIGSTOP, &action, NULL));
	SHOW(sigaction(SIGKILL, NULL, &old));
	SHOW(syscall(SYS_rt_sigaction, 0, NULL, &old, 8));
	SHOW(syscall(SYS_rt_sigaction, 65, NULL, &old, 8));
	SHOW(syscall(SYS_rt_sigaction, 64, NULL, NULL, 8));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 16, 8));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR1, 16, NULL, 8));
	raise(SIGUSR1);
}

TEST(default_actions)
{
	for (int sig = 1; sig <= 34; sig++) {
		pid_t pid = MUST(fork());
		int status;

		if (pid == 0) {
			signal(sig, SIG_DFL);
			MUST(setpgid(0, 0));
			kill(getpid(), sig);
			_exit(0);
		}
		MUST(waitpid(pid, &status, WUNTRACED));
		say_status(signal_text(sig), status);
		if (WIFSTOPPED(status)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
}

TEST(information)
{
	union sigval value = { .sival_int = 4711 };
	siginfo_t info = { .si_code = SI_QUEUE, .si_value = value };

	set_info_handler(SIGUSR1, say_info, SA_RESTART);
	set_info_handler(40, say_info, 0);
	kill(getpid(), SIGUSR1);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGUSR1, value);
	sigqueue(getpid(), 40, value);
	IN_CHILD("child")
	{
		kill(getppid(), SIGUSR1);
	}
	SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	info.si_code = 7;
	SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR2, &info));
	info.si_code = SI_TKILL;
	SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
	SHOW(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
	SHOW(syscall(SYS_tgkill, getpid() + 1, syscall(SYS_gettid), SIGUSR1));
	SHOW(syscall(SYS_tgkill, -1, syscall(SYS_gettid), SIGUSR1));
	SHOW(syscall(SYS_tkill, syscall(SYS_gettid), 0));
	SHOW(syscall(SYS_tkill, 0, 0));
	SHOW(syscall(SYS_tkill, 99999, 0));
}

TEST(mask)
{
	sigset_t pending;

	set_handler(SIGUSR1, say_signal, 0);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	MUST(sigpending(&pending));
	say("pending: %s", yes_no(sigismember(&pending, SIGUSR1)));
	block(SIG_UNBLOCK, SIGUSR1);
	MUST(sigpending(&pending));
	say("pending: %s", yes_no(sigismember(&pending, SIGUSR1)));
	SHOW(syscall(SYS_rt_sigprocmask, 9, &pending, NULL, 8));
	SHOW(syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
	SHOW(syscall(SYS_rt_sigprocmask, 0, NULL, NULL, 9));
	SHOW(syscall(SYS_rt_sigprocmask, 0, 16, NULL, 8));
	SHOW(syscall(SYS_rt_sigpending, &pending, 9));
}

TEST(kill_cannot_be_blocked)
{
	IN_CHILD("child")
	{
		sigset_t all, now;

		memset(&all, 0xff, sizeof(all));
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, 8);
		say("mask %lx", *(unsigned long *)&now);
		kill(getpid(), SIGTERM);
		kill(getpid(), SIGKILL);
	}
}

static void nest(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (seen++ < 3)
		raise(sig);
	depth--;
}

TEST(nodefer)
{
	set_handler(SIGUSR1, nest, 0);
	raise(SIGUSR1);
	say("seen %d deepest %d", seen, deepest);
	seen = deepest = 0;
	set_handler(SIGUSR1, nest, SA_NODEFER);
	raise(SIGUSR1);
	say("seen %d deepest %d", seen, deepest);
}

static void say_mask(int sig)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	say("in %s: USR1 %s USR2 %s", signal_text(sig), yes_no(sigismember(&set, SIGUSR1)),
	    yes_no(sigismember(&set, SIGUSR2)));
}

TEST(action_mask)
{
	struct sigaction action = { .sa_handler = say_mask };
	sigset_t set;

	sigaddset(&action.sa_mask, SIGUSR2);
	MUST(sigaction(SIGUSR1, &action, NULL));
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("after: USR1 %s", yes_no(sigismember(&set, SIGUSR1)));
}

TEST(resethand)
{
	IN_CHILD("child")
	{
		set_handler(SIGUSR1, say_signal, SA_RESETHAND);
		raise(SIGUSR1);
		raise(SIGUSR1);
	}
}

/* Of several that are pending the standard ones come first, the lowest first; real-time ones queue. */
TEST(order)
{
	static const int signals[] = { 45, 40, SIGUSR2, 40, SIGUSR1, 45, SIGHUP, SIGUSR1 };
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action = { .sa_handler = say_signal, .sa_mask = all };

		sigaction(signals[i], &action, NULL);
		raise(signals[i]);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
}

TEST(real_time_queue)
{
	union sigval value;
	int count = 0;

	set_info_handler(42, say_info, 0);
	block(SIG_BLOCK, 42);
	for (value.sival_int = 1; value.sival_int <= 5; value.sival_int++)
		SHOW(sigqueue(getpid(), 42, value));
	block(SIG_UNBLOCK, 42);
	block(SIG_BLOCK, 42);
	signal(42, SIG_DFL);
	MUST(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 100, 100 }));
	MUST(setresuid(4444, 4444, 4444));
	while (sigqueue(getpid(), 42, value) == 0)
		count++;
	say("%d queued, then %s", count, errno_text(errno));
	SHOW(kill(getpid(), 42));
	signal(42, SIG_IGN);
	SHOW(sigqueue(getpid(), 42, value));
}

TEST(sigsuspend)
{
	sigset_t none, set;

	sigemptyset(&none);
	set_handler(SIGUSR1, say_mask, 0);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	SHOW(sigsuspend(&none));
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("blocked again: %s", yes_no(sigismember(&set, SIGUSR1)));
	SHOW(syscall(SYS_rt_sigsuspend, &none, 4));
	SHOW(syscall(SYS_rt_sigsuspend, 16, 8));
}

TEST(pause)
{
	set_handler(SIGALRM, say_signal, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(pause());
}

TEST(sigtimedwait)
{
	struct timespec soon = { 0, 10 * MSEC }, zero = { 0, 0 }, bad = { 0, 1000000000 };
	union sigval value = { .sival_int = 5 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 41);
	sigprocmask(SIG_BLOCK, &set, NULL);
	SHOW(sigtimedwait(&set, &info, &zero));
	SHOW(sigtimedwait(&set, &info, &soon));
	SHOW(sigtimedwait(&set, &info, &bad));
	sigqueue(getpid(), 41, value);
	raise(SIGUSR1);
	SHOW(sigwaitinfo(&set, &info));
	say("code %d pid %s", info.si_code, yes_no(info.si_pid == getpid()));
	SHOW(sigtimedwait(&set, &info, &zero));
	say("code %d value %d", info.si_code, info.si_value.sival_int);
	SHOW(sigtimedwait(&set, NULL, &zero));
	SHOW(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 7));
	SHOW(syscall(SYS_rt_sigtimedwait, 16, &info, &zero, 8));
	set_handler(SIGALRM, say_signal, SA_RESTART);
	signal_when_asleep(SIGALRM);
	SHOW(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8));
	if (MUST(fork()) == 0) {
		sleep_ms(5);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	SHOW(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8));
	wait(NULL);
}

TEST(ignored_is_not_kept)
{
	sigset_t pending;

	signal(SIGUSR1, SIG_IGN);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	MUST(sigpending(&pending));
	say("pending: %s", yes_no(sigismember(&pending, SIGUSR1)));
	signal(SIGUSR1, SIG_DFL);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	MUST(sigpending(&pending));
	say("pending after it is ignored: %s", yes_no(sigismember(&pending, SIGUSR1)));
}

TEST(stop_and_continue_cancel_each_other)
{
	sigset_t pending, set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTSTP);
	raise(SIGCONT);
	MUST(sigpending(&pending));
	say("TSTP %s CONT %s", yes_no(sigismember(&pending, SIGTSTP)),
	    yes_no(sigismember(&pending, SIGCONT)));
	raise(SIGTSTP);
	MUST(sigpending(&pending));
	say("TSTP %s CONT %s", yes_no(sigismember(&pending, SIGTSTP)),
	    yes_no(sigismember(&pending, SIGCONT)));
}

static char other_stack[65536];

static void on_other_stack(int sig)
{
	stack_t now, other = { other_stack, 0, sizeof(other_stack) };
	char local;

	MUST(sigaltstack(NULL, &now));
	say("on it: %s, flags %x",
	    yes_no(&local > other_stack && &local < other_stack + sizeof(other_stack)),
	    now.ss_flags);
	SHOW(sigaltstack(&other, NULL));
}

TEST(alternate_stack)
{
	stack_t stack = { other_stack, 0, sizeof(other_stack) }, old;

	SHOW(sigaltstack(NULL, &old));
	say("flags %x", old.ss_flags);
	SHOW(sigaltstack(&stack, NULL));
	set_handler(SIGUSR1, on_other_stack, SA_ONSTACK);
	raise(SIGUSR1);
	set_handler(SIGUSR1, on_other_stack, 0);
	raise(SIGUSR1);
	stack.ss_size = 100;
	SHOW(sigaltstack(&stack, NULL));
	stack.ss_flags = 8;
	SHOW(syscall(SYS_sigaltstack, &stack, NULL));
	stack.ss_flags = SS_DISABLE;
	SHOW(sigaltstack(&stack, &old));
	say("flags %x size %zu", old.ss_flags, old.ss_size);
	SHOW(syscall(SYS_sigaltstack, 16, NULL));
	SHOW(syscall(SYS_sigaltstack, NULL, 16));
}

static void exit_fine(int sig)
{
	say("handler: %s", signal_text(sig));
	_exit(0);
}

static int overflow(volatile int n)
{
	volatile char buf[1000];

	buf[0] = n;
	return overflow(n + 1) + buf[0];
}

TEST(stack_overflow)
{
	stack_t stack = { other_stack, 0, sizeof(other_stack) };

	IN_CHILD("without another stack")
	{
		set_handler(SIGSEGV, exit_fine, 0);
		overflow(0);
	}
	IN_CHILD("with another stack")
	{
		MUST(sigaltstack(&stack, NULL));
		set_handler(SIGSEGV, exit_fine, SA_ONSTACK);
		overflow(0);
	}
}

TEST(fatal_fault_while_blocked_or_ignored)
{
	IN_CHILD("blocked")
	{
		block(SIG_BLOCK, SIGSEGV);
		set_handler(SIGSEGV, exit_fine, 0);
		*(volatile int *)8 = 1;
	}
	IN_CHILD("ignored")
	{
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)8 = 1;
	}
	IN_CHILD("sent and ignored")
	{
		signal(SIGSEGV, SIG_IGN);
		raise(SIGSEGV);
	}
}

static void skip_instruction(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	say("at the instruction: %s",
	    yes_no(*(unsigned char *)uc->uc_mcontext.gregs[REG_RIP] == 0x0f));
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

TEST(context_can_be_changed)
{
	long result = 0;
	sigset_t set;

	set_info_handler(SIGILL, skip_instruction, 0);
	__asm__ volatile("ud2" : "+a"(result));
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("rax %ld, USR2 blocked: %s", result, yes_no(sigismember(&set, SIGUSR2)));
}

static void count(int sig)
{
	seen++;
}

TEST(storm)
{
	pid_t pid;

	set_handler(SIGUSR1, count, SA_RESTART);
	pid = MUST(fork());
	if (pid == 0) {
		for (int i = 0; i < 2000; i++)
			kill(getppid(), SIGUSR1);
		_exit(0);
	}
	reap("sender", pid);
	say("some came: %s", yes_no(seen > 0 && seen <= 2000));
}

static pthread_barrier_t barrier;

static void *blocked_thread(void *arg)
{
	block(SIG_BLOCK, SIGUSR1);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

TEST(process_signal_finds_a_thread)
{
	pthread_t thread;

	set_handler(SIGUSR1, say_signal, 0);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, blocked_thread, NULL);
	pthread_barrier_wait(&barrier);
	kill(getpid(), SIGUSR1);
	SHOW(pthread_kill(thread, SIGUSR1));
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

static void *take_signal(void *arg)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwait(&set, &sig);
	say("sigwait: %s", signal_text(sig));
	return NULL;
}

TEST(signal_thread)
{
	pthread_t thread;

	block(SIG_BLOCK, SIGUSR2);
	pthread_create(&thread, NULL, take_signal, NULL);
	kill(getpid(), SIGUSR2);
	pthread_join(thread, NULL);
}
