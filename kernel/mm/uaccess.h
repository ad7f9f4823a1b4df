/*
 * The only way to user memory. A pointer from a program may be anything; these return an error instead
 * of faulting, whatever it is: not a user address, unmapped, read-only, half of it missing.
 * Process context; they may sleep (the page may have to be brought in), so no spinlock may be held.
 */
#pragma once

#include <kernel/lib/types.h>
#include <kernel/mm/layout.h>

/* Marks pointers that programs gave us; never to be dereferenced. */
#define __user

/* How many bytes at the end could NOT be copied: 0 is success. copy_from_user leaves the rest of `to` as
 * it was. */
size_t copy_to_user(void __user *to, const void *from, size_t size) __must_check;
size_t copy_from_user(void *to, const void __user *from, size_t size) __must_check;
size_t clear_user(void __user *to, size_t size) __must_check;

/* One value. 0 or -EFAULT. */
#define put_user(value, pointer)                                                            \
	({                                                                                  \
		__typeof__(*(pointer)) put_value_ = (value);                                \
		copy_to_user((pointer), &put_value_, sizeof(put_value_)) ? -EFAULT_ : 0;    \
	})
#define get_user(variable, pointer)                                                         \
	(copy_from_user(&(variable), (pointer), sizeof(*(pointer))) ? -EFAULT_ : 0)
#define EFAULT_ 14 /* EFAULT, without asking every user for errno.h */

/* Copy a string with its zero. Its length without the zero; -EFAULT; or `size` if no zero was found. */
ssize_t strncpy_from_user(char *to, const char __user *from, size_t size) __must_check;

/* Could [address, address + size) be user memory at all? (Whether it is mapped is another question.) */
static inline bool user_range_ok(u64 address, size_t size)
{
	return address <= USER_END && size <= USER_END - address;
}

/* An atomic access to a user word (futex): both return -EFAULT on a fault. */
int user_cmpxchg_u32(u32 __user *address, u32 *expected, u32 desired) __must_check;
