/* Helper for exec.c: what a program is given. */
#include <tests/sys/show.h>

int main(int argc, char **argv, char **env)
{
	if (argc > 1 && !strcmp(argv[1], "-count")) {
		say("%d arguments, the last has %zu bytes", argc, strlen(argv[argc - 1]));
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "-same-pid")) {
		say("same pid: %s", yes_no(atoi(argv[2]) == getpid()));
		say("tid is pid: %s", yes_no(syscall(SYS_gettid) == getpid()));
		return 0;
	}
	say("%d arguments", argc);
	for (int i = 0; i < argc; i++)
		say("  argument %d: '%.300s'", i, argv[i]);
	for (int i = 0; env[i]; i++)
		say("  environment: '%s'", env[i]);
	return 0;
}
