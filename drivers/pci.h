/*
 * PCI: what is on the bus, where its registers are, and how it interrupts. All is found once at start-up; the
 * addresses and bus numbers are the firmware's.
 */
#pragma once

#include <kernel/irq.h>
#include <kernel/lib/list.h>
#include <kernel/mm/layout.h>

/* PCI Local Bus Specification 3.0, 6.1: the configuration header. */
enum {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09, /* three bytes */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SECONDARY_BUS = 0x19, /* bridges */
	PCI_CAPABILITY_LIST = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

#define PCI_COMMAND_IO		 BIT(0)
#define PCI_COMMAND_MEMORY	 BIT(1)
#define PCI_COMMAND_MASTER	 BIT(2)
#define PCI_COMMAND_INTX_DISABLE BIT(10)
#define PCI_STATUS_CAPABILITIES	 BIT(4)

#define PCI_CAP_MSI 0x05

#define PCI_MAX_BARS 6

struct pci_bar {
	u64 address; /* 0: not there, or the firmware gave it no place */
	u64 size;
	u32 flags; /* the low bits of the register */
};
#define PCI_BAR_IO BIT(0)

struct pci_dev {
	struct list_head link;
	struct pci_dev *bridge; /* that it is behind; NULL on a root bus */
	u8 bus, slot, function;
	u8 revision;
	u16 vendor, device;
	u32 class; /* class, subclass, interface */
	u8 header; /* 0: a device, 1: a bridge to another bus */
	u8 pin;	   /* 0: none, 1 ... 4: INTA ... INTD */
	u8 line;   /* what the firmware wrote down for us */
	u32 irq;   /* for request_irq() */
	struct pci_bar bars[PCI_MAX_BARS];
	const char *driver; /* NULL: nobody drives it */
};

extern struct list_head pci_devices;
#define for_each_pci_dev(dev) list_for_each_entry(dev, &pci_devices, link)

/* Of the width that the register has. Any context. */
u8 pci_read8(const struct pci_dev *dev, u8 reg);
u16 pci_read16(const struct pci_dev *dev, u8 reg);
u32 pci_read32(const struct pci_dev *dev, u8 reg);
void pci_write16(const struct pci_dev *dev, u8 reg, u16 value);
void pci_write32(const struct pci_dev *dev, u8 reg, u32 value);

/* Finds what there is. Process context, once. */
void pci_init(void);
/* Lists it in /proc/bus/pci/devices. */
void pci_proc_init(void);

/* Switch on: memory accesses to it, and from it (DMA). */
void pci_enable(struct pci_dev *dev);
/* Where in configuration space a capability is; 0: it has none of this kind. */
u8 pci_find_capability(const struct pci_dev *dev, u8 id);
/* Its interrupt, by MSI if it has that, else by its line. 0 or -errno. */
int pci_request_irq(struct pci_dev *dev, const char *name, irq_handler_t handler, void *arg);

/* drivers/pci_irq.c: the number of the interrupt that INTx arrives by. */
u32 pci_route_irq(const struct pci_dev *dev);
