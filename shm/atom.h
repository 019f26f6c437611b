/* SPDX-License-Identifier: MIT */
/*
 * The only atomic operations of the project. All work on plain integers of 2,
 * 4 or 8 bytes, in memory that other processes may map, so all are lock-free.
 *
 *   load, store    relaxed: the value alone matters, nothing is read through it
 *   load_acquire   what was stored before the release that it reads is seen
 *   store_release  what came before it is seen by whoever acquires it
 *   cas            compare-and-swap, acquire on success, relaxed on failure
 *   publish        compare-and-swap, acquire and release on success, acquire on
 *                  failure: what the loser sees is whole
 *   set, clear     bits, and a full fence; the old word comes back
 *   swap           exchange, with a full fence
 *   fence          full: orders an earlier store before a later load
 *   fence_done     the same right behind set, clear, swap, cas or add, which are one
 *                  on x86
 *   meet           the same within this thread alone: for a store and a load that
 *                  another thread parts by a barrier which the kernel puts there
 *   add            relaxed count; the old value comes back
 *   fetch_line     a hint that a line will be written
 *   pause          a hint that a loop waits for another core
 *
 * All but load, store, add and fetch_line order something. A call of those
 * names the function on the other side, "pairs: function", on its line or on
 * one of the two above it; tests/lint/check_atomics.sh sees to that.
 */
#ifndef SHM_ATOM_H
#define SHM_ATOM_H

#include <stdbool.h>
#include <stdint.h>

#define atom_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define atom_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atom_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atom_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atom_cas(p, old, v)                                                    \
	__atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_ACQUIRE,  \
	                            __ATOMIC_RELAXED)
#define atom_publish(p, old, v)                                                \
	__atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_ACQ_REL,  \
	                            __ATOMIC_ACQUIRE)
/* An atomic operation alone does not keep a later relaxed load behind it on
 * every processor: the fence does. */
#define atom_set(p, bits)                                                      \
	__extension__({                                                        \
		__typeof__(*(p)) old_ =                                        \
		        __atomic_fetch_or((p), (bits), __ATOMIC_SEQ_CST);      \
		atom_fence_done();                                             \
		old_;                                                          \
	})
#define atom_clear(p, bits)                                                    \
	__extension__({                                                        \
		__typeof__(*(p)) old_ =                                        \
		        __atomic_fetch_and((p), ~(bits), __ATOMIC_SEQ_CST);    \
		atom_fence_done();                                             \
		old_;                                                          \
	})
#define atom_swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atom_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define atom_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define atom_meet() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#if defined(__x86_64__)
#define atom_fence_done() atom_meet()
#define atom_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define atom_fence_done() atom_fence()
#define atom_pause() __asm__ volatile("yield")
#else
#define atom_fence_done() atom_fence()
#define atom_pause() atom_meet()
#endif

/* Not an operation but a hint: this line will be written. A prefetch to read
 * would have the line twice, as a store wants it for itself. */
static inline void atom_fetch_line(const void *at)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
	__builtin_prefetch(at, 1);
#endif
}

#endif
