/*
 * The kernel command line: see cmdline.h. Read once, on the boot CPU, before there is a heap: the words
 * stay in `words`, all values are pointers into it.
 */
#include <kernel/cmdline.h>

#include <kernel/boot_info.h>
#include <kernel/lib/args.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

#define MAX_WORDS 128

extern const struct boot_option boot_options_start[], boot_options_end[];

static char words[BOOT_CMDLINE];
static struct arg args[MAX_WORDS]; /* those before "--" */
static u32 nr_args;

struct cmdline_init cmdline_init;

static const struct boot_option *find_option(const struct arg *arg)
{
	const struct boot_option *option;

	for (option = boot_options_start; option < boot_options_end; option++) {
		if (arg_is(arg, option->name))
			return option;
	}
	return NULL;
}

static void give_to_init(const char **list, u32 *count, const char *word)
{
	if (*count < CMDLINE_MAX_INIT)
		list[(*count)++] = word;
	else
		pr_warn("cmdline: too many words for init: '%s' left out\n", word);
}

/* In capitals, as nobody misspells an option: TERM=vt100. */
static bool is_environment(const struct arg *arg)
{
	for (u32 i = 0; i < arg->name_length; i++) {
		if (arg->word[i] >= 'a' && arg->word[i] <= 'z')
			return false;
	}
	return arg->has_value;
}

static void unknown_option(const struct arg *arg)
{
	if (!is_environment(arg))
		pr_warn("cmdline: unknown option '%.*s'\n", (int)arg->name_length, arg->word);
	if (arg->has_value)
		give_to_init(cmdline_init.envp, &cmdline_init.envc, arg->word);
	else
		give_to_init(cmdline_init.argv, &cmdline_init.argc, arg->word);
}

static void handle(const struct arg *arg)
{
	const struct boot_option *option = find_option(arg);

	if (!option)
		unknown_option(arg);
	else if (!option->parse(arg->value))
		pr_warn("cmdline: bad value '%s' for option '%s'\n", arg->value, option->name);
}

void cmdline_parse(void)
{
	char *line = words;
	struct arg arg;

	strlcpy(words, boot_info.cmdline, sizeof(words));
	while (arg_next(&line, &arg) && strcmp(arg.word, "--")) {
		if (nr_args == MAX_WORDS) {
			pr_warn("cmdline: more than %u words: '%s' ignored\n", MAX_WORDS, arg.word);
			continue;
		}
		args[nr_args++] = arg;
		handle(&arg);
	}
	while (arg_next(&line, &arg))
		give_to_init(cmdline_init.argv, &cmdline_init.argc, arg.word);
}

const char *cmdline_get(const char *name)
{
	for (u32 i = nr_args; i-- > 0;) {
		if (arg_is(&args[i], name))
			return args[i].value;
	}
	return NULL;
}
