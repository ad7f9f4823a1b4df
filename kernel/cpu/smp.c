/*
 * Several CPUs. The boot CPU starts the others one at a time by INIT and SIPI (Intel SDM volume 3, 8.4);
 * each comes up through ap_boot.S on the kernel's own page tables, with its per-CPU data behind GS.
 *
 * Calls between CPUs: one at a time, under call_lock. The caller publishes function and argument,
 * interrupts those it wants, and waits for the count of those who have not answered to reach zero.
 * While it waits for the lock or for answers it must answer others' calls itself, so interrupts stay on.
 */
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/ap_boot.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/gdt.h>
#include <kernel/cpu/lapic.h>
#include <kernel/cpu/smp.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/lib/string.h>
#include <kernel/mm/paging.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>

#define MSR_EFER	0xc0000080
#define STARTUP_WAIT_NS NSEC_PER_SEC

extern char percpu_start[], percpu_end[], percpu_boot_area[];

u64 percpu_offset[MAX_CPUS];
DEFINE_PER_CPU(u64, percpu_this_offset);
DEFINE_PER_CPU(u32, cpu_number);
u32 nr_cpus = 1;
u32 cpu_apic_id[MAX_CPUS];

static void (*ap_entry)(void);
static u32 cpus_ready = 1;

static void stop_cpu(struct trap_frame *frame)
{
	if (!panic_in_progress)
		return; /* the machine's own NMI; nothing here asks for one */
	for (;;)
		__asm__ volatile("cli; hlt");
}

void smp_init_boot_cpu(void)
{
	/* Through the direct map: see boot.S. */
	percpu_offset[0] = (u64)phys_to_virt(virt_to_phys(percpu_boot_area)) - (u64)percpu_start;
	this_cpu(percpu_this_offset) = percpu_offset[0];
	trap_set_handler(TRAP_NMI, stop_cpu);
}

/* The first C code of an application processor. */
static void ap_main(void)
{
	gdt_init_cpu();
	idt_load();
	ap_entry();
}

/* A copy of the untouched master for the new CPU. */
static bool make_percpu_area(u32 cpu)
{
	size_t size = percpu_end - percpu_start;
	struct page *page = alloc_pages(order_for_size(size), GFP_KERNEL);

	if (!page)
		return false;
	memcpy(page_address(page), percpu_start, size);
	percpu_offset[cpu] = (u64)page_address(page) - (u64)percpu_start;
	per_cpu(percpu_this_offset, cpu) = percpu_offset[cpu];
	per_cpu(cpu_number, cpu) = cpu;
	return true;
}

static bool wait_until_ready(u32 cpu)
{
	u64 deadline = clock_ns() + STARTUP_WAIT_NS;

	while (__atomic_load_n(&cpus_ready, __ATOMIC_ACQUIRE) <= cpu) {
		if (clock_ns() > deadline)
			return false;
		cpu_relax();
	}
	return true;
}

static bool start_cpu(u32 cpu, u32 apic_id)
{
	struct ap_boot_args *args =
		phys_to_virt(AP_TRAMPOLINE + (ap_trampoline_args - ap_trampoline_start));
	void *stack = kernel_stack_alloc();

	if (!stack || !make_percpu_area(cpu))
		return false;
	cpu_apic_id[cpu] = apic_id;
	args->cr3 = virt_to_phys(kernel_pml4);
	args->efer = rdmsr(MSR_EFER) & ~BIT(10); /* LMA is the CPU's to set */
	args->stack = (u64)stack + KERNEL_STACK_SIZE;
	args->gs_base = percpu_offset[cpu];
	args->entry = (u64)ap_main;

	lapic_send_init(apic_id);
	clock_delay_ns(200 * NSEC_PER_USEC);
	for (int attempt = 0; attempt < 2; attempt++) {
		lapic_send_startup(apic_id, AP_TRAMPOLINE >> PAGE_SHIFT);
		if (wait_until_ready(cpu))
			return true;
	}
	return false;
}

void smp_cpu_ready(void)
{
	__atomic_add_fetch(&cpus_ready, 1, __ATOMIC_RELEASE);
}

void smp_start_cpus(u32 limit, void (*entry)(void))
{
	u32 boot_id = lapic_id();

	ap_entry = entry;
	cpu_apic_id[0] = boot_id;
	if (paging_map_trampoline(AP_TRAMPOLINE))
		panic("no memory to start the other CPUs with");
	memcpy(phys_to_virt(AP_TRAMPOLINE), ap_trampoline_start,
	       ap_trampoline_end - ap_trampoline_start);
	for (u32 i = 0; i < acpi.nr_cpus && nr_cpus < limit; i++) {
		if (acpi.apic_ids[i] == boot_id)
			continue;
		if (!start_cpu(nr_cpus, acpi.apic_ids[i])) {
			pr_err("smp: CPU with APIC id %u does not start\n", acpi.apic_ids[i]);
			break; /* it may yet wake up, in memory that we lent it: leave that alone */
		}
		nr_cpus++;
	}
	paging_unmap_trampoline(AP_TRAMPOLINE);
}

void smp_send_reschedule(u32 cpu)
{
	lapic_send_ipi(cpu_apic_id[cpu], VECTOR_RESCHEDULE);
}

static DEFINE_SPINLOCK(call_lock);
static struct {
	void (*fn)(void *arg);
	void *arg;
	u32 missing; /* atomic: CPUs that have not run it */
} call;

void smp_call_interrupt(void *arg)
{
	call.fn(call.arg);
	__atomic_sub_fetch(&call.missing, 1, __ATOMIC_RELEASE);
}

static u32 count_cpus(u64 cpus)
{
	u32 count = 0;

	for (; cpus; cpus &= cpus - 1)
		count++;
	return count;
}

void smp_call_mask(u64 cpus, void (*fn)(void *arg), void *arg)
{
	cpus &= ~BIT(smp_processor_id());
	if (!cpus)
		return;
	debug_assert(irqs_enabled());
	spin_lock_bh(&call_lock);
	call.fn = fn;
	call.arg = arg;
	__atomic_store_n(&call.missing, count_cpus(cpus), __ATOMIC_RELEASE);
	for (; cpus; cpus &= cpus - 1)
		lapic_send_ipi(cpu_apic_id[__builtin_ctzll(cpus)], VECTOR_CALL);
	while (__atomic_load_n(&call.missing, __ATOMIC_ACQUIRE))
		cpu_relax();
	spin_unlock_bh(&call_lock);
}

void smp_call_others(void (*fn)(void *arg), void *arg)
{
	smp_call_mask(~0ULL >> (64 - nr_cpus), fn, arg);
}

struct flush_range {
	u64 start, end;
};

#define FLUSH_ALL_ABOVE (64 * PAGE_SIZE)
#define CR4_PGE		BIT(7)

/* Global pages survive a reload of CR3; switching PGE off and on drops them all. */
static void flush_range(void *arg)
{
	struct flush_range *range = arg;

	if (range->end - range->start > FLUSH_ALL_ABOVE) {
		u64 cr4 = read_cr4();

		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
		return;
	}
	for (u64 address = range->start; address < range->end; address += PAGE_SIZE)
		invlpg((void *)address);
}

void flush_tlb_kernel(u64 start, u64 end)
{
	struct flush_range range = { start, end };

	flush_range(&range);
	smp_call_others(flush_range, &range);
}

void smp_stop_others(void)
{
	if (nr_cpus > 1)
		lapic_send_nmi_to_others();
}
