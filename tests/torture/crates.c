/* SPDX-License-Identifier: MIT */
/* Arenas that are filled, reset, given and sent: see flows.h. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "tests/torture/torture.h"

#define PIECES 32u
#define STEP UINT64_C(0x9e3779b97f4a7c15)
#define GROWS 8u

/* What an arena begins with: all else in it is found from here, by offsets, as
 * another process has it elsewhere. */
struct manifest {
	uint64_t seed;
	uint64_t n;
	struct {
		int64_t off; /* from the manifest on */
		uint64_t words;
	} piece[PIECES];
};

static uint32_t below(struct actor *actor, uint32_t n)
{
	return rng_below(&actor->rng, n);
}

/* Nothing but a full pool, or a slabd that is away, is a reason to get nothing. */
static void came_short(struct actor *actor, const char *what)
{
	struct board *board = actor->worker->board;
	bool away = errno == ENOTCONN || errno == ETIMEDOUT ||
	            errno == ECONNREFUSED || errno == ENOENT;
	if (errno == ENOMEM)
		atom_add(&board->shortages, UINT64_C(1));
	else if (!away || atom_load(&board->slain) == 0)
		torture_fault(board, "%s: %s: %s", what, strerror(errno),
		              slabd_last_error());
}

/* ---- what lies in them ---------------------------------------------------- */

/* Memory that is reclaimed and carved anew: see item.c. */
#define OBJECT_ACCESS __attribute__((no_sanitize("thread")))

OBJECT_ACCESS static void start(struct manifest *manifest, uint64_t seed)
{
	manifest->seed = seed;
	manifest->n = 0;
}

OBJECT_ACCESS static void add(struct manifest *manifest, uint64_t *words,
                              uint64_t n)
{
	uint64_t i = manifest->n++;
	uint64_t word = manifest->seed + i * 7919;
	manifest->piece[i].off = (char *)words - (char *)manifest;
	manifest->piece[i].words = n;
	for (uint64_t k = 0; k < n; k++)
		words[k] = word += STEP;
}

OBJECT_ACCESS static bool is_whole(const struct manifest *manifest, uint64_t i)
{
	const uint64_t *words = (const void *)((const char *)manifest +
	                                       manifest->piece[i].off);
	uint64_t word = manifest->seed + i * 7919;
	for (uint64_t k = 0; k < manifest->piece[i].words; k++)
		if (words[k] != (word += STEP))
			return false;
	return true;
}

/* seed 0: any. The manifest; or NULL, and that is a fault. */
OBJECT_ACCESS static struct manifest *check(struct actor *actor,
                                            const struct crate *crate,
                                            const char *when)
{
	struct board *board = actor->worker->board;
	struct manifest *manifest = slabd_arena_first(crate->arena);
	if (manifest == NULL || manifest->n > PIECES ||
	    (crate->seed != 0 && manifest->seed != crate->seed)) {
		torture_fault(board, "%s: an arena has no manifest", when);
		return NULL;
	}
	for (uint64_t i = 0; i < manifest->n; i++)
		if (!is_whole(manifest, i)) {
			torture_fault(board, "%s: piece %llu of %llu of an arena "
			              "of client %u is not as it was", when,
			              (unsigned long long)i,
			              (unsigned long long)manifest->n,
			              actor->worker->id);
			return NULL;
		}
	return manifest;
}

OBJECT_ACCESS static uint64_t seed_of(const struct manifest *manifest)
{
	return manifest->seed;
}

OBJECT_ACCESS static uint64_t count_of(const struct manifest *manifest)
{
	return manifest->n;
}

/* ---- one ------------------------------------------------------------------ */

static struct crate *some(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	return &flows->crate[below(actor, flows->n_crates)];
}

static void drop(struct actor *actor, struct crate *crate)
{
	*crate = actor->flows.crate[--actor->flows.n_crates];
}

