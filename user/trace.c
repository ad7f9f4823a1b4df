// SPDX-License-Identifier: MIT
/*
 * Records what the kernel does (docs/tracing.md), and prints it.
 *
 *	trace sleep 0.1			everything, while a command runs
 *	trace -e udp_rcv,wake_up -t 5	these events, for five seconds, as they happen
 *	trace -s 34 load -n 1 127.0.0.1 7	of one socket's events only these of socket:[34]
 *	trace -b -t 5 > FILE		as records, for tools/trace on the host to make a page of
 *
 * Only on Pollux: it writes /proc/trace_control and reads /proc/trace, or /proc/trace_raw.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "trace: %s: %s\n", what,
		errno == ENOENT ? "this is not Pollux" : strerror(errno));
	exit(1);
}

static void control(const char *words)
{
	int fd = open("/proc/trace_control", O_WRONLY);

	if (fd < 0 || write(fd, words, strlen(words)) < 0)
		fail(words);
	close(fd);
}

/* To standard output, all that is there now. */
static void copy(int trace)
{
	char buffer[65536];
	ssize_t size;

	while ((size = read(trace, buffer, sizeof(buffer))) > 0)
		if (write(STDOUT_FILENO, buffer, size) != size)
			break;
}

static volatile sig_atomic_t over;

static void end(int signal)
{
	over = 1;
}

/* As it happens, until time is up or Ctrl-C. */
static void follow(int trace, int seconds)
{
	struct timespec now;
	time_t until;

	clock_gettime(CLOCK_MONOTONIC, &now);
	until = now.tv_sec + seconds;
	while (!over && (!seconds || now.tv_sec < until)) {
		struct pollfd wanted = { .fd = trace, .events = POLLIN };

		if (poll(&wanted, 1, seconds ? 1000 : -1) > 0)
			copy(trace);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
}

static int run(char **command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (pid < 0)
		fail("fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static _Noreturn void usage(void)
{
	fprintf(stderr,
		"usage: trace [-b] [-e EVENT,...] [-p PID] [-s SOCKET] [-t SECONDS | COMMAND...]\n"
		"The events: /proc/trace_events\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *file = "/proc/trace", *events = NULL, *pid = "0", *sock = "0";
	int option, seconds = 0, trace, status = 0;
	char words[2000];

	while ((option = getopt(argc, argv, "+be:p:s:t:")) != -1) {
		switch (option) {
		case 'b':
			file = "/proc/trace_raw";
			break;
		case 'e':
			events = optarg;
			break;
		case 'p':
			pid = optarg;
			break;
		case 's':
			sock = optarg;
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind < argc && seconds)
		usage();
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = end }, NULL);
	snprintf(words, sizeof(words), "clear pid=%s sock=%s %s%s", pid, sock,
		 events ? "events=" : "on", events ?: "");
	control(words);
	/* Who has the trace open is not recorded; the command is to be. */
	if (optind < argc)
		status = run(argv + optind);
	trace = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (trace < 0)
		fail(file);
	if (optind == argc)
		follow(trace, seconds);
	control("off");
	copy(trace);
	return status;
}
