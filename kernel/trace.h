/*
 * Tracepoints: the steps of the journey, recorded as they happen into a ring buffer a CPU, read from /proc/trace.
 * While an event is off, its tracepoint costs a load and a branch that is predicted.
 *
 *	trace(NIC_POLL, frames, budget);
 *
 * Any context, hard IRQ and scheduler too: recording takes no lock that is shared between CPUs.
 */
#pragma once

#include <kernel/lib/types.h>

/* EVENT(name, format of its arguments: up to four u64). In the order of the journey, then the others. */
#define TRACE_EVENTS(EVENT)                                                         \
	EVENT(IRQ_ENTER, "irq_enter", "irq=%llu vector=%llu")                       \
	EVENT(IRQ_EXIT, "irq_exit", "vector=%llu")                                  \
	EVENT(NIC_IRQ, "nic_irq", "icr=0x%llx")                                     \
	EVENT(SOFTIRQ_ENTER, "softirq_enter", "nr=%llu")                            \
	EVENT(SOFTIRQ_EXIT, "softirq_exit", "nr=%llu")                              \
	EVENT(NIC_POLL, "nic_poll", "dev=%llu frames=%llu budget=%llu")             \
	EVENT(IP_RCV, "ip_rcv", "skb=0x%llx len=%llu protocol=%llu")                \
	EVENT(TCP_RCV, "tcp_rcv", "skb=0x%llx seq=%llu ack=%llu flags=0x%llx")      \
	EVENT(UDP_RCV, "udp_rcv", "skb=0x%llx sport=%llu dport=%llu len=%llu")      \
	EVENT(SOCK_LOOKUP, "sock_lookup", "skb=0x%llx sock=%llu port=%llu")         \
	EVENT(SOCK_ENQUEUE, "sock_enqueue", "skb=0x%llx sock=%llu queued=%llu")     \
	EVENT(WAKE_UP, "wake_up", "wq=0x%llx key=0x%llx func=0x%llx")               \
	EVENT(EP_POLL_CALLBACK, "ep_poll_callback", "ep=0x%llx fd=%llu key=0x%llx") \
	EVENT(SCHED_WAKEUP, "sched_wakeup", "pid=%llu cpu=%llu")                    \
	EVENT(SCHED_SWITCH, "sched_switch", "prev=%llu state=%llu next=%llu")       \
	EVENT(EP_SEND_EVENTS, "ep_send_events", "ep=0x%llx events=%llu")            \
	EVENT(SYS_ENTER, "sys_enter", "nr=%llu a0=0x%llx a1=0x%llx a2=0x%llx")      \
	EVENT(SYS_EXIT, "sys_exit", "nr=%llu result=%lld")                          \
	EVENT(SOCK_RECV, "sock_recv", "sock=%llu bytes=%llu")                       \
	EVENT(SOCK_SEND, "sock_send", "sock=%llu bytes=%llu")                       \
	EVENT(IP_OUTPUT, "ip_output", "skb=0x%llx len=%llu protocol=%llu")          \
	EVENT(NIC_XMIT, "nic_xmit", "dev=%llu len=%llu")                            \
	EVENT(SKB_DROP, "skb_drop", "skb=0x%llx where=0x%llx")

#define TRACE_ENUM(name, text, format) TRACE_##name,
enum trace_event { TRACE_EVENTS(TRACE_ENUM) NR_TRACE_EVENTS };

extern u64 trace_enabled; /* bit map of events */

void trace_record(enum trace_event event, u64 a, u64 b, u64 c, u64 d);

#ifdef HOST_TEST
#define trace_on(event) false
#else
#define trace_on(event) unlikely(READ_ONCE(trace_enabled) & 1ULL << (event))
#endif

#define TRACE_ARGS(event, a, b, c, d, ...) \
	trace_record(event, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
#define trace(name, ...)                                                        \
	do {                                                                    \
		if (trace_on(TRACE_##name))                                     \
			TRACE_ARGS(TRACE_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0); \
	} while (0)
