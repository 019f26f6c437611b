/* SPDX-License-Identifier: MIT */
/*
 * One more operation of the kind of shm/atom.h, for two words of 8 bytes that lie
 * on 16: a record and whether it is there, which change as one.
 *
 *   publish_pair   compare-and-swap, acquire and release, of both words
 */
#ifndef SHM_ATOM_PAIR_H
#define SHM_ATOM_PAIR_H

#include <stdbool.h>
#include <stdint.h>

/* Not every x86-64 processor of old has the instruction, so compilers make it of the
 * builtin only where told so for a whole file, or with gcc a function. */
static inline bool atom_publish_pair(uint64_t at[2], const uint64_t old[2],
                                     const uint64_t with[2])
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	uint64_t low = old[0];
	uint64_t high = old[1];
	bool done;
	__asm__ volatile("lock cmpxchg16b %1"
	                 : "=@ccz"(done), "+m"(*(uint64_t (*)[2])at), "+a"(low),
	                   "+d"(high)
	                 : "b"(with[0]), "c"(with[1])
	                 : "memory");
	return done;
#else
	unsigned __int128 was = (unsigned __int128)old[1] << 64 | old[0];
	unsigned __int128 is = (unsigned __int128)with[1] << 64 | with[0];
	return __sync_bool_compare_and_swap((unsigned __int128 *)at, was, is);
#endif
}

#endif
