/* The e1000: e1000.c moves frames (the journey), e1000_ring.c makes and empties the rings, e1000_hw.c knows the
 * rest of the device. */
#pragma once

#include <drivers/e1000_regs.h>
#include <drivers/pci.h>
#include <kernel/cpu/asm.h>
#include <kernel/mutex.h>
#include <net/netdev.h>

/* Where the models differ. */
struct e1000_model {
	u16 device;
	const char *name;
	u8 eerd_done; /* bit numbers in EERD */
	u8 eerd_address;
	u32 txdctl;   /* bits that must be set */
	u32 features; /* NETDEV_* */
};

/* What the device was told last, by a context descriptor. */
struct e1000_context {
	u64 sums; /* its first half: where sums begin, go, end */
	u32 command;
	u8 header_length;
	u16 mss;
};

struct e1000_rx_ring {
	struct e1000_rx_desc *descs;
	struct sk_buff **buffers;
	u32 mask; /* entries less one */
	u32 next; /* where the next frame comes */
	u32 told; /* `next` when RDT was written last */
};

struct e1000_tx_ring {
	union e1000_tx_desc *descs;
	/* Of each frame, at its last descriptor; NULL elsewhere. */
	struct sk_buff **buffers;
	/* Of each batch, at its first descriptor: its last, which has RS set. */
	u32 *batch_end;
	u32 mask;
	u32 head;  /* free from here on, up to ... */
	u32 clean; /* the oldest that the device may still read */
	u32 batch; /* `head` at the last flush */
	struct e1000_context context;
};

struct e1000 {
	/* constant after probing */
	volatile void *registers;
	const struct e1000_model *model;
	struct pci_dev *pci;
	struct netdev dev;

	struct napi napi;
	u32 events; /* atomic: of ICR, what poll() has to see to */

	struct e1000_rx_ring rx; /* by who polls */

	/* under dev.tx_lock */
	struct e1000_tx_ring tx;

	u64 rx_no_buffer; /* frames dropped, by who polls */

	u32 rctl; /* as written last; under netdev_lock */

	struct mutex stats_lock;
	/* under stats_lock */
	struct netdev_stats hardware;	  /* summed up from the registers */
	u32 uncleared[E1000_NR_COUNTERS]; /* their values, where reading does not clear them */
};

static inline u32 e1000_read(const struct e1000 *nic, u32 reg)
{
	return mmio_read32(nic->registers + reg);
}
static inline void e1000_write(const struct e1000 *nic, u32 reg, u32 value)
{
	mmio_write32(nic->registers + reg, value);
}

/* Everything that the device reads and writes lies in the direct map. */
static inline phys_addr_t e1000_dma(const void *virt)
{
	return (u64)virt - PAGE_OFFSET;
}

static inline struct e1000 *e1000_of(struct netdev *dev)
{
	return container_of(dev, struct e1000, dev);
}

/* e1000.c */
void e1000_interrupt(void *arg);
int e1000_poll(struct napi *napi, int budget);
bool e1000_rx_pending(struct napi *napi);
void e1000_unmask(struct e1000 *nic);
bool e1000_xmit(struct netdev *dev, struct sk_buff *skb);
void e1000_flush(struct netdev *dev);

/* e1000_ring.c: 0 or -ENOMEM, with nothing left */
int e1000_rings_alloc(struct e1000 *nic, u32 rx_entries, u32 tx_entries);
void e1000_rings_free(struct e1000 *nic);
void e1000_rx_discard(struct e1000 *nic); /* what came while nobody polled */
u32 e1000_tx_discard(
	struct e1000 *nic); /* what has not left; how many frames. Under tx_lock, sender off */

/* e1000_hw.c. Finds the controllers, registers each as ethN. Process context, after pci_init(). */
void e1000_init(void);
void e1000_check_link(struct e1000 *nic);
