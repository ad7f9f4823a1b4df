/* The settings of a link as text: "1%", "10ms", "2mbit". Pure functions. */
#include <net/link.h>

#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>

/* Each list ends with the smallest unit, the one that values count, and may be left out after a 0. */
static const struct link_unit chances[] = { { "%", 10000 }, { NULL, 1 } };
static const struct link_unit times[] = { { "s", NSEC_PER_SEC },
					  { "ms", NSEC_PER_MSEC },
					  { "us", NSEC_PER_USEC },
					  { "ns", 1 },
					  { NULL, 1 } };
static const struct link_unit rates[] = {
	{ "gbit", 1000000000 }, { "mbit", 1000000 }, { "kbit", 1000 }, { "bit", 1 }, { NULL, 1 }
};
static const struct link_unit sizes[] = { { "M", MiB }, { "K", KiB }, { "", 1 }, { NULL, 1 } };
static const struct link_unit numbers[] = { { "", 1 }, { NULL, 1 } };

#define MAX_TIME (10 * NSEC_PER_SEC)
#define MAX_RATE 100000000000ULL

#define RULE(name, member, units, max)                                                        \
	{ "rx_" name, offsetof(struct link_settings, rules[LINK_RX].member), units, max },    \
	{                                                                                     \
		"tx_" name, offsetof(struct link_settings, rules[LINK_TX].member), units, max \
	}
#define OTHER(name, units, max)                                         \
	{                                                               \
#name, offsetof(struct link_settings, name), units, max \
	}

const struct link_setting link_settings_table[NR_LINK_SETTINGS] = {
	RULE("lose", lose, chances, 1000000),
	RULE("duplicate", duplicate, chances, 1000000),
	RULE("reorder", reorder, chances, 1000000),
	RULE("corrupt", corrupt, chances, 1000000),
	RULE("mark", mark, chances, 1000000),
	RULE("delay", delay, times, MAX_TIME),
	RULE("jitter", jitter, times, MAX_TIME),
	RULE("rate", rate, rates, MAX_RATE),
	OTHER(seed, numbers, ~0ULL),
	OTHER(log, numbers, 1),
	OTHER(pcap, sizes, PCAP_MAX_SIZE),
};

static const struct link_unit *find_unit(const struct link_unit *units, const char *name)
{
	while (units->name && strcmp(units->name, name))
		units++;
	return units->name ? units : NULL;
}

/* What stands behind the point, in the smallest units; what is finer than these is an error. */
static int parse_fraction(const char **text, u64 factor, u64 *value)
{
	*value = 0;
	if (**text != '.')
		return 0;
	for (++*text; isdigit_ascii(**text); ++*text) {
		if (factor % 10)
			return -EINVAL;
		factor /= 10;
		*value += (u64)(**text - '0') * factor;
	}
	return 0;
}

static const char *skip_fraction(const char *text)
{
	if (*text == '.')
		text++;
	while (isdigit_ascii(*text))
		text++;
	return text;
}

int link_parse_value(const struct link_setting *setting, const char *text, u64 *value)
{
	const struct link_unit *unit;
	u64 whole, fraction;
	int error;

	if (!isdigit_ascii(*text))
		return -EINVAL;
	error = parse_u64(text, &text, &whole);
	if (error)
		return error;
	if (!whole && !*text) {
		*value = 0;
		return 0;
	}
	unit = find_unit(setting->units, skip_fraction(text));
	if (!unit)
		return -EINVAL;
	error = parse_fraction(&text, unit->factor, &fraction);
	if (error)
		return error;
	if (whole > setting->max / unit->factor || fraction > setting->max - whole * unit->factor)
		return -ERANGE;
	*value = whole * unit->factor + fraction;
	return 0;
}

/* In the largest unit in which it is a whole number; a chance is always in percent. */
int link_format_value(const struct link_setting *setting, u64 value, char *buf, size_t size)
{
	const struct link_unit *unit = setting->units;

	if (!value)
		return scnprintf(buf, size, "0");
	if (unit == chances && value % unit->factor)
		return scnprintf(buf, size, "%llu.%04llu%%", value / unit->factor,
				 value % unit->factor);
	while (value % unit->factor)
		unit++;
	return scnprintf(buf, size, "%llu%s", value / unit->factor, unit->name);
}

/* "rx-lose" and "rx_lose" are the same, as in every option. */
static const struct link_setting *find_setting(const char *name, size_t length)
{
	for (u32 i = 0; i < NR_LINK_SETTINGS; i++) {
		const char *other = link_settings_table[i].name;
		size_t at = 0;

		while (at < length && other[at] && other[at] == (name[at] == '-' ? '_' : name[at]))
			at++;
		if (at == length && !other[at])
			return &link_settings_table[i];
	}
	return NULL;
}

/* "name=value" or, for a switch, "name". */
static int parse_word(const char *word, size_t length, struct link_settings *settings)
{
	const char *equals = memchr(word, '=', length);
	const struct link_setting *setting =
		find_setting(word, equals ? (size_t)(equals - word) : length);
	char value[32] = "1";

	if (!setting)
		return -EINVAL;
	if (equals) {
		size_t size = word + length - (equals + 1);

		if (size >= sizeof(value))
			return -EINVAL;
		memcpy(value, equals + 1, size);
		value[size] = '\0';
	} else if (setting->max != 1) {
		return -EINVAL;
	}
	return link_parse_value(setting, value, link_value(settings, setting));
}

int link_parse_list(const char *list, struct link_settings *settings)
{
	for (;;) {
		const char *comma = strchr(list, ',');
		int error =
			parse_word(list, comma ? (size_t)(comma - list) : strlen(list), settings);

		if (error || !comma)
			return error;
		list = comma + 1;
	}
}
