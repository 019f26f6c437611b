/* SPDX-License-Identifier: MIT */
/* What a pool has for its arenas, and the heads that programs point at. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/arena.h"
#include "client/error.h"
#include "shm/atom.h"

#define REGION_BYTES ((size_t)64 << 10)
#define OLD 16u

/* Heads, on pages that the kernel wipes at fork. */
struct arena_region {
	struct arena_region *next;
	void *pages;
};

/* (A) Of pools that are closed: the heads say that their arenas are none. */
static void *old[OLD];
static uint32_t next_old;

static struct arena_home *make_home(struct slabd_pool *pool)
{
	struct arena_home *home = calloc(1, sizeof(*home));
	if (home == NULL)
		return error_set(ENOMEM, "no memory for an arena"), NULL;
	home->pool = pool;
	home->n_classes = pool->view.geo.page_shift - ARENA_SHIFT_MIN + 1;
	pthread_mutex_init(&home->lock, NULL);
	return home;
}

struct arena_home *arena_home_of(struct slabd_pool *pool)
{
	/* pairs: arena_home_of, in another thread. */
	struct arena_home *home = atom_load_acquire(&pool->arenas);
	struct arena_home *first = NULL;
	if (home != NULL)
		return home;
	home = make_home(pool);
	/* pairs: arena_home_of, in another thread: the first one's counts. */
	if (home == NULL || atom_publish(&pool->arenas, &first, home))
		return home;
	free(home);
	return first;
}

/* ---- heads ---------------------------------------------------------------- */

static void put_idle(struct arena_home *home, struct arena_head *head)
{
	head->next = NULL;
	if (home->idle == NULL)
		home->idle = head;
	else
		home->last->next = head;
	home->last = head;
}

/* More heads. False with errno. */
static bool add_region(struct arena_home *home)
{
	struct arena_region *region = calloc(1, sizeof(*region));
	struct arena_head *heads;
	void *pages = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == NULL || pages == MAP_FAILED ||
	    madvise(pages, REGION_BYTES, MADV_WIPEONFORK) < 0) {
		if (pages != MAP_FAILED)
			munmap(pages, REGION_BYTES);
		free(region);
		error_set(ENOMEM, "no memory for an arena");
		return false;
	}
	region->pages = pages;
	region->next = home->regions;
	home->regions = region;
	heads = pages;
	for (size_t i = 0; i < REGION_BYTES / sizeof(*heads); i++)
		put_idle(home, &heads[i]);
	return true;
}

static struct arena_head *take_head(struct arena_home *home)
{
	struct arena_head *head;
	if (home->idle == NULL && !add_region(home))
		return NULL;
	head = home->idle;
	home->idle = head->next;
	return head;
}

/* ---- families ------------------------------------------------------------- */

static struct arena **first_of(struct arena *arena)
{
	return arena->parent != NULL ? &arena->parent->children
	                             : &arena->home->roots;
}

static void link_in(struct arena *arena)
{
	struct arena **first = first_of(arena);
	arena->next = *first;
	if (arena->next != NULL)
		arena->next->prev = arena;
	*first = arena;
}

static void unlink_it(struct arena *arena)
{
	if (arena->prev != NULL)
		arena->prev->next = arena->next;
	else
		*first_of(arena) = arena->next;
	if (arena->next != NULL)
		arena->next->prev = arena->prev;
}

struct arena *arena_home_enter(struct arena_home *home, struct arena *parent)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena == NULL)
		return error_set(ENOMEM, "no memory for an arena"), NULL;
	arena->home = home;
	arena->parent = parent;
	pthread_mutex_lock(&home->lock);
	arena->head = take_head(home);
	if (arena->head != NULL)
		link_in(arena);
	pthread_mutex_unlock(&home->lock);
	if (arena->head == NULL) {
		free(arena);
		return NULL;
	}
	arena->head->own = arena;
	return arena;
}

void arena_home_leave(struct arena *arena)
{
	struct arena_home *home = arena->home;
	struct arena_head *head = arena->head;
	head->at = (struct slabd_arena){(char *)SLABD_ARENA_ALIGN, NULL};
	head->own = NULL;
	pthread_mutex_lock(&home->lock);
	unlink_it(arena);
	put_idle(home, head);
	pthread_mutex_unlock(&home->lock);
	arena_chunk_done(arena);
	free(arena);
}

/* ---- the end -------------------------------------------------------------- */

/* Its oldest descendant, or itself. */
static struct arena *leaf_of(struct arena *arena)
{
	while (arena->children != NULL)
		arena = arena->children;
	return arena;
}

/* In a forked child: the heads are wiped, and the lock may be held. */
static void forget_one(struct arena *arena)
{
	struct arena_call *call = arena->calls;
	while (call != NULL) {
		struct arena_call *next = call->next;
		free(call);
		call = next;
	}
	unlink_it(arena);
	arena_chunk_done(arena);
	free(arena);
}

static void bury(void *pages)
{
	/* pairs: bury, in another thread: what it unmaps is nobody's. */
	void *last = atom_swap(&old[atom_add(&next_old, 1u) % OLD], pages);
	if (last != NULL)
		munmap(last, REGION_BYTES);
}

void arena_close(struct slabd_pool *pool)
{
	struct arena_home *home = pool->arenas;
	bool alive = atom_load(pool->alive) != 0;
	if (home == NULL)
		return;
	while (home->roots != NULL) {
		if (alive)
			slabd_arena_destroy(&home->roots->head->at);
		else
			forget_one(leaf_of(home->roots));
	}
	while (home->regions != NULL) {
		struct arena_region *region = home->regions;
		home->regions = region->next;
		bury(region->pages);
		free(region);
	}
	pool->arenas = NULL;
	free(home);
}
