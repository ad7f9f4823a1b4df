/*
 * PCI by configuration mechanism 1: a port that takes an address (bus, slot, function, register), a port that is
 * the register. Every bus that the firmware numbered is searched; what answers is noted with its registers'
 * places and sizes.
 *
 * Context: process, at start-up; configuration accesses in any. Locks: config_lock (irq) makes the two ports one.
 */
#include <drivers/pci.h>

#include <kernel/cpu/asm.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  BIT(31)

#define PCI_BUSES     256
#define PCI_SLOTS     32
#define PCI_FUNCTIONS 8

#define VENDOR_NONE	      0xffff /* nobody answers */
#define HEADER_MULTI_FUNCTION 0x80
#define HEADER_BRIDGE	      1
#define CLASS_HOST_BRIDGE     0x0600
#define BAR_64BIT	      BIT(2)
#define BAR_IO_FLAGS	      0x3U
#define BAR_MEMORY_FLAGS      0xfU

/* 6.8.1: the message capability, from its own place. */
#define MSI_CONTROL	 2
#define MSI_ADDRESS_LOW	 4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA_32	 8
#define MSI_DATA_64	 12
#define MSI_ENABLE	 BIT(0)
#define MSI_COUNT	 (7U << 4) /* how many messages: one */
#define MSI_64BIT	 BIT(7)

LIST_HEAD(pci_devices);
static DEFINE_SPINLOCK(config_lock);
static struct pci_dev *bridge_to[PCI_BUSES];

/* ---- configuration space ---------------------------------------------------------------------------- */

static void select(const struct pci_dev *dev, u8 reg)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | (u32)dev->bus << 16 | (u32)dev->slot << 11 |
				     (u32)dev->function << 8 | (reg & ~3U));
}

u32 pci_read32(const struct pci_dev *dev, u8 reg)
{
	u64 flags = spin_lock_irqsave(&config_lock);
	u32 value;

	select(dev, reg);
	value = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&config_lock, flags);
	return value;
}

u16 pci_read16(const struct pci_dev *dev, u8 reg)
{
	return (u16)(pci_read32(dev, reg) >> (reg & 2) * 8);
}

u8 pci_read8(const struct pci_dev *dev, u8 reg)
{
	return (u8)(pci_read32(dev, reg) >> (reg & 3) * 8);
}

void pci_write32(const struct pci_dev *dev, u8 reg, u32 value)
{
	u64 flags = spin_lock_irqsave(&config_lock);

	select(dev, reg);
	outl(CONFIG_DATA, value);
	spin_unlock_irqrestore(&config_lock, flags);
}

void pci_write16(const struct pci_dev *dev, u8 reg, u16 value)
{
	u64 flags = spin_lock_irqsave(&config_lock);

	select(dev, reg);
	outw(CONFIG_DATA + (reg & 2), value);
	spin_unlock_irqrestore(&config_lock, flags);
}

/* ---- what a device has --------------------------------------------------------------------------------- */

/* What it answers to all ones: ones where it decodes addresses. */
static u32 probe_register(const struct pci_dev *dev, u8 reg)
{
	u32 value = pci_read32(dev, reg), answer;

	pci_write32(dev, reg, ~0U);
	answer = pci_read32(dev, reg);
	pci_write32(dev, reg, value);
	return answer;
}

/* Returns how many registers it takes. */
static int read_bar(const struct pci_dev *dev, int index, struct pci_bar *bar)
{
	u8 reg = (u8)(PCI_BAR0 + index * 4);
	u32 value = pci_read32(dev, reg), answer = probe_register(dev, reg);
	u32 flags = value & PCI_BAR_IO ? BAR_IO_FLAGS : BAR_MEMORY_FLAGS;
	u64 decoded = answer & ~flags;
	bool wide = !(value & PCI_BAR_IO) && value & BAR_64BIT && index + 1 < PCI_MAX_BARS;

	if (!answer)
		return 1;
	bar->flags = value & flags;
	bar->address = value & ~flags;
	if (wide) {
		bar->address |= (u64)pci_read32(dev, reg + 4) << 32;
		decoded |= (u64)probe_register(dev, reg + 4) << 32;
	} else {
		decoded |= ~0ULL << (value & PCI_BAR_IO ? 16 : 32);
	}
	bar->size = decoded & -decoded;
	return wide ? 2 : 1;
}

/* The device must not decode the addresses that are written meanwhile. Host bridges are left alone: their
 * registers are the memory's. */
