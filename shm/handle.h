/* SPDX-License-Identifier: MIT */
/*
 * A handle: where an object lies, and which of those that lay there it is.
 *
 *    63   62         48   47   46                                   0
 *   +---+--------------+----+-----------------------------------------+
 *   | 0 |  generation  |  1 |  offset of the object in the pool's data |
 *   +---+--------------+----+-----------------------------------------+
 *
 * So none is 0, nor negative as a signed number. The generation is that of
 * shm/tags.h: it is another once the object was freed and its place went back to
 * its slab.
 */
#ifndef SHM_HANDLE_H
#define SHM_HANDLE_H

#include <stdint.h>

#include "shm/tags.h"

#define HANDLE_MARK (UINT64_C(1) << 47)
#define HANDLE_GEN_SHIFT 48

static inline uint64_t handle_make(uint64_t off, uint16_t gen)
{
	return off | HANDLE_MARK |
	       (uint64_t)GEN_OBJECT(gen) << HANDLE_GEN_SHIFT;
}

/* Its offset; one beyond every pool for what is no handle. */
static inline uint64_t handle_off(uint64_t handle)
{
	if ((handle & HANDLE_MARK) == 0 || handle >> 63 != 0)
		return UINT64_MAX;
	return handle & (HANDLE_MARK - 1);
}

static inline uint32_t handle_object(uint64_t handle)
{
	return (uint32_t)(handle >> HANDLE_GEN_SHIFT);
}

#endif
