/* SPDX-License-Identifier: MIT */
/*
 * What a hit does, inline in the program: private to slabclient.h, which
 * includes it.
 *
 * All that is here is in other people's binaries. Whoever changes an offset, a
 * meaning or a name raises SLABD_ABI, and the 1 of slabd_mags_1_ with it: what
 * was built before then neither links with the new library nor starts with it,
 * where it would hand out an object twice. See slabclient_abi(7).
 */
#ifndef SLABCLIENT_HIT_H
#define SLABCLIENT_HIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLABD_ABI 1

#ifdef __cplusplus
#define SLABD_AS_(type, pointer) reinterpret_cast<type>(pointer)
#define SLABD_TO_(type, number) static_cast<type>(number)
#else
#define SLABD_AS_(type, pointer) ((type)(pointer))
#define SLABD_TO_(type, number) ((type)(number))
#endif

/*
 * One thread's magazine of one cache: a stack, the newest object on top.
 *
 * n keeps clear of multiples of 16: a load whose low 12 address bits are those
 * of an earlier store waits for it, and programs have just stored to objects,
 * which start there.
 */
struct slabd_mag_ {
	const uint64_t *map_; /* of its cache, where slabd_local_of was here */
	size_t n;      /* objects here; other threads look at it, relaxed */
	size_t cap;    /* objects allowed here */
	uint32_t key;  /* low half of a unit word: cache and home that fit */
	uint32_t seen; /* missed since it was last looked at for idleness */
	void *obj[SLABD_MAGAZINE_MAX];
	slabd_cache *cache_; /* like map_; the library alone reads it */
	uint64_t line_[3];   /* an odd count of cache lines: spreads the sets */
};

/*
 * The public head of a cache. Constant once the cache is open.
 *
 * map_ has a word for each 64 KiB of the address space, up to SLABD_UNITS_:
 * the pool's slab table where its data lies, zero everywhere else. So any
 * pointer below may be looked up, and one that is no object of this cache fails
 * the comparison.
 */
#if defined(__x86_64__)
#define SLABD_UNITS_ (UINT64_C(1) << 31)
#else
#define SLABD_UNITS_ (UINT64_C(1) << 32)
#endif
struct slabd_cache {
	const uint64_t *map_;
	size_t mag_; /* offset of the cache's magazine in a thread's table */
};

/* The calling thread's magazine table; never NULL. All zero, so that every
 * call is a miss, before the thread's first miss and in a forked child. */
extern __thread struct slabd_mag_ *slabd_mags_1_
        __attribute__((tls_model("initial-exec")));

static inline uintptr_t slabd_unit_(const void *object)
{
	uintptr_t unit = SLABD_AS_(uintptr_t, object) >> 16;
	/* Else a compiler compares the address itself, which takes one more. */
	__asm__("" : "+r"(unit));
	return unit;
}

/* The low half of a unit's word. */
static inline uint32_t slabd_key_(const uint64_t *map, uintptr_t unit)
{
	uint64_t word = __atomic_load_n(&map[unit], __ATOMIC_RELAXED);
	return SLABD_TO_(uint32_t, word);
}

/* Only this thread writes n. */
static inline void slabd_set_n_(struct slabd_mag_ *mag, size_t n)
{
	__atomic_store_n(&mag->n, n, __ATOMIC_RELAXED);
}

/* An addition in place is a store to the others. */
static inline void slabd_one_more_(struct slabd_mag_ *mag, size_t n)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	SLABD_TO_(void, n);
	__asm__("addq $1, %0" : "+m"(mag->n) : : "cc");
#else
	slabd_set_n_(mag, n + 1);
#endif
}

void *slabd_alloc_slow_(slabd_cache *cache);
void slabd_free_slow_(slabd_cache *cache, void *object);
void *slabd_local_alloc_slow_(slabd_local *local);
void slabd_local_free_slow_(slabd_local *local, void *object);

static inline struct slabd_mag_ *slabd_mag_of_(const slabd_cache *cache)
{
	struct slabd_mag_ *mag =
		SLABD_AS_(struct slabd_mag_ *,
	                  SLABD_AS_(char *, slabd_mags_1_) + cache->mag_);
	/* Else clang adds anew for each use, which takes one more. */
	__asm__("" : "+r"(mag));
	return mag;
}

#ifndef SLABD_NO_INLINE
static inline void *slabd_alloc(slabd_cache *cache)
{
	struct slabd_mag_ *mag = slabd_mag_of_(cache);
	size_t n;
	if (__builtin_expect(__builtin_sub_overflow(mag->n, 1, &n), 0))
		return slabd_alloc_slow_(cache);
	slabd_set_n_(mag, n);
	return mag->obj[n];
}

static inline void slabd_free(slabd_cache *cache, void *object)
{
	struct slabd_mag_ *mag = slabd_mag_of_(cache);
	uintptr_t unit = slabd_unit_(object);
	size_t n = mag->n;
	if (__builtin_expect(unit < SLABD_UNITS_ &&
	                     slabd_key_(cache->map_, unit) == mag->key &&
	                     n < mag->cap, 1)) {
		mag->obj[n] = object;
		slabd_one_more_(mag, n);
		return;
	}
	slabd_free_slow_(cache, object);
}

static inline void *slabd_local_alloc(slabd_local *local)
{
	size_t n;
	if (__builtin_expect(__builtin_sub_overflow(local->n, 1, &n), 0))
		return slabd_local_alloc_slow_(local);
	slabd_set_n_(local, n);
	return local->obj[n];
}

/* The room first: where there is none, there may be no map either. */
static inline void slabd_local_free(slabd_local *local, void *object)
{
	uintptr_t unit = slabd_unit_(object);
	size_t n = local->n;
	if (__builtin_expect(n < local->cap && unit < SLABD_UNITS_ &&
	                     slabd_key_(local->map_, unit) == local->key, 1)) {
		local->obj[n] = object;
		slabd_one_more_(local, n);
		return;
	}
	slabd_local_free_slow_(local, object);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
