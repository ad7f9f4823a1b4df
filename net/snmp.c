/*
 * /proc/net/snmp and /proc/net/netstat: two lines a protocol, the names and the numbers.
 *
 * Context: process. No locks: a sum over CPUs is right to within what is being counted meanwhile.
 */
#include <net/snmp.h>

#include <fs/proc/proc.h>
#include <net/ip_impl.h>

DEFINE_PER_CPU(u64[NR_SNMP], snmp_counters);

u64 snmp_read(enum snmp_counter counter)
{
	u64 sum = 0;

	for_each_cpu(cpu)
		sum += per_cpu(snmp_counters, cpu)[counter];
	return sum;
}

static void show_values(struct seq_buf *out, enum snmp_counter first, u32 count)
{
	for (u32 i = 0; i < count; i++)
		seq_printf(out, " %llu", snmp_read(first + i));
	seq_putc(out, '\n');
}

#define NAME(name) " " #name
#define ONE(name)  +1
/* A protocol's counters follow each other in the enum, in the order of their names. */
#define SHOW(out, title, LIST, first, fixed_names, ...)                 \
	do {                                                            \
		seq_printf(out, title ":" fixed_names LIST(NAME) "\n"); \
		seq_printf(out, title ":" __VA_ARGS__);                 \
		show_values(out, first, 0 LIST(ONE));                   \
	} while (0)

/* By the number of the type, what the names above already say: only what has happened. */
static const struct {
	u8 type;
	u16 in, out; /* enum snmp_counter */
} icmp_types[] = {
	{ ICMP_ECHOREPLY, ICMP_InEchoReps, ICMP_OutEchoReps },
	{ ICMP_DEST_UNREACH, ICMP_InDestUnreachs, ICMP_OutDestUnreachs },
	{ ICMP_SOURCE_QUENCH, ICMP_InSrcQuenchs, ICMP_OutSrcQuenchs },
	{ ICMP_REDIRECT, ICMP_InRedirects, ICMP_OutRedirects },
	{ ICMP_ECHO, ICMP_InEchos, ICMP_OutEchos },
	{ ICMP_TIME_EXCEEDED, ICMP_InTimeExcds, ICMP_OutTimeExcds },
	{ ICMP_PARAMETERPROB, ICMP_InParmProbs, ICMP_OutParmProbs },
	{ ICMP_TIMESTAMP, ICMP_InTimestamps, ICMP_OutTimestamps },
	{ ICMP_TIMESTAMPREPLY, ICMP_InTimestampReps, ICMP_OutTimestampReps },
};

static void show_icmp_types(struct seq_buf *out)
{
	struct seq_buf names = { 0 }, values = { 0 };

	for (u32 way = 0; way < 2; way++)
		for (u32 i = 0; i < ARRAY_SIZE(icmp_types); i++) {
			u64 count = snmp_read(way ? icmp_types[i].out : icmp_types[i].in);

			if (!count)
				continue;
			seq_printf(&names, " %sType%u", way ? "Out" : "In", icmp_types[i].type);
			seq_printf(&values, " %llu", count);
		}
	if (names.length && !names.failed && !values.failed)
		seq_printf(out, "IcmpMsg:%s\nIcmpMsg:%s\n", names.text, values.text);
	seq_free(&names);
	seq_free(&values);
}

static void show_snmp(struct seq_buf *out, const struct proc_entry *entry)
{
	SHOW(out, "Ip", SNMP_IP, IP_InReceives, " Forwarding DefaultTTL", " 2 %u", ip_default_ttl);
	SHOW(out, "Icmp", SNMP_ICMP, ICMP_InMsgs, "", "");
	show_icmp_types(out);
	SHOW(out, "Tcp", SNMP_TCP, TCP_ActiveOpens, " RtoAlgorithm RtoMin RtoMax MaxConn",
	     " 1 200 120000 -1");
	SHOW(out, "Udp", SNMP_UDP, UDP_InDatagrams, "", "");
	seq_printf(out, "UdpLite:" SNMP_UDP(NAME) "\nUdpLite:");
	for (u32 i = 0; i < 0 SNMP_UDP(ONE); i++)
		seq_printf(out, " 0");
	seq_putc(out, '\n');
}

static void show_netstat(struct seq_buf *out, const struct proc_entry *entry)
{
	SHOW(out, "TcpExt", SNMP_TCPEXT, TCPEXT_SyncookiesSent, "", "");
	SHOW(out, "IpExt", SNMP_IPEXT, IPEXT_InNoRoutes, "", "");
}

static const struct proc_entry files[] = {
	{ "netstat", 0444, .show = show_netstat },
	{ "snmp", 0444, .show = show_snmp },
};

void snmp_init(void)
{
	PROC_REGISTER("net", files);
}
