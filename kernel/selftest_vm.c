/*
 * Self-tests of address spaces and of access to user memory, from a kernel thread that lives in a
 * space of its own for the time of the test. What programs see is tested by programs: tests/sys.
 */
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/fault_inject.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/syscalls.h>
#include <kernel/mm/vm.h>
#include <kernel/selftest.h>
#include <kernel/task.h>

#define PAGE	 PAGE_SIZE
#define BASE	 0x10000000UL
#define RW	 (PROT_READ | PROT_WRITE)
#define PRIVATE	 (MAP_PRIVATE | MAP_ANONYMOUS)
#define TEST_TOP 0x7f0000000000UL

static struct mm *enter_space(void)
{
	struct mm *mm = mm_create();

	if (!mm)
		return NULL;
	mm->mmap_top = TEST_TOP;
	mm_use(mm);
	return mm;
}

static void leave_space(struct mm *mm)
{
	mm_use(NULL);
	if (mm)
		mm_put_user(mm);
}

static u64 free_pages_now(void)
{
	struct page_stats stats;

	slab_drain();
	pages_drain_cpu();
	page_stats_read(&stats);
	return stats.free;
}

static s64 map_fixed(struct mm *mm, u64 address, u64 pages, int prot)
{
	return vm_mmap(mm, address, pages * PAGE, prot, PRIVATE | MAP_FIXED, NULL, 0);
}

static int poke(u64 address, u8 value)
{
	return put_user(value, (u8 *)address);
}

/* The byte there, or -EFAULT. */
static int peek(u64 address)
{
	u8 value = 0;
	int error = get_user(value, (const u8 *)address);

	return error ? error : value;
}

/* The same in a space that is not loaded. */
static int peek_in(struct mm *mm, u64 address)
{
	u8 value = 0;

	return vm_access(mm, address, &value, 1, false) == 1 ? value : -EFAULT;
}

/* ---- access to user memory ------------------------------------------------------------------- */

static u8 pattern[3 * PAGE], buffer[3 * PAGE];

/* One page at BASE, nothing behind it: whatever begins `before` its end, exactly that much is
 * copied. */
static bool copies_up_to_the_edge(size_t before, size_t size)
{
	u8 *edge = (u8 *)(BASE + PAGE), *start = edge - before;
	size_t missing = size > before ? size - before : 0, done = size - missing;

	if (copy_to_user(start, pattern, size) != missing)
		return false;
	memset(buffer, 0, size);
	if (copy_from_user(buffer, start, size) != missing || memcmp(buffer, pattern, done) != 0)
		return false;
	for (size_t i = done; i < size; i++)
		if (buffer[i])
			return false;
	if (clear_user(start, size) != missing || copy_from_user(buffer, start, done))
		return false;
	for (size_t i = 0; i < done; i++)
		if (buffer[i])
			return false;
	return true;
}

SELFTEST(uaccess_page_end)
{
	struct mm *mm = enter_space();

	EXPECT(mm && map_fixed(mm, BASE, 1, RW) == BASE);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (u8)(i % 251 + 1);
	for (size_t before = 0; before < 150; before++)
		for (size_t size = 0; size < 300; size += before < 20 ? 1 : 7)
			EXPECT(copies_up_to_the_edge(before, size));
	EXPECT(copies_up_to_the_edge(PAGE, PAGE));
	EXPECT(copies_up_to_the_edge(PAGE - 1, 2 * PAGE));
	leave_space(mm);
}

