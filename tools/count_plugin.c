/*
 * A QEMU plugin that counts what a guest executes, all processors together, and keeps the counts in a file
 * that other programs map or read (tools/counts.py), while the guest runs:
 *
 *	qemu-system-x86_64 -plugin build/count_plugin.so,count=PATH[,io=on][,at=ADDRESS]... ...
 *
 * It needs to know nothing about the kernel that runs: the kernel's instructions are those at addresses above
 * the middle, and the rest is seen in the instructions' own bytes. A guest's program that executes MARK has the
 * counts of that moment kept as well.
 *
 * io=on also counts each access to a register of a device, by its address, and the bytes that the kernel copies from
 * and to programs. QEMU then calls us at every access of the kernel to memory, which makes the guest several times as slow.
 *
 * at=ADDRESS counts how often the instruction there is executed, as a function's first; there may be a few.
 *
 * Distributions do not package QEMU's plugin header; what is used of it is declared here.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- QEMU's side ------------------------------------------------------------------------------- */

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

enum { NO_REGISTERS = 0, MEMORY_READ_OR_WRITE = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *),
				      int flags, int accesses, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address);
const char *qemu_plugin_hwaddr_device_name(const struct qemu_plugin_hwaddr *address);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

/* ---- the file: tools/counts.py reads it by this layout ------------------------------------------- */

#define MAX_MARKS     1024
#define MAX_REGISTERS 1024
#define MAX_PLACES    16

struct counts {
	uint64_t kernel, user; /* instructions */
	uint64_t halts;	       /* hlt and mwait */
	uint64_t cr3;	       /* writes to CR3: each empties the TLB */
	uint64_t ports;	       /* in, out, and their string forms */
};

struct io_register {
	char device[24];  /* the name of QEMU's memory region */
	uint64_t address; /* physical */
	uint64_t reads, writes;
};

#define LOW_MEMORY 0x100000 /* what is not RAM below is the screen's, byte by byte */

static struct shared {
	struct counts counts;
	uint64_t n_marks;
	struct counts marks[MAX_MARKS]; /* the counts as they were at each mark */
	struct io_register registers[MAX_REGISTERS]; /* a hash table by address */
	uint64_t from_user, to_user;		     /* bytes that the kernel read and wrote there */
	uint64_t places[MAX_PLACES];		     /* how often each at= was executed */
} *shared;

static bool want_io;
static uint64_t places[MAX_PLACES];
static int n_places;

static void add(uint64_t *counter, uint64_t number)
{
	__atomic_fetch_add(counter, number, __ATOMIC_RELAXED);
}

/* ---- what is executed ---------------------------------------------------------------------------- */

static void kernel_block_executed(unsigned int vcpu, void *instructions)
{
	(void)vcpu;
	add(&shared->counts.kernel, (uintptr_t)instructions);
}

static void user_block_executed(unsigned int vcpu, void *instructions)
{
	(void)vcpu;
	add(&shared->counts.user, (uintptr_t)instructions);
}

static void counted_instruction(unsigned int vcpu, void *counter)
{
	(void)vcpu;
	add(counter, 1);
}

static void marked(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	if (shared->n_marks < MAX_MARKS)
		shared->marks[shared->n_marks++] = shared->counts;
}

/* ---- what an instruction is ---------------------------------------------------------------------- */

/* nopl 0x584c4c50(%rax): a no-operation that no compiler makes. tests/bench/calls.c has its like. */
static const uint8_t MARK[] = { 0x0f, 0x1f, 0x80, 'P', 'L', 'L', 'X' };

static bool is_cr3_write(const uint8_t *code, size_t size)
{
	if (size == 4 && (code[0] & 0xf0) == 0x40) { /* a REX prefix, for r8 to r15 */
		code++;
		size--;
	}
	return size == 3 && code[0] == 0x0f && code[1] == 0x22 && (code[2] & 0x38) == 3 << 3;
}

static bool is_halt(const uint8_t *code, size_t size)
{
	return (size == 1 && code[0] == 0xf4) || (size == 3 && !memcmp(code, "\x0f\x01\xc9", 3));
}

