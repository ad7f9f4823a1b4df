/* Splits a command line into words: see args.h. */
#include <kernel/lib/args.h>

#include <kernel/lib/string.h>

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool arg_next(char **line, struct arg *arg)
{
	char *from = *line, *to, *equals;
	bool quoted = false;

	while (is_space(*from))
		from++;
	if (!*from)
		return false;

	arg->word = to = from;
	for (; *from && (quoted || !is_space(*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';

	equals = strchr(arg->word, '=');
	arg->has_value = equals != NULL;
	arg->value = equals ? equals + 1 : to;
	arg->name_length = (equals ?: to) - arg->word;
	return true;
}

static char same_dash(char c)
{
	return c == '_' ? '-' : c;
}

bool arg_is(const struct arg *arg, const char *name)
{
	if (strlen(name) != arg->name_length)
		return false;
	for (size_t i = 0; i < arg->name_length; i++) {
		if (same_dash(arg->word[i]) != same_dash(name[i]))
			return false;
	}
	return true;
}
