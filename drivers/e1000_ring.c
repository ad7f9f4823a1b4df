/*
 * The e1000's rings: memory for them, buffers for the receive ring, and emptying them. Context: process; discarding
 * in softirq too.
 */
#include <drivers/e1000.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>

static void *alloc_descs(u32 entries)
{
	struct page *page =
		alloc_pages(order_for_size(entries * sizeof(struct e1000_rx_desc)), GFP_ZERO);

	return page ? page_address(page) : NULL;
}

static void free_descs(void *descs)
{
	if (descs)
		put_page(virt_to_page(descs));
}

static void free_rx(struct e1000_rx_ring *ring)
{
	for (u32 i = 0; ring->buffers && i <= ring->mask; i++)
		if (ring->buffers[i])
			skb_put(ring->buffers[i]);
	kfree(ring->buffers);
	free_descs(ring->descs);
}

static void free_tx(struct e1000_tx_ring *ring)
{
	kfree(ring->buffers);
	kfree(ring->batch_end);
	free_descs(ring->descs);
}

void e1000_rings_free(struct e1000 *nic)
{
	free_rx(&nic->rx);
	free_tx(&nic->tx);
}

/* Every entry has a buffer, always: the device never meets an empty one. */
static int alloc_rx(struct e1000_rx_ring *ring, u32 entries)
{
	ring->mask = entries - 1;
	ring->descs = alloc_descs(entries);
	ring->buffers = kcalloc(entries, sizeof(ring->buffers[0]), GFP_KERNEL);
	if (!ring->descs || !ring->buffers)
		return -ENOMEM;
	for (u32 i = 0; i < entries; i++) {
		struct sk_buff *skb = skb_alloc(RX_HEADROOM, GFP_KERNEL);

		if (!skb)
			return -ENOMEM;
		ring->buffers[i] = skb;
		ring->descs[i].address = virt_to_phys(skb->data);
	}
	return 0;
}

static int alloc_tx(struct e1000_tx_ring *ring, u32 entries)
{
	ring->mask = entries - 1;
	ring->descs = alloc_descs(entries);
	ring->buffers = kcalloc(entries, sizeof(ring->buffers[0]), GFP_KERNEL);
	ring->batch_end = kcalloc(entries, sizeof(ring->batch_end[0]), GFP_KERNEL);
	return ring->descs && ring->buffers && ring->batch_end ? 0 : -ENOMEM;
}

int e1000_rings_alloc(struct e1000 *nic, u32 rx_entries, u32 tx_entries)
{
	int error = alloc_rx(&nic->rx, rx_entries) ?: alloc_tx(&nic->tx, tx_entries);

	if (error)
		e1000_rings_free(nic);
	return error;
}

void e1000_rx_discard(struct e1000 *nic)
{
	struct e1000_rx_ring *ring = &nic->rx;

	for (u32 i = 0; i <= ring->mask; i++) {
		if (!(READ_ONCE(ring->descs[ring->next].status) & RXD_DD))
			break;
		ring->descs[ring->next].status = 0;
		ring->next = (ring->next + 1) & ring->mask;
	}
	if (ring->told == ring->next)
		return;
	ring->told = ring->next;
	e1000_write(nic, E1000_RDT, (ring->next - 1) & ring->mask);
}

u32 e1000_tx_discard(struct e1000 *nic)
{
	struct e1000_tx_ring *ring = &nic->tx;
	u32 dropped = 0;

	for (u32 i = 0; i <= ring->mask; i++) {
		if (!ring->buffers[i])
			continue;
		skb_put(ring->buffers[i]);
		ring->buffers[i] = NULL;
		dropped++;
	}
	nic->dev.tx_done += dropped;
	ring->head = ring->clean = ring->batch = 0;
	memset(&ring->context, 0, sizeof(ring->context));
	return dropped;
}
