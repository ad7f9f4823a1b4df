/* execve: programs, scripts, what stays and what goes, limits. */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <tests/sys/test.h>

static char *const no_env[] = { NULL };

static void put_program(const char *name, const void *data, size_t size, mode_t mode)
{
	int fd = MUST(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0755));

	MUST(write(fd, data, size));
	close(fd);
	MUST(chmod(name, mode));
}

static void copy_program(const char *from, const char *to)
{
	int in = MUST(open(from, O_RDONLY)), out = MUST(open(to, O_CREAT | O_WRONLY, 0755));

	while (MUST(sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	close(in);
	close(out);
}

static void try_exec(const char *what, const char *path, char *const argv[])
{
	pid_t pid = MUST(fork());

	if (pid == 0) {
		execve(path, argv, no_env);
		say("%s: %s", what, errno_text(errno));
		_exit(77);
	}
	reap(what, pid);
}

#define ARGS(...) ((char *const[]){ __VA_ARGS__, NULL })

TEST(arguments)
{
	char *const env[] = { "A=1", "B=two", "=odd", "noequals", NULL };

	IN_CHILD("child")
	{
		execve("/tests/show_args", ARGS("zero", "one two", "", "three"), env);
	}
	IN_CHILD("no arguments")
	{
		execve("/tests/show_args", (char *const[]){ NULL }, no_env);
	}
	IN_CHILD("NULL arrays")
	{
		syscall(SYS_execve, "/tests/show_args", NULL, NULL);
	}
}

TEST(refused)
{
	static const char elf32[64] = "\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0";
	static const char truncated[20] = "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0";

	MUST(mkdir("dir", 0755));
	put_program("text", "echo hello\n", 11, 0755);
	put_program("empty", "", 0, 0755);
	put_program("noexec", "#!/tests/show_args\n", 19, 0644);
	put_program("elf32", elf32, sizeof(elf32), 0755);
	put_program("truncated", truncated, sizeof(truncated), 0755);
	try_exec("none", "none", ARGS("x"));
	try_exec("dir", "dir", ARGS("x"));
	try_exec("text", "text", ARGS("x"));
	try_exec("empty", "empty", ARGS("x"));
	try_exec("noexec", "noexec", ARGS("x"));
	try_exec("elf32", "elf32", ARGS("x"));
	try_exec("truncated", "truncated", ARGS("x"));
	try_exec("slash", "text/", ARGS("x"));
	try_exec("nothing", "", ARGS("x"));
	try_exec("bad path", (char *)16, ARGS("x"));
	try_exec("bad argv", "/tests/show_args", (char *const *)16);
	try_exec("bad argument", "/tests/show_args", ARGS((char *)16));
}

/* Headers that lie: each must be refused, or die alone. */
TEST(damaged)
{
	static char image[1 << 20];
	static const struct {
		const char *what;
		size_t offset;
		uint64_t value;
		int size;
	} damages[] = {
		{ "class", EI_CLASS, 9, 1 },
		{ "machine", offsetof(Elf64_Ehdr, e_machine), 3, 2 },
		{ "type", offsetof(Elf64_Ehdr, e_type), 1, 2 },
		{ "phentsize", offsetof(Elf64_Ehdr, e_phentsize), 1, 2 },
		{ "no headers", offsetof(Elf64_Ehdr, e_phnum), 0, 2 },
		{ "too many headers", offsetof(Elf64_Ehdr, e_phnum), 0xffff, 2 },
		{ "phoff", offsetof(Elf64_Ehdr, e_phoff), ~0UL, 8 },
		{ "filesz > memsz", 64 + offsetof(Elf64_Phdr, p_filesz), 1UL << 40, 8 },
		{ "memsz", 64 + offsetof(Elf64_Phdr, p_memsz), ~0UL >> 1, 8 },
		{ "vaddr", 64 + offsetof(Elf64_Phdr, p_vaddr), 0xffff800000000000UL, 8 },
		{ "offset", 64 + offsetof(Elf64_Phdr, p_offset), 123, 8 },
		{ "interpreter offset", 64 + offsetof(Elf64_Phdr, p_type), PT_INTERP, 4 },
	};
	int fd = MUST(open("/tests/show_args", O_RDONLY));
	size_t size = MUST(read(fd, image, sizeof(image)));

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		uint64_t saved;
		pid_t pid;
		int status;

		memcpy(&saved, image + damages[i].offset, 8);
		memcpy(image + damages[i].offset, &damages[i].value, damages[i].size);
		put_program("damaged", image, size, 0755);
		memcpy(image + damages[i].offset, &saved, 8);
		pid = MUST(fork());
		if (pid == 0) {
			execve("damaged", ARGS("x"), no_env);
			_exit(200);
		}
		MUST(waitpid(pid, &status, 0));
		say("%s: %s", damages[i].what,
		    WIFSIGNALED(status) || WEXITSTATUS(status) == 200 ? "refused" : "ran");
	}
}

TEST(scripts)
{
	put_program("plain", "#!/tests/show_args\n", 19, 0755);
	put_program("argument", "#! /tests/show_args  an argument \t\nrest", 39, 0755);
	put_program("no_newline", "#!/tests/show_args x", 20, 0755);
	put_program("nothing", "#!\n", 3, 0755);
	put_program("blank", "#!   \n", 6, 0755);
	put_program("missing", "#!/none\n", 8, 0755);
	put_program("relative", "#!plain\n", 8, 0755);
	put_program("self", "#!./self\n", 9, 0755);
	put_program("chain0", "#!/tests/show_args 0\n", 21, 0755);
	try_exec("plain", "plain", ARGS("zero", "one"));
	try_exec("plain by a path", "./plain", ARGS("zero", "one"));
	try_exec("argument", "argument", ARGS("zero", "one"));
	try_exec("no newline", "no_newline", ARGS("zero"));
	try_exec("no arguments", "plain", (char *const[]){ NULL });
	try_exec("nothing", "nothing", ARGS("zero"));
	try_exec("blank", "blank", ARGS("zero"));
	try_exec("missing", "missing", ARGS("zero"));
	try_exec("relative", "relative", ARGS("zero", "one"));
	try_exec("self", "self", ARGS("zero"));
	for (int i = 1; i < 7; i++) {
		char name[16], text[32];

		snprintf(name, sizeof(name), "chain%d", i);
		snprintf(text, sizeof(text), "#!./chain%d %d\n", i - 1, i);
		put_program(name, text, strlen(text), 0755);
		try_exec(name, name, ARGS("zero"));
	}
}

TEST(long_first_line)
{
	static char line[400];

	memset(line, 'a', sizeof(line));
	memcpy(line, "#!/tests/show_args ", 19);
	put_program("long", line, sizeof(line), 0755);
	IN_CHILD("long")
	{
		execve("long", ARGS("zero"), no_env);
		say("%s", errno_text(errno));
	}
	memset(line, '/', 300);
	memcpy(line, "#!", 2);
	put_program("longer", line, sizeof(line), 0755);
	try_exec("longer", "longer", ARGS("zero"));
}

TEST(too_much)
{
	static char big[200000], *many[70000];
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };

	memset(big, 'x', sizeof(big));
	big[131071] = 0;
	IN_CHILD("string of 131071")
	{
		execve("/tests/show_args", ARGS("zero", "-count", big), no_env);
		say("%s", errno_text(errno));
	}
	big[131071] = 'x';
	big[131072] = 0;
	try_exec("string of 131072", "/tests/show_args", ARGS("zero", big));
	for (size_t i = 0; i < ARRAY_SIZE(many) - 1; i++)
		many[i] = i == 1 ? "-count" : "x";
	IN_CHILD("70000 arguments")
	{
		execve("/tests/show_args", many, no_env);
		say("%s", errno_text(errno));
	}
	MUST(setrlimit(RLIMIT_STACK, &limit));
	try_exec("70000 arguments, small stack", "/tests/show_args", many);
}

