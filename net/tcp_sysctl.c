/*
 * /proc/sys/net/ipv4/tcp_*: TCP's settings, with Linux's names and defaults. Each says what it is for by its name; those
 * that are not here, Pollux does not have.
 *
 * Context: process. No locks: a setting is a word, and counts from the next connection or segment on.
 */
#include <fs/proc/proc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <net/tcp_socket.h>
#include <net/tcp_timewait.h>

struct tcp_sysctl tcp_sysctl = {
	.syn_retries = 6,
	.synack_retries = 5,
	.retries1 = 3,
	.retries2 = 15,
	.fin_timeout_s = 60,
	.keepalive_time_s = 7200,
	.keepalive_probes = 9,
	.keepalive_intvl_s = 75,
	.max_syn_backlog = 4096,
	.syncookies = 1,
	.timestamps = 1,
	.sack = 1,
	.window_scaling = 1,
	.tw_reuse = 2,
	.max_tw_buckets = 262144,
	.max_orphans = 262144,
	.slow_start_after_idle = 1,
	.ecn = 2,
	.early_retrans = 3,
	.reordering = 3,
	.max_reordering = 255,
	.dsack = 1,
	.challenge_ack_limit = INT32_MAX,
	.invalid_ratelimit_ms = 500,
	.notsent_lowat = UINT32_MAX,
	.mem = { INT32_MAX, INT32_MAX, INT32_MAX }, /* until it is known how much there is */
	.rmem = { 4096, 131072, 6291456 },
	.wmem = { 4096, 16384, 4194304 },
};

/* ---- three numbers: least, default, most ---------------------------------------------------------------------------- */

static void show_triple(struct seq_buf *out, const struct proc_entry *entry)
{
	const u32 *values = entry->data;

	seq_printf(out, "%u\t%u\t%u\n", values[0], values[1], values[2]);
}

/* As many as are given; the others stay. */
static int write_triple(char *text, const struct proc_entry *entry)
{
	u32 *values = entry->data;
	const char *rest = text;

	for (u32 i = 0; i < 3 && *rest; i++) {
		u64 value;
		int error = parse_u64(rest, &rest, &value);

		if (error)
			return error;
		if (!value || value > INT32_MAX)
			return -EINVAL;
		WRITE_ONCE(values[i], (u32)value);
		while (*rest == ' ' || *rest == '\t')
			rest++;
	}
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------------------------------------- */

static void show_congestion(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "%s\n", READ_ONCE(tcp_cong_default)->name);
}

static int write_congestion(char *text, const struct proc_entry *entry)
{
	const struct tcp_cong_ops *cong = tcp_cong_find(text);

	if (!cong)
		return -ENOENT;
	WRITE_ONCE(tcp_cong_default, cong);
	return 0;
}

/* ---- how many are in TIME_WAIT: what is above that now, goes ---------------------------------------------------------------- */

static int write_max_tw_buckets(char *text, const struct proc_entry *entry)
{
	int error = proc_write_limited(text, entry);

	if (!error)
		tcp_timewait_trim();
	return error;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

#define SETTING(name, field, low, high) PROC_LIMITED("tcp_" name, tcp_sysctl.field, low, high)
#define TRIPLE(name, field)                                                    \
	{                                                                      \
		"tcp_" name, 0644, .show = show_triple, .write = write_triple, \
				   .data = tcp_sysctl.field                    \
	}

static const struct proc_entry files[] = {
	SETTING("abort_on_overflow", abort_on_overflow, 0, 1),
	{ "tcp_allowed_congestion_control", 0444, .show = proc_show_text, .data = "reno cubic" },
	{ "tcp_available_congestion_control", 0444, .show = proc_show_text, .data = "reno cubic" },
	SETTING("challenge_ack_limit", challenge_ack_limit, 0, INT32_MAX),
	{ "tcp_congestion_control", 0644, .show = show_congestion, .write = write_congestion },
	SETTING("early_retrans", early_retrans, 0, 4),
	SETTING("dsack", dsack, 0, 1),
	SETTING("ecn", ecn, 0, 2),
	SETTING("fin_timeout", fin_timeout_s, 0, INT32_MAX / 1000),
	SETTING("invalid_ratelimit", invalid_ratelimit_ms, 0, INT32_MAX),
	SETTING("keepalive_intvl", keepalive_intvl_s, 1, 32767),
	SETTING("keepalive_probes", keepalive_probes, 0, 255),
	SETTING("keepalive_time", keepalive_time_s, 1, 32767),
	SETTING("max_orphans", max_orphans, 0, INT32_MAX),
	SETTING("max_reordering", max_reordering, 3, 255),
	SETTING("max_syn_backlog", max_syn_backlog, 0, INT32_MAX),
	{ "tcp_max_tw_buckets", 0644, .show = proc_show_limited, .write = write_max_tw_buckets,
	  .data = &(struct proc_limits){ &tcp_sysctl.max_tw_buckets, 0, INT32_MAX } },
	SETTING("notsent_lowat", notsent_lowat, 0, UINT32_MAX),
	SETTING("orphan_retries", orphan_retries, 0, 255),
	SETTING("reordering", reordering, 3, 255),
	SETTING("retries1", retries1, 0, 255),
	SETTING("retries2", retries2, 0, 255),
	SETTING("rfc1337", rfc1337, 0, 1),
	TRIPLE("mem", mem),
	TRIPLE("rmem", rmem),
	SETTING("sack", sack, 0, 1),
	SETTING("slow_start_after_idle", slow_start_after_idle, 0, 1),
	SETTING("syn_retries", syn_retries, 1, 127),
	SETTING("synack_retries", synack_retries, 0, 255),
	SETTING("syncookies", syncookies, 0, 2),
	SETTING("timestamps", timestamps, 0, 2),
	SETTING("tw_reuse", tw_reuse, 0, 2),
	SETTING("window_scaling", window_scaling, 0, 1),
	TRIPLE("wmem", wmem),
};

/* Of what all packets may take together. */
static void choose_memory(void)
{
	u32 pages = skb_max_memory / PAGE_SIZE;

	tcp_sysctl.mem[0] = pages / 8 * 3;
	tcp_sysctl.mem[1] = pages / 2;
	tcp_sysctl.mem[2] = pages / 4 * 3;
}

void tcp_sysctl_init(void)
{
	choose_memory();
	PROC_REGISTER("sys/net/ipv4", files);
}
