/*
 * The guest's only program in tests/net: the first process, which serves over UDP.
 *
 *	port 7		every datagram goes back to where it came from
 *	port 8		a command, answered by a text:
 *			barrier WORD		the same again
 *			read PATH		the file
 *			write PATH TEXT		"ok" or an error
 *			connect ADDRESS PORT	a connected socket sends "hello" there; "ok"
 *			send TEXT		from it; "ok" or an error
 *			receive			at it: the datagram, or an error
 *			send_to ADDRESS PORT COUNT	so many datagrams from a socket of their own; "ok"
 *			tcp MODE ADDRESS PORT	runs tests/net/tcp.c so, which prints its answer on the console; "ok"
 *
 * TCP is `tcp serve`'s business, a process of its own.
 *
 * Commands wait until there is nothing to echo, so an answer at port 8 says that all the echoes are out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO_PORT = 7, COMMAND_PORT = 8 };
#define MOST_WORDS    4
#define MAX_DATAGRAM  65507
#define NO_ANSWER_YET -1

static char datagram[MAX_DATAGRAM + 1];
static int connected = NO_ANSWER_YET;

static int must(const char *what, int result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(1);
}

static int serve_port(int port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock = must("socket", socket(AF_INET, SOCK_DGRAM, 0)), on = 1;

	must("broadcast", setsockopt(sock, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)));
	must("bind", bind(sock, (struct sockaddr *)&any, sizeof(any)));
	return sock;
}

/* ---- commands: each leaves its answer in `datagram` and says how long it is -------------------------------- */

static ssize_t answer(int result)
{
	return sprintf(datagram, "%s", result < 0 ? strerror(errno) : "ok");
}

static ssize_t command_barrier(char **words)
{
	return sprintf(datagram, "barrier %s", words[1]);
}

static ssize_t command_read(char **words)
{
	int fd = open(words[1], O_RDONLY);
	ssize_t size = 0, got = 0;

	if (fd < 0)
		return answer(-1);
	do {
		size += got;
		got = read(fd, datagram + size, MAX_DATAGRAM - size);
	} while (got > 0);
	close(fd);
	return size;
}

static ssize_t command_write(char **words)
{
	int fd = open(words[1], O_WRONLY);
	ssize_t size = fd < 0 ? -1 : write(fd, words[2], strlen(words[2]));

	size = answer(size);
	if (fd >= 0)
		close(fd);
	return size;
}

static struct sockaddr_in address(char **words)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(words[2])) };

	inet_aton(words[1], &to.sin_addr);
	return to;
}

static ssize_t command_send(char **words)
{
	return answer(send(connected, words[1], strlen(words[1]), MSG_DONTWAIT));
}

static ssize_t command_connect(char **words)
{
	struct sockaddr_in to = address(words);

	close(connected);
	connected = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(connected, (struct sockaddr *)&to, sizeof(to)) < 0)
		return answer(-1);
	return answer(send(connected, "hello", 5, 0));
}

static ssize_t command_receive(char **words)
{
	ssize_t size = recv(connected, datagram, MAX_DATAGRAM, MSG_DONTWAIT);

	return size < 0 ? answer(-1) : size;
}

static ssize_t command_send_to(char **words)
{
	struct sockaddr_in to = address(words);
	int sock = socket(AF_INET, SOCK_DGRAM, 0), result = 0;

	for (int i = 0; i < atoi(words[3]) && result >= 0; i++)
		result = sendto(sock, &i, sizeof(i), 0, (struct sockaddr *)&to, sizeof(to));
	result = answer(result);
	close(sock);
	return result;
}

static int start(const char *mode, const char *address, const char *port)
{
	int child = fork();

	if (!child) {
		execl("/bin/tcp", "tcp", mode, address, port, NULL);
		_exit(127);
	}
	return child;
}

static ssize_t command_tcp(char **words)
{
	return answer(start(words[1], words[2], words[3]));
}

static const struct {
	const char *name;
	int words;
	ssize_t (*run)(char **words);
} commands[] = {
	{ "barrier", 2, command_barrier }, { "read", 2, command_read },
	{ "write", 3, command_write },	   { "connect", 3, command_connect },
	{ "send", 2, command_send },	   { "receive", 1, command_receive },
	{ "send_to", 4, command_send_to }, { "tcp", 4, command_tcp },
};

static ssize_t run_command(void)
{
	static char line[256];
	char *words[MOST_WORDS] = { NULL }, *rest = line;
	int count = 0;

	snprintf(line, sizeof(line), "%.250s", datagram);
	while (count < MOST_WORDS && (words[count] = strsep(&rest, " ")))
		count++;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (count == commands[i].words && !strcmp(words[0], commands[i].name))
			return commands[i].run(words);
	return sprintf(datagram, "what is %.200s?", line);
}

/* ---- both ports ---------------------------------------------------------------------------------------------- */

/* One datagram in, one out. False: there is none. */
static bool serve(int sock, ssize_t (*run)(void))
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	ssize_t size = recvfrom(sock, datagram, MAX_DATAGRAM, MSG_DONTWAIT,
				(struct sockaddr *)&peer, &length);

	if (size < 0)
		return false;
	datagram[size] = '\0';
	sendto(sock, datagram, run ? run() : size, 0, (struct sockaddr *)&peer, length);
	return true;
}

int main(void)
{
	struct pollfd ports[] = { { .fd = serve_port(ECHO_PORT), .events = POLLIN },
				  { .fd = serve_port(COMMAND_PORT), .events = POLLIN } };

	must("mount", mount("proc", "/proc", "proc", 0, NULL));
	signal(SIGCHLD, SIG_IGN);
	must("fork", start("serve", NULL, NULL));
	printf("server: ready\n");
	fflush(stdout);
	for (;;) {
		poll(ports, 2, -1);
		while (serve(ports[0].fd, NULL))
			;
		serve(ports[1].fd, run_command);
	}
}
