/*
 * The e1000 apart from moving frames: finding it, reset, address, filters, link, statistics, up and down.
 *
 * Once started the receiver stays on, also while the interface is down: then nobody looks at the ring, and what is
 * on it is dropped at the next "up". In QEMU each write of RCTL stops reception for a whole second; so it is
 * written once, as early at boot as can be, and again only if somebody wants promiscuous mode.
 *
 * Context: process. Locks: netdev_lock is held by who calls the netdev_ops; dev->tx_lock.
 */
#include <drivers/e1000.h>

#include <kernel/cmdline.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/printk.h>

#define DEFAULT_ENTRIES 256
#define MIN_ENTRIES	64 /* several frames of the most pieces */
#define MAX_ENTRIES	4096

#define RESET_TIMEOUT_NS  (10 * NSEC_PER_MSEC)
#define EEPROM_TIMEOUT_NS NSEC_PER_MSEC
#define SENDER_STOPS_NS	  (20 * NSEC_PER_USEC) /* longer than a frame takes at 1 Gbit/s */

#define INTEL 0x8086

/* QEMU's 82574L makes IP fragments of a TCP packet that it should cut into segments, unless the network behind it
 * cuts them; so that is not asked of it. */
static const struct e1000_model models[] = {
	{
		.device = 0x100e,
		.name = "82540EM",
		.eerd_done = 4,
		.eerd_address = 8,
		.features = NETDEV_CSUM | NETDEV_SG | NETDEV_TSO,
	},
	{
		.device = 0x10d3,
		.name = "82574L",
		.eerd_done = 1,
		.eerd_address = 2,
		.txdctl = TXDCTL_COUNT_DESC,
		.features = NETDEV_CSUM | NETDEV_SG,
	},
};

static u64 rx_entries = DEFAULT_ENTRIES, tx_entries = DEFAULT_ENTRIES;

static bool parse_entries(const char *value, u64 *entries)
{
	u64 number;

	if (parse_u64(value, NULL, &number) || number < MIN_ENTRIES || number > MAX_ENTRIES ||
	    number & (number - 1))
		return false;
	*entries = number;
	return true;
}

static bool parse_rx(const char *value)
{
	return parse_entries(value, &rx_entries);
}
BOOT_OPTION(e1000_rx, "e1000.rx", "entries of the receive ring, a power of two", parse_rx);

static bool parse_tx(const char *value)
{
	return parse_entries(value, &tx_entries);
}
BOOT_OPTION(e1000_tx, "e1000.tx", "entries of the transmit ring, a power of two", parse_tx);

/* ---- address -------------------------------------------------------------------------------------------- */

static int read_eeprom(struct e1000 *nic, u8 word, u16 *value)
{
	u64 deadline = clock_ns() + EEPROM_TIMEOUT_NS;
	u32 answer;

	e1000_write(nic, E1000_EERD, EERD_START | (u32)word << nic->model->eerd_address);
	do {
		answer = e1000_read(nic, E1000_EERD);
		if (answer & BIT(nic->model->eerd_done)) {
			*value = (u16)(answer >> EERD_DATA_SHIFT);
			return 0;
		}
	} while (clock_ns() < deadline);
	return -EIO;
}

/* The first three words, if the sum of all is right. */
static int read_mac(struct e1000 *nic)
{
	u16 sum = 0, word;

	for (u8 i = 0; i < EEPROM_WORDS; i++) {
		if (read_eeprom(nic, i, &word))
			return -EIO;
		sum += word;
		if (i < ETH_ALEN / 2)
			memcpy(nic->dev.mac + 2 * i, &word, sizeof(word));
	}
	return sum == EEPROM_SUM && !(nic->dev.mac[0] & 1) ? 0 : -EIO;
}

static void write_mac(struct e1000 *nic)
{
	u32 low, high = 0;

	memcpy(&low, nic->dev.mac, 4);
	memcpy(&high, nic->dev.mac + 4, 2);
	e1000_write(nic, E1000_RAL0, low);
	e1000_write(nic, E1000_RAH0, high | RAH_VALID);
}

static int e1000_set_mac(struct netdev *dev, const u8 mac[ETH_ALEN])
{
	memcpy(dev->mac, mac, ETH_ALEN);
	write_mac(e1000_of(dev));
	return 0;
}

