/* Supplementary groups: a shared, never-changing list. */
#include <kernel/cred.h>
#include <kernel/mm/slab.h>

void groups_get(struct groups *groups)
{
	if (groups)
		__atomic_add_fetch(&groups->refcount, 1, __ATOMIC_RELAXED);
}

void groups_put(struct groups *groups)
{
	if (groups && __atomic_sub_fetch(&groups->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(groups);
}

bool in_group(const struct cred *cred, u32 gid)
{
	if (gid == cred->fsgid)
		return true;
	for (u32 i = 0; cred->groups && i < cred->groups->count; i++)
		if (cred->groups->gids[i] == gid)
			return true;
	return false;
}