static bool is_port_access(const uint8_t *code, size_t size)
{
	uint8_t opcode;

	while (size > 1 && (code[0] == 0x66 || code[0] == 0xf3)) { /* operand size, rep */
		code++;
		size--;
	}
	opcode = code[0];
	if (size == 2)
		return opcode >= 0xe4 && opcode <= 0xe7;
	return size == 1 && ((opcode >= 0xec && opcode <= 0xef) || (opcode >= 0x6c && opcode <= 0x6f));
}

static uint64_t *counter_of(const uint8_t *code, size_t size)
{
	if (is_halt(code, size))
		return &shared->counts.halts;
	if (is_cr3_write(code, size))
		return &shared->counts.cr3;
	if (is_port_access(code, size))
		return &shared->counts.ports;
	return NULL;
}

/* ---- registers of devices ------------------------------------------------------------------------ */

/* NULL when there are too many. */
static struct io_register *find_register(const char *device, uint64_t address)
{
	for (uint64_t i = 0; i < MAX_REGISTERS; i++) {
		struct io_register *reg = &shared->registers[(address / 4 + i) % MAX_REGISTERS];

		if (reg->address == address)
			return reg;
		if (!reg->address) {
			strncpy(reg->device, device, sizeof(reg->device) - 1);
			reg->address = address;
			return reg;
		}
	}
	return NULL;
}

static void memory_accessed(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *unused)
{
	struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);
	struct io_register *reg;

	(void)vcpu;
	(void)unused;
	if (!(vaddr >> 63))
		add(qemu_plugin_mem_is_store(info) ? &shared->to_user : &shared->from_user,
		    1ull << qemu_plugin_mem_size_shift(info));
	if (!address || !qemu_plugin_hwaddr_is_io(address) || qemu_plugin_hwaddr_phys_addr(address) < LOW_MEMORY)
		return;
	reg = find_register(qemu_plugin_hwaddr_device_name(address), qemu_plugin_hwaddr_phys_addr(address));
	if (reg)
		add(qemu_plugin_mem_is_store(info) ? &reg->writes : &reg->reads, 1);
}

/* ---- translation --------------------------------------------------------------------------------- */

static void instruction_translated(struct qemu_plugin_insn *insn, bool is_kernel)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	uint64_t *counter = is_kernel ? counter_of(code, size) : NULL;

	if (counter)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, counted_instruction, NO_REGISTERS, counter);
	if (!is_kernel && size == sizeof(MARK) && !memcmp(code, MARK, size))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, NO_REGISTERS, NULL);
	if (is_kernel && want_io)
		qemu_plugin_register_vcpu_mem_cb(insn, memory_accessed, NO_REGISTERS, MEMORY_READ_OR_WRITE,
						 NULL);
	for (int i = 0; i < n_places; i++)
		if (qemu_plugin_insn_vaddr(insn) == places[i])
			qemu_plugin_register_vcpu_insn_exec_cb(insn, counted_instruction, NO_REGISTERS,
							       &shared->places[i]);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	bool is_kernel = qemu_plugin_tb_vaddr(tb) >> 63;
	uintptr_t instructions = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < instructions; i++)
		instruction_translated(qemu_plugin_tb_get_insn(tb, i), is_kernel);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, is_kernel ? kernel_block_executed : user_block_executed,
					     NO_REGISTERS, (void *)instructions);
}

/* ---- start --------------------------------------------------------------------------------------- */

static int map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	void *pages = MAP_FAILED;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, sizeof(*shared)) == 0)
		pages = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (pages == MAP_FAILED)
		return -1;
	shared = pages;
	return 0;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "count=", 6) && map_file(argv[i] + 6) == 0)
			continue;
		if (!strcmp(argv[i], "io=on"))
			want_io = true;
		else if (!strncmp(argv[i], "at=", 3) && n_places < MAX_PLACES)
			places[n_places++] = strtoull(argv[i] + 3, NULL, 16);
		else
			goto wrong;
	}
	if (!shared)
		goto wrong;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
wrong:
	fprintf(stderr, "count_plugin: needs count=PATH, a file that can be written; understands io=on, at=ADDRESS\n");
	return -1;
}
