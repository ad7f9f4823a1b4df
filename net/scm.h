/*
 * What processes pass each other through unix sockets beside data: open files (SCM_RIGHTS) and who they are
 * (SCM_CREDENTIALS).
 */
#pragma once

#include <net/sock.h>

struct ucred {
	s32 pid;
	u32 uid, gid;
};

#define SCM_MAX_FD   253 /* files in a message */
#define OVERFLOW_UID 65534

/* Files on their way: a reference to each. */
struct scm_fds {
	struct scm_fds *next; /* on a list of those that are to be closed */
	u32 count;
	u32 sockets;  /* of them unix sockets */
	bool limited; /* counts against the limit on what users may have in flight */
	bool flying;  /* is in flight: net/unix_gc.c */
	struct file *files[];
};

/* What goes with a message. */
struct scm {
	struct scm_fds *fds; /* or NULL */
	struct ucred creds;
	bool creds_given; /* by the sender, not only by the kernel */
};

/* From a send's control messages. 0 or -errno: then there is nothing to drop. */
int scm_parse(const struct msg *msg, struct scm *scm);
static inline int scm_send(const struct msg *msg, struct scm *scm)
{
	scm->fds = NULL;
	scm->creds_given = false;
	return likely(!msg->control) ? 0 : scm_parse(msg, scm);
}
struct ucred scm_own_creds(void);

/* To a receiver's descriptors and control messages. */
void scm_put_fds(struct msg *msg, struct scm_fds *fds);
/* Another set of references to the same files: for MSG_PEEK. NULL: no memory. */
struct scm_fds *scm_fds_copy(const struct scm_fds *fds);
/* Close them. However long a chain of sockets in sockets that ends, the stack does not grow: what is closed inside
 * is put on the list of the outermost. Process context, no lock. */
void scm_fds_drop(struct scm_fds *fds);
