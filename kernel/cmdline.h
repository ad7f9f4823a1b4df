/*
 * The kernel command line: "name", "name=value", separated by spaces, double quotes protect them.
 * A file that wants an option declares it. As on Linux, '-' and '_' in names are the same, and what
 * nobody declared is init's: name=value goes to its environment, a bare word and all that
 * follows "--" to its arguments. So that a misspelt option does not pass for one of init's, each
 * undeclared word before "--" is named on the console.
 */
#pragma once

#include <kernel/lib/types.h>

struct boot_option {
	const char *name;
	const char *help; /* one line for docs/ and for `help` */
	/* value is "" when none was given; false: value not understood (named on the console) */
	bool (*parse)(const char *value);
};

/* In section .boot_options: linker.ld collects them between boot_options_start and _end. */
#define BOOT_OPTION(ident, text, help_, fn)                                     \
	static const struct boot_option boot_option_##ident __used __aligned(8) \
		__section(".boot_options") = { .name = text, .help = help_, .parse = fn }

/* Reads boot_info.cmdline: calls the parsers. Before the heap exists. */
void cmdline_parse(void);

/* The value of `name` as given, or NULL. The last one wins. */
const char *cmdline_get(const char *name);

/* What init gets, each with a NULL at the end; constant after cmdline_parse(). */
#define CMDLINE_MAX_INIT 32
struct cmdline_init {
	u32 argc, envc;
	const char *argv[CMDLINE_MAX_INIT + 1]; /* without argv[0], init's own name */
	const char *envp[CMDLINE_MAX_INIT + 1];
};
extern struct cmdline_init cmdline_init;
