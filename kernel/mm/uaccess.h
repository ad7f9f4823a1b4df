/*
 * The only way to user memory. A pointer from a program may be anything; these return an error
 * instead of faulting, whatever it is: not a user address, unmapped, read-only, half of it missing.
 * Process context; they may sleep (the page may have to be brought in), so no spinlock may be held.
 *
 * How: an address in the kernel's half is refused at once. Any other is simply used. If that
 * faults, the page-fault handler brings the page in, or, if no mapping explains the address,
 * continues at the fixup that the section .ex_table lists for the faulting instruction.
 */
#pragma once

#include <kernel/cpu/smap.h>
#include <kernel/lib/types.h>
#include <kernel/mm/layout.h>
#if CONFIG_DEBUG
#include <kernel/lockdep.h>
#define user_might_sleep() lockdep_might_sleep()
#else
#define user_might_sleep() ((void)0)
#endif

/* Marks pointers that programs gave us; never to be dereferenced. */
#define __user

#define EFAULT_ 14 /* EFAULT, without asking every user for errno.h */

/* Could [address, address + size) be user memory at all? (Whether it is mapped is another
 * question.) */
static __always_inline bool user_range_ok(u64 address, size_t size)
{
	if (__builtin_constant_p(size))
		return address <= USER_END - size;
	return address <= USER_END && size <= USER_END - address;
}

/* From usercopy.S: no check of the range; how many bytes at the end were not done. */
size_t user_copy(void *to, const void *from, size_t size) __must_check;
size_t user_clear(void *to, size_t size) __must_check;

/* How many bytes at the end could NOT be copied: 0 is success. The bytes before them have been; the
 * rest of `to` is as it was. */
static inline size_t __must_check copy_to_user(void __user *to, const void *from, size_t size)
{
	user_might_sleep();
	return likely(user_range_ok((u64)to, size)) ? user_copy(to, from, size) : size;
}

static inline size_t __must_check copy_from_user(void *to, const void __user *from, size_t size)
{
	user_might_sleep();
	return likely(user_range_ok((u64)from, size)) ? user_copy(to, from, size) : size;
}

static inline size_t __must_check clear_user(void __user *to, size_t size)
{
	user_might_sleep();
	return likely(user_range_ok((u64)to, size)) ? user_clear(to, size) : size;
}

/* One access to user memory by `instruction`; on a fault `error` becomes -EFAULT. */
/* This is assembly. */
/* clang-format off */
#define USER_ACCESS(instruction)                     \
	SMAP_TEXT(STAC) "\n"                         \
	"1:\t" instruction "\n"                      \
	"2:\t" SMAP_TEXT(CLAC) "\n\t"                \
	".pushsection .text.fixup, \"ax\"\n"         \
	"3:\tmovl $-14, %k[error]\n\t"               \
	"jmp 2b\n\t"                                 \
	".popsection\n\t"                            \
	".pushsection .ex_table, \"a\"\n\t"          \
	".quad 1b, 2b, 3b\n\t"                       \
	".popsection"
/* clang-format on */

/* `size` is a constant. */
static __always_inline int __must_check user_load(u64 *value, u64 address, size_t size)
{
	u64 loaded = 0;
	int error = 0;

	user_might_sleep();
	if (unlikely(!user_range_ok(address, size)))
		return -EFAULT_;
#define USER_LOAD(instruction, type)                                 \
	__asm__ volatile(USER_ACCESS(instruction)                    \
			 : [error] "+r"(error), [value] "+r"(loaded) \
			 : [memory] "m"(*(const type *)address))
	switch (size) {
	case 1:
		USER_LOAD("movzbl %[memory], %k[value]", u8);
		break;
	case 2:
		USER_LOAD("movzwl %[memory], %k[value]", u16);
		break;
	case 4:
		USER_LOAD("movl %[memory], %k[value]", u32);
		break;
	case 8:
		USER_LOAD("movq %[memory], %q[value]", u64);
		break;
	}
#undef USER_LOAD
	*value = loaded;
	return error;
}

static __always_inline int __must_check user_store(u64 address, u64 value, size_t size)
{
	int error = 0;

	user_might_sleep();
	if (unlikely(!user_range_ok(address, size)))
		return -EFAULT_;
#define USER_STORE(instruction, type)                                           \
	__asm__ volatile(USER_ACCESS(instruction)                               \
			 : [error] "+r"(error), [memory] "=m"(*(type *)address) \
			 : [value] "r"(value))
	switch (size) {
	case 1:
		USER_STORE("movb %b[value], %[memory]", u8);
		break;
	case 2:
		USER_STORE("movw %w[value], %[memory]", u16);
		break;
	case 4:
		USER_STORE("movl %k[value], %[memory]", u32);
		break;
	case 8:
		USER_STORE("movq %q[value], %[memory]", u64);
		break;
	}
#undef USER_STORE
	return error;
}

#define USER_SCALAR(pointer)                                                      \
	static_assert(sizeof(*(pointer)) == 1 || sizeof(*(pointer)) == 2 ||       \
			      sizeof(*(pointer)) == 4 || sizeof(*(pointer)) == 8, \
		      "a number or a pointer; for others copy_{to,from}_user")

/* One number or pointer. 0 or -EFAULT; then `variable` is as it was. */
#define put_user(value, pointer)                                                 \
	({                                                                       \
		__typeof__(*(pointer)) put_value_ = (value);                     \
                                                                                 \
		USER_SCALAR(pointer);                                            \
		user_store((u64)(pointer), (u64)put_value_, sizeof(put_value_)); \
	})
#define get_user(variable, pointer)                                                          \
	({                                                                                   \
		u64 got_value_;                                                              \
		int got_error_ = user_load(&got_value_, (u64)(pointer), sizeof(*(pointer))); \
                                                                                             \
		USER_SCALAR(pointer);                                                        \
		if (likely(!got_error_))                                                     \
			(variable) = (__typeof__(*(pointer)))got_value_;                     \
		got_error_;                                                                  \
	})

/* Copy a string with its zero. Its length without the zero; -EFAULT; or `size` if no zero was
 * found. */
ssize_t strncpy_from_user(char *to, const char __user *from, size_t size) __must_check;

/* Atomic: if the word (aligned) holds *expected, it becomes `desired`. *expected becomes what it
 * held. 0, or -EFAULT. For futexes. */
int user_cmpxchg_u32(u32 __user *address, u32 *expected, u32 desired) __must_check;

/* Where the instruction at `rip` continues after a fault that nothing explains; 0: it must not
 * fault. */
u64 exception_fixup(u64 rip);

/* Boot, while kernel code and constants can still be written. */
void uaccess_init(void);