/* An arena without a manifest is none of ours. */
static bool begin(struct actor *actor, struct crate *crate)
{
	struct worker *worker = actor->worker;
	struct manifest *manifest =
		slabd_arena_alloc(crate->arena, sizeof(*manifest), 0);
	if (manifest == NULL) {
		came_short(actor, "slabd_arena_alloc");
		return false;
	}
	crate->seed = worker->life << 40 | (atom_add(&worker->seeds, 1u) + 1);
	start(manifest, crate->seed);
	return true;
}

static void make(struct actor *actor)
{
	static const char *const names[4] = {"request", "reply", "book", NULL};
	struct flows *flows = &actor->flows;
	struct crate *crate = &flows->crate[flows->n_crates];
	crate->arena = slabd_arena_create(actor->worker->pool, NULL,
	                                  names[below(actor, 4)]);
	if (crate->arena == NULL) {
		came_short(actor, "slabd_arena_create");
		return;
	}
	if (below(actor, 4) == 0 &&
	    slabd_arena_reserve(crate->arena, 1 + below(actor, 8000)) < 0)
		came_short(actor, "slabd_arena_reserve");
	if (begin(actor, crate))
		flows->n_crates++;
	else
		slabd_arena_destroy(crate->arena);
}

/* Most are small; what is large lies by itself. */
static uint32_t some_words(struct actor *actor)
{
	return 1 + below(actor, below(actor, 8) == 0 ? 1200 : 100);
}

static void grow(struct actor *actor, struct crate *crate)
{
	struct manifest *manifest = check(actor, crate, "before it grows");
	uint32_t times = 1 + below(actor, GROWS);
	for (uint32_t i = 0; manifest != NULL && i < times &&
	                     count_of(manifest) < PIECES; i++) {
		uint32_t n = some_words(actor);
		uint64_t *words = slabd_arena_alloc(crate->arena,
		                                    n * sizeof(*words), 0);
		if (words == NULL) {
			came_short(actor, "slabd_arena_alloc");
			return;
		}
		add(manifest, words, n);
	}
}

/* What came after the mark goes, with what a child has. */
static void rewind_one(struct actor *actor, struct crate *crate)
{
	slabd_mark mark = slabd_arena_mark(crate->arena);
	slabd_arena *child = slabd_arena_create(actor->worker->pool,
	                                        crate->arena, "child");
	if (child == NULL || slabd_arena_alloc(child, 800, 0) == NULL)
		came_short(actor, "a child");
	for (uint32_t i = 0; i < 4; i++)
		if (slabd_arena_alloc(crate->arena, 8 * some_words(actor),
		                      0) == NULL)
			came_short(actor, "slabd_arena_alloc");
	slabd_arena_destroy(child);
	slabd_arena_rewind(crate->arena, mark);
	check(actor, crate, "after a rewind");
}

static void reset(struct actor *actor, struct crate *crate)
{
	check(actor, crate, "before a reset");
	slabd_arena_reset(crate->arena);
	if (begin(actor, crate))
		return;
	slabd_arena_destroy(crate->arena);
	drop(actor, crate);
}

static void destroy(struct actor *actor, struct crate *crate)
{
	check(actor, crate, "before its end");
	slabd_arena_destroy(crate->arena);
	drop(actor, crate);
}

/* ---- from hand to hand ---------------------------------------------------- */

/* One that came: its seed is what it says. */
static void adopt(struct actor *actor, slabd_arena *arena, void *root)
{
	struct flows *flows = &actor->flows;
	struct crate crate = {.arena = arena};
	struct manifest *manifest = check(actor, &crate, "as it came");
	struct slabd_arena_stats stats = {.chunks = 0};
	if (manifest == NULL || (root != NULL && root != manifest)) {
		torture_fault(actor->worker->board, "an arena came broken");
		return;
	}
	if (slabd_arena_get_stats(arena, &stats) < 0)
		came_short(actor, "slabd_arena_get_stats");
	if (stats.chunks + stats.blocks > 1)
		atom_add(&actor->worker->board->flow.large, UINT64_C(1));
	crate.seed = seed_of(manifest);
	flows->crate[flows->n_crates++] = crate;
}

