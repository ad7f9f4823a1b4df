/* Who a task is: user and group ids, as every check of permission wants them. Capabilities are all or nothing,
 * by the effective user id. */
#pragma once

#include <kernel/lib/types.h>

#define NGROUPS_MAX 65536
struct groups { /* immutable, shared by reference */
	u32 refcount, count;
	u32 gids[];
};

/* Who a task is. Changed by the task itself only; others read single words. */
struct cred {
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	struct groups *groups; /* or NULL */
};

/* NULL is fine for both. */
void groups_get(struct groups *groups);
void groups_put(struct groups *groups);

/* Is `gid` the task's group for file access, or one of its supplementary ones? */
bool in_group(const struct cred *cred, u32 gid);
