/* SPDX-License-Identifier: MIT */
/* Arenas: made, allocated of, marked, reset, destroyed. */
#include "client/arena_live.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/error.h"
#include "client/tools.h"
#include "shm/atom.h"

/* ---- which ---------------------------------------------------------------- */

struct arena *arena_is_none(void)
{
	if (!process_is(process_generation))
		error_forked();
	else
		error_set(EINVAL, "no arena: it, or its parent, was destroyed");
	return NULL;
}

struct arena *arena_of(const slabd_arena *head)
{
	struct arena *arena;
	if (head == NULL)
		return error_set(EINVAL, "an arena that is NULL"), NULL;
	arena = ((const struct arena_head *)head)->own;
	return arena != NULL ? arena : arena_is_none();
}

static int check_name(const char *name)
{
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "arena name over %d bytes",
		                 SLABD_NAME_MAX);
	for (; *name != '\0'; name++)
		if (iscntrl((unsigned char)*name))
			return error_set(EINVAL,
			                 "control characters in an "
			                 "arena's name");
	return 0;
}

/* A number of its own for marks: that of the arena, and its resets are added. */
static uint64_t first_epoch(struct arena *arena)
{
	return (atom_add(&arena->home->made, UINT64_C(1)) + 1) << 40;
}

void arena_start(struct arena *arena)
{
	arena->epoch = first_epoch(arena);
	arena_chunk_none(arena);
}

slabd_arena *slabd_arena_create(slabd_pool *pool, slabd_arena *parent,
                                const char *name)
{
	struct arena *above = NULL;
	struct arena_home *home;
	struct arena *arena;
	if (pool == NULL)
		return error_set(EINVAL, "an arena of no pool"), NULL;
	if (!pool_alive(pool) || (name != NULL && check_name(name) < 0))
		return NULL;
	if (parent != NULL && (above = arena_of(parent)) == NULL)
		return NULL;
	if (above != NULL && above->home->pool != pool)
		return error_set(EINVAL, "the parent is another pool's arena"),
		       NULL;
	home = arena_home_of(pool);
	arena = home != NULL ? arena_home_enter(home, above) : NULL;
	if (arena == NULL)
		return NULL;
	if (name != NULL)
		strcpy(arena->name, name);
	arena_start(arena);
	return &arena->head->at;
}

int slabd_arena_get_stats(slabd_arena *head, struct slabd_arena_stats *stats)
{
	const struct arena *arena = arena_of(head);
	if (arena == NULL)
		return -1;
	if (stats == NULL)
		return error_set(EINVAL, "slabd_arena_get_stats into NULL");
	*stats = (struct slabd_arena_stats){.bytes = arena->bytes,
	                                    .chunks = arena->chunks.n,
	                                    .blocks = arena->blocks.n,
	                                    .resets = arena->resets};
	tools_wrote(stats, sizeof(*stats));
	return 0;
}

/* ---- allocation ----------------------------------------------------------- */

static void *align_up(char *at, size_t align)
{
	return (void *)(((uintptr_t)at + align - 1) & ~((uintptr_t)align - 1));
}

static size_t round_up(size_t size)
{
	return (size + SLABD_ARENA_ALIGN - 1) & ~(size_t)(SLABD_ARENA_ALIGN - 1);
}

/* The most that a block has room for, aligned. */
static size_t most(const struct arena *arena)
{
	return arena_bytes_of(arena->home->n_classes - 1) - ARENA_ROOM;
}

static void *more(struct arena *arena, size_t size, size_t align)
{
	size_t need = size + align - SLABD_ARENA_ALIGN;
	uint32_t class = arena_chunk_class(arena);
	char *at;
	if (need > arena_bytes_of(class) / 2) {
		at = arena_chunk_block(arena, need);
		return at != NULL ? align_up(at, align) : NULL;
	}
	if (!arena_chunk_next(arena, class, need))
		return NULL;
	at = align_up(arena->head->at.at_, align);
	arena->head->at.at_ = at + round_up(size);
	return at;
}

