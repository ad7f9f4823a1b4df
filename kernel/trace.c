/*
 * Tracepoints: recording, and reading back in the order of time.
 *
 * Each CPU writes into a ring of its own, with interrupts off, so it is alone there; the oldest entry gives way.
 * Readers take nothing out: each has a cursor, copies the entry that it points to, and then looks whether the
 * writer has come round to it meanwhile.
 *
 *	writer					reader
 *	sequence is odd: entry `sequence / 2`	copy entry n
 *	time, entry				sequence / 2 - n < RING_ENTRIES?
 *	sequence is even: it is there		no: it was overwritten, it is lost
 *
 * Merging by time wants one thing more: an entry with an early time must not appear after a later one was read from
 * another CPU. The writer says that it writes before it looks at the clock; the reader looks at the clock, then
 * waits for whoever is writing, and reads only what is older.
 *
 * Context: trace_record() any; the rest process. Lock: control_lock, a mutex: the filter and the making of rings.
 */
#include <kernel/trace.h>

#include <kernel/cmdline.h>
#include <kernel/context.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/tsc.h>
#include <kernel/ksyms.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/page.h>
#include <kernel/mutex.h>
#include <kernel/printk.h>
#include <kernel/sched.h>
#include <kernel/softirq.h>
#include <kernel/syscall.h>
#include <kernel/timer.h>

#define RING_ORDER   8 /* 1 MiB a CPU */
#define RING_ENTRIES ((PAGE_SIZE << RING_ORDER) / sizeof(struct trace_entry))
/* A reader that sleeps is woken so long after an event: its own waking makes events too. */
#define WAKE_DELAY_NS (10 * NSEC_PER_MSEC)

struct trace_ring {
	struct trace_entry *entries; /* NULL until tracing is first switched on; constant then */
	u64 sequence; /* twice the entries written so far, and one while the next is being written */
	u64 start;    /* entries before were cleared away */
};

u64 trace_enabled;
static DEFINE_PER_CPU(struct trace_ring, trace_ring);
static_assert(MAX_CPUS <= ARRAY_SIZE(((struct trace_cursor *)0)->next),
	      "a cursor has a place for each");

static DEFINE_MUTEX(control_lock);
static struct trace_filter filter; /* written under control_lock */

DEFINE_WAIT_QUEUE(trace_wq);
static struct timer wake_timer;
static bool reader_waits; /* atomic */

const struct trace_format trace_formats[NR_TRACE_EVENTS] = {
#define TRACE_FORMAT(name, text, arguments) [TRACE_##name] = { text, arguments },
	TRACE_EVENTS(TRACE_FORMAT)
};

/* ---- recording --------------------------------------------------------------------------------------- */

/* Which arguments the filter looks at: bit maps. Constant after trace_init(). */
static struct {
	u8 socks, pids;
} filtered[NR_TRACE_EVENTS];

static bool any_arg_is(const u64 *args, u8 which, u64 value)
{
	for (u32 i = 0; which; i++, which >>= 1)
		if (which & 1 && args[i] == value)
			return true;
	return false;
}

static bool passes_filter(const struct trace_entry *entry)
{
	u64 pid = READ_ONCE(filter.pid), sock = READ_ONCE(filter.sock);
	u8 socks = filtered[entry->event].socks, pids = filtered[entry->event].pids;

	if (sock && socks && !any_arg_is(entry->args, socks, sock))
		return false;
	if (pid && pids)
		return any_arg_is(entry->args, pids, pid);
	return !pid || entry->context != TRACE_PROCESS || entry->pid == pid;
}

/* Who runs when, is told of all: a trace with holes in it cannot be followed. */
static bool is_readers_own(const struct trace_entry *entry, const struct task *task)
{
	return task->reads_trace && entry->context == TRACE_PROCESS &&
	       entry->event != TRACE_SCHED_SWITCH;
}

static enum trace_context context_here(void)
{
	u32 count = this_cpu(context_count);

	return count & HARDIRQ_MASK	 ? TRACE_HARDIRQ
	       : count & SOFTIRQ_SERVING ? TRACE_SOFTIRQ
					 : TRACE_PROCESS;
}

/* Interrupts off. */
static void append(struct trace_ring *ring, const struct trace_entry *entry)
{
	struct trace_entry *slot = &ring->entries[ring->sequence / 2 % RING_ENTRIES];

	__atomic_exchange_n(&ring->sequence, ring->sequence + 1, __ATOMIC_SEQ_CST);
	*slot = *entry;
	slot->time = clock_ns();
	__atomic_exchange_n(&ring->sequence, ring->sequence + 1, __ATOMIC_SEQ_CST);
}

