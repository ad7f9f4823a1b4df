/* /proc/net/route and /proc/net/arp, in Linux's formats; ifconfig's relatives read them. Context: process. */
#include <fs/proc/proc.h>
#include <kernel/lib/printf.h>
#include <kernel/mm/slab.h>
#include <net/arp.h>
#include <net/ip_impl.h>
#include <net/neigh.h>
#include <net/route.h>

#define ROUTE_LINE 127 /* padded so far, newline not counted */

static void show_route_line(struct seq_buf *out, const struct route_entry *route)
{
	char line[ROUTE_LINE + 1];

	scnprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u",
		  route->dev ? route->dev->name : "*", route->dest, route->gateway, route->flags, 0,
		  0, route->metric, route->mask, route->mtu ? route->mtu + 40 : 0, 0, 0);
	seq_printf(out, "%-*s\n", ROUTE_LINE, line);
}

static void show_route(struct seq_buf *out, const struct proc_entry *entry)
{
	u32 count;
	struct route_entry *list = route_list(&count);

	out->failed |= !list;
	seq_printf(out, "%-*s\n", ROUTE_LINE,
		   "Iface\tDestination\tGateway "
		   "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	for (u32 i = 0; i < count; i++)
		show_route_line(out, &list[i]);
	kfree(list);
}

#define ATF_COM	 0x02 /* the MAC is known */
#define ATF_PERM 0x04

static void show_neigh(struct seq_buf *out, const struct neigh_info *info)
{
	u32 flags = info->state & NUD_PERMANENT ? ATF_COM | ATF_PERM
		    : info->state & NUD_VALID	? ATF_COM
						: 0;
	char addr[16];

	scnprintf(addr, sizeof(addr), "%pI4", &info->addr);
	seq_printf(out, "%-16s 0x%-10x0x%-10x%pM     *        %s\n", addr, info->dev->type, flags,
		   info->mac, info->dev->name);
}

static void show_arp(struct seq_buf *out, const struct proc_entry *entry)
{
	u32 count;
	struct neigh_info *list = neigh_list(&count);

	out->failed |= !list;
	seq_printf(out, "IP address       HW type     Flags       "
			"HW address            Mask     Device\n");
	for (u32 i = 0; i < count; i++)
		show_neigh(out, &list[i]);
	kfree(list);
}

static const struct proc_entry files[] = {
	{ "arp", 0444, .show = show_arp },
	{ "route", 0444, .show = show_route },
};

void ip_proc_init(void)
{
	PROC_REGISTER("net", files);
}
