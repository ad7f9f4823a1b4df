/*
 * The lock-order checker of the debug build. It does not wait for a deadlock to happen: it learns from
 * every acquisition, and complains when two things it has seen could together become one.
 *
 * Order. "A was held while B was taken" is an edge A -> B between classes. A new edge that closes a
 * circle is an inversion: two CPUs that go round it from different ends wait for each other for
 * ever. The complaint shows the stack that wants to add the edge, and for each edge of the way back
 * the stack that first added it. Mutexes and spinlocks never meet in a circle (nobody waits for a
 * mutex with a spinlock held), so the spinlocks of a CPU and the mutexes of a task are two lists, and
 * edges go within each.
 *
 * Context. An interrupt that takes a lock which the code it interrupted holds waits for ever. So a class
 * that was taken in a hard IRQ must nowhere be taken with interrupts on, and one that was taken in
 * a softirq must nowhere be taken with interrupts and softirqs on.
 *
 * And: no mutex in an interrupt or under a spinlock, no lock taken twice, none released that is not held.
 *
 * Any context. The checker's own state is under graph_lock, raw, interrupts off. What is held is this
 * CPU's, respectively this task's, and is changed with interrupts off, so that an interrupt finds it
 * whole and leaves it as it was.
 */
#include <kernel/lockdep.h>

#if CONFIG_DEBUG

#include <kernel/backtrace.h>
#include <kernel/context.h>
#include <kernel/cpu/asm.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

#define MAX_CLASSES    512 /* 0 is no class */
#define MAX_SPINLOCKS  32  /* held by one CPU */
#define TRACE_SIZE     10
#define MAX_TRACES     4096
#define BITS	       64
#define COMPLAINT_SIZE 256

/* struct lock_class.usage: how the class was taken */
enum usage {
	IN_HARDIRQ,  /* waited for in a hard IRQ */
	IN_SOFTIRQ,  /* waited for in a softirq */
	IRQS_ON,     /* held where a hard IRQ can come */
	SOFTIRQS_ON, /* held where a softirq can come */
	NR_USAGES,
};

struct trace {
	u32 key; /* 0: free */
	u32 count;
	u64 addresses[TRACE_SIZE];
};

struct lockdep_task *(*lockdep_current)(void);
static void (*report_hook)(const char *complaint);
static bool off; /* a complaint was made: what follows is the panic's business */

static spinlock_t graph_lock;

/* under graph_lock; bits of `edges` and class->usage are read without, they are only ever set */
static u64 edges[MAX_CLASSES][MAX_CLASSES / BITS];
static struct lock_class *classes[MAX_CLASSES];
static u32 nr_classes = 1;
static struct trace traces[MAX_TRACES]; /* a hash table: who added an edge, or a usage, first */
static u16 came_from[MAX_CLASSES];	/* of the search: 0 where it has not been */
static u16 to_visit[MAX_CLASSES];

struct held_spinlocks {
	struct lock_class *held[MAX_SPINLOCKS];
	u32 depth;
};
static DEFINE_PER_CPU(struct held_spinlocks, held_spinlocks);

/* ---- complaints -------------------------------------------------------------------------------- */

/* True: the caller shows more and then calls panic(). False: the hook has it. */
static bool complain(const char *complaint)
{
	if (report_hook) {
		report_hook(complaint);
		return false;
	}
	WRITE_ONCE(off, true);
	pr_err("lockdep: %s\n", complaint);
	return true;
}

