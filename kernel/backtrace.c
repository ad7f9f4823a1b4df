/*
 * Backtraces. Each function begins by pushing the caller's RBP and pointing RBP at it, so RBP leads
 * through the chain of frames:
 *
 *	RBP ->	caller's RBP ->	its caller's RBP -> ... 0
 *		return address	return address
 *
 * It runs when memory may be corrupt, so it believes nothing: a frame must lie in mapped kernel
 * space and above the one before. "Mapped" is asked of the page tables that the CPU uses.
 */
#include <kernel/backtrace.h>

#include <kernel/cpu/asm.h>
#include <kernel/ksyms.h>
#include <kernel/mm/layout.h>
#include <kernel/printk.h>

#define MAX_FRAMES  32
#define SYMBOL_SIZE 128
#define ENTRY_VALID BIT(0)
#define ENTRY_HUGE  BIT(7)
#define ENTRY_FRAME 0x000ffffffffff000ULL
#define TOP_SHIFT   39 /* of the address bits that index the top-level table */
#define INDEX_BITS  9

struct stack_frame {
	u64 caller_frame;
	u64 return_address;
};

/* A page table by its physical address. Those of the boot lie in the image, and the direct map may
 * not be there yet; all others are reached through the direct map. */
static const u64 *table_at(u64 entry)
{
	u64 in_image = KERNEL_BASE + (entry & ENTRY_FRAME);

	if (in_image >= (u64)kernel_start && in_image < (u64)kernel_end)
		return (const u64 *)in_image;
	return phys_to_virt(entry & ENTRY_FRAME);
}

static bool is_mapped(u64 address)
{
	u64 entry = read_cr3();

	for (u32 shift = TOP_SHIFT; shift >= PAGE_SHIFT; shift -= INDEX_BITS) {
		entry = table_at(entry)[(address >> shift) & (BIT(INDEX_BITS) - 1)];
		if (!(entry & ENTRY_VALID))
			return false;
		if (shift != TOP_SHIFT && (entry & ENTRY_HUGE))
			return true;
	}
	return true;
}

static bool is_frame(u64 pointer)
{
	const u64 last_byte = pointer + sizeof(struct stack_frame) - 1;

	return pointer % sizeof(u64) == 0 && pointer >= PAGE_OFFSET && last_byte > pointer &&
	       is_mapped(pointer) && is_mapped(last_byte);
}

u32 backtrace_save(u64 frame_pointer, u64 *addresses, u32 max)
{
	u32 count = 0;

	while (count < max && is_frame(frame_pointer)) {
		const struct stack_frame *frame = (const struct stack_frame *)frame_pointer;

		if (frame->return_address < KERNEL_BASE)
			break;
		addresses[count++] = frame->return_address;
		if (frame->caller_frame <= frame_pointer)
			break;
		frame_pointer = frame->caller_frame;
	}
	return count;
}

void print_instruction(u64 address)
{
	char symbol[SYMBOL_SIZE];

	printk(KERN_EMERG "  %s\n", ksym_format(address, symbol, sizeof(symbol)));
}

void print_return_address(u64 address)
{
	char symbol[SYMBOL_SIZE];

	printk(KERN_EMERG "  %s\n", ksym_format_return(address, symbol, sizeof(symbol)));
}

void print_backtrace(u64 instruction, u64 frame_pointer)
{
	u64 addresses[MAX_FRAMES];
	u32 count = backtrace_save(frame_pointer, addresses, MAX_FRAMES);

	if (instruction)
		print_instruction(instruction);
	for (u32 i = 0; i < count; i++)
		print_return_address(addresses[i]);
}
