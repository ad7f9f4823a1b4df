/* ELF64 programs: what is in the file, and getting it into an address space. */
#pragma once

#include <kernel/lib/types.h>
#include <kernel/mm/vm.h>

struct file;

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define ET_EXEC	     2
#define ET_DYN	     3
#define EM_X86_64    62
#define PT_LOAD	     1
#define PT_INTERP    3
#define PT_GNU_STACK 0x6474e551
#define PF_X	     1
#define PF_W	     2
#define PF_R	     4

/* A program in memory. */
struct elf_image {
	struct elf_header header;
	struct elf_phdr *phdrs; /* kmalloc'd: elf_image_free() */
	u64 bias;		/* added to every address of the file */
	u64 start, end;		/* of what is mapped */
	u64 phdr_address;	/* where the program finds its own program headers, or 0 */
	u64 code_start, code_end, data_start, data_end;
	bool executable_stack;
	char *interpreter; /* kmalloc'd, or NULL */
};

/* Read and check the headers. 0, or -ENOEXEC, -ENOMEM, -EIO ... */
int elf_read(struct elf_image *image, struct file *file);
void elf_image_free(struct elf_image *image);
/* Map it into `mm`: an ET_EXEC where it wants to be, an ET_DYN at `base`. 0 or -errno. */
int elf_map(struct elf_image *image, struct file *file, struct mm *mm, u64 base);
