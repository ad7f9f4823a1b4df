/*
 * The guest's side of tools/bench_tcp.py, beside the servers that it measures. A client says one line on each connection:
 *
 *	run PROGRAM [WORD...]	starts it as the server, after the end of the one before
 *	end			ends the server, with all its processes
 *	cat FILE		gets what is in it, such as what the kernel counts
 *
 *	control PORT		says when it is ready
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 8
#define MAX_FILES 65536

static pid_t server;

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static void end_server(void)
{
	if (server && kill(-server, SIGKILL) == 0)
		waitpid(server, NULL, 0);
	server = 0;
}

static void run_server(char **words)
{
	end_server();
	server = must("fork", fork());
	if (server == 0) {
		setpgid(0, 0);
		execv(words[0], words);
		perror(words[0]);
		_exit(1);
	}
	setpgid(server, server);
}

static void send_file(int client, const char *path)
{
	static char buffer[65536];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	while ((size = read(file, buffer, sizeof(buffer))) > 0)
		if (write(client, buffer, size) != size)
			break;
	close(file);
}

static void obey(int client)
{
	char line[256], *words[MAX_WORDS + 1] = { NULL };
	ssize_t size = read(client, line, sizeof(line) - 1);

	line[size > 0 ? size : 0] = 0;
	words[0] = strtok(line, " \n");
	for (int i = 1; i < MAX_WORDS && words[i - 1]; i++)
		words[i] = strtok(NULL, " \n");
	if (!words[0])
		return;
	if (!strcmp(words[0], "end"))
		end_server();
	else if (!strcmp(words[0], "run") && words[1])
		run_server(words + 1);
	else if (!strcmp(words[0], "cat") && words[1])
		send_file(client, words[1]);
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	int listener = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct rlimit files = { MAX_FILES, MAX_FILES };

	signal(SIGPIPE, SIG_IGN);
	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	must("bind", bind(listener, (struct sockaddr *)&any, sizeof(any)));
	must("listen", listen(listener, 16));
	printf("control: ready\n");
	fflush(stdout);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			continue;
		obey(client);
		close(client);
	}
}