void trace_record(enum trace_event event, u64 a, u64 b, u64 c, u64 d)
{
	struct trace_entry entry = { .event = event, .args = { a, b, c, d } };
	struct task *task = current;
	u64 flags = irq_save();

	entry.cpu = smp_processor_id();
	entry.context = context_here();
	entry.pid = task->pid;
	memcpy(entry.task, task->name, sizeof(entry.task));
	if (!is_readers_own(&entry, task) && passes_filter(&entry)) {
		append(this_cpu_ptr(trace_ring), &entry);
		if (unlikely(READ_ONCE(reader_waits)) &&
		    __atomic_exchange_n(&reader_waits, false, __ATOMIC_SEQ_CST))
			timer_start(&wake_timer, clock_ns() + WAKE_DELAY_NS);
	}
	irq_restore(flags);
}

/* TIMER_SOFTIRQ. */
static void wake_readers(struct timer *timer)
{
	wake_up_all(&trace_wq);
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static struct trace_ring *cpu_ring(u32 cpu)
{
	return &per_cpu(trace_ring, cpu);
}

/* Everything older than this is in the rings. */
static u64 settle(void)
{
	u64 now = clock_ns();

	smp_mb();
	for_each_cpu(cpu) {
		struct trace_ring *ring = cpu_ring(cpu);
		u64 sequence = READ_ONCE(ring->sequence);

		while (sequence & 1 && READ_ONCE(ring->sequence) == sequence)
			cpu_relax();
	}
	return now;
}

/* How many entries are complete. */
static u64 written(const struct trace_ring *ring)
{
	return __atomic_load_n(&ring->sequence, __ATOMIC_ACQUIRE) / 2;
}

/* The oldest entry that is there, and will not be overwritten by the one that is being written. */
static u64 oldest(const struct trace_ring *ring)
{
	u64 end = written(ring), start = READ_ONCE(ring->start);

	return end >= start + RING_ENTRIES ? end - RING_ENTRIES + 1 : start;
}

void trace_cursor_init(struct trace_cursor *cursor)
{
	*cursor = (struct trace_cursor){ 0 };
	for_each_cpu(cpu)
		cursor->next[cpu] = oldest(cpu_ring(cpu));
}

/* Over what is gone: what was cleared away is not lost. */
static void skip_gone(struct trace_cursor *cursor, u32 cpu, const struct trace_ring *ring)
{
	u64 first, start = READ_ONCE(ring->start);

	if (cursor->next[cpu] < start)
		cursor->next[cpu] = start;
	first = oldest(ring);
	if (cursor->next[cpu] < first) {
		cursor->lost += first - cursor->next[cpu];
		cursor->next[cpu] = first;
	}
}

/* This CPU's next entry. False: there is none. */
static bool peek(struct trace_cursor *cursor, u32 cpu, struct trace_entry *entry)
{
	const struct trace_ring *ring = cpu_ring(cpu);

	for (;;) {
		skip_gone(cursor, cpu, ring);
		if (cursor->next[cpu] >= written(ring))
			return false;
		*entry = ring->entries[cursor->next[cpu] % RING_ENTRIES];
		smp_rmb();
		if (cursor->next[cpu] >= oldest(ring))
			return true;
	}
}

/* The earliest of all CPUs that is older than `limit`; its CPU, or nr_cpus: none. */
static u32 find_next(struct trace_cursor *cursor, struct trace_entry *found, u64 limit)
{
	u32 from = nr_cpus;

	for_each_cpu(cpu) {
		struct trace_entry entry;

		if (peek(cursor, cpu, &entry) && entry.time < limit) {
			limit = entry.time;
			*found = entry;
			from = cpu;
		}
	}
	return from;
}

u32 trace_read(struct trace_cursor *cursor, struct trace_entry *entries, u32 max)
{
	u64 limit = settle();
	u32 count = 0, cpu;

	while (count + 1 < max) {
		struct trace_entry entry;

		cpu = find_next(cursor, &entry, limit);
		if (cpu == nr_cpus)
			break;
		cursor->next[cpu]++;
		if (cursor->lost) {
			entries[count++] = (struct trace_entry){ .time = entry.time,
								 .event = TRACE_LOST,
								 .args = { cursor->lost } };
			cursor->lost = 0;
		}
		entries[count++] = entry;
	}
	return count;
}

/* Says that it waits before it looks, as append() makes the entry visible before trace_record() looks for who waits. */
bool trace_readable(struct trace_cursor *cursor)
{
	__atomic_store_n(&reader_waits, true, __ATOMIC_SEQ_CST);
	for_each_cpu(cpu) {
		const struct trace_ring *ring = cpu_ring(cpu);

		if (max(cursor->next[cpu], READ_ONCE(ring->start)) < written(ring))
			return true;
	}
	return false;
}

/* ---- as text ----------------------------------------------------------------------------------------- */

static int format_call(char *buf, size_t size, u64 number)
{
	if (number < NR_SYSCALLS)
		return scnprintf(buf, size, "%s", syscall_name(number));
	if (number >> 32 == TRACE_I386 >> 32)
		return scnprintf(buf, size, "i386:%u", (u32)number);
	return scnprintf(buf, size,
			 "-"); /* execve and sigreturn return to where no call was made */
}

static int format_function(char *buf, size_t size, u64 address)
{
	u64 offset;
	const char *name = ksym_lookup(address, &offset);

	if (!name)
		return scnprintf(buf, size, "0x%llx", address);
	return offset ? scnprintf(buf, size, "%s+0x%llx", name, offset)
		      : scnprintf(buf, size, "%s", name);
}

static int format_value(char *buf, size_t size, char kind, u64 value)
{
	static const char *const states[] = { "running", "interruptible", "uninterruptible",
					      "stopped", "dead" };

	switch (kind) {
	case 'c':
		return format_call(buf, size, value);
	case 'd':
		return scnprintf(buf, size, "%lld", (s64)value);
	case 'f':
		return format_function(buf, size, value);
	case 's':
		return scnprintf(buf, size, "%s", value < NR_SOFTIRQS ? softirq_names[value] : "?");
	case 't':
		return scnprintf(buf, size, "%s", value < ARRAY_SIZE(states) ? states[value] : "?");
	case 'x':
		return scnprintf(buf, size, "0x%llx", value);
	default:
		return scnprintf(buf, size, "%llu", value);
	}
}

int trace_format_entry(const struct trace_entry *entry, char *buf, size_t size)
{
	const struct trace_format *format = &trace_formats[entry->event];
	int length = scnprintf(buf, size, "%-16s ", format->name);
	const u64 *arg = entry->args;

	for (const char *at = format->arguments; *at; at++) {
		if (*at == '%')
			length += format_value(buf + length, size - length, *++at, *arg++);
		else
			length += scnprintf(buf + length, size - length, "%c", *at);
	}
	return length;
}

/* ---- control ----------------------------------------------------------------------------------------- */

/* True: "name" is what stands from `list` to the next comma. */
static bool is_word(const char *list, size_t length, const char *name)
{
	return strlen(name) == length && !memcmp(list, name, length);
}

static u64 events_of_word(const char *list, size_t length)
{
	if (is_word(list, length, "all"))
		return TRACE_ALL;
	for (u32 event = 0; event < TRACE_LOST; event++)
		if (is_word(list, length, trace_formats[event].name))
			return BIT(event);
	return 0;
}

bool trace_parse_events(const char *list, u64 *events)
{
	*events = 0;
	if (!strcmp(list, "none"))
		return true;
	for (;;) {
		const char *comma = strchr(list, ',');
		size_t length = comma ? (size_t)(comma - list) : strlen(list);
		u64 found = events_of_word(list, length);

		if (!found)
			return false;
		*events |= found;
		if (!comma)
			return true;
		list = comma + 1;
	}
}

/* Under control_lock. */
static int make_rings(void)
{
	for_each_cpu(cpu) {
		struct trace_ring *ring = cpu_ring(cpu);
		struct page *page;

		if (ring->entries)
			continue;
		page = alloc_pages(RING_ORDER, GFP_KERNEL);
		if (!page)
			return -ENOMEM;
		ring->entries = page_address(page);
	}
	return 0;
}

void trace_get_filter(struct trace_filter *copy)
{
	mutex_lock(&control_lock);
	*copy = filter;
	mutex_unlock(&control_lock);
}

int trace_set_filter(const struct trace_filter *wanted)
{
	int error = 0;

	mutex_lock(&control_lock);
	if (wanted->events)
		error = make_rings();
	if (!error) {
		filter = *wanted;
		__atomic_store_n(&trace_enabled, filter.events, __ATOMIC_RELEASE);
	}
	mutex_unlock(&control_lock);
	wake_up_all(&trace_wq); /* a trace that is off has an end */
	return error;
}

void trace_clear(void)
{
	for_each_cpu(cpu)
		WRITE_ONCE(cpu_ring(cpu)->start, written(cpu_ring(cpu)));
}

static u64 events_at_boot;

static bool parse_trace(const char *value)
{
	return trace_parse_events(*value ? value : "all", &events_at_boot);
}
BOOT_OPTION(trace, "trace", "record these events (all, or a,b,...), for /proc/trace", parse_trace);

/* Does `name` stand before the '=' that belongs to this '%'? */
static bool named(const char *arguments, const char *percent, const char *name)
{
	const char *start = percent - 1 - strlen(name);

	return start >= arguments && !memcmp(start, name, strlen(name)) &&
	       (start == arguments || start[-1] == ' ');
}

void trace_init(void)
{
	for (u32 event = 0; event < NR_TRACE_EVENTS; event++) {
		const char *arguments = trace_formats[event].arguments, *at = arguments;

		for (u8 bit = 1; (at = strchr(at, '%')); at++, bit <<= 1) {
			if (named(arguments, at, "sock"))
				filtered[event].socks |= bit;
			if (named(arguments, at, "pid") || named(arguments, at, "prev") ||
			    named(arguments, at, "next"))
				filtered[event].pids |= bit;
		}
	}
	timer_init(&wake_timer, wake_readers);
	if (trace_set_filter(&(struct trace_filter){ .events = events_at_boot }))
		pr_warn("trace: no memory to record into\n");
}