/* ---- filters ---------------------------------------------------------------------------------------------- */

static u32 wanted_rctl(const struct netdev *dev)
{
	return RCTL_EN | RCTL_BAM | RCTL_SECRC | (dev->flags & IFF_PROMISC ? RCTL_UPE : 0);
}

/* Multicast is all or nothing, through the hash table: that spares a write of RCTL. */
static void e1000_set_rx_mode(struct netdev *dev)
{
	struct e1000 *nic = e1000_of(dev);
	u32 multicast = dev->flags & (IFF_PROMISC | IFF_ALLMULTI) ? ~0U : 0;

	for (u32 i = 0; i < MTA_REGISTERS; i++)
		e1000_write(nic, E1000_MTA + i * 4, multicast);
	if (nic->rctl == wanted_rctl(dev))
		return;
	nic->rctl = wanted_rctl(dev);
	e1000_write(nic, E1000_RCTL, nic->rctl);
}

/* ---- link --------------------------------------------------------------------------------------------------- */

void e1000_check_link(struct e1000 *nic)
{
	netdev_set_carrier(&nic->dev, e1000_read(nic, E1000_STATUS) & STATUS_LU);
}

/* ---- statistics ----------------------------------------------------------------------------------------------- */

static const struct {
	u32 reg;
	u16 field, sum; /* in struct netdev_stats; the same twice: there is no sum */
} statistics[] = {
#define STATISTIC(reg, field, sum)                                                            \
	{                                                                                     \
		reg, offsetof(struct netdev_stats, field), offsetof(struct netdev_stats, sum) \
	}
	STATISTIC(E1000_CRCERRS, rx_crc, rx_errors),
	STATISTIC(E1000_ALGNERRC, rx_frame, rx_errors),
	STATISTIC(E1000_RXERRC, rx_errors, rx_errors),
	STATISTIC(E1000_CEXTERR, rx_errors, rx_errors),
	STATISTIC(E1000_RLEC, rx_errors, rx_errors),
	STATISTIC(E1000_RUC, rx_errors, rx_errors),
	STATISTIC(E1000_ROC, rx_errors, rx_errors),
	STATISTIC(E1000_MPC, rx_fifo, rx_fifo),
	STATISTIC(E1000_MPRC, multicast, multicast),
	STATISTIC(E1000_ECOL, tx_errors, tx_errors),
	STATISTIC(E1000_LATECOL, tx_errors, tx_errors),
	STATISTIC(E1000_TNCRS, tx_carrier, tx_errors),
	STATISTIC(E1000_COLC, collisions, collisions),
#undef STATISTIC
};
static_assert(ARRAY_SIZE(statistics) == E1000_NR_COUNTERS, "struct e1000 has room for each");

static void count(struct netdev_stats *stats, u16 field, u64 number)
{
	*(u64 *)((char *)stats + field) += number;
}

/* Under stats_lock. A real device clears a counter that is read. QEMU's e1000 clears some, others never: those
 * say the same when they are read twice, and only what is new since the last time counts. */
static u32 read_counter(struct e1000 *nic, u32 index)
{
	u32 first = e1000_read(nic, statistics[index].reg);
	u32 second = first ? e1000_read(nic, statistics[index].reg) : 0, before;

	if (second != first)
		return first + second;
	before = nic->uncleared[index];
	nic->uncleared[index] = first;
	return first - before;
}

static void e1000_stats(struct netdev *dev, struct netdev_stats *stats)
{
	struct e1000 *nic = e1000_of(dev);
	const u64 *from = (const u64 *)&nic->hardware;

	mutex_lock(&nic->stats_lock);
	for (u32 i = 0; i < ARRAY_SIZE(statistics); i++) {
		u32 number = read_counter(nic, i);

		count(&nic->hardware, statistics[i].field, number);
		if (statistics[i].sum != statistics[i].field)
			count(&nic->hardware, statistics[i].sum, number);
	}
	for (u32 i = 0; i < sizeof(*stats) / sizeof(u64); i++)
		((u64 *)stats)[i] += from[i];
	mutex_unlock(&nic->stats_lock);
	stats->rx_dropped += READ_ONCE(nic->rx_no_buffer);
}

