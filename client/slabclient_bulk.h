/* SPDX-License-Identifier: MIT */
/*
 * Bulks of a constant number, inline in the program: private to slabclient.h,
 * which includes it. What slabclient_hit.h says of changes goes for this, too.
 */
#ifndef SLABCLIENT_BULK_H
#define SLABCLIENT_BULK_H

#include "slabclient_hit.h"

#ifdef __cplusplus
extern "C" {
#endif

size_t slabd_alloc_bulk_slow_(slabd_cache *cache, size_t n, void **out);
void slabd_free_bulk_slow_(slabd_cache *cache, size_t n, void *const *objects);

/* Whether all objects are of the cache and the node of a magazine: first lies in
 * a unit that the map has, and apart says in which of a unit's bits others differ.
 * No more than SLABD_BULK_MAX_. */
int slabd_fit_(const slabd_cache *cache, uint32_t key, size_t n,
               void *const *objects, uintptr_t apart);

/*
 * Pointers are copied several at a time: vectors of what the compiler has
 * registers for, else it takes them apart.
 */
#ifdef __AVX__
#define SLABD_WIDE_ 32
#else
#define SLABD_WIDE_ 16
#endif
typedef uint64_t slabd_wide_ __attribute__((vector_size(SLABD_WIDE_),
                                            aligned(8), may_alias));
#define SLABD_LANES_ (SLABD_WIDE_ / sizeof(uint64_t))
#define SLABD_BULK_MAX_ 32u /* constants up to that are inline */

/* Copies some pointers, and notes in which bits they differ from the first of the
 * bulk, which each lane of *first has. */
static inline void slabd_copy_wide_(void **to, void *const *from,
                                    const slabd_wide_ *first,
                                    slabd_wide_ *apart)
{
	slabd_wide_ part;
	__builtin_memcpy(&part, from, sizeof(part));
	__builtin_memcpy(to, &part, sizeof(part));
	*apart |= part ^ *first;
}

/* The same of 8; no loop, which gcc leaves one. */
static inline void slabd_copy_8_(void **to, void *const *from,
                                 const slabd_wide_ *first, slabd_wide_ *apart)
{
	slabd_copy_wide_(to, from, first, apart);
	slabd_copy_wide_(to + 4, from + 4, first, apart);
#if SLABD_WIDE_ == 16
	slabd_copy_wide_(to + 2, from + 2, first, apart);
	slabd_copy_wide_(to + 6, from + 6, first, apart);
#endif
}

/* Copies n pointers, up to SLABD_BULK_MAX_. What their addresses have other than
 * the first one's: below 1 << 16 all lie in its unit. */
static inline uintptr_t slabd_copy_(void **to, void *const *from, size_t n)
{
	uintptr_t one = SLABD_AS_(uintptr_t, from[0]);
	slabd_wide_ apart = {0, 0};
	slabd_wide_ first = {0, 0};
	uintptr_t bits = 0;
	size_t i = 0;
	/* gcc 12 dies of vectors that it knows to be of a pointer's constant. */
	__asm__("" : "+r"(one));
	first[0] = first[1] = one;
#if SLABD_WIDE_ == 32
	first[2] = first[3] = one;
#endif
	if (n & 32) {
		slabd_copy_8_(to, from, &first, &apart);
		slabd_copy_8_(to + 8, from + 8, &first, &apart);
		slabd_copy_8_(to + 16, from + 16, &first, &apart);
		slabd_copy_8_(to + 24, from + 24, &first, &apart);
		i = 32;
	}
	if (n & 16) {
		slabd_copy_8_(to + i, from + i, &first, &apart);
		slabd_copy_8_(to + i + 8, from + i + 8, &first, &apart);
		i += 16;
	}
	if (n & 8) {
		slabd_copy_8_(to + i, from + i, &first, &apart);
		i += 8;
	}
	for (; i < n; i++) {
		to[i] = from[i];
		bits |= SLABD_AS_(uintptr_t, from[i]) ^ one;
	}
	for (i = 0; i < SLABD_LANES_; i++)
		bits |= apart[i];
	return bits;
}

#ifndef SLABD_NO_INLINE
static inline size_t slabd_alloc_bulk(slabd_cache *cache, size_t n, void **out)
{
	struct slabd_mag_ *mag = slabd_mag_of_(cache);
	size_t left;
	if (!__builtin_constant_p(n) || n - 1 >= SLABD_BULK_MAX_ ||
	    __builtin_expect(__builtin_sub_overflow(mag->n, n, &left), 0))
		return slabd_alloc_bulk_slow_(cache, n, out);
	slabd_set_n_(mag, left);
	slabd_copy_(out, mag->obj + left, n);
	return n;
}

/* What lies above n in a magazine is nobody's: copied first, then looked at. */
static inline void slabd_free_bulk(slabd_cache *cache, size_t n,
                                   void *const *objects)
{
	struct slabd_mag_ *mag = slabd_mag_of_(cache);
	uintptr_t unit, apart;
	size_t had;
	if (!__builtin_constant_p(n) || n - 1 >= SLABD_BULK_MAX_) {
		slabd_free_bulk_slow_(cache, n, objects);
		return;
	}
	unit = slabd_unit_(objects[0]);
	had = mag->n;
	if (__builtin_expect(unit < SLABD_UNITS_ && had + n <= mag->cap, 1)) {
		apart = slabd_copy_(mag->obj + had, objects, n) >> 16;
		if (apart == 0 ? slabd_key_(cache->map_, unit) == mag->key
		               : slabd_fit_(cache, mag->key, n, objects,
		                            apart) != 0) {
			slabd_set_n_(mag, had + n);
			return;
		}
	}
	slabd_free_bulk_slow_(cache, n, objects);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
