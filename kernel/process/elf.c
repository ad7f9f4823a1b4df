/*
 * The ELF64 loader. Segments are mapped from the file, private: their pages come when they are touched. What
 * a segment has in memory beyond the file's part (.bss) is the zeroed rest of the last page and
 * anonymous memory. A file is a program's word: nothing in its headers is trusted.
 */
#include <fs/file.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/process/elf.h>

#define MAX_PHDRS_SIZE 65536
#define MAX_INTERP     4096

static bool header_ok(const struct elf_header *header)
{
	return memcmp(header->ident, "\177ELF", 4) == 0 &&
	       (header->type == ET_EXEC || header->type == ET_DYN) &&
	       header->machine == EM_X86_64 && header->phentsize == sizeof(struct elf_phdr) &&
	       header->phnum && header->phnum * sizeof(struct elf_phdr) <= MAX_PHDRS_SIZE;
}

static int read_exactly(struct file *file, void *to, size_t size, u64 offset)
{
	loff_t position = offset;
	ssize_t got;

	if (position < 0)
		return -ENOEXEC;
	got = file_read_kernel(file, to, size, &position);
	if (got < 0)
		return got;
	return (size_t)got == size ? 0 : -ENOEXEC;
}

static int read_interpreter(struct elf_image *image, struct file *file, const struct elf_phdr *phdr)
{
	int error;

	if (image->interpreter || phdr->filesz < 2 || phdr->filesz > MAX_INTERP)
		return -ENOEXEC;
	image->interpreter = kmalloc(phdr->filesz, GFP_KERNEL);
	if (!image->interpreter)
		return -ENOMEM;
	error = read_exactly(file, image->interpreter, phdr->filesz, phdr->offset);
	if (!error && image->interpreter[phdr->filesz - 1])
		error = -ENOEXEC;
	return error;
}

/* Is the segment one that could be mapped at all? */
static bool segment_ok(const struct elf_phdr *phdr)
{
	return phdr->filesz <= phdr->memsz && phdr->memsz && phdr->vaddr < USER_END &&
	       phdr->memsz < USER_END - phdr->vaddr &&
	       phdr->vaddr % PAGE_SIZE == phdr->offset % PAGE_SIZE;
}

static int look_at_segments(struct elf_image *image, struct file *file)
{
	int error = -ENOEXEC; /* without a single PT_LOAD */

	for (u32 i = 0; i < image->header.phnum; i++) {
		const struct elf_phdr *phdr = &image->phdrs[i];

		if (phdr->type == PT_INTERP) {
			int bad = read_interpreter(image, file, phdr);

			if (bad)
				return bad;
		} else if (phdr->type == PT_GNU_STACK) {
			image->executable_stack = phdr->flags & PF_X;
		} else if (phdr->type == PT_LOAD) {
			if (phdr->memsz && !segment_ok(phdr))
				return -ENOEXEC;
			error = 0;
		}
	}
	return error;
}

int elf_read(struct elf_image *image, struct file *file)
{
	size_t size;
	int error;

	memset(image, 0, sizeof(*image));
	error = read_exactly(file, &image->header, sizeof(image->header), 0);
	if (error)
		return error;
	if (!header_ok(&image->header))
		return -ENOEXEC;
	size = image->header.phnum * sizeof(struct elf_phdr);
	image->phdrs = kmalloc(size, GFP_KERNEL);
	if (!image->phdrs)
		return -ENOMEM;
	error = read_exactly(file, image->phdrs, size, image->header.phoff);
	if (!error)
		error = look_at_segments(image, file);
	if (error)
		elf_image_free(image);
	return error;
}

void elf_image_free(struct elf_image *image)
{
	kfree(image->phdrs);
	kfree(image->interpreter);
	image->phdrs = NULL;
	image->interpreter = NULL;
}

