/* SPDX-License-Identifier: MIT */
/*
 * What an object pool says of itself, in an object of its own: written by its process
 * as it begins, on slow ways, as idle objects age, and as it ends; read by slabd out
 * of the file when somebody asks. A client wrote it, so it is shown, and nothing is
 * done because of it.
 *
 * All is (O), the process's under the object pool's lock, in relaxed stores: nothing
 * is read through it, and what is half written is of two moments. A kill leaves it
 * with its magic in an object that slabd frees; who has that object next may hold it
 * for long and never write to it, so a record is one only where who owns the object
 * is the owner that it names.
 */
#ifndef SHM_OBJPOOL_LIVE_H
#define SHM_OBJPOOL_LIVE_H

#include <stdint.h>

#include "shm/layout.h"

#define OBJPOOL_LIVE_CACHE "objpools"
#define OBJPOOL_LIVE_MAGIC UINT64_C(0x4c4f4f504a424f53) /* "SOBJPOOL" */

struct objpool_live {
	uint64_t magic; /* last of all at first, 0 first of all at the end */
	uint64_t owner; /* by objpool_live_owner */
	uint64_t since_ns; /* made: CLOCK_MONOTONIC */
	uint64_t told_ns;  /* what hits and idle are of; all else is newer */
	uint64_t object_bytes;
	uint64_t max; /* idle objects that are kept; 0: any number */
	uint64_t idle_ms;
	uint64_t hits;
	uint64_t misses;
	uint64_t made;
	uint64_t aged;
	uint64_t ended;
	uint64_t idle;
	uint64_t refused;
	char name[NAME_BYTES];
};

/* A client, in one of its lives. */
static inline uint64_t objpool_live_owner(uint32_t id, uint32_t epoch)
{
	return (uint64_t)epoch << 16 | id;
}

#endif
