/*
 * FPU state by XSAVE where the CPU has it, else by FXSAVE. Intel SDM volume 1, chapter 13. In a signal frame
 * the image stands as it is, with Linux's marks in the bytes that the CPU leaves to software, by which
 * a program (and we, when the frame comes back) can tell that the extended part is there.
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/fpu.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/panic.h>

#define CR0_EM	       BIT(2)
#define CR0_TS	       BIT(3)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_OSXSAVE    BIT(18)

#define XCR0_X87_SSE	   0x03
#define XCR0_X87_SSE_AVX   0x07
#define XCR0_AVX512	   0xe0
#define LEGACY_SIZE	   512
#define STATE_ALIGN	   64
#define HEADER_SIZE	   64
#define FCW_DEFAULT	   0x37f
#define MXCSR_DEFAULT	   0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf

/* Linux's struct _fpx_sw_bytes, at byte 464 of the image. */
#define SW_OFFSET 464
#define FP_MAGIC1 0x46505853U
#define FP_MAGIC2 0x46505845U /* after the image */
struct sw_bytes {
	u32 magic1, extended_size;
	u64 features;
	u32 xstate_size;
	u32 padding[7];
};

struct fpu_state {
	u16 fcw, fsw;
	u8 rest1[20];
	u32 mxcsr, mxcsr_mask;
	u8 rest2[SW_OFFSET - 32];
	struct sw_bytes sw;
	u64 xstate_bv, xcomp_bv;
	u8 reserved[HEADER_SIZE - 16];
	u8 extended[];
} __aligned(STATE_ALIGN);
static_assert(offsetof(struct fpu_state, xstate_bv) == LEGACY_SIZE, "the CPU's layout");

static struct kmem_cache *fpu_cache;
static u64 xcr0; /* 0: no XSAVE */
static size_t state_size;
static u32 mxcsr_mask;
static struct fpu_state *fresh; /* as every program begins */

static void write_xcr0(u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

void fpu_init_cpu(void)
{
	write_cr0(read_cr0() & ~(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (cpu_has(CPU_XSAVE) ? CR4_OSXSAVE : 0));
	if (xcr0)
		write_xcr0(xcr0);
	__asm__ volatile("fninit");
}

static void detect(void)
{
	u32 regs[4];

	state_size = LEGACY_SIZE + HEADER_SIZE;
	if (!cpu_has(CPU_XSAVE))
		return;
	cpuid(0xd, 0, regs);
	xcr0 = regs[0] & XCR0_X87_SSE_AVX;
	if ((regs[0] & XCR0_AVX512) == XCR0_AVX512)
		xcr0 |= XCR0_AVX512;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	write_xcr0(xcr0);
	cpuid(0xd, 0, regs);
	state_size = regs[1]; /* for what XCR0 enables now */
}

static void set_default(struct fpu_state *state)
{
	memset(state, 0, state_size);
	state->fcw = FCW_DEFAULT;
	state->mxcsr = MXCSR_DEFAULT;
}

void fpu_init(void)
{
	detect();
	fpu_init_cpu();
	fpu_cache = kmem_cache_create("fpu_state", state_size, STATE_ALIGN);
	fresh = fpu_alloc();
	if (!fresh)
		panic("no memory for FPU states");
	fpu_save(fresh);
	mxcsr_mask = fresh->mxcsr_mask ? fresh->mxcsr_mask : MXCSR_MASK_DEFAULT;
	set_default(fresh);
}

struct fpu_state *fpu_alloc(void)
{
	struct fpu_state *state = kmem_cache_alloc(fpu_cache, GFP_KERNEL);

	if (state)
		set_default(state);
	return state;
}

struct fpu_state *fpu_clone_current(void)
{
	struct fpu_state *state = fpu_alloc();

	if (state)
		fpu_save(state);
	return state;
}

void fpu_free(struct fpu_state *state)
{
	if (state)
		kmem_cache_free(fpu_cache, state);
}

void fpu_save(struct fpu_state *state)
{
	if (xcr0)
		__asm__ volatile("xsave64 %0" : "+m"(*state) : "a"(~0U), "d"(~0U) : "memory");
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*state) : : "memory");
}

void fpu_load(struct fpu_state *state)
{
	if (xcr0)
		__asm__ volatile("xrstor64 %0" : : "m"(*state), "a"(~0U), "d"(~0U) : "memory");
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(*state) : "memory");
}

size_t fpu_frame_size(void)
{
	return state_size + sizeof(u32);
}

int fpu_copy_to_user(void __user *to)
{
	struct fpu_state *state = fpu_clone_current();
	u32 magic2 = FP_MAGIC2;
	bool fault;

	if (!state)
		return -ENOMEM;
	state->sw = (struct sw_bytes){ .magic1 = FP_MAGIC1,
				       .extended_size = fpu_frame_size(),
				       .features = xcr0,
				       .xstate_size = state_size };
	fault = copy_to_user(to, state, state_size) ||
		copy_to_user((u8 *)to + state_size, &magic2, sizeof(magic2));
	fpu_free(state);
	return fault ? -EFAULT : 0;
}

static bool all_zero(const u8 *bytes, size_t size)
{
	while (size && !*bytes)
		bytes++, size--;
	return size == 0;
}

/* Would the CPU load it without a fault? The short form has no extended part: that becomes the default. */
static bool loadable(struct fpu_state *state)
{
	if (state->mxcsr & ~mxcsr_mask)
		return false;
	if (state->sw.magic1 != FP_MAGIC1 || state->sw.xstate_size != state_size) {
		memset(&state->xstate_bv, 0, state_size - LEGACY_SIZE);
		state->xstate_bv = XCR0_X87_SSE & xcr0;
		return true;
	}
	return !(state->xstate_bv & ~xcr0) && !state->xcomp_bv &&
	       all_zero(state->reserved, sizeof(state->reserved));
}

int fpu_copy_from_user(const void __user *from)
{
	struct fpu_state *state;
	size_t missing;

	if (!from) {
		fpu_reset();
		return 0;
	}
	if ((u64)from % STATE_ALIGN)
		return -EFAULT;
	state = fpu_alloc();
	if (!state)
		return -ENOMEM;
	missing = copy_from_user(state, from, state_size);
	if (missing > state_size - LEGACY_SIZE) {
		fpu_free(state);
		return -EFAULT;
	}
	if (missing)
		state->sw.magic1 = 0; /* the old, short form is all there is */
	if (!loadable(state)) {
		fpu_free(state);
		return -EINVAL;
	}
	fpu_load(state);
	fpu_free(state);
	return 0;
}

void fpu_reset(void)
{
	fpu_load(fresh);
}