SELFTEST(uaccess_bad_addresses)
{
	static const u64 bad[] = { 0,
				   8,
				   PAGE - 1,
				   USER_END - 8,
				   USER_END,
				   0x7fffffffffffUL,
				   0x800000000000UL,
				   0xffff7fffffffffffUL,
				   PAGE_OFFSET,
				   KERNEL_BASE + MiB,
				   ~0UL - 7,
				   ~0UL };
	struct mm *mm = enter_space();
	u64 word = 0;

	EXPECT(mm);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u64 *at = (u64 *)bad[i];
		u32 expected = 0;

		EXPECT(copy_to_user(at, &word, 8) == 8);
		EXPECT(copy_from_user(&word, at, 8) == 8);
		EXPECT(clear_user(at, 100) == 100);
		EXPECT(put_user(word, at) == -EFAULT);
		EXPECT(get_user(word, at) == -EFAULT && word == 0);
		EXPECT(strncpy_from_user((char *)buffer, (const char *)at, 10) == -EFAULT);
		EXPECT(user_cmpxchg_u32((u32 *)at, &expected, 1) == -EFAULT);
	}
	EXPECT(map_fixed(mm, BASE, 1, PROT_READ) == BASE && map_fixed(mm, BASE + PAGE, 1, 0) > 0);
	EXPECT(peek(BASE) == 0 && poke(BASE, 1) == -EFAULT && peek(BASE + PAGE) == -EFAULT);
	leave_space(mm);
}

