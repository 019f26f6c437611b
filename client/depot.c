/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <string.h>
#include <sys/mman.h>

#include "shm/atom.h"

#define LOCK_TRIES 32

enum cell_state { EMPTY, FILLING, READY, DRAINING };

struct cell {
	/* (A) see the header. Whoever fills or drains it stores by a release,
	 * which pairs with the acquire of whoever takes it under the lock. */
	uint32_t state;
	uint32_t n;
	const void *putter; /* the thread that filled it */
	void *objects[DEPOT_HALF];
};

struct depot {
	_Alignas(64) uint32_t lock; /* (A) 0 free, 1 held */
	uint32_t keep; /* (C) cells that wait for their own thread */
	uint64_t head; /* (A) written under the lock: oldest cell */
	uint64_t tail; /* (A) written under the lock: one past the newest */
	uint64_t puts; /* (A) written under the lock: since the last get */
	_Alignas(64) struct cell cells[DEPOT_CELLS];
};

struct depot *depot_make(uint32_t keep)
{
	struct depot *depot = mmap(NULL, sizeof(*depot), PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	                           -1, 0);
	if (depot == MAP_FAILED)
		return NULL;
	depot->keep = keep;
	return depot;
}

void depot_drop(struct depot *depot)
{
	munmap(depot, sizeof(*depot));
}

static bool try_lock(struct depot *depot)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		uint32_t none = 0;
		/* pairs: unlock; what the last holder changed is seen. */
		if (atom_load(&depot->lock) == 0 &&
		    atom_cas(&depot->lock, &none, 1u))
			return true;
	}
	return false;
}

static void unlock(struct depot *depot)
{
	/* pairs: try_lock */
	atom_store_release(&depot->lock, 0u);
}

/* What tells one thread from another: where its own variables lie. */
static const void *own_mark(void)
{
	return &slabd_mags_;
}

/* Under the lock: the cell at a position if it is in that state, which it
 * leaves for the next one. */
static struct cell *take(struct depot *depot, uint64_t position,
                         enum cell_state from, enum cell_state to)
{
	struct cell *cell = &depot->cells[position % DEPOT_CELLS];
	/* pairs: depot_put, depot_get; the other's copy is done. */
	if (atom_load_acquire(&cell->state) != (uint32_t)from)
		return NULL;
	atom_store(&cell->state, (uint32_t)to);
	return cell;
}

static struct cell *take_empty(struct depot *depot)
{
	struct cell *cell;
	if (depot->tail - depot->head == DEPOT_CELLS)
		return NULL;
	cell = take(depot, depot->tail, EMPTY, FILLING);
	if (cell == NULL)
		return NULL;
	cell->putter = own_mark();
	atom_store(&depot->tail, depot->tail + 1);
	atom_store(&depot->puts, depot->puts + 1);
	return cell;
}

static struct cell *take_full(struct depot *depot, bool oldest)
{
	struct cell *cell;
	uint64_t count = depot->tail - depot->head;
	if (count == 0)
		return NULL;
	cell = &depot->cells[(depot->tail - 1) % DEPOT_CELLS];
	if (!oldest && cell->putter == own_mark()) {
		cell = take(depot, depot->tail - 1, READY, DRAINING);
		atom_store(&depot->tail, depot->tail - (cell != NULL));
	} else if (!oldest && count <= depot->keep) {
		return NULL;
	} else {
		cell = take(depot, depot->head, READY, DRAINING);
		atom_store(&depot->head, depot->head + (cell != NULL));
	}
	return cell;
}

bool depot_put(struct depot *depot, uint32_t n, void *const *objects)
{
	struct cell *cell;
	if (!try_lock(depot))
		return false;
	cell = take_empty(depot);
	unlock(depot);
	if (cell == NULL)
		return false;
	cell->n = n;
	memcpy(cell->objects, objects, n * sizeof(*objects));
	/* pairs: take, by depot_get */
	atom_store_release(&cell->state, (uint32_t)READY);
	return true;
}

bool depot_hoards(const struct depot *depot)
{
	return atom_load(&depot->puts) > DEPOT_CELLS &&
	       atom_load(&depot->tail) - atom_load(&depot->head) >
	               (uint64_t)depot->keep * 4;
}

static uint32_t get(struct depot *depot, void **objects, bool oldest)
{
	struct cell *cell;
	uint32_t n;
	/* An empty depot is seen without the lock: nobody is kept busy by
	 * threads that only allocate. */
	if (atom_load(&depot->tail) == atom_load(&depot->head))
		return 0;
	if (!try_lock(depot))
		return 0;
	cell = take_full(depot, oldest);
	if (!oldest)
		atom_store(&depot->puts, UINT64_C(0));
	unlock(depot);
	if (cell == NULL)
		return 0;
	n = cell->n;
	memcpy(objects, cell->objects, n * sizeof(*objects));
	/* pairs: take, by depot_put */
	atom_store_release(&cell->state, (uint32_t)EMPTY);
	return n;
}

uint32_t depot_get(struct depot *depot, void **objects)
{
	return get(depot, objects, false);
}

uint32_t depot_get_oldest(struct depot *depot, void **objects)
{
	return get(depot, objects, true);
}