static void read_bars(struct pci_dev *dev)
{
	int count = dev->header == HEADER_BRIDGE ? 2 : PCI_MAX_BARS;
	u16 command = pci_read16(dev, PCI_COMMAND);

	if (dev->header > HEADER_BRIDGE || dev->class >> 8 == CLASS_HOST_BRIDGE)
		return;
	pci_write16(dev, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (int i = 0; i < count; i += read_bar(dev, i, &dev->bars[i]))
		;
	pci_write16(dev, PCI_COMMAND, command);
}

u8 pci_find_capability(const struct pci_dev *dev, u8 id)
{
	u8 where;

	if (!(pci_read16(dev, PCI_STATUS) & PCI_STATUS_CAPABILITIES))
		return 0;
	where = pci_read8(dev, PCI_CAPABILITY_LIST) & ~3U;
	/* So many fit in the space behind the header: a list that is longer goes in a circle. */
	for (int i = 0; where && i < 48; i++) {
		u16 entry = pci_read16(dev, where);

		if ((u8)entry == id)
			return where;
		where = entry >> 8 & ~3U;
	}
	return 0;
}

/* ---- finding them ---------------------------------------------------------------------------------------- */

static bool is_there(const struct pci_dev *dev)
{
	return pci_read16(dev, PCI_VENDOR_ID) != VENDOR_NONE;
}

static void note_device(const struct pci_dev *found, u64 *buses)
{
	struct pci_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL | GFP_NOFAIL);
	u32 revision_class;

	*dev = *found;
	dev->bridge = bridge_to[dev->bus];
	dev->vendor = pci_read16(dev, PCI_VENDOR_ID);
	dev->device = pci_read16(dev, PCI_DEVICE_ID);
	revision_class = pci_read32(dev, PCI_REVISION);
	dev->revision = (u8)revision_class;
	dev->class = revision_class >> 8;
	dev->header = pci_read8(dev, PCI_HEADER_TYPE) & ~HEADER_MULTI_FUNCTION;
	dev->pin = pci_read8(dev, PCI_INTERRUPT_PIN);
	dev->line = pci_read8(dev, PCI_INTERRUPT_LINE);
	read_bars(dev);
	list_add_tail(&dev->link, &pci_devices);
	if (dev->header == HEADER_BRIDGE) {
		u8 secondary = pci_read8(dev, PCI_SECONDARY_BUS);

		/* The firmware numbers buses as it goes down, so this one is still to come. */
		if (secondary > dev->bus) {
			bridge_to[secondary] = dev;
			__set_bit(secondary, buses);
		}
	}
}

static void scan_slot(u8 bus, u8 slot, u64 *buses)
{
	struct pci_dev dev = { .bus = bus, .slot = slot };
	u8 functions = 1;

	if (!is_there(&dev))
		return;
	if (pci_read8(&dev, PCI_HEADER_TYPE) & HEADER_MULTI_FUNCTION)
		functions = PCI_FUNCTIONS;
	for (; dev.function < functions; dev.function++)
		if (is_there(&dev))
			note_device(&dev, buses);
}

static void show(const struct pci_dev *dev)
{
	pr_info("pci: %02x:%02x.%x %04x:%04x class %06x", dev->bus, dev->slot, dev->function,
		dev->vendor, dev->device, dev->class);
}

void pci_init(void)
{
	u64 buses[PCI_BUSES / 64] = { 1 };
	struct pci_dev *dev;

	for (u32 bus = 0; bus < PCI_BUSES; bus++)
		for (u8 slot = 0; test_bit(bus, buses) && slot < PCI_SLOTS; slot++)
			scan_slot((u8)bus, slot, buses);
	for_each_pci_dev(dev)
	{
		dev->irq = pci_route_irq(dev);
		show(dev);
	}
}

/* ---- using one --------------------------------------------------------------------------------------------- */

void pci_enable(struct pci_dev *dev)
{
	pci_write16(dev, PCI_COMMAND,
		    pci_read16(dev, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static int use_msi(struct pci_dev *dev, u8 cap, const char *name, irq_handler_t handler, void *arg)
{
	u16 control = pci_read16(dev, cap + MSI_CONTROL) & ~MSI_COUNT;
	struct msi_message message;
	int error = request_msi(name, handler, arg, &message);

	if (error)
		return error;
	pci_write32(dev, cap + MSI_ADDRESS_LOW, message.address);
	if (control & MSI_64BIT)
		pci_write32(dev, cap + MSI_ADDRESS_HIGH, 0);
	pci_write16(dev, cap + (control & MSI_64BIT ? MSI_DATA_64 : MSI_DATA_32),
		    (u16)message.data);
	pci_write16(dev, cap + MSI_CONTROL, control | MSI_ENABLE);
	pci_write16(dev, PCI_COMMAND, pci_read16(dev, PCI_COMMAND) | PCI_COMMAND_INTX_DISABLE);
	return 0;
}

int pci_request_irq(struct pci_dev *dev, const char *name, irq_handler_t handler, void *arg)
{
	u8 msi = pci_find_capability(dev, PCI_CAP_MSI);

	if (msi)
		return use_msi(dev, msi, name, handler, arg);
	if (!dev->pin)
		return -ENODEV;
	return request_irq(dev->irq, name, handler, arg);
}
