/* SPDX-License-Identifier: MIT */
/* What a thread does, deed by deed. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "client/handle.h"
#include "tests/torture/torture.h"

#define BULK 48u

static uint32_t below(struct actor *actor, uint32_t n)
{
	return rng_below(&actor->rng, n);
}

/* Large ones are rarer. */
static uint32_t some_cache(struct actor *actor)
{
	static const uint8_t by_rng[16] = {0, 0, 1, 1, 1, 2, 2, 3,
	                                    3, 3, 4, 4, 5, 5, 6, 7};
	return by_rng[below(actor, 16)];
}

/* ---- allocate and free -------------------------------------------------- */

static void keep(struct actor *actor, uint32_t cache, void *obj)
{
	struct item *item = &actor->hand[actor->n++];
	*item = (struct item){.obj = obj, .cache = cache};
	item_stamp(actor->worker, item);
}

/* Out of the hand; the last one takes its place. */
static struct item draw(struct actor *actor)
{
	uint32_t i = below(actor, actor->n);
	struct item item = actor->hand[i];
	actor->hand[i] = actor->hand[--actor->n];
	return item;
}

/* Nothing but a full pool is a reason to get nothing. */
static void run_short(struct actor *actor, const char *what)
{
	atom_add(&actor->worker->board->shortages, 1u);
	actor->target = actor->n / 2;
	if (errno != ENOMEM)
		torture_fault(actor->worker->board, "%s: %s: %s", what,
		              strerror(errno), slabd_last_error());
}

static void alloc_bulk(struct actor *actor)
{
	void *objects[BULK];
	uint32_t cache = some_cache(actor);
	uint32_t room = HAND - actor->n;
	size_t want = below(actor, room < BULK ? room : BULK) + 1;
	size_t n =
		slabd_alloc_bulk(actor->worker->caches[cache], want, objects);
	if (n < want)
		run_short(actor, "slabd_alloc_bulk");
	for (size_t i = 0; i < n; i++)
		keep(actor, cache, objects[i]);
	atom_add(&actor->worker->board->allocs, (uint64_t)n);
}

static void alloc_one(struct actor *actor)
{
	uint32_t cache = some_cache(actor);
	slabd_cache *from = actor->worker->caches[cache];
	bool on_node = below(actor, 8) == 0;
	void *obj = on_node ? slabd_alloc_node(from, (int)below(actor, 2))
	                    : slabd_alloc(from);
	if (obj == NULL) {
		run_short(actor, on_node ? "slabd_alloc_node" : "slabd_alloc");
		return;
	}
	keep(actor, cache, obj);
	atom_add(&actor->worker->board->allocs, 1u);
}

/* What is freed is overwritten first: another owner would see it at once. */
static void spoil(struct actor *actor, const struct item *item)
{
	item_check(actor->worker, item, "before a free");
	item_spoil(item);
}

static void free_one(struct actor *actor)
{
	struct item item = draw(actor);
	spoil(actor, &item);
	slabd_free(actor->worker->caches[item.cache], item.obj);
}

/* All of one cache that the hand has, up to BULK. */
static void free_bulk(struct actor *actor)
{
	uint32_t cache = actor->hand[below(actor, actor->n)].cache;
	void *objects[BULK];
	size_t n = 0;
	for (uint32_t i = 0; i < actor->n && n < BULK;) {
		if (actor->hand[i].cache != cache) {
			i++;
			continue;
		}
		spoil(actor, &actor->hand[i]);
		objects[n++] = actor->hand[i].obj;
		actor->hand[i] = actor->hand[--actor->n];
	}
	slabd_free_bulk(actor->worker->caches[cache], n, objects);
}

static void work(struct actor *actor)
{
	bool bulk = below(actor, 4) == 0;
	if (actor->n < actor->target)
		(bulk ? alloc_bulk : alloc_one)(actor);
	else if (actor->n > 0)
		(bulk ? free_bulk : free_one)(actor);
	if (actor->n == 0 || actor->n == actor->target)
		actor->target = below(actor, HAND);
}

static void look(struct actor *actor)
{
	if (actor->n > 0)
		item_check(actor->worker, &actor->hand[below(actor, actor->n)],
		           "a look");
}

/* ---- from hand to hand -------------------------------------------------- */

/* Swaps with the bag, through which an object changes threads. */
static void swap(struct actor *actor)
{
	struct worker *worker = actor->worker;
	struct item mine = {.obj = NULL};
	struct item theirs;
	uint32_t i = below(actor, 128);
	if (actor->n == HAND || (actor->n > 0 && below(actor, 2) == 0))
		mine = draw(actor);
	pthread_mutex_lock(&worker->lock);
	theirs = worker->bag[i];
	worker->bag[i] = mine;
	pthread_mutex_unlock(&worker->lock);
	if (theirs.obj == NULL)
		return;
	item_check(worker, &theirs, "out of the bag");
	actor->hand[actor->n++] = theirs;
}

/* A handle, the object's cache and the receiver's life in one word:
 *
 *    63    51 50   48 47          33 32      0
 *   +--------+-------+--------------+--------+
 *   |  life  | cache |  generation  | offset |
 *   +--------+-------+--------------+--------+ */
#define NOTE_OFF_BITS 33
#define NOTE_LIFE(life) ((life) & 0x1fff)

uint64_t note_make(uint64_t life, uint32_t cache, slabd_handle handle)
{
	return NOTE_LIFE(life) << 51 | (uint64_t)cache << 48 |
	       (uint64_t)handle_object(handle) << NOTE_OFF_BITS |
	       handle_off(handle);
}