TEST(what_stays)
{
	struct rlimit limit = { 77, 88 };
	sigset_t set;

	MUST(chdir("/tmp"));
	umask(031);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, (void (*)(int))exit);
	setrlimit(RLIMIT_NOFILE, &limit);
	setpriority(PRIO_PROCESS, 0, 3);
	prctl(PR_SET_NAME, "before");
	alarm(50);
	execve("/tests/show_state", ARGS("zero"), no_env);
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

TEST(exec_in_thread_ends_the_others)
{
	pthread_t thread;

	IN_CHILD("child")
	{
		pid_t pid = getpid();
		char text[16];

		snprintf(text, sizeof(text), "%d", pid);
		pthread_create(&thread, NULL, wait_for_ever, NULL);
		pthread_create(&thread, NULL, wait_for_ever, NULL);
		execve("/tests/show_args", ARGS("zero", "-same-pid", text), no_env);
	}
}

static void *exec_it(void *arg)
{
	execve("/tests/show_args", arg, no_env);
	return NULL;
}

TEST(exec_by_a_thread_takes_the_leaders_place)
{
	pthread_t thread;

	IN_CHILD("child")
	{
		char text[16];

		snprintf(text, sizeof(text), "%d", getpid());
		pthread_create(&thread, NULL, exec_it,
			       (char *[]){ "zero", "-same-pid", text, NULL });
		pause();
	}
}

