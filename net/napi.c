/*
 * The receiving half of the devices' work: NET_RX_SOFTIRQ and what it polls. An interrupt handler, or the idle loop
 * that saw a frame, puts a device's napi on this CPU's list; the softirq calls each one's poll() with a budget until
 * it takes less than that. A flood keeps one on the list for ever: then kernel/softirq.c hands the rest to
 * ksoftirqd, and programs get their share. Steps 3 ... 5.
 *
 * Frames that did not come from a wire (loopback) go through a queue of this CPU's that is polled like any device.
 *
 * How a frame that comes while poll() ends is not forgotten:
 *
 *	poll()					interrupt, on any CPU
 *	state = POLLING
 *	the ring is empty
 *						a frame; napi_schedule(): state = WANTED, it was POLLING: do no more
 *	napi_complete(): POLLING -> IDLE fails
 *	back on the list
 *
 * Context: softirq; napi_schedule() in hard IRQ too. No locks: lists and queues are this CPU's own.
 */
#include <net/netdev.h>

#include <kernel/cmdline.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/sched.h>
#include <kernel/softirq.h>
#include <kernel/trace.h>

#define NAPI_WEIGHT	     64	  /* frames a poll */
#define NET_RX_BUDGET	     300  /* frames a run of the softirq */
#define MAX_BACKLOG	     1000 /* frames */
#define DEFAULT_POLL_US	     50
#define PAUSES_BETWEEN_LOOKS 4

struct net_cpu {
	struct list_head poll_list; /* interrupts off */

	/* softirqs off */
	struct skb_queue backlog_queue;
	struct napi backlog;
	struct napi *recent; /* its device had a frame for us just now; for the idle loop */
};

static DEFINE_PER_CPU(struct net_cpu, net_cpu);
DEFINE_PER_CPU(bool, net_polling);
static void nothing_kept(void)
{
}
void (*net_poll_over)(void) = nothing_kept; /* constant once the protocols are there */
static u64 idle_poll_ns = DEFAULT_POLL_US * NSEC_PER_USEC;

static bool parse_poll(const char *value)
{
	u64 us;

	if (parse_u64(value, NULL, &us) || us > NSEC_PER_SEC / NSEC_PER_USEC)
		return false;
	idle_poll_ns = us * NSEC_PER_USEC;
	return true;
}
BOOT_OPTION(nic_poll, "nic-poll-us", "how long an idle CPU looks at the rings before it halts",
	    parse_poll);

/* ---- the list --------------------------------------------------------------------------------------- */

static void enlist(struct napi *napi)
{
	u64 flags = irq_save();

	list_add_tail(&napi->link, &this_cpu_ptr(net_cpu)->poll_list);
	raise_softirq(NET_RX_SOFTIRQ);
	irq_restore(flags);
}

bool napi_schedule(struct napi *napi)
{
	if (unlikely(READ_ONCE(napi->disabled)) ||
	    __atomic_exchange_n(&napi->state, NAPI_WANTED, __ATOMIC_SEQ_CST) != NAPI_IDLE)
		return false;
	enlist(napi);
	return true;
}