void *slabd_arena_more_(slabd_arena *head, size_t size, size_t align)
{
	struct arena *arena = arena_of(head);
	char *at;
	if (arena == NULL)
		return NULL;
	if ((align & (align - 1)) != 0 || align > SLABD_ARENA_ALIGN_MAX)
		return error_set(EINVAL, "an arena aligns to a power of two up "
		                 "to %u, not to %zu", SLABD_ARENA_ALIGN_MAX,
		                 align),
		       NULL;
	if (align < SLABD_ARENA_ALIGN)
		align = SLABD_ARENA_ALIGN;
	if (size > most(arena) || size + align - SLABD_ARENA_ALIGN > most(arena))
		return error_set(EINVAL, "%zu bytes of an arena: the most is "
		                 "%zu, a page of pool %s", size, most(arena),
		                 arena->home->pool->view.head->name),
		       NULL;
	/* What is large may fit all the same. */
	at = align_up(head->at_, align);
	if (arena->used > 0 && at <= head->end_ &&
	    size <= (size_t)(head->end_ - at)) {
		head->at_ = at + round_up(size);
		return at;
	}
	return more(arena, size, align);
}

/* ---- cleanups ------------------------------------------------------------- */

int slabd_arena_cleanup(slabd_arena *head, void (*call)(void *), void *arg)
{
	struct arena *arena = arena_of(head);
	struct arena_call *made;
	if (arena == NULL)
		return -1;
	if (call == NULL)
		return error_set(EINVAL, "slabd_arena_cleanup calls nobody");
	made = malloc(sizeof(*made));
	if (made == NULL)
		return error_set(ENOMEM, "no memory for an arena's cleanup");
	*made = (struct arena_call){arena->calls, call, arg};
	arena->calls = made;
	arena->n_calls++;
	return 0;
}

/* A cleanup of it is under way, or no more. */
static void go_inside(struct arena *arena, bool in)
{
	uint32_t by = in ? 1 : UINT32_MAX;
	arena->busy = in;
	atom_add(&arena->home->inside, by);
	for (struct arena *at = arena; at != NULL; at = at->parent)
		atom_add(&at->inside, by);
}

bool arena_is_inside(const struct slabd_pool *pool)
{
	return pool->arenas != NULL && atom_load(&pool->arenas->inside) != 0;
}

/* Those beyond the first keep, last first. What they register is called, too. */
static void call_down_to(struct arena *arena, uint64_t keep)
{
	int held;
	if (arena->n_calls <= keep)
		return;
	held = link_hold();
	go_inside(arena, true);
	while (arena->n_calls > keep) {
		struct arena_call *last = arena->calls;
		struct arena_call copy = *last;
		arena->calls = last->next;
		arena->n_calls--;
		free(last);
		copy.call(copy.arg);
	}
	go_inside(arena, false);
	link_let_go(held);
}

/* ---- marks ---------------------------------------------------------------- */

slabd_mark slabd_arena_mark(slabd_arena *head)
{
	struct arena *arena = arena_of(head);
	if (arena == NULL)
		return (slabd_mark){.epoch_ = 0};
	return (slabd_mark){.at_ = head->at_,
	                    .epoch_ = arena->epoch,
	                    .seq_ = ++arena->seq,
	                    .cleanups_ = arena->n_calls,
	                    .chunks_ = arena->used,
	                    .blocks_ = arena->blocks.n};
}

/* Whether one place lies beyond another. */
static bool is_beyond(const slabd_mark *a, const slabd_mark *b)
{
	if (a->blocks_ > b->blocks_ || a->cleanups_ > b->cleanups_ ||
	    a->chunks_ > b->chunks_)
		return true;
	return a->chunks_ == b->chunks_ && a->at_ > b->at_;
}

/* A mark is void where it was taken before the arena was rewound to a place that
 * lies before it. */