slabd_handle note_handle(uint64_t note)
{
	uint64_t off = note & ((UINT64_C(1) << NOTE_OFF_BITS) - 1);
	return handle_make(off, (uint16_t)(note >> NOTE_OFF_BITS << 1));
}

bool note_is_mine(const struct worker *worker, uint64_t note)
{
	return note > 1 && note >> 51 == NOTE_LIFE(worker->life);
}

/* Gives to a worker, and tells it so. A giver that dies in between leaves the
 * object with a worker that does not know, until that one ends. */
static void give(struct actor *actor)
{
	struct worker *worker = actor->worker;
	struct board *board = worker->board;
	struct place *to = &board->places[below(actor, board->n_places)];
	/* pairs: worker_main; its client is there before its name. */
	uint64_t who = atom_load_acquire(&to->who);
	uint64_t *cell = &to->cell[below(actor, CELLS)];
	uint64_t none = 0;
	uint64_t note;
	struct item item;
	/* pairs: take, which emptied the cell. */
	if (who == 0 || to == worker->place || actor->n == 0 ||
	    !atom_cas(cell, &none, UINT64_C(1)))
		return;
	item = draw(actor);
	note = note_make(who >> 16, item.cache,
	                 slabd_handle_of(worker->pool, item.obj));
	item_check(worker, &item, "before a gift");
	if (slabd_give(worker->pool, item.obj, (unsigned)(who & 0xffff)) < 0) {
		if (errno != ESRCH)
			torture_fault(board, "slabd_give: %s",
			              slabd_last_error());
		actor->hand[actor->n++] = item;
		note = 0;
	}
	atom_add(&board->given, note != 0);
	/* pairs: take; the object is given before it is spoken of. */
	atom_store_release(cell, note);
}

static void take(struct actor *actor)
{
	struct worker *worker = actor->worker;
	struct board *board = worker->board;
	uint64_t *cell = &worker->place->cell[below(actor, CELLS)];
	uint64_t note = atom_load(cell);
	uint32_t cache;
	void *obj;
	if (note <= 1 || actor->n == HAND)
		return;
	/* pairs: give; the object is given before it is spoken of. */
	note = atom_swap(cell, UINT64_C(0));
	cache = (uint32_t)(note >> 48) & 7;
	if (!note_is_mine(worker, note)) {
		atom_add(&board->stale, 1u);
		return;
	}
	obj = slabd_take(worker->pool, note_handle(note));
	if (obj == NULL) {
		torture_fault(board, "slabd_take: %s", slabd_last_error());
		return;
	}
	item_adopt(worker, obj, cache, &actor->hand[actor->n++]);
	atom_add(&board->taken, 1u);
}

/* ---- the rest ----------------------------------------------------------- */

/* One more reference to a cache, and one less. */
static void reopen(struct actor *actor)
{
	uint32_t cache = some_cache(actor);
	const struct torture_kind *kind = &torture_kinds[cache];
	slabd_cache *again;
	double until_ms = 0;
	while ((again = slabd_cache_create(actor->worker->pool, kind->name,
	                                   kind->size, kind->align, 0)) ==
	               NULL &&
	       torture_again(actor->worker->board, &until_ms))
		continue;
	if (again != actor->worker->caches[cache])
		torture_fault(actor->worker->board,
		              "slabd_cache_create %s "
		              "again: %s",
		              kind->name,
		              again ? "another cache" : slabd_last_error());
	else
		slabd_cache_close(again);
}

/* To one of the driver's CPUs, or to all of them. */
static void move(struct actor *actor)
{
	cpu_set_t set = actor->worker->board->cpus;
	int keep = (int)below(actor, (uint32_t)CPU_COUNT(&set) + 1);
	int n = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && ++n != keep && keep > 0)
			CPU_CLR(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		atom_add(&actor->worker->board->moves, 1u);
}

static void rare(struct actor *actor)
{
	slabd_pool *pool = actor->worker->pool;
	struct slabd_stats stats;
	int r = 0;
	switch (below(actor, 64)) {
	case 0:
		actor_fork(actor);
		break;
	case 1:
	case 2:
		reopen(actor);
		break;
	case 3:
	case 4:
	case 5:
		r = slabd_flush(pool);
		break;
	case 6:
	case 7:
		r = slabd_thread_node(pool, (int)below(actor, 3) - 1);
		break;
	case 8:
		r = slabd_get_stats(pool, &stats);
		if (r == 0 && stats.refused != 0)
			torture_fault(actor->worker->board,
			              "%llu objects of ours were refused",
			              (unsigned long long)stats.refused);
		break;
	case 9:
	case 10:
		move(actor);
		break;
	case 11:
	case 12:
	case 13:
		r = slabd_thread_idle(pool);
		break;
	default:
		break;
	}
	if (r < 0)
		torture_fault(actor->worker->board, "a rare deed: %s",
		              slabd_last_error());
}

void actor_step(struct actor *actor)
{
	uint32_t deed = below(actor, 100);
	if (deed < 10)
		flows_step(actor);
	else if (deed < 18)
		crates_step(actor);
	else if (deed < 72)
		work(actor);
	else if (deed < 80)
		look(actor);
	else if (deed < 86)
		swap(actor);
	else if (deed < 90)
		give(actor);
	else if (deed < 98)
		take(actor);
	else
		rare(actor);
}

void actor_let_go(struct actor *actor)
{
	flows_let_go(actor);
	crates_let_go(actor);
	while (actor->n > 0)
		free_one(actor);
}
