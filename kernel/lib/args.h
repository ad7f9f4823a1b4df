/* Splits a command line into words. */
#pragma once

#include <kernel/lib/types.h>

struct arg {
	char *word;	   /* the whole word, quotes removed: name=value or name */
	const char *value; /* behind the first '='; "" when there is none */
	size_t name_length;
	bool has_value;
};

/*
 * Takes the next word off *line, changing the line in place. Words are separated by white space;
 * between double quotes white space is ordinary, and the quotes go. A quote that is not closed
 * reaches to the end. False: there is no more.
 */
bool arg_next(char **line, struct arg *arg);

/* Is the word's name this one? '-' and '_' are the same in a name. */
bool arg_is(const struct arg *arg, const char *name);
