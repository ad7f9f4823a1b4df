/* Self-tests of tracing: nothing is recorded twice, out of order, or lost without being counted. */
#include <kernel/mm/slab.h>
#include <kernel/selftest.h>
#include <kernel/selftest_crew.h>
#include <kernel/trace.h>

#define EVENTS_EACH 40000 /* several times round a ring */

static bool set_filter(u64 events, u64 pid, u64 sock)
{
	return trace_set_filter(&(struct trace_filter){ events, pid, sock }) == 0;
}

/* An event that nothing but this test makes. */
static void record_many(void *arg)
{
	for (u64 i = 0; i < EVENTS_EACH; i++) {
		trace(SKB_DROP, current->pid, i);
		cond_resched();
	}
}

struct tally {
	struct trace_cursor cursor;
	struct trace_entry entries[64];
	u64 seen, lost, last_time;
	u64 next[MAX_CPUS]; /* of the thread on that CPU: its next event's number at least */
	bool in_order;
};

static void read_all(struct tally *tally)
{
	u32 count;

	while ((count = trace_read(&tally->cursor, tally->entries, ARRAY_SIZE(tally->entries)))) {
		for (u32 i = 0; i < count; i++) {
			const struct trace_entry *entry = &tally->entries[i];

			if (entry->event == TRACE_LOST) {
				tally->lost += entry->args[0];
				continue;
			}
			tally->seen++;
			if (entry->time < tally->last_time ||
			    entry->args[1] < tally->next[entry->cpu])
				tally->in_order = false;
			tally->last_time = entry->time;
			tally->next[entry->cpu] = entry->args[1] + 1;
		}
	}
}

/* A thread on each CPU records, and this one reads meanwhile. */
SELFTEST(trace_merge)
{
	struct tally *tally = kzalloc(sizeof(*tally), GFP_KERNEL);
	struct crew crew;

	EXPECT(tally);
	tally->in_order = true;
	trace_clear();
	EXPECT(set_filter(BIT(TRACE_SKB_DROP), 0, 0));
	trace_cursor_init(&tally->cursor);
	crew_init(&crew, record_many, NULL);
	for_each_cpu(cpu)
		crew_start_on(&crew, cpu, "recorder");
	for (int i = 0; i < 100; i++) {
		read_all(tally);
		sleep_ns(100000);
	}
	crew_wait(&crew, nr_cpus);
	read_all(tally);
	EXPECT(set_filter(0, 0, 0));
	EXPECT(tally->in_order);
	EXPECT(tally->seen + tally->lost == (u64)nr_cpus * EVENTS_EACH);
	EXPECT(!trace_readable(&tally->cursor));
	kfree(tally);
}

/* What was overwritten before anybody came is lost, what was cleared away is not. */
SELFTEST(trace_lost_and_cleared)
{
	struct tally *tally = kzalloc(sizeof(*tally), GFP_KERNEL);

	EXPECT(tally);
	trace_clear();
	trace_cursor_init(&tally->cursor);
	EXPECT(set_filter(BIT(TRACE_SKB_DROP), 0, 0));
	record_many(NULL);
	EXPECT(set_filter(0, 0, 0));
	read_all(tally);
	EXPECT(tally->lost > 0 && tally->seen + tally->lost == EVENTS_EACH);
	trace_cursor_init(&tally->cursor);
	trace_clear();
	tally->seen = tally->lost = 0;
	read_all(tally);
	EXPECT(tally->seen == 0 && tally->lost == 0);
	kfree(tally);
}

SELFTEST(trace_filter)
{
	struct trace_cursor *cursor = kzalloc(sizeof(*cursor), GFP_KERNEL);
	struct trace_entry entries[8];

	EXPECT(cursor);
	trace_clear();
	trace_cursor_init(cursor);
	EXPECT(set_filter(BIT(TRACE_SOCK_RECV) | BIT(TRACE_SKB_DROP), current->pid, 34));
	trace(SOCK_RECV, 34, 1);
	trace(SOCK_RECV, 35, 1); /* not that socket */
	trace(SOCK_SEND, 34, 1); /* not that event */
	trace(SKB_DROP, 1, 2);	 /* names no socket */
	EXPECT(set_filter(BIT(TRACE_SOCK_RECV), current->pid + 1, 0));
	trace(SOCK_RECV, 36, 1); /* not that task */
	EXPECT(set_filter(0, 0, 0));
	EXPECT(trace_read(cursor, entries, ARRAY_SIZE(entries)) == 2);
	EXPECT(entries[0].event == TRACE_SOCK_RECV && entries[0].args[0] == 34);
	EXPECT(entries[0].pid == current->pid && entries[0].context == TRACE_PROCESS);
	EXPECT(entries[1].event == TRACE_SKB_DROP && entries[1].args[1] == 2);
	kfree(cursor);
}

SELFTEST(trace_event_names)
{
	u64 events;

	EXPECT(trace_parse_events("udp_rcv,wake_up", &events));
	EXPECT(events == (BIT(TRACE_UDP_RCV) | BIT(TRACE_WAKE_UP)));
	EXPECT(trace_parse_events("all", &events) && events == TRACE_ALL);
	EXPECT(trace_parse_events("none", &events) && events == 0);
	EXPECT(!trace_parse_events("", &events) && !trace_parse_events("udp_rcv,", &events) &&
	       !trace_parse_events("lost", &events) && !trace_parse_events("udp", &events));
}
