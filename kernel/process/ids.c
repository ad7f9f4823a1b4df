/*
 * User and group ids: getuid and its many relatives. A task changes its own only, so there is nothing to lock;
 * libc makes the threads of a process agree.
 */
#include <kernel/lib/errno.h>
#include <kernel/mm/slab.h>
#include <kernel/pid.h>
#include <kernel/process.h>
#include <kernel/process/syscalls_ids.h>

#define UNCHANGED (~0U)

static bool privileged(void)
{
	return current->cred.euid == 0;
}

long sys_getuid(void)
{
	return current->cred.uid;
}

long sys_geteuid(void)
{
	return current->cred.euid;
}

long sys_getgid(void)
{
	return current->cred.gid;
}

long sys_getegid(void)
{
	return current->cred.egid;
}

/* The three user ids at once; fsuid follows the effective one. */
static void set_uids(u32 uid, u32 euid, u32 suid)
{
	struct cred *cred = &current->cred;

	cred->uid = uid;
	cred->euid = cred->fsuid = euid;
	cred->suid = suid;
	current_process->uid = uid;
}

static void set_gids(u32 gid, u32 egid, u32 sgid)
{
	struct cred *cred = &current->cred;

	cred->gid = gid;
	cred->egid = cred->fsgid = egid;
	cred->sgid = sgid;
}

static bool is_own_uid(u32 uid)
{
	const struct cred *cred = &current->cred;

	return uid == cred->uid || uid == cred->euid || uid == cred->suid;
}

static bool is_own_gid(u32 gid)
{
	const struct cred *cred = &current->cred;

	return gid == cred->gid || gid == cred->egid || gid == cred->sgid;
}

long sys_setuid(u32 uid)
{
	const struct cred *cred = &current->cred;

	if (uid == UNCHANGED)
		return -EINVAL;
	if (privileged())
		set_uids(uid, uid, uid);
	else if (uid == cred->uid || uid == cred->suid)
		set_uids(cred->uid, uid, cred->suid);
	else
		return -EPERM;
	return 0;
}

long sys_setgid(u32 gid)
{
	const struct cred *cred = &current->cred;

	if (gid == UNCHANGED)
		return -EINVAL;
	if (privileged())
		set_gids(gid, gid, gid);
	else if (gid == cred->gid || gid == cred->sgid)
		set_gids(cred->gid, gid, cred->sgid);
	else
		return -EPERM;
	return 0;
}

/* The saved id follows the effective one when the real one is set, or the effective one to something that
 * is not the real one. */
long sys_setreuid(u32 uid, u32 euid)
{
	const struct cred *cred = &current->cred;
	u32 new_uid = uid == UNCHANGED ? cred->uid : uid;
	u32 new_euid = euid == UNCHANGED ? cred->euid : euid;
	bool keep_saved = uid == UNCHANGED && (euid == UNCHANGED || euid == cred->uid);

	if (!privileged() && ((uid != UNCHANGED && uid != cred->uid && uid != cred->euid) ||
			      (euid != UNCHANGED && !is_own_uid(euid))))
		return -EPERM;
	set_uids(new_uid, new_euid, keep_saved ? cred->suid : new_euid);
	return 0;
}

long sys_setregid(u32 gid, u32 egid)
{
	const struct cred *cred = &current->cred;
	u32 new_gid = gid == UNCHANGED ? cred->gid : gid;
	u32 new_egid = egid == UNCHANGED ? cred->egid : egid;
	bool keep_saved = gid == UNCHANGED && (egid == UNCHANGED || egid == cred->gid);

	if (!privileged() && ((gid != UNCHANGED && gid != cred->gid && gid != cred->egid) ||
			      (egid != UNCHANGED && !is_own_gid(egid))))
		return -EPERM;
	set_gids(new_gid, new_egid, keep_saved ? cred->sgid : new_egid);
	return 0;
}

static bool may_be_uid(u32 uid)
{
	return uid == UNCHANGED || privileged() || is_own_uid(uid);
}

static bool may_be_gid(u32 gid)
{
	return gid == UNCHANGED || privileged() || is_own_gid(gid);
}

static u32 chosen(u32 new, u32 old)
{
	return new == UNCHANGED ? old : new;
}

long sys_setresuid(u32 uid, u32 euid, u32 suid)
{
	const struct cred *cred = &current->cred;

	if (!may_be_uid(uid) || !may_be_uid(euid) || !may_be_uid(suid))
		return -EPERM;
	set_uids(chosen(uid, cred->uid), chosen(euid, cred->euid), chosen(suid, cred->suid));
	return 0;
}

long sys_setresgid(u32 gid, u32 egid, u32 sgid)
{
	const struct cred *cred = &current->cred;

	if (!may_be_gid(gid) || !may_be_gid(egid) || !may_be_gid(sgid))
		return -EPERM;
	set_gids(chosen(gid, cred->gid), chosen(egid, cred->egid), chosen(sgid, cred->sgid));
	return 0;
}

static long put_three(u32 __user *first, u32 __user *second, u32 __user *third, u32 a, u32 b, u32 c)
{
	return put_user(a, first) || put_user(b, second) || put_user(c, third) ? -EFAULT : 0;
}

