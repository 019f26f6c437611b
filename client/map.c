/* SPDX-License-Identifier: MIT */
#include "client/map.h"

#include <errno.h>
#include <sys/mman.h>

#include "client/closed.h"
#include "client/tools.h"
#include "shm/atom.h"

#define NOTHING (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* (A) All of it zeroes. NULL -> map (map_drop), map -> NULL (take). */
static uint64_t *spare;

/* Of the slab table in it. */
static size_t table_bytes(const struct slabd_pool *pool)
{
	const struct layout_geometry *geo = &pool->view.geo;
	return layout_round_up(geo, geo->n_units * sizeof(uint64_t));
}

static uint64_t *table_of(const struct slabd_pool *pool)
{
	return &pool->map[(uintptr_t)pool->user.data >> UNIT_SHIFT];
}

/* Zeroes, of address space that nothing is mapped to. */
static int make_readable(void *at, size_t bytes)
{
	if (!tools_slow_protect())
		return mprotect(at, bytes, PROT_READ);
	return mmap(at, bytes, PROT_READ, NOTHING | MAP_FIXED, -1, 0) ==
	                       MAP_FAILED
	               ? -1
	               : 0;
}

/* -1 with errno. */
static int make_zero(void *at, size_t bytes)
{
	/* Of use where all is locked alone; a sandbox may not let us. */
	(void)munlock(at, bytes);
	if (make_readable(at, bytes) < 0)
		return -1;
	madvise(at, bytes, MADV_DONTDUMP);
	return 0;
}

static int make_new(struct slabd_pool *pool)
{
	uint64_t *map = mmap(NULL, MAP_BYTES, PROT_NONE, NOTHING, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (make_zero(map, MAP_BYTES) < 0) {
		int r = -errno;
		munmap(map, MAP_BYTES);
		return r;
	}
	pool->map = map;
	return 0;
}

int map_make(struct slabd_pool *pool, int control)
{
	int r = 0;
	pool->map = atom_swap(&spare, NULL); /* pairs: map_drop */
	if (pool->map == NULL)
		r = make_new(pool);
	if (r < 0)
		return r;
	if (mmap(table_of(pool), table_bytes(pool), PROT_READ,
	         MAP_SHARED | MAP_FIXED, control,
	         (off_t)pool->view.geo.words_off) == MAP_FAILED)
		return -errno;
	return 0;
}

void map_drop(struct slabd_pool *pool)
{
	uint64_t *none = NULL;
	bool clear;
	if (pool->map == NULL)
		return;
	clear = mmap(table_of(pool), table_bytes(pool), PROT_NONE,
	             NOTHING | MAP_FIXED, -1, 0) != MAP_FAILED &&
	        make_zero(table_of(pool), table_bytes(pool)) == 0;
	/* pairs: map_make, which takes it whole. */
	if (clear && atom_publish(&spare, &none, pool->map))
		return;
	closed_move(pool->map, atom_load(&spare));
	munmap(pool->map, MAP_BYTES);
}