/* As an object is given, see actor.c. */
static void give(struct actor *actor, struct crate *crate)
{
	struct worker *worker = actor->worker;
	struct board *board = worker->board;
	struct place *to = &board->places[below(actor, board->n_places)];
	/* pairs: worker_main; its client is there before its name. */
	uint64_t who = atom_load_acquire(&to->who);
	uint64_t *cell = &to->crate[below(actor, CELLS)];
	uint64_t none = 0;
	uint64_t note = 0;
	slabd_handle handle;
	/* pairs: take, which emptied the cell. */
	if (who == 0 || !atom_cas(cell, &none, UINT64_C(1)))
		return;
	check(actor, crate, "before it is given");
	handle = slabd_arena_give(crate->arena, (unsigned)(who & 0xffff));
	if (handle != SLABD_NO_HANDLE) {
		note = note_make(who >> 16, 0, handle);
		drop(actor, crate);
		atom_add(&board->flow.given, UINT64_C(1));
	} else if (errno != ESRCH && errno != EAGAIN) {
		came_short(actor, "slabd_arena_give");
	}
	/* pairs: take; the arena is given before it is spoken of. */
	atom_store_release(cell, note);
}

static void take(struct actor *actor)
{
	struct worker *worker = actor->worker;
	struct board *board = worker->board;
	uint64_t *cell = &worker->place->crate[below(actor, CELLS)];
	uint64_t note = atom_load(cell);
	slabd_arena *arena;
	if (note <= 1)
		return;
	/* pairs: give; the arena is given before it is spoken of. */
	note = atom_swap(cell, UINT64_C(0));
	if (!note_is_mine(worker, note))
		return;
	arena = slabd_arena_take(worker->pool, note_handle(note));
	if (arena == NULL) {
		came_short(actor, "slabd_arena_take");
		return;
	}
	adopt(actor, arena, NULL);
	atom_add(&board->flow.taken, UINT64_C(1));
}

/* A call over the channel failed. */
static void crossed(struct actor *actor, const char *what)
{
	if (errno == ESTALE)
		flows_stale(actor, &actor->flows.crates);
	else if (errno != EAGAIN && errno != E2BIG)
		came_short(actor, what);
}

static void ship(struct actor *actor, struct crate *crate)
{
	struct flows *flows = &actor->flows;
	struct manifest *manifest = check(actor, crate, "before it is sent");
	if (manifest == NULL ||
	    flows_channel(actor, &flows->crates, "crates") == NULL)
		return;
	if (slabd_send_arena(flows->crates, crate->arena, manifest) < 0) {
		crossed(actor, "slabd_send_arena");
		return;
	}
	drop(actor, crate);
	atom_add(&actor->worker->board->flow.shipped, UINT64_C(1));
}

void crates_receive(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	slabd_arena *arena;
	void *root = NULL;
	if (flows_channel(actor, &flows->crates, "crates") == NULL)
		return;
	arena = slabd_recv_arena(flows->crates, &root);
	if (arena == NULL) {
		crossed(actor, "slabd_recv_arena");
		return;
	}
	adopt(actor, arena, root);
	atom_add(&actor->worker->board->flow.landed, UINT64_C(1));
}

/* ---- all ------------------------------------------------------------------ */

static void use(struct actor *actor, struct crate *crate, uint32_t deed)
{
	if (deed < 40)
		grow(actor, crate);
	else if (deed < 50)
		rewind_one(actor, crate);
	else if (deed < 58)
		reset(actor, crate);
	else if (deed < 66)
		destroy(actor, crate);
	else if (deed < 82)
		give(actor, crate);
	else
		ship(actor, crate);
}

void crates_step(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	uint32_t deed = below(actor, 3);
	if (deed == 0 && flows->n_crates < CRATES_MAX)
		take(actor);
	else if (deed == 1 && flows->n_crates < CRATES_MAX)
		crates_receive(actor);
	else if (flows->n_crates == 0)
		make(actor);
	if (flows->n_crates > 0)
		use(actor, some(actor), below(actor, 100));
}

void crates_let_go(struct actor *actor)
{
	while (actor->flows.n_crates > 0)
		destroy(actor, &actor->flows.crate[actor->flows.n_crates - 1]);
}
