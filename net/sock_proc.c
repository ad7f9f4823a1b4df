/*
 * Sockets as /proc shows them: /proc/net/{unix,protocols,sockstat}, /proc/sys/net/{core,unix}; and the packet buffers,
 * which Linux does not show: /proc/net/skbuff.
 *
 * Context: process.
 */
#include <net/tcp.h>
#include <net/unix.h>

#include <fs/proc/proc.h>
#include <kernel/lib/string.h>
#include <net/ip_impl.h>

/* ---- unix ---------------------------------------------------------------------------------------------- */

#define FLAG_LISTENS 0x10000 /* Linux's __SO_ACCEPTCON */

/* Linux's SS_*. */
enum { FREE_STATE, UNCONNECTED_STATE, CONNECTING_STATE, CONNECTED_STATE, DISCONNECTING_STATE };

static int state_of(const struct unix_sock *u)
{
	if (!u->sk.file)
		return u->state == UNIX_CONNECTED ? CONNECTING_STATE : DISCONNECTING_STATE;
	return u->state == UNIX_CONNECTED ? CONNECTED_STATE : UNCONNECTED_STATE;
}

/* An abstract name's zeros, and there may be more than the first, are shown as @. */
static void show_name(struct seq_buf *out, const struct unix_address *address)
{
	u32 length = address->length - offsetof(struct sockaddr_un, path);
	bool abstract = !address->name.path[0];

	seq_putc(out, ' ');
	for (u32 i = 0; i < length - !abstract; i++)
		seq_putc(out, address->name.path[i] ?: '@');
}

static void show_unix(struct seq_buf *out, const struct proc_entry *entry)
{
	struct unix_sock *u;

	seq_printf(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	spin_lock(&unix_names_lock);
	list_for_each_entry(u, &unix_socks, all) {
		seq_printf(out, "%016x: %08X %08X %08X %04X %02X %5llu", 0, u->sk.refcount, 0,
			   u->state == UNIX_LISTENING ? FLAG_LISTENS : 0, u->sk.type, state_of(u),
			   u->sk.ino);
		if (u->address)
			show_name(out, u->address);
		seq_putc(out, '\n');
	}
	spin_unlock(&unix_names_lock);
}

/* ---- all kinds ----------------------------------------------------------------------------------------- */

static void show_protocols(struct seq_buf *out, const struct proc_entry *entry)
{
	struct sock_cache *cache;

	seq_printf(out, "protocol  size sockets  memory press maxhdr  slab module\n");
	list_for_each_entry(cache, &sock_caches, link)
		seq_printf(out, "%-9s %4u %6llu  %6d   %-3s %6u   %-3s  %-10s\n", cache->ops->name,
			   cache->ops->size, READ_ONCE(cache->in_use), -1, "NI", 0, "yes",
			   "kernel");
}

static u64 count_of(const char *name)
{
	struct sock_cache *cache;
	u64 count = 0;

	list_for_each_entry(cache, &sock_caches, link)
		if (!name || !strcmp(cache->ops->name, name))
			count += READ_ONCE(cache->in_use);
	return count;
}

static void show_sockstat(struct seq_buf *out, const struct proc_entry *entry)
{
	u64 tcp = count_of("TCP");
	struct fragment_stats fragments;

	fragment_stats_read(&fragments);
	seq_printf(out, "sockets: used %llu\n", count_of(NULL));
	seq_printf(out, "TCP: inuse %llu orphan %llu tw %llu alloc %llu mem %llu\n", tcp,
		   READ_ONCE(tcp_orphan_count), READ_ONCE(tcp_timewait_count), tcp,
		   tcp_memory_pages());
	seq_printf(out, "UDP: inuse %llu mem 0\n", count_of("UDP"));
	seq_printf(out, "RAW: inuse %llu\n", count_of("RAW"));
	seq_printf(out, "FRAG: inuse %llu memory %llu\n", fragments.datagrams, fragments.memory);
}

static void show_skbuff(struct seq_buf *out, const struct proc_entry *entry)
{
	struct skb_stats stats;

	skb_stats_read(&stats);
	seq_printf(out, "buffers %llu\npages %llu\nmax_memory %llu\nrefused %llu\n", stats.buffers,
		   stats.pages, stats.max_memory, stats.refused);
}

static const struct proc_entry net_files[] = {
	{ "protocols", 0444, .show = show_protocols },
	{ "skbuff", 0444, .show = show_skbuff },
	{ "sockstat", 0444, .show = show_sockstat },
	{ "unix", 0444, .show = show_unix },
};

/* ---- settings ------------------------------------------------------------------------------------------ */

#define SETTING(name, variable)                                                                  \
	{                                                                                        \
		name, 0644, .show = proc_show_u32, .write = proc_write_u32, .data = &(variable), \
	}

static const struct proc_entry core_settings[] = {
	SETTING("rmem_default", sock_rmem_default), SETTING("rmem_max", sock_rmem_max),
	SETTING("somaxconn", sock_somaxconn),	    SETTING("wmem_default", sock_wmem_default),
	SETTING("wmem_max", sock_wmem_max),
};

static const struct proc_entry unix_settings[] = {
	SETTING("max_dgram_qlen", unix_max_dgram_qlen),
};

void sockets_init(void)
{
	unix_name_init();
	sock_register(&unix_stream_ops);
	sock_register(&unix_dgram_ops);
	sock_register(&unix_seqpacket_ops);
	PROC_REGISTER("net", net_files);
	PROC_REGISTER("sys/net/core", core_settings);
	PROC_REGISTER("sys/net/unix", unix_settings);
}
