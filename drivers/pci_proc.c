/* /proc/bus/pci/devices: what is on the bus, a line each, in Linux's format. Context: process. */
#include <drivers/pci.h>

#include <fs/proc/proc.h>

static void show_device(struct seq_buf *out, const struct pci_dev *dev)
{
	seq_printf(out, "%02x%02x\t%04x%04x\t%x", dev->bus, dev->slot << 3 | dev->function,
		   dev->vendor, dev->device, dev->pin ? dev->irq : 0);
	/* Six registers and the ROM's, which nobody here asks for. */
	for (int i = 0; i < PCI_MAX_BARS; i++)
		seq_printf(out, "\t%16llx", dev->bars[i].address | dev->bars[i].flags);
	seq_printf(out, "\t%16x", 0);
	for (int i = 0; i < PCI_MAX_BARS; i++)
		seq_printf(out, "\t%16llx", dev->bars[i].size);
	seq_printf(out, "\t%16x\t%s\n", 0, dev->driver ?: "");
}

static void show_devices(struct seq_buf *out, const struct proc_entry *entry)
{
	struct pci_dev *dev;

	for_each_pci_dev(dev) show_device(out, dev);
}

static const struct proc_entry files[] = {
	{ "devices", 0444, .show = show_devices },
};

void pci_proc_init(void)
{
	PROC_REGISTER("bus/pci", files);
}
