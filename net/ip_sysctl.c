/*
 * /proc/sys/net/ipv4 and what of /proc/sys/net/core is about packets. What can be written takes effect with the next
 * packet; the rest says how things are.
 *
 * Context: process.
 */
#include <fs/proc/proc.h>
#include <net/icmp.h>
#include <net/ip_impl.h>
#include <net/neigh.h>
#include <net/pmtu.h>

#define TEXT(name, text)                                         \
	{                                                        \
		name, 0444, .show = proc_show_text, .data = text \
	}

#define MOST INT32_MAX

static const struct proc_entry ipv4_files[] = {
	PROC_LIMITED("icmp_echo_ignore_all", icmp_echo_ignore_all, 0, 1),
	PROC_LIMITED("icmp_echo_ignore_broadcasts", icmp_echo_ignore_broadcasts, 0, 1),
	PROC_LIMITED("icmp_msgs_burst", icmp_msgs_burst, 0, MOST),
	PROC_LIMITED("icmp_msgs_per_sec", icmp_msgs_per_sec, 0, MOST),
	PROC_LIMITED("icmp_ratelimit", icmp_ratelimit, 0, MOST),
	PROC_LIMITED("icmp_ratemask", icmp_ratemask, 0, MOST),
	PROC_LIMITED("ip_default_ttl", ip_default_ttl, 1, 255),
	TEXT("ip_forward", "0"),
	TEXT("ip_no_pmtu_disc", "0"),
	TEXT("ip_nonlocal_bind", "0"),
	PROC_LIMITED("ipfrag_high_thresh", ipfrag_high_thresh, 0, MOST),
	PROC_LIMITED("ipfrag_time", ipfrag_time, 1, 3600),
};

static const struct proc_entry route_files[] = {
	PROC_LIMITED("mtu_expires", pmtu_expires_s, 1, MOST),
	TEXT("min_pmtu", "552"),
};
static_assert(PMTU_MIN == 552, "min_pmtu");

static const struct proc_entry neigh_files[] = {
	PROC_LIMITED("base_reachable_time_ms", neigh_reachable_ms, 1, MOST),
	PROC_LIMITED("delay_first_probe_time", neigh_delay_s, 0, 3600),
	PROC_LIMITED("gc_thresh3", neigh_max, 8, 65536),
	PROC_LIMITED("mcast_solicit", neigh_broadcast_probes, 1, 255),
	PROC_LIMITED("retrans_time_ms", neigh_retrans_ms, 1, MOST),
	PROC_LIMITED("ucast_solicit", neigh_unicast_probes, 1, 255),
	PROC_LIMITED("unres_qlen_bytes", neigh_queue_bytes, 0, MOST),
};

static const struct proc_entry core_files[] = {
	{ "skb_max_memory", 0644, .show = proc_show_u64, .write = proc_write_u64,
	  .data = &skb_max_memory },
};

void ip_sysctl_init(void)
{
	PROC_REGISTER("sys/net/ipv4", ipv4_files);
	PROC_REGISTER("sys/net/ipv4/route", route_files);
	PROC_REGISTER("sys/net/ipv4/neigh/default", neigh_files);
	PROC_REGISTER("sys/net/core", core_files);
}