static bool is_valid(const struct arena *arena, const slabd_mark *mark)
{
	slabd_mark now = {.at_ = arena->head->at.at_,
	                  .cleanups_ = arena->n_calls,
	                  .chunks_ = arena->used,
	                  .blocks_ = arena->blocks.n};
	if (mark->epoch_ != arena->epoch || is_beyond(mark, &now))
		return false;
	return mark->seq_ > arena->back.seq_ ||
	       !is_beyond(mark, &arena->back);
}

void slabd_arena_rewind(slabd_arena *head, slabd_mark mark)
{
	struct arena *arena = arena_of(head);
	if (arena == NULL)
		return;
	if (!is_valid(arena, &mark)) {
		error_set(EINVAL, "this mark is not of this arena, or what it "
		          "stood in was reset or rewound");
		return;
	}
	if (arena->busy) {
		error_set(EBUSY, "the arena is being reset or destroyed");
		return;
	}
	call_down_to(arena, mark.cleanups_);
	arena_chunk_drop_blocks(arena, mark.blocks_);
	arena_chunk_back(arena, mark.chunks_, mark.at_);
	arena->back = mark;
	arena->back.seq_ = ++arena->seq;
}

/* ---- the end of what is in it --------------------------------------------- */

static struct arena *leaf_of(struct arena *arena)
{
	while (arena->children != NULL)
		arena = arena->children;
	return arena;
}

/* The one that comes after it, children first, or NULL after the top. */
static struct arena *after(const struct arena *arena, const struct arena *top)
{
	if (arena == top)
		return NULL;
	return arena->next != NULL ? leaf_of(arena->next) : arena->parent;
}

/* How many chunks stay at a reset; the next one counts anew. */
static uint32_t to_keep(struct arena *arena)
{
	uint32_t peak = arena->peak;
	uint32_t keep = peak < arena->peak_before ? peak : arena->peak_before;
	arena->peak_before = peak;
	arena->peak = arena->chunks.n > 0;
	arena->epoch++;
	arena->resets++;
	return keep > 0 ? keep : 1;
}

static void reset_one(struct arena *arena)
{
	uint32_t keep;
	call_down_to(arena, 0);
	arena_chunk_drop_blocks(arena, 0);
	keep = to_keep(arena);
	arena_chunk_keep(arena, keep);
	arena_live_reset(arena);
}

/* Whether nothing is to be done but to begin at the front. */
static bool is_light(const struct arena *arena)
{
	return arena->children == NULL && arena->n_calls == 0 &&
	       arena->blocks.n == 0 && arena->chunks.n == 1 && !arena->busy;
}

static bool is_busy(const struct arena *arena)
{
	if (!arena->busy)
		return false;
	error_set(EBUSY, "the arena is being reset or destroyed");
	return true;
}

void slabd_arena_reset(slabd_arena *head)
{
	struct arena *top = arena_of(head);
	if (__builtin_expect(top != NULL && is_light(top), 1)) {
		head->at_ = ((struct arena_head *)head)->first;
		to_keep(top);
		arena_live_reset(top);
		return;
	}
	if (top == NULL || is_busy(top))
		return;
	for (struct arena *at = leaf_of(top); at != NULL; at = after(at, top))
		if (!at->busy)
			reset_one(at);
}

/* The one to destroy next, or NULL after the top: a child that a cleanup has made goes
 * first. */
static struct arena *destroy_one(struct arena *arena, const struct arena *top)
{
	struct arena *next;
	call_down_to(arena, 0);
	if (arena->children != NULL)
		return leaf_of(arena);
	next = after(arena, top);
	arena_chunk_drop_blocks(arena, 0);
	arena_chunk_keep(arena, 0);
	arena_home_leave(arena);
	return next;
}

void slabd_arena_destroy(slabd_arena *head)
{
	struct arena *top;
	struct arena *arena;
	if (head == NULL)
		return;
	top = arena_of(head);
	if (top == NULL)
		return;
	if (atom_load(&top->inside) != 0) {
		error_set(EBUSY, "a cleanup of the arena, or of one below it, "
		          "is being called");
		return;
	}
	for (arena = leaf_of(top); arena != NULL;)
		arena = destroy_one(arena, top);
}