static void complain_and_panic(const char *format, ...) __printf(1, 2);
static void complain_and_panic(const char *format, ...)
{
	char complaint[COMPLAINT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(complaint, sizeof(complaint), format, args);
	va_end(args);
	if (complain(complaint))
		panic("lockdep: %s", complaint);
}

void lockdep_set_report_hook(void (*report)(const char *complaint))
{
	WRITE_ONCE(report_hook, report);
}

/* ---- who added an edge or a usage --------------------------------------------------------------- */

static u32 edge_key(u32 from, u32 to)
{
	return from << 16 | to;
}

static u32 usage_key(u32 class_id, enum usage usage)
{
	return class_id << 16 | (MAX_CLASSES + usage);
}

/* The trace with this key, or the free place for it; NULL: the table is full. */
static struct trace *find_trace(u32 key)
{
	u32 at = key * 2654435761U % MAX_TRACES;

	for (u32 i = 0; i < MAX_TRACES; i++, at = (at + 1) % MAX_TRACES) {
		if (traces[at].key == key || !traces[at].key)
			return &traces[at];
	}
	return NULL;
}

static void save_trace(u32 key)
{
	struct trace *trace = find_trace(key);

	if (!trace || trace->key)
		return;
	trace->key = key;
	trace->count = backtrace_save(current_frame(), trace->addresses, TRACE_SIZE);
}

static void print_trace(u32 key)
{
	const struct trace *trace = find_trace(key);

	if (!trace || !trace->key) {
		pr_err("  (not kept)\n");
		return;
	}
	for (u32 i = 0; i < trace->count; i++)
		print_return_address(trace->addresses[i]);
}

/* ---- order ---------------------------------------------------------------------------------------- */

static bool has_edge(u32 from, u32 to)
{
	return READ_ONCE(edges[from][to / BITS]) & BIT(to % BITS);
}

/* Is there a way from one class to the other? It stays in came_from, from its end to its beginning. */
static bool search(u32 from, u32 to)
{
	u32 count = 0;

	memset(came_from, 0, sizeof(came_from));
	to_visit[count++] = from;
	came_from[from] = from;
	while (count) {
		u32 at = to_visit[--count];

		if (at == to)
			return true;
		for (u32 next = 1; next < nr_classes; next++) {
			if (has_edge(at, next) && !came_from[next]) {
				came_from[next] = at;
				to_visit[count++] = next;
			}
		}
	}
	return false;
}

/* Under graph_lock, which is held until the machine ends: nobody may change what is printed here. */
static void print_way(u32 from, u32 to)
{
	for (; to != from; to = came_from[to]) {
		pr_err("lockdep: '%s' was taken while '%s' was held, first here:\n",
		       classes[to]->name, classes[came_from[to]]->name);
		print_trace(edge_key(came_from[to], to));
	}
}

static void inversion(struct lock_class *held, struct lock_class *wanted)
{
	char complaint[COMPLAINT_SIZE];

	snprintf(complaint, sizeof(complaint), "order inversion: '%s' is wanted while '%s' is held",
		 wanted->name, held->name);
	if (!complain(complaint))
		return;
	print_way(wanted->id, held->id);
	panic("lockdep: %s, here:", complaint);
}

/* Learn that `wanted` is taken while `held` is. */
static void add_edge(struct lock_class *held, struct lock_class *wanted)
{
	if (has_edge(held->id, wanted->id))
		return;
	spin_lock_raw(&graph_lock);
	if (search(wanted->id, held->id)) {
		inversion(held, wanted);
	} else {
		edges[held->id][wanted->id / BITS] |= BIT(wanted->id % BITS);
		save_trace(edge_key(held->id, wanted->id));
	}
	spin_unlock_raw(&graph_lock);
}

static void check_order(struct lock_class *const *held, u32 depth, struct lock_class *wanted,
			enum lock_how how)
{
	for (u32 i = 0; i < depth; i++) {
		if (held[i] != wanted)
			add_edge(held[i], wanted);
		else if (how != LOCK_NESTED)
			complain_and_panic("'%s' is wanted while one of its class is held",
					   wanted->name);
	}
}

/* ---- context ------------------------------------------------------------------------------------- */

static const struct {
	enum usage conflict;
	const char *text;
} usages[NR_USAGES] = {
	[IN_HARDIRQ] = { IRQS_ON, "taken in a hard IRQ" },
	[IN_SOFTIRQ] = { SOFTIRQS_ON, "taken in a softirq" },
	[IRQS_ON] = { IN_HARDIRQ, "taken with interrupts on" },
	[SOFTIRQS_ON] = { IN_SOFTIRQ, "taken with softirqs on" },
};

static u16 current_usage(bool irqs_on, enum lock_how how)
{
	u16 usage = 0;

	if (how != LOCK_TRY && in_hardirq())
		usage |= BIT(IN_HARDIRQ);
	else if (how != LOCK_TRY && (this_cpu(context_count) & SOFTIRQ_SERVING))
		usage |= BIT(IN_SOFTIRQ);
	if (irqs_on)
		usage |= BIT(IRQS_ON);
	if (irqs_on && !in_interrupt())
		usage |= BIT(SOFTIRQS_ON);
	return usage;
}

static void usage_conflict(struct lock_class *class, enum usage usage)
{
	enum usage before = usages[usage].conflict;
	char complaint[COMPLAINT_SIZE];

	snprintf(complaint, sizeof(complaint), "'%s' is %s but was %s", class->name,
		 usages[usage].text, usages[before].text);
	if (!complain(complaint))
		return;
	pr_err("lockdep: '%s' was %s, first here:\n", class->name, usages[before].text);
	print_trace(usage_key(class->id, before));
	panic("lockdep: %s, here:", complaint);
}

static void check_usage(struct lock_class *class, bool irqs_on, enum lock_how how)
{
	u16 new = current_usage(irqs_on, how) & ~READ_ONCE(class->usage);

	if (likely(!new))
		return;
	spin_lock_raw(&graph_lock);
	for (enum usage usage = 0; usage < NR_USAGES; usage++) {
		if (!(new &BIT(usage)))
			continue;
		if (class->usage & BIT(usages[usage].conflict)) {
			usage_conflict(class, usage);
			continue;
		}
		class->usage |= BIT(usage);
		save_trace(usage_key(class->id, usage));
	}
	spin_unlock_raw(&graph_lock);
}

/* ---- acquire, release ----------------------------------------------------------------------------- */

static struct lockdep_task *current_mutexes(void)
{
	static struct lockdep_task before_tasks;
	struct lockdep_task *task = lockdep_current ? lockdep_current() : NULL;

	return task ?: &before_tasks;
}

/* Gives the class its number. False: there are too many, it goes unchecked. */
static bool assign_id(struct lock_class *class)
{
	bool assigned;

	if (likely(READ_ONCE(class->id)))
		return true;
	spin_lock_raw(&graph_lock);
	assigned = class->id || nr_classes < MAX_CLASSES;
	if (!class->id && assigned) {
		classes[nr_classes] = class;
		WRITE_ONCE(class->id, nr_classes++);
	}
	spin_unlock_raw(&graph_lock);
	return assigned;
}

static void acquire_spinlock(struct lock_class *class, enum lock_how how)
{
	struct held_spinlocks *spinlocks = this_cpu_ptr(held_spinlocks);

	if (how != LOCK_TRY)
		check_order(spinlocks->held, spinlocks->depth, class, how);
	if (spinlocks->depth == MAX_SPINLOCKS)
		panic("lockdep: more than %u spinlocks held", MAX_SPINLOCKS);
	spinlocks->held[spinlocks->depth++] = class;
}

static void acquire_mutex(struct lock_class *class, enum lock_how how)
{
	struct lockdep_task *task = current_mutexes();

	if (in_interrupt())
		complain_and_panic("mutex '%s' is taken in an interrupt", class->name);
	if (how != LOCK_TRY) {
		if (this_cpu_ptr(held_spinlocks)->depth)
			complain_and_panic("mutex '%s' is wanted while a spinlock is held",
					   class->name);
		check_order(task->held, task->depth, class, how);
	}
	if (task->depth == LOCKDEP_MAX_MUTEXES)
		panic("lockdep: more than %u mutexes held", LOCKDEP_MAX_MUTEXES);
	task->held[task->depth++] = class;
}

void lock_acquire(struct lock_class *class, enum lock_how how)
{
	u64 flags = irq_save();

	if (!READ_ONCE(off) && assign_id(class)) {
		if (class->is_mutex) {
			acquire_mutex(class, how);
		} else {
			check_usage(class, flags & RFLAGS_IF, how);
			acquire_spinlock(class, how);
		}
	}
	irq_restore(flags);
}

/* Takes the innermost `class` off the list; it need not be the last. */
static bool forget(struct lock_class **held, u32 depth, const struct lock_class *class)
{
	for (u32 i = depth; i-- > 0;) {
		if (held[i] != class)
			continue;
		memmove(&held[i], &held[i + 1], (depth - i - 1) * sizeof(held[0]));
		return true;
	}
	return false;
}

void lock_release(struct lock_class *class)
{
	u64 flags = irq_save();
	struct held_spinlocks *spinlocks = this_cpu_ptr(held_spinlocks);
	struct lockdep_task *task = current_mutexes();

	if (!READ_ONCE(off) && class->id) {
		if (class->is_mutex && forget(task->held, task->depth, class))
			task->depth--;
		else if (!class->is_mutex && forget(spinlocks->held, spinlocks->depth, class))
			spinlocks->depth--;
		else
			complain_and_panic("'%s' is released but not held", class->name);
	}
	irq_restore(flags);
}

/* ---- questions ------------------------------------------------------------------------------------ */

static bool among(struct lock_class *const *held, u32 depth, const struct lock_class *class)
{
	while (depth > 0) {
		if (held[--depth] == class)
			return true;
	}
	return false;
}

void lockdep_assert_held(const struct lock_class *class)
{
	u64 flags = irq_save();
	const struct held_spinlocks *spinlocks = this_cpu_ptr(held_spinlocks);
	const struct lockdep_task *task = current_mutexes();

	if (!READ_ONCE(off) && !among(spinlocks->held, spinlocks->depth, class) &&
	    !among(task->held, task->depth, class))
		complain_and_panic("'%s' should be held here", class->name);
	irq_restore(flags);
}

void lockdep_might_sleep(void)
{
	u64 flags = irq_save();
	const struct held_spinlocks *spinlocks = this_cpu_ptr(held_spinlocks);

	if (READ_ONCE(off)) {
		irq_restore(flags);
		return;
	}
	if (in_interrupt())
		complain_and_panic("sleeping in an interrupt or with softirqs disabled");
	if (spinlocks->depth)
		complain_and_panic("sleeping with '%s' held",
				   spinlocks->held[spinlocks->depth - 1]->name);
	irq_restore(flags);
}

#endif /* CONFIG_DEBUG */
