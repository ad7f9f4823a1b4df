/* What fs/pipe.c and fs/pipe_open.c share. */
#pragma once

#include <fs/pipe.h>
#include <kernel/mm/page.h>

struct slot {
	struct page *page;
	u16 start, length; /* the bytes that are in it */
	bool packet;	   /* O_DIRECT: a read takes no more than this, and no less */
	bool lent; /* others have the page too, a file say: nothing may be written into it */
};

struct pipe {
	struct mutex lock;
	/* under lock; poll reads single words */
	u32 head, tail;	      /* next slot to fill, oldest one; they only grow */
	u32 nr_slots;	      /* a power of two */
	u32 readers, writers; /* open files */
	u32 readers_ever,
		writers_ever; /* FIFOs: so that an open sees a partner that came and left */
	struct slot *slots;
	struct page *spare; /* the last page that was emptied, for the next write */

	struct wait_queue read_wait, write_wait; /* for bytes, for room; both for partners */
	u32 users; /* under fifo_lock: open files, whichever way they were opened */
};

/* A reader's file keeps here how many writers there had been when it was opened: a FIFO's reader that
 * never had a writer is not at the end (poll: no HUP). */
static inline u64 writers_at_open(const struct file *file)
{
	return file->pos;
}

static inline bool is_empty(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) == READ_ONCE(pipe->tail);
}

static inline bool is_full(const struct pipe *pipe)
{
	return READ_ONCE(pipe->head) - READ_ONCE(pipe->tail) >= READ_ONCE(pipe->nr_slots);
}

static inline struct slot *slot_at(struct pipe *pipe, u32 position)
{
	return &pipe->slots[position & (pipe->nr_slots - 1)];
}

extern const struct file_ops pipe_ops;

/* To be called without the lock. */
void pipe_wake_writers(struct pipe *pipe);
void pipe_wake_readers(struct pipe *pipe);
/* With the lock, which is held again afterwards if all is well: 1, 0. Else it is not, and nothing will come: 0, there are
 * no writers; -EPIPE, no readers, and SIGPIPE was sent; -EAGAIN, -ERESTARTSYS. */
int pipe_wait_for_bytes(struct pipe *pipe, bool block);
int pipe_wait_for_room(struct pipe *pipe, bool block);
/* The slot's page is no longer wanted. */
void pipe_give_page(struct pipe *pipe, const struct slot *slot);
/* One user less; the last one frees it. `inode` is a FIFO's, or NULL. */
void pipe_put(struct pipe *pipe, struct inode *inode);
