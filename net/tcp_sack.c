/*
 * The SACK option (RFC 2018): the queue is the scoreboard, each of its buffers is marked when a block covers it. A large
 * one that a block covers in part is cut, if the NIC is done with it; if not, the next ACK says the same again.
 *
 * Context: softirq. Lock: the connection's sk.lock.
 */
#include <net/tcp_sender.h>

#include <kernel/lib/string.h>
#include <net/snmp.h>

#define MAX_BLOCKS 4

struct block {
	u32 start, end;
};

/* ---- marking ------------------------------------------------------------------------------------------------------ */

static void mark_sacked(struct tcp_sock *tp, struct tcp_cb *cb, struct tcp_ack *ack)
{
	u32 segments = cb->segments;

	if (cb->sacked & TCPCB_LOST)
		tp->lost_out -= segments;
	if (cb->sacked & TCPCB_RETRANS)
		tp->retrans_out -= segments;
	if (!(cb->sacked & TCPCB_EVER_RETRANS))
		ack->sack_rtt_us = ack->now_us - cb->sent_us;
	tcp_rack_advance(tp, cb, ack->now_us, ack->tsecr, tp->rack_fack);
	cb->sacked = (cb->sacked & TCPCB_EVER_RETRANS) | TCPCB_SACKED;
	tp->sacked_out += segments;
	tp->delivered += segments;
	ack->sacked = true;
}

/* Between two of its segments, `offset` bytes in. false: not now, or there is nothing to cut. */
static bool cut(struct tcp_sock *tp, struct sk_buff *skb, u32 offset)
{
	return offset && offset < tcp_payload(skb) && !skb_shared(skb) &&
	       tcp_split(tp, skb, offset);
}

/* From `skb` on; where the next block's search begins, since they are in order: one walk for all of them. */
static struct sk_buff *mark_block(struct tcp_sock *tp, struct sk_buff *skb,
				  const struct block *block, struct tcp_ack *ack)
{
	for (; skb; skb = tcp_next_sent(tp, skb)) {
		struct tcp_cb *cb = TCP_CB(skb);

		if (!before(cb->seq, block->end))
			break;
		if (!after(cb->end_seq, block->start) || cb->sacked & TCPCB_SACKED)
			continue;
		if (before(cb->seq, block->start)) {
			/* what is behind the cut comes next */
			cut(tp, skb, (block->start - cb->seq + tp->mss - 1) / tp->mss * tp->mss);
			continue;
		}
		if (after(cb->end_seq, block->end) &&
		    !cut(tp, skb, (block->end - cb->seq) / tp->mss * tp->mss))
			continue;
		mark_sacked(tp, cb, ack);
	}
	return skb;
}

/* ---- the option ------------------------------------------------------------------------------------------------------ */

static u32 read_blocks(const struct sk_buff *skb, struct block *blocks)
{
	const u8 *at = (const u8 *)tcp_hdr(skb) + TCP_CB(skb)->sack_at;
	u32 nr = min(TCP_CB(skb)->nr_sacks, (u8)MAX_BLOCKS);

	for (u32 i = 0; i < nr; i++, at += sizeof(struct block)) {
		be32 words[2];

		memcpy(words, at, sizeof(words));
		blocks[i] = (struct block){ ntohl(words[0]), ntohl(words[1]) };
	}
	return nr;
}

/* RFC 2883 4: the first one tells of a duplicate, if it is acknowledged already, or inside the second. */
static bool is_dsack(const struct block *blocks, u32 nr, u32 ack)
{
	if (before(blocks[0].start, ack))
		return true;
	return nr > 1 && !before(blocks[0].start, blocks[1].start) &&
	       !after(blocks[0].end, blocks[1].end);
}

/* Something came twice: one of the retransmissions was not needed. */
static void take_dsack(struct tcp_sock *tp, const struct block *block, struct tcp_ack *ack)
{
	u32 segments = max((block->end - block->start) / tp->mss, 1U);

	if (!before(block->start, block->end) || after(block->end, tp->snd_nxt))
		return;
	ack->dsack = true;
	snmp_inc(before(block->start, ack->ack) ? TCPEXT_TCPDSACKRecv : TCPEXT_TCPDSACKOfoRecv);
	if (tp->undo_marker && tp->undo_retrans > 0 && after(block->end, tp->undo_marker))
		tp->undo_retrans = max(tp->undo_retrans - (s32)segments, 0);
	tcp_rack_dsack(tp);
}

/* In order of their numbers: one that is delivered behind a higher one was overtaken. */
static void sort(struct block *blocks, u32 nr)
{
	for (u32 i = 1; i < nr; i++)
		for (u32 at = i; at && before(blocks[at].start, blocks[at - 1].start); at--) {
			struct block lower = blocks[at];

			blocks[at] = blocks[at - 1];
			blocks[at - 1] = lower;
		}
}

void tcp_sack_tag(struct tcp_sock *tp, struct sk_buff *skb, struct tcp_ack *ack)
{
	struct block blocks[MAX_BLOCKS];
	u32 nr = read_blocks(skb, blocks), first = 0;
	struct sk_buff *sent = tcp_first_sent(tp);

	if (!nr)
		return;
	if (is_dsack(blocks, nr, ack->ack)) {
		take_dsack(tp, &blocks[0], ack);
		first = 1;
	}
	sort(blocks + first, nr - first);
	for (u32 i = first; i < nr; i++) {
		const struct block *block = &blocks[i];

		if (before(block->start, block->end) && !before(block->start, ack->ack) &&
		    !after(block->end, tp->snd_nxt))
			sent = mark_block(tp, sent, block, ack);
	}
}
