/* /proc/net/dev: what each device has moved. Context: process. */
#include <net/netdev.h>

#include <fs/proc/proc.h>

static void show_device(struct seq_buf *out, struct netdev *dev)
{
	struct netdev_stats s;

	netdev_stats_read(dev, &s);
	seq_printf(out, "%6s: %7llu %7llu %4llu %4llu %4llu %5llu %10llu %9llu ", dev->name,
		   s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, s.rx_fifo,
		   s.rx_frame + s.rx_crc, 0ULL, s.multicast);
	seq_printf(out, "%8llu %7llu %4llu %4llu %4llu %5llu %7llu %10llu\n", s.tx_bytes,
		   s.tx_packets, s.tx_errors, s.tx_dropped, s.tx_fifo, s.collisions, s.tx_carrier,
		   0ULL);
}

static void show_dev(struct seq_buf *out, const struct proc_entry *entry)
{
	struct netdev *dev;

	seq_printf(out, "Inter-|   Receive                                                "
			"|  Transmit\n face |bytes    packets errs drop fifo frame compressed "
			"multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for_each_netdev(dev)
		show_device(out, dev);
}

static const struct proc_entry files[] = {
	{ "dev", 0444, .show = show_dev },
};

void netdev_proc_init(void)
{
	PROC_REGISTER("net", files);
}
