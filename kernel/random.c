/*
 * The random number generator. A ChaCha20 key makes blocks; the first half of the first block of each request
 * replaces the key, so that what was given out cannot be computed from what is in memory later. The
 * key begins with RDSEED or RDRAND where there is one, and with the jitter of the TSC against the
 * other clock; what is stirred in later is folded into the key.
 *
 * Locks: lock, irq-safe (any context may ask).
 */
#include <kernel/cpu/asm.h>
#include <kernel/cpu/features.h>
#include <kernel/lib/chacha20.h>
#include <kernel/lib/string.h>
#include <kernel/random.h>
#include <kernel/spinlock.h>

#define AT_ONCE	       512 /* bytes made with interrupts off */
#define SMALL	       16  /* bytes that come out of the spare block */
#define RESEED_BLOCKS  (1 << 16)
#define JITTER_ROUNDS  64
#define HARDWARE_TRIES 10

static DEFINE_SPINLOCK(lock);
static u8 key[CHACHA20_KEY_SIZE]; /* under lock */
static u32 blocks_made;		  /* under lock: since the last fresh entropy */

/* Under lock: the end of it has been made and not been given out. Most requests are for a few bytes. */
static u8 spare[CHACHA20_BLOCK_SIZE];
static u32 spare_left;

static bool hardware_random(u64 *value)
{
	for (int try = 0; try < HARDWARE_TRIES; try++) {
		bool ok = false;

		if (cpu_has(CPU_RDSEED))
			__asm__ volatile("rdseed %0; setc %1" : "=r"(*value), "=qm"(ok) : : "cc");
		if (!ok && cpu_has(CPU_RDRAND))
			__asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(ok) : : "cc");
		if (ok)
			return true;
	}
	return false;
}

static void make_block(const u8 nonce[CHACHA20_NONCE_SIZE], u32 counter,
		       u8 block[CHACHA20_BLOCK_SIZE])
{
	chacha20_block(key, counter, nonce, block);
	blocks_made++;
}

/* Under lock: key = first half of the block that the old key and `data` make. What is spare is older. */
static void fold(const void *data, size_t size)
{
	const u8 *bytes = data;
	u8 block[CHACHA20_BLOCK_SIZE];

	spare_left = 0;

	do {
		u8 nonce[CHACHA20_NONCE_SIZE] = { 0 };
		size_t chunk = min(size, sizeof(nonce));

		memcpy(nonce, bytes, chunk);
		make_block(nonce, ~0U, block);
		memcpy(key, block, sizeof(key));
		bytes += chunk;
		size -= chunk;
	} while (size);
	memset(block, 0, sizeof(block));
}

static void fold_fresh_entropy(void)
{
	u64 sample[2] = { rdtsc(), 0 };

	for (int i = 0; i < 4; i++) {
		if (!hardware_random(&sample[1]))
			break;
		fold(sample, sizeof(sample));
	}
	sample[0] = rdtsc();
	fold(sample, sizeof(sample));
	blocks_made = 0;
}

/* Under lock: bytes for somebody, and a new key. */
static void make_bytes(u8 *to, size_t size)
{
	static const u8 nonce[CHACHA20_NONCE_SIZE];
	u8 block[CHACHA20_BLOCK_SIZE];
	u32 counter = 1;

	if (blocks_made > RESEED_BLOCKS)
		fold_fresh_entropy();
	while (size) {
		size_t chunk = min(size, sizeof(block));

		make_block(nonce, counter++, block);
		memcpy(to, block, chunk);
		to += chunk;
		size -= chunk;
	}
	make_block(nonce, 0, block);
	memcpy(key, block, sizeof(key));
	memset(block, 0, sizeof(block));
}

/* Under lock. What is given out is wiped here. */
static void take_spare(u8 *to, size_t size)
{
	u8 *from;

	if (spare_left < size) {
		make_bytes(spare, sizeof(spare));
		spare_left = sizeof(spare);
	}
	from = spare + sizeof(spare) - spare_left;
	memcpy(to, from, size);
	memset(from, 0, size);
	spare_left -= size;
}

void random_fill(void *buffer, size_t size)
{
	for (u8 *to = buffer; size;) {
		size_t chunk = min(size, (size_t)AT_ONCE);
		u64 flags = spin_lock_irqsave(&lock);

		if (chunk <= SMALL)
			take_spare(to, chunk);
		else
			make_bytes(to, chunk);
		spin_unlock_irqrestore(&lock, flags);
		to += chunk;
		size -= chunk;
	}
}

u64 random_u64(void)
{
	u64 value;

	random_fill(&value, sizeof(value));
	return value;
}

/* The high half of value * limit; values that would favour some results are drawn again. */
u64 random_below(u64 limit)
{
	u64 threshold = -limit % limit;

	for (;;) {
		unsigned __int128 product = (unsigned __int128)random_u64() * limit;

		if ((u64)product >= threshold)
			return product >> 64;
	}
}

void random_stir(const void *data, size_t size)
{
	u64 now = rdtsc(), flags = spin_lock_irqsave(&lock);

	fold(&now, sizeof(now));
	if (size)
		fold(data, size);
	spin_unlock_irqrestore(&lock, flags);
}

void random_init(void)
{
	u64 flags = spin_lock_irqsave(&lock);

	for (int i = 0; i < JITTER_ROUNDS; i++) {
		u64 sample = rdtsc();

		inb(0x80); /* a bus cycle, whose length varies */
		sample ^= rdtsc() << 32;
		fold(&sample, sizeof(sample));
	}
	fold_fresh_entropy();
	spin_unlock_irqrestore(&lock, flags);
}