long sys_getresuid(u32 __user *uid, u32 __user *euid, u32 __user *suid)
{
	const struct cred *cred = &current->cred;

	return put_three(uid, euid, suid, cred->uid, cred->euid, cred->suid);
}

long sys_getresgid(u32 __user *gid, u32 __user *egid, u32 __user *sgid)
{
	const struct cred *cred = &current->cred;

	return put_three(gid, egid, sgid, cred->gid, cred->egid, cred->sgid);
}

/* Both return the old value, whether they changed it or not. */
long sys_setfsuid(u32 uid)
{
	u32 old = current->cred.fsuid;

	if (privileged() || is_own_uid(uid) || uid == old)
		current->cred.fsuid = uid == UNCHANGED ? old : uid;
	return old;
}

long sys_setfsgid(u32 gid)
{
	u32 old = current->cred.fsgid;

	if (privileged() || is_own_gid(gid) || gid == old)
		current->cred.fsgid = gid == UNCHANGED ? old : gid;
	return old;
}

long sys_getgroups(int size, u32 __user *list)
{
	const struct groups *groups = current->cred.groups;
	int count = groups ? groups->count : 0;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return count;
	if (count > size)
		return -EINVAL;
	if (count && copy_to_user(list, groups->gids, count * sizeof(u32)))
		return -EFAULT;
	return count;
}

/* In order, as Linux keeps them: programs that compare lists see the same. Insertion sort: they
 * mostly come in order, and a long list that does not is root's own doing. */
static void sort_groups(struct groups *groups)
{
	for (u32 i = 1; i < groups->count; i++) {
		u32 gid = groups->gids[i], at = i;

		for (; at > 0 && groups->gids[at - 1] > gid; at--)
			groups->gids[at] = groups->gids[at - 1];
		groups->gids[at] = gid;
	}
}

long sys_setgroups(int size, const u32 __user *list)
{
	struct groups *groups = NULL, *old;

	if (!privileged())
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		groups = kmalloc(sizeof(*groups) + size * sizeof(u32), GFP_KERNEL);
		if (!groups)
			return -ENOMEM;
		groups->refcount = 1;
		groups->count = size;
		if (copy_from_user(groups->gids, list, size * sizeof(u32))) {
			kfree(groups);
			return -EFAULT;
		}
		sort_groups(groups);
	}
	/* /proc reads other tasks' groups under this lock. */
	spin_lock_bh(&tree_lock);
	old = current->cred.groups;
	current->cred.groups = groups;
	spin_unlock_bh(&tree_lock);
	groups_put(old);
	return 0;
}

/* Capabilities are all or nothing here, by the effective user id; a program may ask, and may give up what
 * it has not got. Linux's capability header and data, version 3. */
#define CAPABILITY_VERSION_1 0x19980330
#define CAPABILITY_VERSION_2 0x20071026
#define CAPABILITY_VERSION_3 0x20080522
#define ALL_CAPABILITIES     0x1ffffffffffULL

struct cap_header {
	u32 version;
	s32 pid;
};
struct cap_data {
	u32 effective, permitted, inheritable;
};

static int read_cap_header(struct cap_header __user *user, struct cap_header *header)
{
	if (copy_from_user(header, user, sizeof(*header)))
		return -EFAULT;
	if (header->version == CAPABILITY_VERSION_1 || header->version == CAPABILITY_VERSION_2 ||
	    header->version == CAPABILITY_VERSION_3)
		return header->pid < 0 ? -EINVAL : 0;
	return put_user(CAPABILITY_VERSION_3, &user->version) ? -EFAULT : -EINVAL;
}

long sys_capget(struct cap_header __user *user, struct cap_data __user *data)
{
	u64 caps = privileged() ? ALL_CAPABILITIES : 0;
	struct cap_header header;
	struct cap_data answer[2] = {
		{ (u32)caps, (u32)caps, 0 },
		{ caps >> 32, caps >> 32, 0 },
	};
	int error = read_cap_header(user, &header);
	size_t size;

	if (error)
		return error == -EINVAL && !data ? 0 : error;
	if (header.pid && !pid_exists(header.pid))
		return -ESRCH;
	size = header.version == CAPABILITY_VERSION_1 ? sizeof(answer[0]) : sizeof(answer);
	return data && copy_to_user(data, answer, size) ? -EFAULT : 0;
}

long sys_capset(struct cap_header __user *user, const struct cap_data __user *data)
{
	struct cap_data wanted[2] = { 0 };
	struct cap_header header;
	int error = read_cap_header(user, &header);
	size_t size;

	if (error)
		return error;
	if (header.pid && header.pid != (s32)current->pid)
		return -EPERM;
	size = header.version == CAPABILITY_VERSION_1 ? sizeof(wanted[0]) : sizeof(wanted);
	if (copy_from_user(wanted, data, size))
		return -EFAULT;
	if (!privileged() && (wanted[0].permitted || wanted[1].permitted))
		return -EPERM;
	return 0;
}
