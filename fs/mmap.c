/*
 * Where files and address spaces meet: kernel/mm knows a file only through these four functions.
 *
 * Context: process; the hooks run with mm->mmap_lock held.
 */
#include <fs/mmap.h>

#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/vm.h>
#include <kernel/task.h>

static bool on_noexec(const struct file *file)
{
	return file->dentry && READ_ONCE(file->dentry->super->flags) & MS_NOEXEC;
}

/* A shared mapping through a descriptor that may not write can never become writable; a private one
 * can. */
static int may_map(struct file *file, int prot, bool shared)
{
	if (shared && prot & PROT_WRITE && !file_writable(file))
		return -EACCES;
	if (!file_readable(file))
		return -EACCES;
	if (prot & PROT_EXEC && on_noexec(file))
		return -EPERM;
	if (!file->ops->mmap)
		return -ENODEV;
	return (shared && !file_writable(file) ? 0 : VM_MAYWRITE) |
	       (on_noexec(file) ? 0 : VM_MAYEXEC);
}

static int map(struct file *file, struct vm_area *area)
{
	return file->ops->mmap(file, area);
}

static const struct vm_file_hooks file_hooks = {
	.get = file_get,
	.put = file_put,
	.may_map = may_map,
	.map = map,
};

long sys_mmap(u64 address, size_t size, int prot, int flags, int fd, u64 offset)
{
	struct file *file = NULL;
	s64 result;

	if (offset % PAGE_SIZE)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get(fd);
		if (!file)
			return -EBADF;
	}
	result = vm_mmap(current->mm, address, size, prot, flags, file, offset);
	if (file)
		file_put(file);
	return (long)result;
}

void mmap_init(void)
{
	vm_files = &file_hooks;
}
