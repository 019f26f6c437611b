/* SPDX-License-Identifier: MIT */
#include "client/depot.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "client/pages.h"
#include "shm/atom.h"

/* Younger than the C library's headers that we build with. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

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
	const void *putter; /* (A) the thread that filled it; relaxed */
	void *objects[DEPOT_HALF];
};

struct depot {
	_Alignas(64) uint32_t lock; /* (A) 0 free, 1 held */
	uint32_t keep; /* (C) cells that wait for their own thread */
	uint64_t head; /* (A) written under the lock: oldest cell */
	uint64_t tail; /* (A) written under the lock: one past the newest */
	uint64_t puts; /* (A) written under the lock: since the last get */
	uint64_t n_open; /* (A) cells that can be written to; only grows */
	_Alignas(64) struct cell cells[DEPOT_CELLS];
};

/* Bytes as far as the end of so many cells. */
static uint64_t end_of(uint64_t n_cells)
{
	return offsetof(struct depot, cells) + n_cells * sizeof(struct cell);
}

/* Makes the memory of a cell writable, and with it that of some after it:
 * read-only, it is not counted against limits, and reads as empty cells. It is
 * faulted in, too, so that nobody stands still over that with the lock; before
 * Linux 5.14 it is so later. */
__attribute__((cold, noinline)) static bool open_more(struct depot *depot,
                                                      uint64_t n_cells)
{
	uint64_t open = atom_load(&depot->n_open);
	uint64_t from = open > 0 ? end_of(open) / PART * PART : 0;
	uint64_t to = (end_of(n_cells) + PART - 1) / PART * PART;
	uint64_t n = (to - end_of(0)) / sizeof(struct cell);
	if (pages_open(depot, from, to) < 0)
		return false;
	(void)madvise((char *)depot + from, to - from, MADV_POPULATE_WRITE);
	n = n < DEPOT_CELLS ? n : DEPOT_CELLS;
	/* pairs: open_more; it needs no order, as the kernel has made it so. */
	while (open < n && !atom_cas(&depot->n_open, &open, n))
		continue;
	return true;
}

static bool is_open(const struct depot *depot, uint64_t position)
{
	return position % DEPOT_CELLS < atom_load(&depot->n_open);
}