TEST(setuid_programs)
{
	copy_program("/tests/show_state", "setuid");
	copy_program("/tests/show_state", "setgid");
	copy_program("/tests/show_state", "odd");
	MUST(chown("setuid", 2000, 2000));
	MUST(chmod("setuid", 04755));
	MUST(chown("setgid", 2000, 3000));
	MUST(chmod("setgid", 02755));
	MUST(chown("odd", 2000, 3000));
	MUST(chmod("odd", 02745));
	become_nobody();
	try_exec("setuid", "setuid", ARGS("zero", "-ids"));
	try_exec("setgid", "setgid", ARGS("zero", "-ids"));
	try_exec("setgid without group x", "odd", ARGS("zero", "-ids"));
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	try_exec("no new privileges", "setuid", ARGS("zero", "-ids"));
}

TEST(busy_text)
{
	int fd;

	copy_program("/tests/show_args", "prog");
	fd = MUST(open("prog", O_WRONLY));
	try_exec("open for writing", "prog", ARGS("zero"));
	close(fd);
	try_exec("closed", "prog", ARGS("zero"));
	copy_program("/tests/show_state", "sleeper");
	IN_CHILD("child")
	{
		int fds[2];
		char byte;
		pid_t pid;

		MUST(pipe(fds));
		pid = MUST(fork());
		if (pid == 0) {
			dup2(fds[1], 9);
			close(fds[0]);
			close(fds[1]);
			execve("sleeper", ARGS("zero", "-wait"), no_env);
		}
		close(fds[1]);
		MUST(read(fds[0], &byte, 1));
		SHOW_OK(open("sleeper", O_WRONLY));
		SHOW_OK(open("sleeper", O_RDONLY));
		SHOW(truncate("sleeper", 0));
		SHOW(unlink("sleeper"));
		kill(pid, SIGTERM);
	}
}

TEST(execveat)
{
	int dir, fd;

	dir = MUST(open("/tests", O_RDONLY));
	fd = MUST(open("/tests/show_args", O_PATH | O_CLOEXEC));
	IN_CHILD("relative")
	{
		syscall(SYS_execveat, dir, "show_args", ARGS("zero"), no_env, 0);
	}
	IN_CHILD("empty path")
	{
		syscall(SYS_execveat, fd, "", ARGS("zero"), no_env, AT_EMPTY_PATH);
	}
	IN_CHILD("empty path without the flag")
	{
		SHOW(syscall(SYS_execveat, fd, "", ARGS("zero"), no_env, 0));
	}
	IN_CHILD("bad flag")
	{
		SHOW(syscall(SYS_execveat, dir, "show_args", ARGS("zero"), no_env, 1));
	}
	MUST(symlink("/tests/show_args", "link"));
	IN_CHILD("no follow")
	{
		SHOW(syscall(SYS_execveat, AT_FDCWD, "link", ARGS("zero"), no_env,
			     AT_SYMLINK_NOFOLLOW));
	}
	put_program("script", "#!/tests/show_args\n", 19, 0755);
	fd = MUST(open("script", O_RDONLY | O_CLOEXEC));
	IN_CHILD("script by a close-on-exec descriptor")
	{
		SHOW(syscall(SYS_execveat, fd, "", ARGS("zero"), no_env, AT_EMPTY_PATH));
	}
}

TEST(auxiliary_vector)
{
	extern char **environ;
	const uint8_t *random = (void *)getauxval(AT_RANDOM);
	const Elf64_Phdr *phdr = (void *)getauxval(AT_PHDR);
	int zeros = 0;

	for (int i = 0; i < 16; i++)
		zeros += random[i] == 0;
	say("random: %s", yes_no(zeros < 8));
	say("page size %ld, clock ticks %ld", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
	say("headers: %ld of %ld bytes", getauxval(AT_PHNUM), getauxval(AT_PHENT));
	say("a load among them: %s",
	    yes_no(phdr[0].p_type == PT_LOAD || phdr[1].p_type == PT_LOAD));
	say("entry: %s", yes_no(getauxval(AT_ENTRY) != 0));
	say("base %ld flags %ld secure %ld", getauxval(AT_BASE), getauxval(AT_FLAGS),
	    getauxval(AT_SECURE));
	say("ids %ld %ld %ld %ld", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID),
	    getauxval(AT_EGID));
	say("program: %s", (char *)getauxval(AT_EXECFN));
	say("platform: %s", (char *)getauxval(AT_PLATFORM));
	say("stack is aligned: %s", yes_no(((uintptr_t)(environ - 1) & 7) == 0));
}