static bool change_state(struct napi *napi, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&napi->state, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* Another CPU may poll the device next: what protocols have kept back must go before that, or it would be overtaken. */
bool napi_complete(struct napi *napi)
{
	net_poll_over();
	if (likely(change_state(napi, NAPI_POLLING, NAPI_IDLE)))
		return true;
	enlist(napi);
	return false;
}

/* Nobody schedules it any more, and a flood that keeps it on the list is told to let go. Then, whoever was about to
 * schedule it finds it wanted already. */
void napi_disable(struct napi *napi)
{
	WRITE_ONCE(napi->disabled, true);
	while (!change_state(napi, NAPI_IDLE, NAPI_WANTED))
		sleep_ns(NSEC_PER_MSEC);
}

void napi_enable(struct napi *napi)
{
	WRITE_ONCE(napi->disabled, false);
	__atomic_store_n(&napi->state, NAPI_IDLE, __ATOMIC_RELEASE);
}

void napi_init(struct napi *napi, struct netdev *dev, int (*poll)(struct napi *, int))
{
	*napi = (struct napi){ .poll = poll, .dev = dev };
}

/* ---- the softirq --------------------------------------------------------------------------------------- */

static struct napi *take_first(struct net_cpu *cpu)
{
	struct napi *napi;

	irq_disable();
	napi = list_first_entry_or_null(&cpu->poll_list, struct napi, link);
	if (napi)
		list_del(&napi->link);
	irq_enable();
	return napi;
}

static int serve(struct net_cpu *cpu, struct napi *napi)
{
	int frames;

	__atomic_exchange_n(&napi->state, NAPI_POLLING, __ATOMIC_SEQ_CST);
	trace(NIC_POLL, napi->dev ? napi->dev->index : 0, NAPI_WEIGHT);
	this_cpu(net_polling) = true;
	frames = napi->poll(napi, NAPI_WEIGHT);
	this_cpu(net_polling) = false;
	trace(NIC_POLLED, napi->dev ? napi->dev->index : 0, frames);
	if (frames == NAPI_WEIGHT) {
		net_poll_over();
		if (likely(!READ_ONCE(napi->disabled)))
			enlist(napi);
		else
			__atomic_store_n(&napi->state, NAPI_IDLE, __ATOMIC_RELEASE);
	}
	if (napi->rx_pending && frames)
		cpu->recent = napi;
	return frames;
}

static void net_rx_action(void)
{
	struct net_cpu *cpu = this_cpu_ptr(net_cpu);
	int budget = NET_RX_BUDGET;
	struct napi *napi;

	net_batch_begin();
	while (budget > 0 && (napi = take_first(cpu)))
		budget -= serve(cpu, napi);
	net_batch_end();
	if (!list_empty(&cpu->poll_list))
		raise_softirq(NET_RX_SOFTIRQ);
}

/* ---- frames from this machine ----------------------------------------------------------------------------- */

void netif_rx(struct sk_buff *skb)
{
	struct net_cpu *cpu;

	local_bh_disable();
	cpu = this_cpu_ptr(net_cpu);
	if (likely(cpu->backlog_queue.count < MAX_BACKLOG)) {
		skb_queue_tail(&cpu->backlog_queue, skb);
		napi_schedule(&cpu->backlog);
	} else {
		skb->dev->counts.rx_dropped++;
		trace(SKB_DROP, skb, netif_rx);
		skb_put(skb);
	}
	local_bh_enable();
}

static int poll_backlog(struct napi *napi, int budget)
{
	struct net_cpu *cpu = container_of(napi, struct net_cpu, backlog);
	struct sk_buff *skb;
	int frames = 0;

	while (frames < budget && (skb = skb_dequeue(&cpu->backlog_queue))) {
		netif_receive_skb(skb);
		frames++;
	}
	if (frames < budget)
		napi_complete(napi);
	return frames;
}

/* ---- idle --------------------------------------------------------------------------------------------------- */

/*
 * Before the CPU halts. Between two interrupts of QEMU's e1000 lie 128 us at least, and between two frames of a
 * conversation often less; so after a frame the CPU looks at the ring itself for a while. Once nothing has come
 * for that long it halts: who waits costs nothing.
 */
static void poll_while_idle(void)
{
	struct net_cpu *cpu = this_cpu_ptr(net_cpu);
	struct napi *napi = cpu->recent;

	if (!napi)
		return;
	while (clock_ns() - READ_ONCE(napi->last_frame) < idle_poll_ns) {
		if (napi->rx_pending(napi)) {
			local_bh_disable();
			napi_schedule(napi);
			local_bh_enable();
		}
		if (this_cpu(need_resched))
			return;
		for (int i = 0; i < PAUSES_BETWEEN_LOOKS; i++)
			cpu_relax();
	}
	cpu->recent = NULL;
}

void napi_init_cpu(void)
{
	struct net_cpu *cpu = this_cpu_ptr(net_cpu);

	INIT_LIST_HEAD(&cpu->poll_list);
	skb_queue_init(&cpu->backlog_queue);
	napi_init(&cpu->backlog, NULL, poll_backlog);
}

void napi_start(void)
{
	open_softirq(NET_RX_SOFTIRQ, net_rx_action);
	idle_hook = poll_while_idle;
}
