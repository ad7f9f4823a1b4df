// SPDX-License-Identifier: MIT
/*
 * A small web server: one process, epoll, HTTP/1.1 with connections that are kept and questions that are sent before
 * the last one is answered (pipelining); files are sent by sendfile(), which copies nothing in this process.
 *
 *	web 80 /www			serves the files below /www; a folder's own page is index.html
 *
 * Each connection is in one of two states: it reads a head, or it sends an answer (its head from `out`, then the file).
 * GET and HEAD only; a question with a body is refused, for then we would not know where the next one begins.
 */
#include "server.h"

#include <ctype.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define HEAD_MAX 4096

struct client {
	int sock, file; /* the file being sent, or -1 */
	off_t at, size; /* of the file: sent, all */
	size_t in, out_at, out_size;
	bool last, ended; /* this answer is the last; it has been sent */
	bool writes;	  /* is watched for EPOLLOUT */
	char head[HEAD_MAX], out[512];
};

static int epfd, root;

static void watch(int op, struct client *client, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(epfd, op, client->sock, &event))
		fail("epoll_ctl");
}

static void end(struct client *client)
{
	if (client->file >= 0)
		close(client->file);
	close(client->sock);
	free(client);
}

/* ---- the answer ------------------------------------------------------------------------------------ */

static const char *type_of(const char *path)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css" },
		{ ".js", "text/javascript" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	const char *ending = strrchr(path, '.');

	for (size_t i = 0; ending && i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(ending, types[i].ending))
			return types[i].type;
	return "application/octet-stream";
}

static void answer(struct client *client, const char *status, const char *type, off_t length)
{
	client->out_at = 0;
	client->out_size = snprintf(client->out, sizeof(client->out),
				    "HTTP/1.1 %s\r\nServer: pollux-web\r\nContent-Type: %s\r\n"
				    "Content-Length: %lld\r\n%s\r\n",
				    status, type, (long long)length,
				    client->last ? "Connection: close\r\n" : "");
}

/* Said in the page as well: a person may be reading. */
static void refuse(struct client *client, const char *status, bool close_after)
{
	client->last |= close_after;
	answer(client, status, "text/plain", strlen(status) + 1);
	client->out_size += sprintf(client->out + client->out_size, "%s\n", status);
}

