/*
 * Where a PCI device's interrupt line ends. Its pin (INTA ... INTD) goes up through the bridges, moved on by the
 * slot number at each, to one of the chipset's four or eight PIRQ inputs; the chipset says where that goes. ACPI
 * would tell in a program (_PRT); three chipsets' wiring we know without it, and elsewhere there is what the
 * firmware wrote into the device's Interrupt Line register.
 *
 * Context: process, at start-up. No locks.
 */
#include <drivers/pci.h>

#include <kernel/cpu/acpi.h>

/* 82371 (PIIX3, PIIX4) datasheet: PIRQRC[A:D], configuration registers of the ISA bridge. */
#define PIIX_PIRQ_ROUTE 0x60
#define PIIX_ROUTE_OFF	BIT(7)
#define PIIX_FIRST_SLOT 1 /* whose INTA is PIRQA, as QEMU's board is wired */

/* ICH9: PIRQA ... PIRQH are lines 16 ... 23 of the IOAPIC. QEMU's q35 gives the slots below 25 PIRQE ... H. */
#define ICH9_FIRST_GSI	  16
#define ICH9_PIRQE	  4
#define ICH9_CHIPSET_SLOT 25

#define NR_PINS 4

/* The pin (0 ... 3) at the root bus, and the slot there. */
static u32 pin_at_root(const struct pci_dev *dev, u32 *slot)
{
	u32 pin = dev->pin - 1;

	for (; dev->bridge; dev = dev->bridge)
		pin = (pin + dev->slot) % NR_PINS;
	*slot = dev->slot;
	return pin;
}

static u32 route_piix(const struct pci_dev *chipset, const struct pci_dev *dev)
{
	u32 slot, pin = pin_at_root(dev, &slot), pirq = (pin + slot - PIIX_FIRST_SLOT) % NR_PINS;
	u8 route = pci_read8(chipset, (u8)(PIIX_PIRQ_ROUTE + pirq));

	/* The chipset's own functions have lines of their own. */
	if (route & PIIX_ROUTE_OFF || slot == chipset->slot)
		return dev->line;
	return route;
}

static u32 route_ich9(const struct pci_dev *chipset, const struct pci_dev *dev)
{
	u32 slot, pin = pin_at_root(dev, &slot);

	if (slot >= ICH9_CHIPSET_SLOT || !acpi.nr_ioapics)
		return dev->line;
	return ICH9_FIRST_GSI + ICH9_PIRQE + (pin + slot) % NR_PINS;
}

static const struct chipset {
	u16 vendor, device;
	u32 (*route)(const struct pci_dev *chipset, const struct pci_dev *dev);
} chipsets[] = {
	{ 0x8086, 0x7000, route_piix }, /* PIIX3: QEMU's pc */
	{ 0x8086, 0x7110, route_piix }, /* PIIX4 */
	{ 0x8086, 0x2918, route_ich9 }, /* ICH9: QEMU's q35 */
};

u32 pci_route_irq(const struct pci_dev *dev)
{
	struct pci_dev *other;

	if (!dev->pin || dev->pin > NR_PINS)
		return dev->line;
	for_each_pci_dev(other) for (u32 i = 0; i < ARRAY_SIZE(chipsets);
				     i++) if (other->vendor == chipsets[i].vendor &&
					      other->device ==
						      chipsets[i].device) return chipsets[i]
		.route(other, dev);
	return dev->line;
}
