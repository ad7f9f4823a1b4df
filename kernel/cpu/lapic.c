/*
 * The local APIC, in its memory-mapped (xAPIC) form. Registers: Intel SDM volume 3, chapter 10. The timer
 * counts down from a value at a rate that is measured once against the clock; it is only ever used
 * one-shot.
 */
#include <kernel/cpu/acpi.h>
#include <kernel/cpu/asm.h>
#include <kernel/cpu/lapic.h>
#include <kernel/cpu/trap.h>
#include <kernel/cpu/tsc.h>
#include <kernel/mm/vmalloc.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

enum {
	LAPIC_ID = 0x20,
	LAPIC_TPR = 0x80, /* task priority: 0 lets everything in */
	LAPIC_EOI = 0xb0,
	LAPIC_SVR = 0xf0, /* spurious vector, and the enable bit */
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define SVR_ENABLE	  BIT(8)
#define LVT_MASKED	  BIT(16)
#define LVT_NMI		  (4 << 8)
#define ICR_FIXED	  (0 << 8)
#define ICR_NMI		  (4 << 8)
#define ICR_INIT	  (5 << 8)
#define ICR_STARTUP	  (6 << 8)
#define ICR_PENDING	  BIT(12)
#define ICR_ASSERT	  BIT(14)
#define ICR_ALL_BUT_SELF  (3 << 18)
#define TIMER_DIVIDE_BY_1 0xb
#define MSR_APIC_BASE	  0x1b
#define APIC_BASE_X2APIC  BIT(10)
#define APIC_BASE_ENABLE  BIT(11)
#define CALIBRATE_NS	  1000000

static volatile void *registers;
static u64 timer_mult; /* timer ticks a nanosecond, times 2^32 */

static u32 lapic_read(u32 reg)
{
	return mmio_read32(registers + reg);
}

static void lapic_write(u32 reg, u32 value)
{
	mmio_write32(registers + reg, value);
}

u32 lapic_id(void)
{
	return lapic_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

void lapic_enable(void)
{
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC)
		panic("the firmware left the local APIC in x2APIC mode, which Pollux does not "
		      "drive");
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED); /* the 8259, which is masked too */
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
	lapic_write(LAPIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
	lapic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

/* Let the timer run for a millisecond of the clock and see how far it gets. */
static void measure_timer(void)
{
	u64 start, elapsed, ticks;

	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, ~0U);
	start = clock_ns();
	do {
		elapsed = clock_ns() - start;
	} while (elapsed < CALIBRATE_NS);
	ticks = ~0U - lapic_read(LAPIC_TIMER_CURRENT);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
	timer_mult = (ticks << 32) / elapsed;
	if (!timer_mult)
		panic("the local APIC's timer does not count");
	pr_info("lapic: timer %llu kHz\n", ticks * 1000000 / elapsed);
}

void lapic_init(void)
{
	registers = ioremap(acpi.lapic_phys, PAGE_SIZE);
	if (!registers)
		panic("cannot map the local APIC");
	lapic_enable();
	measure_timer();
}

void lapic_timer_arm(u64 expires)
{
	u64 now = clock_ns();
	u64 delta = expires > now ? expires - now : 0;
	u64 ticks = (unsigned __int128)delta * timer_mult >> 32;

	/* The register has 32 bits; a timer that is due later than it can count is armed again. The
	 * division that made timer_mult rounded down: one tick more, or it would come early. */
	lapic_write(LAPIC_TIMER_INITIAL, min(ticks + 1, (u64)~0U));
}

/* The two halves must not be torn apart by an interrupt that sends one too. */
static void send(u32 apic_id, u32 command)
{
	u64 flags = irq_save();

	while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR_LOW, command);
	irq_restore(flags);
}

void lapic_send_ipi(u32 apic_id, u8 vector)
{
	send(apic_id, ICR_FIXED | ICR_ASSERT | vector);
}

void lapic_send_nmi_to_others(void)
{
	if (registers)
		send(0, ICR_NMI | ICR_ASSERT | ICR_ALL_BUT_SELF);
}

void lapic_send_init(u32 apic_id)
{
	send(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(u32 apic_id, u8 page)
{
	send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}