/* The lowest page and the end of all segments, as linked. */
static void extent(const struct elf_image *image, u64 *low, u64 *high)
{
	*low = ~0ULL;
	*high = 0;
	for (u32 i = 0; i < image->header.phnum; i++) {
		const struct elf_phdr *phdr = &image->phdrs[i];

		if (phdr->type != PT_LOAD || !phdr->memsz)
			continue;
		*low = min(*low, ALIGN_DOWN(phdr->vaddr, PAGE_SIZE));
		*high = max(*high, ALIGN_UP(phdr->vaddr + phdr->memsz, PAGE_SIZE));
	}
}

static int protection(const struct elf_phdr *phdr)
{
	return (phdr->flags & PF_R ? PROT_READ : 0) | (phdr->flags & PF_W ? PROT_WRITE : 0) |
	       (phdr->flags & PF_X ? PROT_EXEC : 0);
}

static int map_fixed(struct mm *mm, u64 address, u64 size, int prot, struct file *file, u64 offset)
{
	int flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | (file ? 0 : MAP_ANONYMOUS);
	s64 result = size ? vm_mmap(mm, address, size, prot, flags, file, offset) : 0;

	return result < 0 ? result : 0;
}

/* Zeroes from the end of the file's part to the end of its page. */
static int clear_rest_of_page(struct mm *mm, u64 address)
{
	size_t rest = ALIGN_UP(address, PAGE_SIZE) - address;
	void *zeroes;
	ssize_t done;

	if (!rest)
		return 0;
	zeroes = kzalloc(rest, GFP_KERNEL);
	if (!zeroes)
		return -ENOMEM;
	done = vm_access(mm, address, zeroes, rest, true);
	kfree(zeroes);
	return done < 0 ? done : 0;
}

static int map_segment(struct file *file, struct mm *mm, const struct elf_phdr *phdr, u64 bias)
{
	u64 start = ALIGN_DOWN(phdr->vaddr, PAGE_SIZE) + bias;
	u64 file_end = phdr->vaddr + phdr->filesz + bias;
	u64 file_page_end = ALIGN_UP(file_end, PAGE_SIZE);
	u64 end = ALIGN_UP(phdr->vaddr + phdr->memsz + bias, PAGE_SIZE);
	int error = 0;

	if (!phdr->memsz)
		return 0;
	if (!phdr->filesz)
		file_page_end = start;
	else
		error = map_fixed(mm, start, file_page_end - start, protection(phdr), file,
				  ALIGN_DOWN(phdr->offset, PAGE_SIZE));
	if (!error && phdr->filesz && phdr->memsz > phdr->filesz && phdr->flags & PF_W)
		error = clear_rest_of_page(mm, file_end);
	if (!error)
		error = map_fixed(mm, file_page_end, end - file_page_end, protection(phdr), NULL,
				  0);
	return error;
}

/* What /proc/PID/stat and the brk want to know. */
static void note_segment(struct elf_image *image, const struct elf_phdr *phdr)
{
	u64 start = phdr->vaddr + image->bias, end = start + phdr->filesz;

	if (phdr->flags & PF_X) {
		image->code_start = image->code_start ? min(image->code_start, start) : start;
		image->code_end = max(image->code_end, end);
	} else if (phdr->flags & PF_W) {
		image->data_start = image->data_start ? min(image->data_start, start) : start;
		image->data_end = max(image->data_end, end);
	}
	if (image->header.phoff >= phdr->offset &&
	    image->header.phoff < phdr->offset + phdr->filesz)
		image->phdr_address = start + image->header.phoff - phdr->offset;
}

int elf_map(struct elf_image *image, struct file *file, struct mm *mm, u64 base)
{
	u64 low, high;

	extent(image, &low, &high);
	if (high <= low)
		return -ENOEXEC;
	image->bias = image->header.type == ET_DYN ? base - low : 0;
	image->start = low + image->bias;
	image->end = high + image->bias;
	if (!user_range_ok(image->start, high - low))
		return -ENOMEM;
	for (u32 i = 0; i < image->header.phnum; i++) {
		const struct elf_phdr *phdr = &image->phdrs[i];
		int error;

		if (phdr->type != PT_LOAD)
			continue;
		error = map_segment(file, mm, phdr, image->bias);
		if (error)
			return error;
		note_segment(image, phdr);
	}
	return 0;
}
