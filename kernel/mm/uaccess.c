/*
 * Access to user memory beyond the copy loops: strings, the atomic word of futexes, and the table
 * that says which instructions may fault.
 *
 * Context: process. No locks.
 */
#include <kernel/cpu/features.h>
#include <kernel/lib/errno.h>
#include <kernel/mm/uaccess.h>

static_assert(EFAULT_ == EFAULT, "uaccess.h");

/* [start, end): instructions; from linker.ld. */
struct exception_entry {
	u64 start, end, fixup;
};
extern struct exception_entry ex_table_start[], ex_table_end[];
extern const struct smap_site smap_sites_start[], smap_sites_end[];

/* The linker keeps the order of the object files, and the compiler moves unlikely code away: nearly
 * sorted. */
static void sort_exceptions(void)
{
	for (struct exception_entry *next = ex_table_start + 1; next < ex_table_end; next++) {
		struct exception_entry entry = *next, *at = next;

		for (; at > ex_table_start && at[-1].start > entry.start; at--)
			*at = at[-1];
		*at = entry;
	}
}

static void patch_smap_sites(void)
{
	for (const struct smap_site *site = smap_sites_start; site < smap_sites_end; site++)
		for (int i = 0; i < 3; i++)
			((volatile u8 *)site->address)[i] = (u8)(site->opcode >> 8 * i);
}

void uaccess_init(void)
{
	sort_exceptions();
	if (cpu_has(CPU_SMAP))
		patch_smap_sites();
}

u64 exception_fixup(u64 rip)
{
	const struct exception_entry *low = ex_table_start, *high = ex_table_end;

	while (low < high) {
		const struct exception_entry *middle = low + (high - low) / 2;

		if (rip < middle->start)
			high = middle;
		else if (rip >= middle->end)
			low = middle + 1;
		else
			return middle->fixup;
	}
	return 0;
}

#define ONES  0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* The lowest bit that is set belongs to the first zero byte. */
static inline u64 zero_bytes(u64 word)
{
	return (word - ONES) & ~word & HIGHS;
}

/* Whole words as long as they stay within a page: reading on into the next one could fault although
 * the string ends before. */
ssize_t strncpy_from_user(char *to, const char __user *from, size_t size)
{
	u64 address = (u64)from;
	size_t limit = address < USER_END ? min_t(size_t, size, USER_END - address) : 0;
	size_t done = 0;

	while (done < limit) {
		u64 at = address + done, value;

		if (at % PAGE_SIZE <= PAGE_SIZE - sizeof(u64) && limit - done >= sizeof(u64)) {
			u64 zeroes;

			if (user_load(&value, at, sizeof(u64)))
				return -EFAULT;
			*(u64 *)(to + done) = value;
			zeroes = zero_bytes(value);
			if (zeroes)
				return (ssize_t)(done + (u32)__builtin_ctzll(zeroes) / 8);
			done += sizeof(u64);
		} else {
			if (user_load(&value, at, sizeof(u8)))
				return -EFAULT;
			to[done] = (char)value;
			if (!value)
				return (ssize_t)done;
			done++;
		}
	}
	return limit == size ? (ssize_t)size : -EFAULT;
}

int user_cmpxchg_u32(u32 __user *address, u32 *expected, u32 desired)
{
	u32 old = *expected;
	int error = 0;

	user_might_sleep();
	if (!user_range_ok((u64)address, sizeof(*address)))
		return -EFAULT;
	__asm__ volatile(USER_ACCESS("lock; cmpxchgl %[desired], %[memory]")
			 : [error] "+r"(error), [memory] "+m"(*address), "+a"(old)
			 : [desired] "r"(desired)
			 : "cc", "memory");
	*expected = old;
	return error;
}
