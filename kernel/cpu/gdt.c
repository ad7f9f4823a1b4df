/*
 * Segments hardly matter in long mode: flat code and data for two privilege levels, and a task-state
 * segment a CPU, of which only the stack pointers are used. Each CPU has its own GDT because the
 * descriptor of its TSS is written to when it is loaded.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/gdt.h>
#include <kernel/cpu/percpu.h>

struct tss {
	u32 reserved0;
	u64 rsp[3]; /* by privilege level entered: [0] is the kernel's */
	u64 reserved1;
	u64 ist[7]; /* ist[0] is IST 1 */
	u64 reserved2;
	u16 reserved3;
	u16 io_bitmap; /* beyond the limit: user programs have no ports */
} __packed;
static_assert(sizeof(struct tss) == 104, "the CPU's layout");

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

#define EMERGENCY_STACK 4096

static DEFINE_PER_CPU(u64[10], cpu_gdt);
static DEFINE_PER_CPU(struct tss, cpu_tss);
static DEFINE_PER_CPU(u8[EMERGENCY_STACK], double_fault_stack) __aligned(16);
static DEFINE_PER_CPU(u8[EMERGENCY_STACK], nmi_stack) __aligned(16);

/* A TSS descriptor takes two slots; type 9 is an available 64-bit TSS. */
static void set_tss_descriptor(u64 *slot, u64 base, u64 limit)
{
	slot[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ULL << 40 |
		  ((limit >> 16) & 0xf) << 48 | ((base >> 24) & 0xff) << 56;
	slot[1] = base >> 32;
}

void gdt_init_cpu(void)
{
	u64 *gdt = *this_cpu_ptr(cpu_gdt);
	struct tss *tss = this_cpu_ptr(cpu_tss);
	struct table_pointer pointer = { sizeof(cpu_gdt) - 1, (u64)gdt };

	tss->ist[IST_DOUBLE_FAULT - 1] = (u64)*this_cpu_ptr(double_fault_stack) + EMERGENCY_STACK;
	tss->ist[IST_NMI - 1] = (u64)*this_cpu_ptr(nmi_stack) + EMERGENCY_STACK;
	tss->io_bitmap = sizeof(*tss);

	gdt[KERNEL_CS / 8] = GDT_KERNEL_CODE;
	gdt[KERNEL_DS / 8] = GDT_KERNEL_DATA;
	gdt[USER32_CS / 8] = GDT_USER_CODE32;
	gdt[USER_DS / 8] = GDT_USER_DATA;
	gdt[USER_CS / 8] = GDT_USER_CODE;
	set_tss_descriptor(&gdt[TSS_SEL / 8], (u64)tss, sizeof(*tss) - 1);

	/* The far return reloads CS; GS is left alone, its base is this CPU's data. There is no LDT: without
	 * saying so, selectors into whatever lies at address 0 would do. */
	__asm__ volatile("lgdt %0\n\t"
			 "mov %1, %%ds; mov %1, %%es; mov %1, %%ss\n\t"
			 "pushq %2; leaq 1f(%%rip), %%rax; pushq %%rax; lretq\n"
			 "1: ltr %w3; lldt %w4"
			 :
			 : "m"(pointer), "r"(KERNEL_DS), "i"(KERNEL_CS), "r"(TSS_SEL), "r"(0)
			 : "rax", "memory");
}

void tss_set_kernel_stack(u64 stack_top)
{
	this_cpu(cpu_tss.rsp[0]) = stack_top;
}

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
} __packed;
static_assert(sizeof(struct gate) == 16, "the CPU's layout");

#define STUB_SIZE   16
#define GATE_KERNEL 0x8e /* interrupt gate (clears IF), for the CPU and the kernel only */
#define GATE_USER   0xee /* the same, and programs may `int` it */

static struct gate idt[256] __aligned(4096);
extern const u64 trap_stub_base;

static void set_gate(int vector, u64 stub, u8 ist, u8 type)
{
	idt[vector] = (struct gate){
		.offset_low = stub,
		.selector = KERNEL_CS,
		.ist = ist,
		.type = type,
		.offset_middle = stub >> 16,
		.offset_high = stub >> 32,
	};
}

static u64 stub_of(int vector)
{
	return trap_stub_base + vector * STUB_SIZE;
}

void idt_init(void)
{
	for (int vector = 0; vector < 256; vector++)
		set_gate(vector, stub_of(vector), 0, GATE_KERNEL);
	set_gate(2, stub_of(2), IST_NMI, GATE_KERNEL);
	set_gate(8, stub_of(8), IST_DOUBLE_FAULT, GATE_KERNEL);
	set_gate(3, stub_of(3), 0, GATE_USER);
	set_gate(4, stub_of(4), 0, GATE_USER);
}

void idt_set_user_gate(u8 vector, void (*entry)(void))
{
	set_gate(vector, (u64)entry, 0, GATE_USER);
}

void idt_load(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}
