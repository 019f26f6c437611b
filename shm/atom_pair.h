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

/* Not every x86-64 processor of old has the instruction, so gcc uses it in
 * functions that ask for it alone, and those are not inlined in others. */
#if defined(__x86_64__)
#define ATOM_PAIR_TARGET __attribute__((target("cx16")))
#else
#define ATOM_PAIR_TARGET
#endif

ATOM_PAIR_TARGET static inline bool
atom_publish_pair(uint64_t at[2], const uint64_t old[2], const uint64_t with[2])
{
	unsigned __int128 was = (unsigned __int128)old[1] << 64 | old[0];
	unsigned __int128 is = (unsigned __int128)with[1] << 64 | with[0];
	return __sync_bool_compare_and_swap((unsigned __int128 *)at, was, is);
}

#endif
