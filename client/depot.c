/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "client/pages.h"
#include "shm/atom.h"

#define LOCK_TRIES 32
#define PART ((uint64_t)32 << 10)
#define BYTES ((sizeof(struct depot) + PART - 1) / PART * PART)
#define COUNT_TRIES 10000

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
	uint64_t open; /* under the lock: bytes that can be written to */
	_Alignas(64) struct cell cells[DEPOT_CELLS];
};

/* Makes the depot's memory writable so far, a part at a time: read-only, it is
 * not counted against limits, and reads as empty cells. */
static bool open_to(struct depot *depot, uint64_t open, uint64_t bytes)
{
	uint64_t to = (bytes + PART - 1) / PART * PART;
	if (bytes <= open)
		return true;
	if (pages_open(depot, open, to) < 0)
		return false;
	depot->open = to;
	return true;
}

struct depot *depot_make(uint32_t keep)
{
	struct depot *depot =
		mmap(NULL, BYTES, PROT_READ,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (depot == MAP_FAILED)
		return NULL;
	if (!open_to(depot, 0, offsetof(struct depot, cells))) {
		munmap(depot, BYTES);
		return NULL;
	}
	depot->keep = keep;
	return depot;
}

void depot_drop(struct depot *depot)
{
	munmap(depot, BYTES);
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
	return &slabd_mags_1_;
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
	uint64_t end = offsetof(struct depot, cells) +
	               (depot->tail % DEPOT_CELLS + 1) * sizeof(*cell);
	if (depot->tail - depot->head == DEPOT_CELLS ||
	    !open_to(depot, depot->open, end))
		return NULL;
	cell = take(depot, depot->tail, EMPTY, FILLING);
	if (cell == NULL)
		return NULL;
	cell->putter = own_mark();
	atom_store(&depot->tail, depot->tail + 1);
	atom_store(&depot->puts, depot->puts + 1);
	return cell;
}

/* A cell of which some will be left stays where it is. */
static struct cell *take_full(struct depot *depot, uint32_t most, bool oldest)
{
	struct cell *cell;
	uint64_t count = depot->tail - depot->head;
	bool own;
	if (count == 0)
		return NULL;
	cell = &depot->cells[(depot->tail - 1) % DEPOT_CELLS];
	own = !oldest && cell->putter == own_mark();
	if (!own && !oldest && count <= depot->keep)
		return NULL;
	cell = take(depot, own ? depot->tail - 1 : depot->head, READY,
	            DRAINING);
	if (cell == NULL || cell->n > most)
		return cell;
	if (own)
		atom_store(&depot->tail, depot->tail - 1);
	else
		atom_store(&depot->head, depot->head + 1);
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

static uint32_t get(struct depot *depot, uint32_t most, void **objects,
                    bool oldest)
{
	struct cell *cell;
	uint32_t n;
	/* An empty depot is seen without the lock: nobody is kept busy by
	 * threads that only allocate. */
	if (atom_load(&depot->tail) == atom_load(&depot->head))
		return 0;
	if (!try_lock(depot))
		return 0;
	cell = take_full(depot, most, oldest);
	if (!oldest)
		atom_store(&depot->puts, UINT64_C(0));
	unlock(depot);
	if (cell == NULL)
		return 0;
	n = cell->n < most ? cell->n : most;
	cell->n -= n;
	memcpy(objects, cell->objects + cell->n, n * sizeof(*objects));
	/* pairs: take, by depot_put or depot_get */
	atom_store_release(&cell->state,
	                   (uint32_t)(cell->n > 0 ? READY : EMPTY));
	return n;
}

uint32_t depot_get(struct depot *depot, uint32_t most, void **objects)
{
	return get(depot, most, objects, false);
}

uint32_t depot_get_oldest(struct depot *depot, uint32_t most, void **objects)
{
	return get(depot, most, objects, true);
}

uint64_t depot_count(struct depot *depot)
{
	uint64_t n = 0;
	for (int tries = 0; !try_lock(depot); tries++)
		if (tries == COUNT_TRIES)
			return 0;
	for (uint64_t at = depot->head; at < depot->tail; at++) {
		const struct cell *cell = &depot->cells[at % DEPOT_CELLS];
		/* pairs: depot_put; n is the cell's. */
		if (atom_load_acquire(&cell->state) == (uint32_t)READY)
			n += cell->n;
	}
	unlock(depot);
	return n;
}