struct depot *depot_make(uint32_t keep)
{
	struct depot *depot =
		mmap(NULL, BYTES, PROT_READ,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (depot == MAP_FAILED)
		return NULL;
	if (pages_open(depot, 0, end_of(0)) < 0) {
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

static bool is_empty(struct depot *depot, uint64_t position)
{
	return atom_load(&depot->cells[position % DEPOT_CELLS].state) ==
	       (uint32_t)EMPTY;
}

/* Those at both ends that came out before their turn. */
static void trim_ends(struct depot *depot)
{
	uint64_t head = depot->head;
	uint64_t tail = depot->tail;
	while (head < tail && is_empty(depot, head))
		head++;
	while (head < tail && is_empty(depot, tail - 1))
		tail--;
	atom_store(&depot->head, head);
	atom_store(&depot->tail, tail);
}

/* From there on, but for those that somebody is still at work with: who stands
 * still since the last round. The position after it, or 0. */
static uint64_t find_empty(struct depot *depot, uint64_t at)
{
	uint64_t end = depot->head + DEPOT_CELLS;
	for (; at < end && is_open(depot, at); at++)
		if (take(depot, at, EMPTY, FILLING) != NULL)
			return at + 1;
	return 0;
}

/* The next one in turn. */
static struct cell *take_empty(struct depot *depot)
{
	uint64_t next = find_empty(depot, depot->tail);
	struct cell *cell;
	if (next == 0) {
		trim_ends(depot);
		next = find_empty(depot, depot->tail);
	}
	if (next == 0)
		return NULL;
	cell = &depot->cells[(next - 1) % DEPOT_CELLS];
	atom_store(&cell->putter, own_mark());
	atom_store(&depot->tail, next);
	atom_store(&depot->puts, depot->puts + 1);
	return cell;
}

/* Those of its own below some whose putters stand still, if nobody else has put
 * one since. */
__attribute__((cold, noinline)) static struct cell *
take_below(struct depot *depot)
{
	const void *own = own_mark();
	for (uint64_t at = depot->tail; at-- > depot->head;) {
		struct cell *cell = take(depot, at, READY, DRAINING);
		if (cell == NULL)
			continue;
		if (atom_load(&cell->putter) == own)
			return cell;
		/* pairs: take; as it was found. */
		atom_store_release(&cell->state, (uint32_t)READY);
		return NULL;
	}
	return NULL;
}

/* The newest that this thread has put, if nobody has put one since. */
static struct cell *take_own(struct depot *depot, uint32_t most)
{
	uint64_t at = depot->tail - 1;
	const struct cell *top = &depot->cells[at % DEPOT_CELLS];
	struct cell *cell;
	if (atom_load(&top->putter) != own_mark())
		return atom_load(&top->state) == (uint32_t)READY
		               ? NULL
		               : take_below(depot);
	cell = take(depot, at, READY, DRAINING);
	if (cell != NULL && cell->n <= most)
		atom_store(&depot->tail, at);
	return cell != NULL ? cell : take_below(depot);
}

/* The oldest, but for those that somebody is at work with. A cell of which some
 * will be left stays where it is. */
static struct cell *take_oldest(struct depot *depot, uint32_t most)
{
	struct cell *cell = take(depot, depot->head, READY, DRAINING);
	if (cell != NULL) {
		if (cell->n <= most)
			atom_store(&depot->head, depot->head + 1);
		return cell;
	}
	trim_ends(depot);
	for (uint64_t at = depot->head; cell == NULL && at < depot->tail; at++)
		cell = take(depot, at, READY, DRAINING);
	return cell;
}

static struct cell *take_full(struct depot *depot, uint64_t others,
                              uint32_t most, bool oldest)
{
	uint64_t count = depot->tail - depot->head;
	struct cell *cell = count > 0 && !oldest ? take_own(depot, most) : NULL;
	if (cell != NULL || count == 0 || (!oldest && count + others <= depot->keep))
		return cell;
	return take_oldest(depot, most);
}

bool depot_put(struct depot *depot, uint32_t n, void *const *objects)
{
	uint64_t at = atom_load(&depot->tail);
	struct cell *cell;
	if ((!is_open(depot, at) && !open_more(depot, at % DEPOT_CELLS + 1)) ||
	    !try_lock(depot))
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

uint64_t depot_cells(const struct depot *depot)
{
	uint64_t head = atom_load(&depot->head);
	uint64_t tail = atom_load(&depot->tail);
	return tail > head ? tail - head : 0;
}

bool depot_hoards(const struct depot *depot, uint32_t n_depots)
{
	return atom_load(&depot->puts) > DEPOT_CELLS &&
	       depot_cells(depot) * n_depots > (uint64_t)depot->keep * 4;
}

static uint32_t get(struct depot *depot, uint64_t others, uint32_t most,
                    void **objects, bool oldest)
{
	struct cell *cell;
	uint32_t n;
	/* An empty depot is seen without the lock: nobody is kept busy by
	 * threads that only allocate. */
	if (atom_load(&depot->tail) == atom_load(&depot->head))
		return 0;
	if (!try_lock(depot))
		return 0;
	cell = take_full(depot, others, most, oldest);
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

uint32_t depot_get(struct depot *depot, uint64_t others, uint32_t most,
                   void **objects)
{
	return get(depot, others, most, objects, false);
}

uint32_t depot_get_oldest(struct depot *depot, uint32_t most, void **objects)
{
	return get(depot, 0, most, objects, true);
}

/* By who has patience. */
static bool lock_long(struct depot *depot)
{
	for (int tries = 0; !try_lock(depot); tries++)
		if (tries == COUNT_TRIES)
			return false;
	return true;
}

/* Nobody takes a cell out while the lock is held. */
uint32_t depot_copy(struct depot *depot, uint64_t *at, void **objects)
{
	uint32_t n = 0;
	if (!lock_long(depot))
		return 0;
	if (*at < depot->head)
		*at = depot->head;
	for (; n == 0 && *at < depot->tail; ++*at) {
		const struct cell *cell = &depot->cells[*at % DEPOT_CELLS];
		/* pairs: depot_put; what it holds is there. */
		if (atom_load_acquire(&cell->state) != (uint32_t)READY)
			continue;
		n = cell->n;
		memcpy(objects, cell->objects, n * sizeof(*objects));
	}
	unlock(depot);
	return n;
}

uint64_t depot_count(struct depot *depot)
{
	uint64_t n = 0;
	if (!lock_long(depot))
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
