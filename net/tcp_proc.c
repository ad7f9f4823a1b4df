/*
 * /proc/net/tcp: listeners first, then what is in the table of connections: connections, requests, TIME_WAIT.
 *
 * Context: process. Locks: each socket's, for its line; a walk may miss what comes and goes meanwhile.
 */
#include <fs/proc/proc.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <net/tcp_hash.h>
#include <net/tcp_port.h>
#include <net/tcp_socket.h>

#define LINE_WIDTH 149 /* without the newline */
#define CLOCK_TICK (10 * NSEC_PER_MSEC)

struct line {
	char text[LINE_WIDTH + 1];
	u32 number;
};

static void put_line(struct seq_buf *out, struct line *line)
{
	seq_printf(out, "%-*s\n", LINE_WIDTH, line->text);
	line->number++;
}

/* Linux's numbers for the timer that is running, and ticks until then. */
static u32 show_timer(const struct tcp_sock *tp, u64 *ticks)
{
	static const u8 codes[] = {
		[TCP_TIMER_RETRANSMIT] = 1,
		[TCP_TIMER_KEEPALIVE] = 2,
	};
	u64 now = clock_ns();
	u32 which = tp->due[TCP_TIMER_RETRANSMIT] ? TCP_TIMER_RETRANSMIT : TCP_TIMER_KEEPALIVE;
	u64 due = tcp_timer_due(tp, which);

	*ticks = due > now ? (due - now) / CLOCK_TICK : 0;
	if (!due)
		return 0;
	return which == TCP_TIMER_RETRANSMIT && tp->timer_mode == TCP_MODE_WINDOW_PROBE
		       ? 4
		       : codes[which];
}

static void format_addresses(struct line *line, const struct tcp_hashed *hashed, be32 saddr)
{
	scnprintf(line->text, sizeof(line->text), "%4u: %08X:%04X %08X:%04X %02X", line->number,
		  saddr, ntohs(hashed->sport), hashed->daddr, ntohs(hashed->dport),
		  hashed->state == TCP_NEW_SYN_RECV ? TCP_SYN_RECV : hashed->state);
}

#define APPEND(line, ...)                              \
	scnprintf((line)->text + strlen((line)->text), \
		  sizeof((line)->text) - strlen((line)->text), __VA_ARGS__)

static void format_connection(struct line *line, const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	bool listening = tp->hashed.state == TCP_LISTEN;
	u32 limit, waiting = listening ? tcp_accept_backlog(tp, &limit) : 0, timer;
	u64 ticks;

	format_addresses(line, &tp->hashed, tp->hashed.saddr ?: tp->inet.rcv_saddr);
	timer = show_timer(tp, &ticks);
	APPEND(line, " %08X:%08X %02X:%08llX %08X", tp->write_seq - tp->snd_una,
	       listening ? waiting : tp->rcv_nxt - tp->copied_seq, timer, ticks, tp->retransmits);
	/* Ours is not counted; where it is in memory is nobody's business. */
	APPEND(line, " %5u %8u %llu %u 0000000000000000", sk->uid, tp->probes, sk->ino,
	       READ_ONCE(sk->refcount) - 1);
	APPEND(line, " %llu %u %u %u %d", tp->rto * NSEC_PER_USEC / CLOCK_TICK, 0,
	       tp->quick_acks << 1, tp->cwnd,
	       listening || tp->ssthresh >= INT32_MAX ? -1 : (int)tp->ssthresh);
}

static void show_connection(struct seq_buf *out, struct line *line, struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sock(tp);

	spin_lock_bh(&sk->lock);
	format_connection(line, tp);
	spin_unlock_bh(&sk->lock);
	put_line(out, line);
}

/* A request or a TIME_WAIT: nobody's, no numbers. */
static void show_other(struct seq_buf *out, struct line *line, const struct tcp_hashed *hashed)
{
	format_addresses(line, hashed, hashed->saddr);
	APPEND(line,
	       " 00000000:00000000 %02X:00000000 00000000     0        0 0 %u 0000000000000000",
	       hashed->kind == TCP_HASHED_TIMEWAIT ? 3 : 1, READ_ONCE(hashed->refcount) - 1);
	put_line(out, line);
}

static void show_tcp(struct seq_buf *out, const struct proc_entry *entry)
{
	struct tcp_hashed *hashed = NULL;
	struct tcp_sock *listener = NULL;
	struct line line = { .number = 0 };
	u32 index = 0;

	seq_printf(out, "%-*s\n", LINE_WIDTH,
		   "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		   "uid  timeout inode");
	while ((listener = tcp_next_listener(&index, listener)))
		show_connection(out, &line, listener);
	index = 0;
	while ((hashed = tcp_hash_next(&index, hashed))) {
		if (hashed->kind == TCP_HASHED_CONNECTION)
			show_connection(out, &line, container_of(hashed, struct tcp_sock, hashed));
		else
			show_other(out, &line, hashed);
		cond_resched();
	}
}

u64 tcp_memory_pages(void)
{
	struct tcp_hashed *hashed = NULL;
	u32 index = 0;
	u64 bytes = 0;

	while ((hashed = tcp_hash_next(&index, hashed))) {
		if (hashed->kind == TCP_HASHED_CONNECTION) {
			const struct tcp_sock *tp = container_of(hashed, struct tcp_sock, hashed);

			bytes += READ_ONCE(tp->inet.sk.rmem) + READ_ONCE(tp->inet.sk.wmem);
		}
		cond_resched();
	}
	return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

static const struct proc_entry files[] = {
	{ "tcp", 0444, .show = show_tcp },
};

void tcp_proc_init(void)
{
	PROC_REGISTER("net", files);
}
