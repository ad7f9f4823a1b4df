/*
 * Tracepoints: the steps of the journey, recorded as they happen into a ring buffer a CPU, read from /proc/trace
 * (fs/proc/trace.c). While an event is off, its tracepoint costs a load and a branch that is predicted.
 *
 *	trace(NIC_POLLED, dev->index, frames);
 *
 * Any context but an NMI, hard IRQ and scheduler with locks held too: recording takes no lock that is shared between
 * CPUs. (The one exception: somebody sleeps in read() or poll() on a trace, and is to be woken. That starts a
 * timer, so kernel/timer.c must have no tracepoint inside its queue->lock.)
 */
#pragma once

#include <kernel/lib/types.h>

/*
 * EVENT(name, text, arguments), in the order of the journey, then the others. Up to four arguments, "name=%X", where
 * X says what it is: u unsigned, d signed, x an address or bits, f a function, c a system call, s a softirq,
 * t a task's state. Two names mean something to the filter: `sock` is a socket's number; `pid`, `prev`
 * and `next` are whom a scheduler's event is about.
 */
#define TRACE_EVENTS(EVENT)                                                              \
	EVENT(IRQ_ENTER, "irq_enter", "irq=%u vector=%u")                                \
	EVENT(IRQ_EXIT, "irq_exit", "vector=%u")                                         \
	EVENT(NIC_IRQ, "nic_irq", "icr=%x")                                              \
	EVENT(SOFTIRQ_ENTER, "softirq_enter", "nr=%s")                                   \
	EVENT(SOFTIRQ_EXIT, "softirq_exit", "nr=%s")                                     \
	EVENT(NIC_POLL, "nic_poll", "dev=%u budget=%u")                                  \
	EVENT(IP_RCV, "ip_rcv", "skb=%x len=%u protocol=%u")                             \
	EVENT(TCP_RCV, "tcp_rcv", "skb=%x seq=%u ack=%u flags=%x")                       \
	EVENT(UDP_RCV, "udp_rcv", "skb=%x sport=%u dport=%u len=%u")                     \
	EVENT(SOCK_LOOKUP, "sock_lookup", "skb=%x sock=%u port=%u")                      \
	EVENT(SOCK_ENQUEUE, "sock_enqueue", "skb=%x sock=%u queued=%u len=%u")           \
	EVENT(WAKE_UP, "wake_up", "wq=%x key=%x func=%f")                                \
	EVENT(EP_POLL_CALLBACK, "ep_poll_callback", "ep=%x fd=%u key=%x")                \
	EVENT(SCHED_WAKEUP, "sched_wakeup", "pid=%u cpu=%u")                             \
	EVENT(SCHED_SWITCH, "sched_switch", "prev=%u state=%t next=%u wq=%x")            \
	EVENT(EP_ITEM, "ep_item", "ep=%x fd=%u ready=%x listed=%u")                      \
	EVENT(EP_SEND_EVENTS, "ep_send_events", "ep=%x events=%u")                       \
	EVENT(SYS_ENTER, "sys_enter", "nr=%c a0=%x a1=%x a2=%x")                         \
	EVENT(SYS_EXIT, "sys_exit", "nr=%c result=%d")                                   \
	EVENT(SOCK_RECV, "sock_recv", "sock=%u bytes=%u")                                \
	EVENT(SOCK_SEND, "sock_send", "sock=%u bytes=%u")                                \
	EVENT(IP_OUTPUT, "ip_output", "skb=%x len=%u protocol=%u")                       \
	EVENT(NIC_POLLED, "nic_polled", "dev=%u frames=%u")                              \
	EVENT(NIC_XMIT, "nic_xmit", "dev=%u len=%u")                                     \
	EVENT(EP_CTL, "ep_ctl", "ep=%x fd=%u op=%u events=%x")                           \
	EVENT(SKB_DROP, "skb_drop", "skb=%x where=%f")                                   \
	/* Not recorded: a reader was too slow, and so many before the next are gone. */ \
	EVENT(LOST, "lost", "events=%u")

#define TRACE_ENUM(name, text, arguments) TRACE_##name,
enum trace_event { TRACE_EVENTS(TRACE_ENUM) NR_TRACE_EVENTS };
static_assert(NR_TRACE_EVENTS <= 64, "a bit each in trace_enabled");
#define TRACE_ALL (BIT(TRACE_LOST) - 1)

extern u64 trace_enabled; /* bit map of events */

void trace_record(enum trace_event event, u64 a, u64 b, u64 c, u64 d);

#ifdef HOST_TEST
#define trace_on(event) false
#else
/* A plain read, so that the compiler tests the bit where it is: one instruction and the branch. */
#define trace_on(event) unlikely(trace_enabled & 1ULL << (event))
#endif

#define TRACE_ARGS(event, a, b, c, d, ...) \
	trace_record(event, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
#define trace(name, ...)                                                        \
	do {                                                                    \
		if (trace_on(TRACE_##name))                                     \
			TRACE_ARGS(TRACE_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0); \
	} while (0)

#define TRACE_I386 BIT(32) /* in a system call's number: it came by int 0x80 */

/* ---- reading: process context ------------------------------------------------------------------------ */

enum trace_context { TRACE_PROCESS, TRACE_SOFTIRQ, TRACE_HARDIRQ };

/* What /proc/trace_raw gives, one after the other. */
struct trace_entry {
	u64 time; /* clock_ns() */
	u8 event;
	u8 cpu;
	u8 context; /* enum trace_context */
	u8 unused;
	u32 pid; /* of the task that ran, or was interrupted; 0: an idle one */
	u64 args[4];
	char task[16];
};
static_assert(sizeof(struct trace_entry) == 64, "the format of /proc/trace_raw");

struct trace_format {
	const char *name, *arguments;
};
extern const struct trace_format trace_formats[NR_TRACE_EVENTS];

/* How far a reader has come: the number of the next entry on each CPU. */
struct trace_cursor {
	u64 next[64];
	u64 lost; /* that it has not been told of yet */
};

/* At the oldest entry that is still there. */
void trace_cursor_init(struct trace_cursor *cursor);
/* The next ones of all CPUs, in the order of time; how many. */
u32 trace_read(struct trace_cursor *cursor, struct trace_entry *entries, u32 max);
/* Would trace_read() find one? If not, the next event wakes trace_wq. */
bool trace_readable(struct trace_cursor *cursor);
extern struct wait_queue trace_wq;

/* "udp_rcv   skb=0x... ...": the event and its arguments as text. The length. */
int trace_format_entry(const struct trace_entry *entry, char *buf, size_t size);

/* ---- control ----------------------------------------------------------------------------------------- */

struct trace_filter {
	u64 events; /* bit map; 0: tracing is off */
	/* 0: any. Of events in process context, and of the scheduler's, only those about this task ... */
	u64 pid;
	u64 sock; /* ... of events that name a socket, only those that name this one. */
};
void trace_get_filter(struct trace_filter *filter);
/* From now on. Process context. 0 or -ENOMEM. */
int trace_set_filter(const struct trace_filter *filter);
/* Forget what was recorded. */
void trace_clear(void);
/* "all", "none", or names with commas between. False: one of them is none. */
bool trace_parse_events(const char *list, u64 *events);

/* trace= on the command line comes into force. When all CPUs run. */
void trace_init(void);
