/*
 * The memory of an address space without its page tables loaded: page by page through the direct
 * map.
 *
 * Context: process. Lock: mm->mmap_lock.
 */
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/vm_impl.h>

/* The page at an address, brought in for this access; NULL: there is none, or it is forbidden. */
static struct page *page_at(struct mm *mm, u64 address, u32 access)
{
	pte_t needed = PTE_PRESENT | (access == VM_WRITE ? PTE_WRITE : 0);
	pte_t *entry = user_entry(mm, address);

	if (!entry || (*entry & needed) != needed) {
		if (fault_in(mm, address, access) != FAULT_DONE)
			return NULL;
		entry = user_entry(mm, address);
	}
	return page_of(*entry);
}

ssize_t vm_access(struct mm *mm, u64 address, void *buffer, size_t size, bool write)
{
	size_t done = 0;

	if (!user_range_ok(address, size))
		return -EFAULT;
	mutex_lock(&mm->mmap_lock);
	while (done < size) {
		u64 offset = (address + done) % PAGE_SIZE;
		size_t part = min(size - done, PAGE_SIZE - offset);
		struct page *page = page_at(mm, address + done, write ? VM_WRITE : VM_READ);

		if (!page)
			break;
		if (write)
			memcpy(page_address(page) + offset, buffer + done, part);
		else
			memcpy(buffer + done, page_address(page) + offset, part);
		done += part;
	}
	mutex_unlock(&mm->mmap_lock);
	return done || !size ? (ssize_t)done : -EFAULT;
}
