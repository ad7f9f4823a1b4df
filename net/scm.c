/* SCM_RIGHTS and SCM_CREDENTIALS. Context: process. No lock of its own. */
#include <net/scm.h>

#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/process.h>
#include <net/sock_options.h>

/* ---- files --------------------------------------------------------------------------------------------- */

/* The files that the current task is closing, and those that this makes it close. */
struct scm_closing {
	struct scm_fds *first;
};

static void close_files(struct scm_fds *fds)
{
	for (u32 i = 0; i < fds->count; i++)
		file_put(fds->files[i]);
	kfree(fds);
}

void scm_fds_drop(struct scm_fds *fds)
{
	struct scm_closing closing = { fds };

	if (current->scm_closing) {
		fds->next = current->scm_closing->first;
		current->scm_closing->first = fds;
		return;
	}
	fds->next = NULL;
	current->scm_closing = &closing;
	while (closing.first) {
		fds = closing.first;
		closing.first = fds->next;
		close_files(fds);
		cond_resched();
	}
	current->scm_closing = NULL;
}

static size_t size_of(u32 count)
{
	return sizeof(struct scm_fds) + count * sizeof(struct file *);
}

struct scm_fds *scm_fds_copy(const struct scm_fds *fds)
{
	struct scm_fds *copy = kmalloc(size_of(fds->count), GFP_KERNEL);

	if (!copy)
		return NULL;
	memcpy(copy, fds, size_of(fds->count));
	for (u32 i = 0; i < copy->count; i++)
		file_get(copy->files[i]);
	return copy;
}

static bool is_unix(const struct file *file)
{
	const struct sock *sk = file_sock(file);

	return sk && sk->family == AF_UNIX;
}

/* One more SCM_RIGHTS of the same message. */
static int add_fds(struct scm *scm, const struct cmsghdr *cmsg)
{
	const int *numbers = cmsg_data(cmsg);
	u32 more = cmsg_size(cmsg) / sizeof(int), have = scm->fds ? scm->fds->count : 0;
	struct scm_fds *fds;

	if (!more)
		return 0;
	if (more > SCM_MAX_FD - have)
		return -EINVAL;
	fds = krealloc(scm->fds, size_of(have + more), GFP_KERNEL);
	if (!fds)
		return -ENOMEM;
	if (!have)
		*fds = (struct scm_fds){ 0 };
	scm->fds = fds;
	for (u32 i = 0; i < more; i++) {
		struct file *file = fd_get_any(numbers[i]);

		if (!file)
			return -EBADF;
		fds->files[fds->count++] = file;
		fds->sockets += is_unix(file);
	}
	return 0;
}

/* ---- credentials --------------------------------------------------------------------------------------- */

struct ucred scm_own_creds(void)
{
	return (struct ucred){ current_process->tgid, current->cred.uid, current->cred.gid };
}

/* Who is not root may be any of those that he is. */
static bool may_claim(const struct ucred *claimed)
{
	const struct cred *cred = &current->cred;

	if (cred->euid == 0)
		return true;
	return claimed->pid == (s32)current_process->tgid &&
	       (claimed->uid == cred->uid || claimed->uid == cred->euid ||
		claimed->uid == cred->suid) &&
	       (claimed->gid == cred->gid || claimed->gid == cred->egid ||
		claimed->gid == cred->sgid);
}

/* A pid that does not exist has nobody's credentials. */
static bool pid_exists(s32 pid)
{
	struct process *process = process_find(pid);

	if (process)
		process_put(process);
	return process;
}

static int set_creds(struct scm *scm, const struct cmsghdr *cmsg)
{
	const struct ucred *claimed = cmsg_data(cmsg);

	if (cmsg->length != sizeof(*cmsg) + sizeof(*claimed))
		return -EINVAL;
	if (!may_claim(claimed))
		return -EPERM;
	if (claimed->pid != (s32)current_process->tgid && !pid_exists(claimed->pid))
		return -ESRCH;
	if (claimed->uid == ~0U || claimed->gid == ~0U)
		return -EINVAL;
	scm->creds = *claimed;
	scm->creds_given = true;
	return 0;
}

/* ---- sending ------------------------------------------------------------------------------------------- */

static int parse_one(struct scm *scm, const struct cmsghdr *cmsg)
{
	if (cmsg->level != SOL_SOCKET)
		return 0;
	if (cmsg->type == SCM_RIGHTS)
		return add_fds(scm, cmsg);
	if (cmsg->type == SCM_CREDENTIALS)
		return set_creds(scm, cmsg);
	return -EINVAL;
}

int scm_parse(const struct msg *msg, struct scm *scm)
{
	const struct cmsghdr *cmsg = NULL;
	int error = 0;

	while (!error && (cmsg = next_cmsg(msg->control, cmsg)))
		error = IS_ERR(cmsg) ? PTR_ERR(cmsg) : parse_one(scm, cmsg);
	if (error && scm->fds) {
		scm_fds_drop(scm->fds);
		scm->fds = NULL;
	}
	return error;
}

/* ---- receiving ----------------------------------------------------------------------------------------- */

/* The program learns the number before the descriptor is there, so that none stays of which it does not know. */
static int put_fd(struct file *file, int __user *user, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd < 0)
		return fd;
	if (put_user(fd, user)) {
		fd_release(fd);
		return -EFAULT;
	}
	file_get(file);
	fd_install(fd, file);
	return 0;
}

void scm_put_fds(struct msg *msg, struct scm_fds *fds)
{
	struct msg_control *control = msg->control;
	struct cmsghdr header = { sizeof(header), SOL_SOCKET, SCM_RIGHTS };
	int __user *numbers =
		control ? (void __user *)((u8 __user *)control->user + sizeof(header)) : NULL;
	u64 fit = control && control->room > sizeof(header)
			  ? (control->room - sizeof(header)) / sizeof(int)
			  : 0;
	u32 done = 0;

	while (done < min(fit, (u64)fds->count) &&
	       !put_fd(fds->files[done], &numbers[done], msg->flags & MSG_CMSG_CLOEXEC))
		done++;
	if (done < fds->count)
		msg->out_flags |= MSG_CTRUNC;
	scm_fds_drop(fds);
	if (!done)
		return;
	header.length += done * sizeof(int);
	if (!copy_to_user(control->user, &header, sizeof(header))) {
		u64 space = min(CMSG_ALIGN(header.length), control->room);

		control->user = (u8 __user *)control->user + space;
		control->room -= space;
	}
}
