/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <string.h>
#include <sys/mman.h>

#include "shm/atom.h"

struct cell {
	/* (A) whose turn: position p may be put when turn is p, and got when
	 * it is p + 1; a get leaves p + DEPOT_CELLS for the next round. */
	uint64_t turn;
	uint32_t n;
	void *objects[DEPOT_HALF];
};

struct depot {
	_Alignas(64) uint64_t tail; /* (A) next position to put */
	_Alignas(64) uint64_t head; /* (A) next position to get */
	_Alignas(64) struct cell cells[DEPOT_CELLS];
};

struct depot *depot_make(void)
{
	struct depot *depot = mmap(NULL, sizeof(*depot), PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	                           -1, 0);
	return depot == MAP_FAILED ? NULL : depot;
}

void depot_drop(struct depot *depot)
{
	munmap(depot, sizeof(*depot));
}

/* A fresh cell's turn is 0 for every position of the first round, so that
 * making a depot touches nothing: turns are stored less their first value. */
static uint64_t first_turn(uint64_t position)
{
	return position % DEPOT_CELLS;
}

/* Takes the cell at *at when its turn is *at + due. NULL when it is not. */
static struct cell *take(struct depot *depot, uint64_t *at, uint64_t due)
{
	uint64_t position = atom_peek(at);
	for (;;) {
		struct cell *cell = &depot->cells[position % DEPOT_CELLS];
		/* pairs: depot_put, depot_get; the cell is ours as left. */
		uint64_t turn = atom_get(&cell->turn) + first_turn(position);
		int64_t ahead = (int64_t)(turn - (position + due));
		if (ahead < 0)
			return NULL;
		if (ahead > 0)
			position = atom_peek(at);
		else if (atom_cas(at, &position, position + 1))
			return cell;
	}
}

bool depot_put(struct depot *depot, uint32_t n, void *const *objects)
{
	struct cell *cell = take(depot, &depot->tail, 0);
	if (cell == NULL)
		return false;
	cell->n = n;
	memcpy(cell->objects, objects, n * sizeof(*objects));
	/* pairs: take, by depot_get */
	atom_put(&cell->turn, atom_peek(&cell->turn) + 1);
	return true;
}

uint32_t depot_get(struct depot *depot, void **objects)
{
	struct cell *cell = take(depot, &depot->head, 1);
	uint32_t n;
	if (cell == NULL)
		return 0;
	n = cell->n;
	memcpy(objects, cell->objects, n * sizeof(*objects));
	/* pairs: take, by depot_put */
	atom_put(&cell->turn, atom_peek(&cell->turn) + DEPOT_CELLS - 1);
	return n;
}
