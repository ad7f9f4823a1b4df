/* sources: kernel/cmdline.c kernel/lib/args.c kernel/lib/string.c kernel/lib/printf.c */
/* The command line as a whole, with a few options of this test's own; and its words. */
#include <kernel/boot_info.h>
#include <kernel/cmdline.h>
#include <kernel/lib/args.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <tests/unit/unit.h>

struct boot_info boot_info;

static char said[4096]; /* what the kernel printed */
static char level_seen[64];
static bool quiet_seen;

int printk(const char *format, ...)
{
	size_t length = strlen(said);
	va_list args;

	va_start(args, format);
	vscnprintf(said + length, sizeof(said) - length, format, args);
	va_end(args);
	return 0;
}

static bool parse_level(const char *value)
{
	strlcpy(level_seen, value, sizeof(level_seen));
	return strcmp(value, "bad");
}

static bool parse_quiet(const char *value)
{
	quiet_seen = true;
	return true;
}

/* What linker.ld does in the kernel. */
const struct boot_option boot_options_start[2] = {
	{ .name = "log-level", .parse = parse_level },
	{ .name = "quiet", .parse = parse_quiet },
};
static_assert(sizeof(boot_options_start) == 48, "as said below");
__asm__(".globl boot_options_end\n.set boot_options_end, boot_options_start + 48");

/* The kernel does this once; its state would pile up here, so each test looks at names of its own. */
static void parse(const char *line)
{
	said[0] = level_seen[0] = '\0';
	quiet_seen = false;
	cmdline_init.argc = cmdline_init.envc = 0;
	strlcpy(boot_info.cmdline, line, sizeof(boot_info.cmdline));
	cmdline_parse();
}

TEST(cmdline_calls_the_parsers)
{
	parse("quiet log-level=7");
	CHECK(quiet_seen);
	CHECK_STR(level_seen, "7");
	CHECK_STR(said, "");
	CHECK_STR(cmdline_get("log-level"), "7");
	CHECK_STR(cmdline_get("quiet"), "");
	CHECK(!cmdline_get("never-given"));
}

TEST(cmdline_takes_dash_and_underscore_for_the_same)
{
	parse("log_level=3");
	CHECK_STR(level_seen, "3");
	CHECK_STR(cmdline_get("log-level"), "3");
}

TEST(cmdline_last_one_wins)
{
	parse("twice=1 twice=2");
	CHECK_STR(cmdline_get("twice"), "2");
}

TEST(cmdline_names_what_it_does_not_know)
{
	parse("foo log-level=bad bar=baz BAZ FOO_1=baz");
	CHECK_STR(said, KERN_WARN "cmdline: unknown option 'foo'\n" KERN_WARN
				  "cmdline: bad value 'bad' for option 'log-level'\n" KERN_WARN
				  "cmdline: unknown option 'bar'\n" KERN_WARN
				  "cmdline: unknown option 'BAZ'\n");
}

TEST(cmdline_gives_the_rest_to_init)
{
	parse("word HOME=/ \"TERM=vt 100\" quiet -- -s quiet a=b");
	CHECK(quiet_seen);
	CHECK_EQ(cmdline_init.envc, 2);
	CHECK_STR(cmdline_init.envp[0], "HOME=/");
	CHECK_STR(cmdline_init.envp[1], "TERM=vt 100");
	CHECK_EQ(cmdline_init.argc, 4);
	CHECK_STR(cmdline_init.argv[0], "word");
	CHECK_STR(cmdline_init.argv[1], "-s");
	CHECK_STR(cmdline_init.argv[2], "quiet");
	CHECK_STR(cmdline_init.argv[3], "a=b");
	CHECK(!strstr(said, "-s"));
}

TEST(cmdline_survives_too_much_for_init)
{
	char line[BOOT_CMDLINE] = "--";

	for (int i = 0; i < 100; i++)
		strlcpy(line + strlen(line), " x", sizeof(line) - strlen(line));
	parse(line);
	CHECK_EQ(cmdline_init.argc, CMDLINE_MAX_INIT);
	CHECK(!cmdline_init.argv[CMDLINE_MAX_INIT]);
	CHECK(strstr(said, "too many words for init: 'x'"));
}

static void check_words(const char *text, const char *const words[])
{
	char line[256], *rest = line;
	struct arg arg;

	strlcpy(line, text, sizeof(line));
	for (; *words; words++) {
		CHECK(arg_next(&rest, &arg));
		CHECK_STR(arg.word, *words);
	}
	CHECK(!arg_next(&rest, &arg));
	CHECK(!arg_next(&rest, &arg));
}

TEST(args_are_separated_by_white_space)
{
	check_words("", (const char *const[]){ NULL });
	check_words("  \t ", (const char *const[]){ NULL });
	check_words(" a\tb=c  d\n", (const char *const[]){ "a", "b=c", "d", NULL });
}

TEST(args_respect_quotes)
{
	check_words("a=\"b c\" d", (const char *const[]){ "a=b c", "d", NULL });
	check_words("\"a=b c\"", (const char *const[]){ "a=b c", NULL });
	check_words("a=b\" \"c\"\"", (const char *const[]){ "a=b c", NULL });
	check_words("\"\" x", (const char *const[]){ "", "x", NULL });
	check_words("a=\"never closed ", (const char *const[]){ "a=never closed ", NULL });
}

TEST(args_have_names_and_values)
{
	char line[] = "name=a=b bare empty= =odd", *rest = line;
	struct arg arg;

	CHECK(arg_next(&rest, &arg) && arg.has_value && arg_is(&arg, "name"));
	CHECK_STR(arg.value, "a=b");
	CHECK(arg_next(&rest, &arg) && !arg.has_value && arg_is(&arg, "bare"));
	CHECK_STR(arg.value, "");
	CHECK(!arg_is(&arg, "bar") && !arg_is(&arg, "bares"));
	CHECK(arg_next(&rest, &arg) && arg.has_value && arg_is(&arg, "empty"));
	CHECK_STR(arg.value, "");
	CHECK(arg_next(&rest, &arg) && arg.name_length == 0);
	CHECK_STR(arg.value, "odd");
}