/* ---- reset, start ------------------------------------------------------------------------------------------------ */

static void mask_interrupts(struct e1000 *nic)
{
	e1000_write(nic, E1000_IMC, INT_ALL);
	e1000_read(nic, E1000_ICR);
}

/* Whoever had it before us, a boot ROM say, may have left it on. A virtual machine may stand still for longer than
 * the deadline: so the device is asked once more after that. */
static int reset(struct e1000 *nic)
{
	u64 deadline = clock_ns() + RESET_TIMEOUT_NS;
	bool late, busy;

	mask_interrupts(nic);
	if (e1000_read(nic, E1000_RCTL) & RCTL_EN)
		e1000_write(nic, E1000_RCTL, 0);
	e1000_write(nic, E1000_TCTL, TCTL_PSP);
	e1000_write(nic, E1000_CTRL, e1000_read(nic, E1000_CTRL) | CTRL_RST);
	do {
		late = clock_ns() > deadline;
		clock_delay_ns(NSEC_PER_USEC); /* it does not answer in the first microsecond */
		busy = e1000_read(nic, E1000_CTRL) & CTRL_RST;
	} while (busy && !late);
	mask_interrupts(nic);
	return busy ? -EIO : 0;
}

static void start_sender(struct e1000 *nic)
{
	e1000_write(nic, E1000_TDH, 0);
	e1000_write(nic, E1000_TDT, 0);
	e1000_write(nic, E1000_TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD);
}

static void start_rings(struct e1000 *nic)
{
	phys_addr_t rx = virt_to_phys(nic->rx.descs), tx = virt_to_phys(nic->tx.descs);

	e1000_write(nic, E1000_RDBAL, (u32)rx);
	e1000_write(nic, E1000_RDBAH, (u32)(rx >> 32));
	e1000_write(nic, E1000_RDLEN, (nic->rx.mask + 1) * sizeof(nic->rx.descs[0]));
	e1000_write(nic, E1000_RDH, 0);
	e1000_write(nic, E1000_RDT, 0);
	e1000_write(nic, E1000_TDBAL, (u32)tx);
	e1000_write(nic, E1000_TDBAH, (u32)(tx >> 32));
	e1000_write(nic, E1000_TDLEN, (nic->tx.mask + 1) * sizeof(nic->tx.descs[0]));
	e1000_write(nic, E1000_TXDCTL, e1000_read(nic, E1000_TXDCTL) | nic->model->txdctl);
	e1000_write(nic, E1000_TIPG, TIPG_COPPER);
	start_sender(nic);
}

/* No delay before an interrupt: NAPI masks them while frames keep coming, and a conversation waits for none. */
static void start(struct e1000 *nic)
{
	u32 ctrl = e1000_read(nic, E1000_CTRL);

	ctrl &= ~(CTRL_LRST | CTRL_ILOS | CTRL_VME | CTRL_PHY_RST);
	e1000_write(nic, E1000_CTRL, ctrl | CTRL_SLU);
	e1000_write(nic, E1000_ITR, 0);
	e1000_write(nic, E1000_RDTR, 0);
	e1000_write(nic, E1000_RADV, 0);
	e1000_write(nic, E1000_TIDV, 0);
	e1000_write(nic, E1000_TADV, 0);
	e1000_write(nic, E1000_RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL);
	for (u32 i = 1; i < RA_ENTRIES; i++)
		e1000_write(nic, E1000_RAH0 + i * 8, 0);
	write_mac(nic);
	start_rings(nic);
	e1000_set_rx_mode(&nic->dev);
	e1000_write(nic, E1000_RDT, nic->rx.mask);
}

/* ---- up, down, and when it hangs --------------------------------------------------------------------------------- */

static int e1000_open(struct netdev *dev)
{
	struct e1000 *nic = e1000_of(dev);

	e1000_rx_discard(nic);
	e1000_check_link(nic);
	napi_enable(&nic->napi);
	e1000_unmask(nic);
	return 0;
}