/* Opens below the root: there is no way up in a path. Links in there are followed: they are their owner's affair. */
static int open_below_root(char *path, struct stat *status)
{
	int file;

	for (char *part = path; (part = strstr(part, "..")); part += 2)
		if ((part == path || part[-1] == '/') && (!part[2] || part[2] == '/'))
			return -1;
	while (*path == '/')
		path++;
	file = openat(root, *path ? path : ".", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file >= 0 && !fstat(file, status) && S_ISDIR(status->st_mode)) {
		int folder = file;

		file = openat(folder, "index.html", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		close(folder);
	}
	if (file >= 0 && (fstat(file, status) || !S_ISREG(status->st_mode))) {
		close(file);
		return -1;
	}
	return file;
}

/* "%41" is A; a path that is cut short there, or has a byte 0, is none. */
static bool decode(char *path)
{
	char *to = path;

	for (char *from = path; *from && *from != '?'; from++) {
		if (*from == '%') {
			char digits[3] = { from[1], from[1] ? from[2] : 0 };

			if (!isxdigit((unsigned char)digits[0]) ||
			    !isxdigit((unsigned char)digits[1]))
				return false;
			*to = strtoul(digits, NULL, 16);
			if (!*to++)
				return false;
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
	return true;
}

static void answer_with_file(struct client *client, char *path, bool with_body)
{
	struct stat status;
	bool is_folder = path[strlen(path) - 1] == '/';

	client->file = open_below_root(path, &status);
	if (client->file < 0) {
		refuse(client, "404 Not Found", false);
		return;
	}
	answer(client, "200 OK", type_of(is_folder ? ".html" : path), status.st_size);
	client->at = with_body ? 0 : status.st_size;
	client->size = status.st_size;
}

/* ---- the question ---------------------------------------------------------------------------------- */

/* The value of a header field, up to the end of its line, or NULL. `head` ends with an empty line. */
static const char *field(const char *head, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (!strncasecmp(line, name, length) && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

/* `head` is one whole question, ended with a 0 byte. */
static void read_question(struct client *client, char *head)
{
	const char *connection = field(head, "Connection"), *length = field(head, "Content-Length");
	char method[8], path[HEAD_MAX], version[16];

	if (sscanf(head, "%7[A-Z] %4000[^ \r\n] %15[^ \r\n]", method, path, version) != 3 ||
	    strncmp(version, "HTTP/1.", 7) || path[0] != '/' || !decode(path)) {
		refuse(client, "400 Bad Request", true);
		return;
	}
	client->last =
		connection ? !strncasecmp(connection, "close", 5) : !strcmp(version, "HTTP/1.0");
	if ((length && strtoul(length, NULL, 10)) || field(head, "Transfer-Encoding"))
		refuse(client, "413 Content Too Large", true);
	else if (!strcmp(method, "GET") || !strcmp(method, "HEAD"))
		answer_with_file(client, path, method[0] == 'G');
	else
		refuse(client, "501 Not Implemented", true);
}

/* Takes one question out of what has been read, if one is whole. What follows it is the next. */
static bool take_question(struct client *client)
{
	char *end = memmem(client->head, client->in, "\r\n\r\n", 4), question[HEAD_MAX + 1];
	size_t length;

	if (!end && client->in < sizeof(client->head))
		return false;
	if (!end) {
		refuse(client, "431 Request Header Fields Too Large", true);
		return true;
	}
	length = end + 4 - client->head;
	memcpy(question, client->head, length);
	question[length] = 0;
	client->in -= length;
	memmove(client->head, client->head + length, client->in);
	read_question(client, question);
	return true;
}

/* ---- a client -------------------------------------------------------------------------------------- */

enum progress { BLOCKED, MOVED, OVER };

static enum progress send_answer(struct client *client)
{
	ssize_t n;

	if (client->out_at < client->out_size) {
		/* The head waits for the file's first bytes, to go in one segment with them. */
		n = send(client->sock, client->out + client->out_at,
			 client->out_size - client->out_at,
			 client->file >= 0 && client->at < client->size ? MSG_MORE : 0);
		if (n > 0)
			client->out_at += n;
	} else {
		n = sendfile(client->sock, client->file, &client->at, client->size - client->at);
		/* The file has become shorter than we said it is. */
		if (n == 0)
			return OVER;
	}
	return n >= 0 ? MOVED : errno == EAGAIN ? BLOCKED : OVER;
}

static bool has_answer(const struct client *client)
{
	return client->out_at < client->out_size || client->file >= 0;
}

static enum progress read_more(struct client *client)
{
	ssize_t n =
		read(client->sock, client->head + client->in, sizeof(client->head) - client->in);

	if (n > 0)
		client->in += n;
	return n > 0 ? MOVED : n < 0 && errno == EAGAIN ? BLOCKED : OVER;
}

/*
 * One step of what the client is at. After the last answer what the client still says is read and forgotten until it
 * closes: to close with something unread would reset the connection, and the answer with it.
 */
static enum progress step(struct client *client)
{
	if (client->out_at < client->out_size || (client->file >= 0 && client->at < client->size))
		return send_answer(client);
	if (has_answer(client)) {
		close(client->file);
		client->file = -1;
	}
	if (client->out_size && client->last) {
		shutdown(client->sock, SHUT_WR);
		client->ended = true;
	}
	client->out_at = client->out_size = 0;
	if (client->ended)
		client->in = 0;
	return !client->ended && take_question(client) ? MOVED : read_more(client);
}

static void serve(struct client *client)
{
	enum progress progress;
	bool writes;

	while ((progress = step(client)) == MOVED)
		;
	if (progress == OVER) {
		end(client);
		return;
	}
	writes = has_answer(client);
	if (writes != client->writes)
		watch(EPOLL_CTL_MOD, client, writes ? EPOLLOUT : EPOLLIN);
	client->writes = writes;
}

static void take_clients(int listener)
{
	int sock;

	while ((sock = accept_client(listener, SOCK_NONBLOCK)) >= 0) {
		struct client *client = calloc(1, sizeof(*client));

		if (!client) {
			close(sock);
			continue;
		}
		client->sock = sock;
		client->file = -1;
		watch(EPOLL_CTL_ADD, client, EPOLLIN);
	}
}

int main(int argc, char **argv)
{
	int listener = listen_on(port_of(argc, argv), SOCK_NONBLOCK);
	struct epoll_event ready[256], event = { .events = EPOLLIN };

	root = open(argc > 2 ? argv[2] : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (root < 0 || epfd < 0)
		fail(argc > 2 ? argv[2] : "epoll_create1");
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &event))
		fail("epoll_ctl");
	for (;;) {
		int count = epoll_wait(epfd, ready, 256, -1);

		for (int i = 0; i < count; i++) {
			if (ready[i].data.ptr)
				serve(ready[i].data.ptr);
			else
				take_clients(listener);
		}
	}
}
