/*
 * The send queue: what the program has written and the peer has not acknowledged, [snd_una, write_seq), in buffers.
 * Those before tp->send_head are on their way; the headers of their last trip may still be in front of the data, and
 * the NIC may still have a reference. Then a buffer stays as it is.
 *
 * The queue is charged to sk.wmem by truesize, under sk.lock: no destructor, so freeing one wakes nobody; tcp_ack()
 * does that once for all that it freed.
 *
 * Context: softirq and process. Lock: the connection's sk.lock, but for tcp_alloc_skb().
 */
#include <net/tcp_sender.h>

#include <kernel/lib/string.h>

#define SPLIT_SLACK (128U << 10) /* two large packets */

struct sk_buff *tcp_alloc_skb(struct tcp_sock *tp, gfp_t gfp)
{
	return skb_alloc(MAX_HEADER, gfp);
}

static void charge(struct tcp_sock *tp, s32 bytes)
{
	struct sock *sk = tcp_to_sock(tp);

	WRITE_ONCE(sk->wmem, sk->wmem + (u32)bytes);
}

void tcp_queue_skb(struct tcp_sock *tp, struct sk_buff *skb)
{
	*TCP_CB(skb) = (struct tcp_cb){
		.seq = tp->write_seq,
		.end_seq = tp->write_seq + skb->len,
		.flags = TCPHDR_ACK,
	};
	tp->write_seq += skb->len;
	charge(tp, skb->truesize);
	skb_queue_tail(&tp->write_queue, skb);
	if (!tp->send_head)
		tp->send_head = skb;
}

void tcp_free_first(struct tcp_sock *tp, struct sk_buff *skb)
{
	charge(tp, -(s32)skb->truesize);
	skb_unlink(&tp->write_queue, skb);
	skb_put(skb);
}

void tcp_write_queue_purge(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	while ((skb = skb_peek(&tp->write_queue)))
		tcp_free_first(tp, skb);
	tp->send_head = NULL;
	tp->packets_out = tp->sacked_out = tp->lost_out = tp->retrans_out = 0;
}

void tcp_restore(struct sk_buff *skb)
{
	u32 payload = tcp_payload(skb);

	if (skb->len != payload)
		skb_eat(skb, skb->len - payload);
}

void tcp_recount(struct tcp_sock *tp, const struct tcp_cb *cb, s32 change)
{
	tp->packets_out += change;
	if (cb->sacked & TCPCB_SACKED)
		tp->sacked_out += change;
	if (cb->sacked & TCPCB_LOST)
		tp->lost_out += change;
	if (cb->sacked & TCPCB_RETRANS)
		tp->retrans_out += change;
}

/* ---- cutting ----------------------------------------------------------------------------------------------------- */

/* The frags behind the first `keep` bytes of them go to `rest`; a page that the cut goes through is in both. */
static void move_frags(struct sk_buff *skb, struct sk_buff *rest, u32 keep)
{
	u32 kept = 0;

	while (kept < skb->nr_frags && keep >= skb->frags[kept].size)
		keep -= skb->frags[kept++].size;
	for (u32 i = kept; i < skb->nr_frags; i++) {
		struct skb_frag *frag = &skb->frags[i];

		if (!keep) {
			skb_add_frag(rest, frag->page, frag->offset, frag->size);
			skb->truesize -= PAGE_SIZE;
			continue;
		}
		get_page(frag->page);
		skb_add_frag(rest, frag->page, frag->offset + keep, frag->size - keep);
		frag->size = keep;
		keep = 0;
		kept++;
	}
	skb->nr_frags = kept;
}

static void move_rest(struct sk_buff *skb, struct sk_buff *rest, u32 size)
{
	u32 headlen = skb_headlen(skb);

	if (size < headlen)
		memcpy(skb_append(rest, headlen - size), skb->data + size, headlen - size);
	move_frags(skb, rest, size > headlen ? size - headlen : 0);
	skb->len = size;
	skb->data_len = size > headlen ? size - headlen : 0;
}

/* Flags and marks, and what it counts for: the FIN is at the end, the rest is as far as the whole was. */
static void split_cb(struct tcp_sock *tp, struct tcp_cb *cb, struct tcp_cb *rest, u32 size)
{
	u32 left = cb->end_seq - cb->seq - size - !!(cb->flags & TCPHDR_FIN);

	*rest = *cb;
	rest->seq = cb->seq + size;
	cb->end_seq = rest->seq;
	cb->flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
	if (!cb->segments)
		return;
	rest->segments = tcp_count_segments(tp, left);
	tcp_recount(tp, cb, tcp_count_segments(tp, size) + rest->segments - cb->segments);
	cb->segments = tcp_count_segments(tp, size);
}

/* A peer that has what was sent cut into crumbs, by SACK blocks, must not make the queue many times as expensive as SO_SNDBUF
 * allows. Its beginning is cut in any case: that has to go again. */
static bool costs_too_much(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct sock *sk = &tp->inet.sk;

	return sk->wmem / 2 > (u64)sk->sndbuf + SPLIT_SLACK && TCP_CB(skb)->segments &&
	       skb != skb_peek(&tp->write_queue);
}

bool tcp_split(struct tcp_sock *tp, struct sk_buff *skb, u32 size)
{
	struct sk_buff *rest = costs_too_much(tp, skb) ? NULL : tcp_alloc_skb(tp, GFP_ATOMIC);
	u32 truesize = skb->truesize;

	if (!rest)
		return false;
	tcp_restore(skb);
	split_cb(tp, TCP_CB(skb), TCP_CB(rest), size);
	move_rest(skb, rest, size);
	charge(tp, skb->truesize + rest->truesize - truesize);
	list_add(&rest->link, &skb->link);
	tp->write_queue.count++;
	return true;
}