/* Under tx_lock. What is on the ring is lost. */
static u32 restart_sender(struct e1000 *nic)
{
	u32 dropped;

	e1000_write(nic, E1000_TCTL, TCTL_PSP);
	clock_delay_ns(SENDER_STOPS_NS);
	dropped = e1000_tx_discard(nic);
	nic->dev.tx_stopped = false;
	start_sender(nic);
	return dropped;
}

static void e1000_stop(struct netdev *dev)
{
	struct e1000 *nic = e1000_of(dev);

	napi_disable(&nic->napi);
	mask_interrupts(nic);
	spin_lock_bh(&dev->tx_lock);
	dev->counts.tx_dropped += restart_sender(nic);
	spin_unlock_bh(&dev->tx_lock);
}

static void e1000_tx_timeout(struct netdev *dev)
{
	dev->counts.tx_errors += restart_sender(e1000_of(dev));
}

static const struct netdev_ops e1000_ops = {
	.xmit = e1000_xmit,
	.flush = e1000_flush,
	.open = e1000_open,
	.stop = e1000_stop,
	.set_rx_mode = e1000_set_rx_mode,
	.set_mac = e1000_set_mac,
	.stats = e1000_stats,
	.tx_timeout = e1000_tx_timeout,
};

/* ---- finding it ----------------------------------------------------------------------------------------------------- */

static void set_up_netdev(struct e1000 *nic)
{
	static u32 number;
	struct netdev *dev = &nic->dev;

	dev->ops = &e1000_ops;
	snprintf(dev->name, sizeof(dev->name), "eth%u", number++);
	dev->features = nic->model->features;
	dev->mtu = 1500;
	dev->type = ARPHRD_ETHER;
	dev->flags = IFF_BROADCAST | IFF_MULTICAST;
	napi_init(&nic->napi, dev, e1000_poll);
	nic->napi.rx_pending = e1000_rx_pending;
	napi_disable(&nic->napi); /* until it is opened */
	netdev_register(dev);
}

static int bring_up(struct e1000 *nic)
{
	struct pci_dev *pci = nic->pci;
	int error;

	if (pci->bars[0].flags & PCI_BAR_IO || !pci->bars[0].address ||
	    pci->bars[0].size < E1000_REGISTERS_SIZE)
		return -ENODEV;
	nic->registers = ioremap(pci->bars[0].address, E1000_REGISTERS_SIZE);
	if (!nic->registers)
		return -ENOMEM;
	pci_enable(pci);
	error = reset(nic);
	if (!error)
		error = read_mac(nic);
	if (!error)
		error = e1000_rings_alloc(nic, (u32)rx_entries, (u32)tx_entries);
	if (error)
		goto out_unmap;
	start(nic);
	error = pci_request_irq(pci, "e1000", e1000_interrupt, nic);
	if (!error)
		return 0;
	reset(nic);
	e1000_rings_free(nic);
out_unmap:
	iounmap((void *)nic->registers);
	return error;
}

static void probe(struct pci_dev *pci, const struct e1000_model *model)
{
	struct e1000 *nic = kzalloc(sizeof(*nic), GFP_KERNEL);
	int error = -ENOMEM;

	if (nic) {
		nic->pci = pci;
		nic->model = model;
		mutex_init(&nic->stats_lock);
		error = bring_up(nic);
	}
	if (error) {
		pr_err("e1000: %02x:%02x.%x: %s cannot be used (error %d)\n", pci->bus, pci->slot,
		       pci->function, model->name, -error);
		kfree(nic);
		return;
	}
	pci->driver = "e1000";
	set_up_netdev(nic);
	pr_info("%s: %s at %02x:%02x.%x, %02x:%02x:%02x:%02x:%02x:%02x\n", nic->dev.name,
		model->name, pci->bus, pci->slot, pci->function, nic->dev.mac[0], nic->dev.mac[1],
		nic->dev.mac[2], nic->dev.mac[3], nic->dev.mac[4], nic->dev.mac[5]);
	e1000_check_link(nic);
}

void e1000_init(void)
{
	struct pci_dev *pci;

	for_each_pci_dev(pci) for (u32 i = 0; i < ARRAY_SIZE(models);
				   i++) if (pci->vendor == INTEL && pci->device == models[i].device)
		probe(pci, &models[i]);
}
