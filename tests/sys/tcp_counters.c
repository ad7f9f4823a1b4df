/* TCP over lo: what /proc/net/snmp and /proc/net/netstat count. Of each thing that happens, the counters that moved. */
#include <tests/sys/tcp.h>

#define MAX_COUNTERS 300

struct counters {
	int count;
	char names[MAX_COUNTERS][40];
	long long values[MAX_COUNTERS];
};

/* What both kernels count alike; the others depend on how an ACK happens to fall. */
static const char *const watched[] = {
	"ActiveOpens",
	"PassiveOpens",
	"AttemptFails",
	"EstabResets",
	"CurrEstab",
	"InErrs",
	"InCsumErrors",
	"OutRsts",
	"SyncookiesSent",
	"SyncookiesRecv",
	"SyncookiesFailed",
	"EmbryonicRsts",
	"ListenOverflows",
	"ListenDrops",
	"TCPAbortOnData",
	"TCPAbortOnClose",
	"TCPAbortOnTimeout",
	"TCPAbortOnLinger",
	"TCPAbortOnMemory",
	"TCPDeferAcceptDrop",
	"TW",
	"TCPTimeWaitOverflow",
	"TCPReqQFullDoCookies",
	"TCPKeepAlive",
};

static struct counters before, after;
static char buf[1 << 16];
static int ends[2];

/* A line of names, then one of numbers. */
static void read_pairs(struct counters *counters, const char *path, const char *wanted)
{
	static char names[8192], values[8192];
	FILE *file = fopen(path, "r");

	while (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
		char *name, *value, *rest_names, *rest_values;

		name = strtok_r(names, " \n", &rest_names);
		value = strtok_r(values, " \n", &rest_values);
		if (strcmp(name, wanted))
			continue;
		while ((name = strtok_r(NULL, " \n", &rest_names)) &&
		       (value = strtok_r(NULL, " \n", &rest_values))) {
			strcpy(counters->names[counters->count], name);
			counters->values[counters->count++] = atoll(value);
		}
	}
	fclose(file);
}

static void read_counters(struct counters *counters)
{
	counters->count = 0;
	read_pairs(counters, "/proc/net/snmp", "Tcp:");
	read_pairs(counters, "/proc/net/netstat", "TcpExt:");
}

static long long value_of(const struct counters *counters, const char *name)
{
	for (int i = 0; i < counters->count; i++)
		if (!strcmp(counters->names[i], name))
			return counters->values[i];
	say("no %s", name);
	return 0;
}

static void begin(void)
{
	read_counters(&before);
}

/* The last segments of what has happened may still be on their way. */
static void wait_counter(const char *name, long long change)
{
	for (int i = 0; i < 3000; i++) {
		long long moved;

		read_counters(&after);
		moved = value_of(&after, name) - value_of(&before, name);
		if (change < 0 ? moved <= change : moved >= change)
			return;
		usleep(1000);
	}
	say("%s has not moved by %lld", name, change);
}

static void say_changes(const char *what)
{
	read_counters(&after);
	say("%s:", what);
	for (unsigned i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		long long change = value_of(&after, watched[i]) - value_of(&before, watched[i]);

		if (change)
			say("  %s %+lld", watched[i], change);
	}
	before = after;
}

TEST(life)
{
	begin();
	tcp_pair(ends, 6200);
	wait_counter("CurrEstab", 2);
	say_changes("connected");
	MUST(shutdown(ends[0], SHUT_WR));
	wait_for(ends[1], POLLRDHUP);
	wait_counter("CurrEstab", -1);
	say_changes("half closed");
	MUST(close(ends[1]));
	wait_counter("TW", 1);
	wait_counter("CurrEstab", -1);
	say_changes("closed");
	MUST(close(ends[0]));
	say_changes("closed here too");
}

TEST(refused)
{
	struct sockaddr_in addr = LO(6210);
	int fd = tcp_socket();

	begin();
	SHOW(connect(fd, SA(addr)));
	say_changes("nobody there");
	MUST(close(fd));
}

TEST(aborts)
{
	begin();
	tcp_pair(ends, 6220);
	say_changes("connected");
	MUST(write(ends[0], "x", 1));
	wait_for(ends[1], POLLIN);
	MUST(close(ends[1]));
	wait_for(ends[0], POLLHUP);
	say_changes("closed with data to read");
	MUST(close(ends[0]));
	tcp_pair(ends, 6221);
	begin();
	reset_and_close(ends[0]);
	wait_for(ends[1], POLLHUP);
	say_changes("linger 0");
	MUST(close(ends[1]));
}

TEST(under_way)
{
	struct sockaddr_in addr = LO(6230), none = { .sin_family = AF_UNSPEC };
	int listener = tcp_listener(6230, 0), first, second = tcp_socket();

	begin();
	first = tcp_client(6230);
	say_changes("one is enough");
	no_wait(second);
	SHOW(connect(second, SA(addr)));
	wait_counter("ListenOverflows", 1);
	say_changes("no room");
	SHOW(connect(second, SA(none)));
	say_changes("given up");
	MUST(close(second));
	second = tcp_socket();
	no_wait(second);
	SHOW(connect(second, SA(addr)));
	wait_counter("ListenOverflows", 1);
	MUST(close(second));
	say_changes("closed");
	MUST(close(first));
	MUST(close(listener));
}

TEST(defer)
{
	int listener = tcp_listener(6240, 5), client;

	set_option(listener, SOL_TCP, TCP_DEFER_ACCEPT, 5);
	begin();
	client = tcp_client(6240);
	wait_counter("TCPDeferAcceptDrop", 1);
	say_changes("without data");
	MUST(write(client, "x", 1));
	wait_for(listener, POLLIN);
	say_changes("with data");
	MUST(close(client));
	MUST(close(listener));
}

/* The reader does not read. */
TEST(zero_window)
{
	int listener = tcp_bound(6250);

	set_option(listener, SOL_SOCKET, SO_RCVBUF, 4096);
	MUST(listen(listener, 1));
	ends[0] = tcp_client(6250);
	ends[1] = MUST(accept(listener, NULL, NULL));
	no_wait(ends[0]);
	begin();
	while (write(ends[0], buf, sizeof(buf)) > 0)
		;
	wait_counter("TCPToZeroWindowAdv", 1);
	say("shut");
	while (recv(ends[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	wait_counter("TCPFromZeroWindowAdv", 1);
	say("open");
}