SELFTEST(uaccess_strings_and_words)
{
	struct mm *mm = enter_space();
	char *edge = (char *)(BASE + PAGE), text[64];
	u32 expected = 5;

	EXPECT(mm && map_fixed(mm, BASE, 1, RW) == BASE);
	for (size_t length = 0; length < 40; length++) {
		char *at = edge - length - 1;

		EXPECT(copy_to_user(at, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop", length) == 0);
		EXPECT(put_user((char)0, at + length) == 0);
		EXPECT(strncpy_from_user(text, at, sizeof(text)) == (ssize_t)length);
		EXPECT(strlen(text) == length);
		EXPECT(strncpy_from_user(text, at, length) == (ssize_t)length);
		EXPECT(put_user('x', at + length) == 0);
		EXPECT(strncpy_from_user(text, at, sizeof(text)) == -EFAULT);
		EXPECT(strncpy_from_user(text, at, length + 1) == (ssize_t)length + 1);
	}
	EXPECT(put_user(5U, (u32 *)BASE) == 0);
	EXPECT(user_cmpxchg_u32((u32 *)BASE, &expected, 6) == 0 && expected == 5);
	EXPECT(user_cmpxchg_u32((u32 *)BASE, &expected, 7) == 0 && expected == 6);
	EXPECT(peek(BASE) == 6);
	leave_space(mm);
}

/* ---- areas ----------------------------------------------------------------------------------- */

SELFTEST(vm_areas_merge_and_split)
{
	struct mm *mm = enter_space();

	EXPECT(mm);
	for (u64 i = 0; i < 16; i++)
		EXPECT(map_fixed(mm, BASE + i * PAGE, 1, RW) > 0);
	EXPECT(mm->nr_areas == 1 && mm->usage.total == 16 && mm->usage.data == 16);
	EXPECT(sys_mprotect(BASE + 4 * PAGE, 4 * PAGE, PROT_READ) == 0);
	EXPECT(mm->nr_areas == 3 && mm->usage.data == 12);
	EXPECT(sys_mprotect(BASE + 4 * PAGE, 4 * PAGE, RW) == 0);
	EXPECT(mm->nr_areas == 1);
	EXPECT(vm_munmap(mm, BASE + 8 * PAGE, PAGE) == 0);
	EXPECT(mm->nr_areas == 2 && mm->usage.total == 15);
	EXPECT(map_fixed(mm, BASE + 8 * PAGE, 1, RW) > 0 && mm->nr_areas == 1);
	EXPECT(vm_mmap(mm, BASE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, NULL, 0) == -EEXIST);
	EXPECT(vm_munmap(mm, 0, USER_END) == 0);
	EXPECT(mm->nr_areas == 0 && mm->usage.total == 0 && mm->usage.rss == 0);
	leave_space(mm);
}

SELFTEST(vm_gaps)
{
	struct mm *mm = enter_space();
	s64 first, second, third;

	EXPECT(mm);
	first = vm_mmap(mm, 0, 4 * PAGE, PROT_READ, PRIVATE, NULL, 0);
	second = vm_mmap(mm, 0, 4 * PAGE, RW, PRIVATE, NULL, 0);
	third = vm_mmap(mm, 0, 4 * PAGE, PROT_READ, PRIVATE, NULL, 0);
	EXPECT(first == (s64)(TEST_TOP - 4 * PAGE) && second == first - 4 * (s64)PAGE);
	EXPECT(third == second - 4 * (s64)PAGE);
	EXPECT(vm_munmap(mm, second, 4 * PAGE) == 0);
	EXPECT(vm_mmap(mm, 0, 5 * PAGE, RW, PRIVATE, NULL, 0) == third - 5 * (s64)PAGE);
	EXPECT(vm_mmap(mm, 0, 3 * PAGE, RW, PRIVATE, NULL, 0) == second + (s64)PAGE);
	EXPECT(vm_mmap(mm, 0, PAGE, RW, PRIVATE, NULL, 0) == second);
	EXPECT(vm_mmap(mm, BASE + 5, PAGE, RW, PRIVATE, NULL, 0) == BASE);
	EXPECT(vm_mmap(mm, 0, USER_END, PROT_NONE, PRIVATE, NULL, 0) == -ENOMEM);
	EXPECT(vm_mmap(mm, 0, 0, RW, PRIVATE, NULL, 0) == -EINVAL);
	EXPECT(vm_mmap(mm, BASE + 1, PAGE, RW, PRIVATE | MAP_FIXED, NULL, 0) == -EINVAL);
	EXPECT(vm_mmap(mm, 0, 64 * GiB, PROT_NONE, PRIVATE, NULL, 0) > 0);
	EXPECT(mm->usage.rss == 0);
	leave_space(mm);
}

SELFTEST(vm_stack_grows)
{
	struct mm *mm = enter_space();
	u64 top = BASE + 64 * MiB;

	EXPECT(mm);
	EXPECT(vm_mmap(mm, top - PAGE, PAGE, RW, PRIVATE | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) > 0);
	EXPECT(map_fixed(mm, BASE, 1, RW) == BASE);
	EXPECT(poke(top - 10 * PAGE, 1) == 0 && mm->usage.stack == 10);
	EXPECT(poke(BASE + PAGE + 256 * PAGE, 1) == 0);
	EXPECT(poke(BASE + PAGE + 255 * PAGE, 1) == -EFAULT);
	EXPECT(mm->nr_areas == 2);
	leave_space(mm);
}

SELFTEST(vm_mremap_moves_pages)
{
	struct mm *mm = enter_space();
	s64 moved;

	EXPECT(mm && map_fixed(mm, BASE, 600, RW) == BASE &&
	       map_fixed(mm, BASE + 600 * PAGE, 1, 0) > 0);
	for (u64 i = 0; i < 600; i += 3)
		EXPECT(poke(BASE + i * PAGE, (u8)i) == 0);
	EXPECT(sys_mremap(BASE, 600 * PAGE, 700 * PAGE, 0, 0) == -ENOMEM);
	moved = sys_mremap(BASE, 600 * PAGE, 700 * PAGE, 1, 0);
	EXPECT(moved > 0 && mm->usage.rss == 200 && peek(BASE) == -EFAULT);
	for (u64 i = 0; i < 600; i++)
		EXPECT(peek(moved + i * PAGE) == (i % 3 ? 0 : (u8)i));
	EXPECT(sys_mremap(moved, 700 * PAGE, 2 * PAGE, 0, 0) == moved && mm->usage.rss == 2);
	EXPECT(sys_mremap(moved, PAGE, 2 * PAGE, 0, 0) == -ENOMEM);
	EXPECT(sys_mremap(moved, 2 * PAGE, 4 * PAGE, 0, 0) == moved);
	EXPECT(sys_mremap(moved, 3 * PAGE, 3 * PAGE, 3, BASE + PAGE) == BASE + PAGE);
	EXPECT(peek(BASE + PAGE) == 0 && peek(moved) == -EFAULT && peek(moved + 3 * PAGE) == 0);
	EXPECT(sys_mremap(0x7000000, PAGE, PAGE, 0, 0) == -EFAULT);
	leave_space(mm);
}

/* ---- fork ------------------------------------------------------------------------------------ */

SELFTEST(vm_clone_copies_on_write)
{
	struct mm *mm = enter_space(), *child;
	s64 shared;

	EXPECT(mm && map_fixed(mm, BASE, 200, RW) == BASE);
	shared = vm_mmap(mm, 0, 20 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
	EXPECT(shared > 0 && poke(shared, 7) == 0);
	for (u64 i = 0; i < 100; i++)
		EXPECT(poke(BASE + i * PAGE, (u8)i) == 0);
	child = mm_clone(mm);
	EXPECT(!IS_ERR(child) && child->usage.rss == 101 && child->usage.rss_file == 1);
	EXPECT(poke(BASE, 100) == 0 && poke(BASE + 150 * PAGE, 1) == 0);
	EXPECT(peek_in(child, BASE) == 0 && peek_in(child, BASE + 150 * PAGE) == 0);
	EXPECT(peek_in(child, BASE + 99 * PAGE) == 99);
	EXPECT(vm_access(child, BASE + PAGE, (u8[]){ 55 }, 1, true) == 1 && peek(BASE + PAGE) == 1);
	EXPECT(poke(shared + PAGE, 8) == 0 && peek_in(child, shared + PAGE) == 8);
	EXPECT(vm_access(child, shared + 2 * PAGE, (u8[]){ 9 }, 1, true) == 1);
	EXPECT(peek(shared + 2 * PAGE) == 9);
	mm_put_user(child);
	/* Alone again: what was shared is written to in place. */
	for (u64 i = 0; i < 100; i++)
		EXPECT(poke(BASE + i * PAGE, 3) == 0);
	EXPECT(mm->usage.rss == 104);
	EXPECT(sys_madvise(BASE, 100 * PAGE, 4) == 0 && peek(BASE) == 0 && peek(shared) == 7);
	EXPECT(sys_madvise(shared, 20 * PAGE, 4) == 0 && peek(shared) == 7);
	leave_space(mm);
}

/* Pages scattered so that each needs tables of its own, and copies of it all. */
static bool use_much(void)
{
	struct mm *mm = enter_space(), *child;
	bool good = mm;

	for (u64 at = GiB; good && at < 64 * 1024 * GiB; at *= 2)
		good = map_fixed(mm, at, 700, RW) > 0 && poke(at, 1) == 0 &&
		       poke(at + 699 * PAGE, 2) == 0;
	child = good ? mm_clone(mm) : NULL;
	good = good && !IS_ERR(child) && vm_munmap(mm, 2 * GiB, 16 * GiB) == 0 &&
	       peek_in(child, 2 * GiB) == 1 && peek(2 * GiB) == -EFAULT;
	if (child && !IS_ERR(child))
		mm_put_user(child);
	leave_space(mm);
	return good;
}

SELFTEST(vm_leaves_nothing_behind)
{
	u64 before;

	EXPECT(use_much()); /* fills this CPU's cache of tables */
	before = free_pages_now();
	for (int i = 0; i < 5; i++)
		EXPECT(use_much());
	EXPECT(free_pages_now() == before);
}

/* In turn each allocation fails: the call says so, and nothing is lost. */
SELFTEST(vm_without_memory)
{
	u64 before = 0;

	for (u64 nth = 0; nth < 60; nth++) {
		struct mm *mm = enter_space(), *child;

		EXPECT(mm && map_fixed(mm, BASE, 10, RW) > 0 && poke(BASE, 1) == 0);
		fault_inject_nth(nth);
		child = mm_clone(mm);
		(void)!map_fixed(mm, 5 * GiB, 600, RW);
		(void)!poke(5 * GiB, 1);
		(void)!sys_mremap(BASE, 10 * PAGE, 10 * PAGE, 3, 9 * GiB - PAGE);
		(void)!sys_mprotect(5 * GiB + PAGE, PAGE, PROT_READ);
		fault_inject_nth(0);
		if (!IS_ERR(child))
			mm_put_user(child);
		leave_space(mm);
		if (nth == 0)
			before = free_pages_now();
	}
	EXPECT(free_pages_now() == before);
}

/* ---- a random life, against a model ---------------------------------------------------------- */

#define MODEL_PAGES 48
#define MODEL_STEPS 4000

/* What each page of the window should be. */
struct model {
	struct mm *mm;
	u8 prot[MODEL_PAGES]; /* PROT_*, or UNMAPPED */
	u8 value[MODEL_PAGES];
};
#define UNMAPPED 0xff

static u32 random_state = 1;

static u32 dice(u32 sides)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % sides;
}

/* Across the border between two leaf tables. */
static u64 model_address(u32 page)
{
	return BASE - MODEL_PAGES / 2 * PAGE + page * PAGE;
}

static bool model_map(struct model *model, u32 first, u32 number)
{
	int prot = (int[]){ RW, PROT_READ, PROT_NONE }[dice(3)];

	memset(model->prot + first, prot, number);
	memset(model->value + first, 0, number);
	return map_fixed(model->mm, model_address(first), number, prot) > 0;
}

static bool model_unmap(struct model *model, u32 first, u32 number)
{
	memset(model->prot + first, UNMAPPED, number);
	memset(model->value + first, 0, number);
	return vm_munmap(model->mm, model_address(first), number * PAGE) == 0;
}

static bool model_protect(struct model *model, u32 first, u32 number)
{
	int prot = dice(2) ? RW : PROT_READ;
	long expected = 0;

	for (u32 i = first; i < first + number; i++) {
		if (model->prot[i] == UNMAPPED) {
			expected = -ENOMEM;
			break;
		}
		model->prot[i] = (u8)prot;
	}
	return sys_mprotect(model_address(first), number * PAGE, prot) == expected;
}

static bool model_move(struct model *model, u32 first, u32 number)
{
	u32 to = dice(MODEL_PAGES - number + 1);

	for (u32 i = first; i < first + number; i++)
		if (model->prot[i] == UNMAPPED || model->prot[i] != model->prot[first])
			return true;
	if (to + number > first && first + number > to)
		return true;
	memcpy(model->prot + to, model->prot + first, number);
	memcpy(model->value + to, model->value + first, number);
	memset(model->prot + first, UNMAPPED, number);
	memset(model->value + first, 0, number);
	return sys_mremap(model_address(first), number * PAGE, number * PAGE, 3,
			  model_address(to)) == (long)model_address(to);
}

static bool model_drop(struct model *model, u32 first, u32 number)
{
	memset(model->value + first, 0, number);
	sys_madvise(model_address(first), number * PAGE, 4);
	return true;
}

static bool model_write(struct model *model, u32 first, u32 number)
{
	for (u32 i = first; i < first + number; i++) {
		u8 value = (u8)dice(256);
		int expected = model->prot[i] == RW ? 0 : -EFAULT;

		if (poke(model_address(i) + dice(2) * 8, value) != expected)
			return false;
		if (!expected && poke(model_address(i), value))
			return false;
		if (!expected)
			model->value[i] = value;
	}
	return true;
}

/* The child sees it as it was, whatever either does; then the parent becomes the child. */
static bool model_fork(struct model *model, u32 first, u32 number)
{
	struct mm *child = mm_clone(model->mm);

	if (IS_ERR(child))
		return false;
	for (u32 i = first; i < first + number; i++)
		(void)!poke(model_address(i), (u8)~model->value[i]);
	mm_use(child);
	mm_put_user(model->mm);
	model->mm = child;
	return true;
}

static bool model_holds(const struct model *model)
{
	for (u32 i = 0; i < MODEL_PAGES; i++) {
		bool readable = model->prot[i] != UNMAPPED && model->prot[i] != PROT_NONE;

		if (peek(model_address(i)) != (readable ? model->value[i] : -EFAULT))
			return false;
	}
	return true;
}

SELFTEST(vm_random_life)
{
	static bool (*const steps[])(struct model *, u32, u32) = {
		model_map,  model_unmap, model_protect, model_move,
		model_drop, model_write, model_write,	model_fork,
	};
	static struct model model;

	memset(model.prot, UNMAPPED, sizeof(model.prot));
	model.mm = enter_space();
	EXPECT(model.mm);
	for (u32 i = 0; i < MODEL_STEPS; i++) {
		u32 number = 1 + dice(12), first = dice(MODEL_PAGES - number + 1);

		EXPECT(steps[dice(ARRAY_SIZE(steps))](&model, first, number));
		EXPECT(model_holds(&model));
	}
	leave_space(model.mm);
}
