/* sources: tests/unit/tcp_script_*.c tests/unit/tcp_machine.c tests/unit/net_shim.c tests/unit/net_shim_dev.c tests/unit/net_shim_ip.c tests/unit/net_shim_sched.c tests/unit/net_shim_proc.c fs/proc/value.c net/tcp_*.c net/skbuff.c net/checksum.c net/segment.c net/neigh.c net/arp.c net/route.c net/pmtu.c net/ip_input.c net/ip_options.c net/ip_fragment.c net/ip_output.c net/icmp.c net/icmp_rate.c net/snmp.c net/ip_proc.c net/ip_sysctl.c net/udp.c net/udp_socket.c net/inet.c net/inet_port.c net/inet_send.c net/inet_error.c net/inet_option.c net/raw.c net/ping.c net/sock.c net/sock_options.c net/cmsg.c fs/iov_iter.c fs/seq_buf.c kernel/lib/bitmap.c kernel/lib/string.c kernel/lib/hash.c kernel/lib/printf.c */
/*
 * TCP's rules as conversations: the scripts of tests/unit/tcp/ are played to all of our TCP, with a clock that stands
 * still in between. Each case becomes a unit test of its own; its language is in tests/unit/tcp/README.md.
 */
#include "tcp_script.h"

#include <kernel/cpu/tsc.h>
#include <net/tcp_sender.h>
#include <net/tcp_socket.h>

/* libc's <stdlib.h> has types of the kernel's names */
void *malloc(size_t size);
_Noreturn void exit(int status);

#define DIRECTORY "tests/unit/tcp/"
static const char *const files[] = {
	"open", "listen", "sequence", "reset",	"close",  "timewait", "data",
	"ack",	"window", "options",  "urgent", "timers", "recovery", "congestion",
	"icmp", "attack", "coalesce", "rcvbuf", "ecn",	  "poll",     "memory",
};

#define MAX_CASES 512

/* ---- cases ----------------------------------------------------------------------------------------------------- */

static struct tcp_case {
	struct unit_test test;
	const char *file;
	const char *text; /* from its first line on */
	int line;
} cases[MAX_CASES];
static u32 nr_cases;

/* Each case is played with all of them, on a card that cuts large packets, and on one that does not. */
static const struct beginning beginnings[] = {
	{ 1000000, 2000000 },	    { 0xfffffff0, 0xfffffff0 }, /* they wrap soon */
	{ 0x7ffffff0, 0x7ffffff0 },				/* ... and change sign */
	{ 0xffffffff, 0xffffffff },				/* with the SYN */
	{ 0xfffffa24, 0xfffffa24 },				/* in the second segment */
};

/* ---- what a case knows --------------------------------------------------------------------------------------------- */

static const struct tcp_case *playing;
const char *script_file;
int script_line;
struct beginning begin;
struct peer peers[MAX_PEERS], *peer;
struct sock *listener;

/* ---- playing ---------------------------------------------------------------------------------------------------------------------------- */

/* The next line of the case, without its comment; NULL: there is none. */
static const char *next_line(const char *at, struct line *line)
{
	u32 length = strcspn(at, "\n");

	if (!*at || !strncmp(at, "case:", 5))
		return NULL;
	snprintf(line->text, sizeof(line->text), "%.*s", (int)length, at);
	line->text[strcspn(line->text, "#")] = 0;
	line->at = line->text;
	return at + length + (at[length] == '\n');
}

/* What a case that failed has left. */
static void clean(void)
{
	if (listener)
		listener->ops->close(listener);
	for (u32 i = 0; i < MAX_PEERS; i++)
		if (peers[i].sk)
			peers[i].sk->ops->close(peers[i].sk);
	if (net_polling)
		script_burst_ends(NULL);
	listener = NULL;
	memset(peers, 0, sizeof(peers));
}

/* The clock decides with which number the first connection begins. */
static void choose_beginning(void)
{
	u32 now;

	for (u32 i = 0; i < MAX_PEERS; i++) {
		peers[i].port = PEER_PORT + 1 + i;
		peers[i].theirs = begin.theirs;
	}
	peer = &peers[0];
	now = tcp_secure_origin(SHIM_OUR, SHIM_PEER, htons(PORT), htons(peer->port)).seq;
	host_clock_ns += (u64)(u32)(begin.ours - now) * 4 * NSEC_PER_USEC;
}

static void play(void)
{
	struct tcp_sysctl settings = tcp_sysctl;
	const char *at = playing->text;
	struct line line;

	machine_boot();
	choose_beginning();
	for (script_line = playing->line; (at = next_line(at, &line)); script_line++)
		script_run_line(&line);
	script_expect_nothing();
	clean();
	machine_end();
	tcp_sysctl = settings;
}

static void run_case(void)
{
	static struct tcp_sysctl settings;
	static bool settings_known;

	playing = container_of((struct unit_test *)unit_running, struct tcp_case, test);
	script_file = playing->file;
	if (settings_known)
		tcp_sysctl = settings;
	settings = tcp_sysctl;
	settings_known = true;
	clean();
	for (u32 i = 0; i < ARRAY_SIZE(beginnings); i++) {
		begin = beginnings[i];
		shim_eth.features = 0;
		play();
		shim_eth.features = NETDEV_TSO;
		play();
	}
	shim_eth.features = 0;
}

/* ---- what no conversation shows ------------------------------------------------------------------------------------------------ */

/* RFC 6528: by a clock of 4 us, and for each four from a place that nobody guesses. */
TEST(initial_numbers_are_a_clock_with_a_secret)
{
	u32 first, other, later;

	machine_boot();
	first = tcp_secure_origin(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT)).seq;
	other = tcp_secure_origin(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT + 1)).seq;
	host_clock_ns += NSEC_PER_MSEC;
	later = tcp_secure_origin(SHIM_OUR, SHIM_PEER, htons(PORT), htons(PEER_PORT)).seq;
	CHECK_EQ(later - first, 250);
	CHECK(other - first > 1000 && first - other > 1000);
	machine_end();
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		fprintf(stderr, "%s cannot be read\n", path);
		exit(1);
	}
	rewind(file);
	text = malloc(size + 1);
	text[fread(text, 1, size, file)] = 0;
	fclose(file);
	return text;
}

static void add_case(const char *path, const char *title, int line)
{
	struct tcp_case *new = &cases[nr_cases++];
	u32 length = strcspn(title, "\n");

	if (nr_cases == MAX_CASES) {
		fprintf(stderr, "too many cases\n");
		exit(1);
	}
	new->test = (struct unit_test){ .name = strndup(title, length), .run = run_case };
	new->file = path;
	new->text = title + length + 1;
	new->line = line + 1;
	unit_register(&new->test);
}

static void add_cases(const char *name)
{
	static struct {
		char path[100], *text;
	} loaded[ARRAY_SIZE(files)];
	static u32 nr_loaded;
	char *path = loaded[nr_loaded].path, *text;
	int line = 1;

	snprintf(path, sizeof(loaded[0].path), DIRECTORY "%s.tcp", name);
	text = loaded[nr_loaded++].text = read_file(path);
	for (const char *at = text; *at; line++) {
		if (!strncmp(at, "case: ", 6))
			add_case(path, at + 6, line);
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
}

__attribute__((constructor)) static void add_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		add_cases(files[i]);
}
