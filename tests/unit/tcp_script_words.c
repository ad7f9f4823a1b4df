/* A script's lines, word by word: see tcp_script.h. */
#include "tcp_script.h"

#include <net/tcp_sender.h>
#include <net/tcp_socket.h>

/* libc's <stdlib.h> has types of the kernel's names */
long long strtoll(const char *text, char **end, int base);

char *next_word(struct line *line)
{
	char *word;

	while (*line->at == ' ' || *line->at == '\t')
		line->at++;
	if (!*line->at)
		return NULL;
	word = line->at;
	while (*line->at && *line->at != ' ' && *line->at != '\t')
		line->at++;
	if (*line->at)
		*line->at++ = 0;
	return word;
}

bool is_empty(const struct line *line)
{
	return !line->at[strspn(line->at, " \t")];
}

bool takes(struct line *line, const char *wanted)
{
	struct line before = *line;
	char *at = line->at, *word = next_word(line);
	bool same = word && !strcmp(word, wanted);

	if (!same) {
		memcpy(line->text, before.text, sizeof(line->text));
		line->at = at;
	}
	return same;
}

char *need_word(struct line *line)
{
	char *word = next_word(line);

	if (!word)
		FAIL("something is missing at the end of the line");
	return word;
}

u32 number(const char *word)
{
	char *end;
	u32 value = (u32)strtoll(word, &end, 0);

	if (end == word || *end)
		FAIL("%s is not a number", word);
	return value;
}

u32 need_number(struct line *line)
{
	return number(need_word(line));
}

u32 number_or(struct line *line, u32 otherwise)
{
	char *at = line->at;

	while (*at == ' ' || *at == '\t')
		at++;
	if ((*at < '0' || *at > '9') && (*at != '-' || at[1] < '0' || at[1] > '9'))
		return otherwise;
	return need_number(line);
}

const struct name errors[] = { { "EAGAIN", EAGAIN },
			       { "EINPROGRESS", EINPROGRESS },
			       { "EALREADY", EALREADY },
			       { "EISCONN", EISCONN },
			       { "ENOTCONN", ENOTCONN },
			       { "EPIPE", EPIPE },
			       { "ECONNRESET", ECONNRESET },
			       { "ECONNREFUSED", ECONNREFUSED },
			       { "ETIMEDOUT", ETIMEDOUT },
			       { "EINVAL", EINVAL },
			       { "EHOSTUNREACH", EHOSTUNREACH },
			       { "ENETUNREACH", ENETUNREACH },
			       { "EADDRINUSE", EADDRINUSE },
			       { "ECONNABORTED", ECONNABORTED },
			       { "ENOBUFS", ENOBUFS },
			       { "EPROTO", EPROTO },
			       { "ENOPROTOOPT", ENOPROTOOPT },
			       { NULL, 0 } };

const struct name states[] = { { "ESTABLISHED", TCP_ESTABLISHED },
			       { "SYN_SENT", TCP_SYN_SENT },
			       { "SYN_RECV", TCP_SYN_RECV },
			       { "FIN_WAIT1", TCP_FIN_WAIT1 },
			       { "FIN_WAIT2", TCP_FIN_WAIT2 },
			       { "TIME_WAIT", TCP_TIME_WAIT },
			       { "CLOSED", TCP_CLOSE },
			       { "CLOSE_WAIT", TCP_CLOSE_WAIT },
			       { "LAST_ACK", TCP_LAST_ACK },
			       { "CLOSING", TCP_CLOSING },
			       { "REQUEST", TCP_NEW_SYN_RECV },
			       { NULL, 0 } };

const struct name ca_states[] = { { "OPEN", TCP_CA_OPEN },
				  { "DISORDER", TCP_CA_DISORDER },
				  { "CWR", TCP_CA_CWR },
				  { "RECOVERY", TCP_CA_RECOVERY },
				  { "LOSS", TCP_CA_LOSS },
				  { "INFINITE", TCP_INFINITE },
				  { NULL, 0 } };

const struct name poll_bits[] = { { "IN", SOCK_READABLE }, { "OUT", EPOLLOUT | EPOLLWRNORM },
				  { "RDHUP", EPOLLRDHUP }, { "HUP", EPOLLHUP },
				  { "ERR", EPOLLERR },	   { "PRI", EPOLLPRI },
				  { "NONE", 0 },	   { NULL, 0 } };

const struct name *find_name(const struct name *names, const char *word)
{
	for (; names->name; names++)
		if (!strcmp(names->name, word))
			return names;
	return NULL;
}

long need_name(struct line *line, const struct name *names)
{
	const char *word = need_word(line);
	const struct name *name = find_name(names, word);

	if (!name)
		FAIL("nobody knows %s", word);
	return name->value;
}

const char *name_of(const struct name *names, long value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return "?";
}

void check_result(struct line *line, long result, long otherwise)
{
	const struct name *error;
	char *word;

	if (takes(line, "->")) {
		word = need_word(line);
		error = find_name(errors, word);
		otherwise = error ? -error->value : (long)(s32)number(word);
	}
	if (result != otherwise)
		FAIL("the answer is %ld (%s), not %ld (%s)", result, name_of(errors, -result),
		     otherwise, name_of(errors, -otherwise));
}
