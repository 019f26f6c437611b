/* SPDX-License-Identifier: MIT */
/*
 * A mapped pool as this process sees it: where each table lies here. Private
 * to the process; made once and read by all threads. What changes is how much
 * of the shared file a client may touch.
 *
 * Clients map control read-only; slabd alone casts the const away, in the
 * functions whose name ends in _srv.
 */
#ifndef SHM_VIEW_H
#define SHM_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/atom.h"
#include "shm/channel_row.h"
#include "shm/root_row.h"

struct view {
	struct layout_geometry geo;
	const struct layout_head *head;
	const struct layout_node *nodes;
	const uint8_t *cpus; /* node index by CPU, or NODE_NONE */
	const struct layout_cache *caches;
	const struct layout_mark *marks;
	const uint64_t *words;
	const uint32_t *lines; /* head unit -> first tag line */
	const uint8_t
		*pages; /* 1 + node where it lies, 0: not faulted in (D) */
	const struct layout_client *clients;
	const uint64_t *opens; /* (D) open_words a client id: bit cache - 1 of
	                          the caches that it has open */
	const struct layout_name *names; /* see names.h */
	const struct layout_root *roots; /* ROOTS_MAX of them */
	const struct layout_channel *channels; /* see channel_row.h, as for joins */
	const uint64_t *joins;
	/*
	 * Wants, in the shared file: bit (cache - 1) * n_nodes + node.
	 * 0 -> 1 (a client short of slabs, which then rings), 1 -> 0 (slabd,
	 * when it has grown the list or gives up for now). Full fences both
	 * ways: the ring is sent after the bit. A kill between bit and ring
	 * loses the ring: the sweep looks at the wants too.
	 */
	uint64_t *wants;  /* (A) */
	uint32_t *leases; /* (A) see lease.h */
	/* Where the next claim in a slab begins to look, one a head unit. Any
	 * value -> any (the lease holder, after a claim). Relaxed and never
	 * trusted: a wrong one costs a longer look, as a kill may leave. */
	uint16_t *starts; /* (A) */
	uint64_t *stats;  /* (A) STATS_WORDS a client id, see layout.h */
	/*
	 * Where a client may have left something: geo.touched_words a client id,
	 * a bit a granule of 64 units, by the head unit of a slab. 0 -> 1 (the
	 * client, before it takes a lease there or clears a list bit; who gives
	 * to it, before the tag says so), 1 -> 0 (slabd, as the id is freed).
	 * So a sweep looks at no other place: each tag of the dead, lease and
	 * list bit that it owed is in a granule that it had touched. A kill just
	 * after leaves a bit that costs a look. A client that clears bits, or
	 * another's, leaves what the look at all granules finds later.
	 */
	uint64_t *touched; /* (A) */
	char *lists;      /* see partial.h */
	uint16_t *tags;   /* (A) see tags.h */
	uint16_t *gens;   /* (A) the same, one a tag, in the same place */
	/* The lists of so many caches and so many tag lines are accessible here;
	 * reach makes all so that is ready. They grow (client/reach.c, under its lock),
	 * relaxed: who sees an old one asks once more. In slabd reach is NULL. */
	uint32_t open_lists; /* (A) */
	uint64_t open_lines; /* (A) */
	void (*reach)(const struct view *view);
	bool refused, refused_data; /* (A) the kernel lets it make no more so */
};

/* Fills in a view over mapped files. The geometry is one that layout_check or
 * layout_compute passed. */
void view_init(struct view *view, const struct layout_geometry *geo,
               const void *control, void *shared);

/* Whether the list of a cache, or a slab's tags from a line on, may be touched;
 * if not, view_reach comes first. A slab has LINES_PER_UNIT lines at the
 * most. */
static inline bool view_has_list(const struct view *view, uint32_t cache)
{
	return __builtin_expect(cache <= atom_load(&view->open_lists), 1);
}

static inline bool view_has_lines(const struct view *view, uint64_t line)
{
	return __builtin_expect(line + LINES_PER_UNIT <=
	                                atom_load(&view->open_lines), 1);
}

/* Makes what is ready accessible. */
static inline void view_reach(const struct view *view)
{
	if (view->reach != NULL)
		view->reach(view);
}

/* The row of a cache id, or NULL when there is no such cache. */
static inline const struct layout_cache *view_cache(const struct view *view,
                                                    uint32_t cache)
{
	const struct layout_cache *row = &view->caches[cache - 1];
	if (cache - 1 >= view->geo.n_caches)
		return NULL;
	/* pairs: add, in the cache table; a row is whole once it says so. */
	return atom_load_acquire(&row->state) == CACHE_LIVE ? row : NULL;
}

/* Whether an id is a live client's right now; or that, a channel's or a root's. */
bool view_client_live(const struct view *view, uint32_t id);
bool view_owner_lives(const struct view *view, uint32_t id);

/* State and epoch of a live client's id; 0 when it is nobody's. Two equal
 * words, and it was the same client all the while. */
static inline uint64_t view_client_word(const struct view *view, uint32_t id)
{
	uint64_t word;
	if (id - 1 >= CLIENT_ID_MAX)
		return 0;
	/* pairs: clients_set; an id is live only once it was swept. */
	word = atom_load_acquire(&view->clients[id].word);
	return (word & 0xff) == CLIENT_LIVE ? word & ~CLIENT_BANNED : 0;
}

/* The node index of a CPU; 0 if the pool does not know it. And of a node that the
 * kernel calls os_id, or -1. */
uint32_t view_cpu_node(const struct view *view, uint32_t cpu);
int view_node_index(const struct view *view, int os_id);

/* Raises the want of (cache, node). True if the caller must ring. */
bool view_want_any(const struct view *view, uint32_t cache, uint32_t node);

/* The lowest unit from one on that may be part of a slab, as pages up to its
 * were ready once: n_units if there is none. What lies between holds no word, and
 * would take memory if it were read. *end, unless NULL: one past those that follow
 * it. */
uint32_t view_next_unit(const struct view *view, uint32_t unit, uint32_t *end);

/* Adds to one of a client's counts. */
static inline void view_count(const struct view *view, uint32_t id,
                              enum stats_word word, uint64_t n)
{
	if (n != 0)
		atom_add(&view->stats[id * STATS_WORDS + word], n);
}

static inline uint64_t *view_touched(const struct view *view, uint32_t id)
{
	return view->touched + (uint64_t)id * view->geo.touched_words;
}

/* A client, or who gives to it, is about to do something to the slab that
 * begins at a unit. */
static inline void view_touch_any(const struct view *view, uint32_t id,
                                  uint32_t head)
{
	uint32_t granule = head >> GRANULE_SHIFT;
	uint64_t *word = &view_touched(view, id)[granule / 64];
	uint64_t bit = UINT64_C(1) << (granule % 64);
	if ((atom_load(word) & bit) == 0)
		/* pairs: sweep_join; the bit comes before what it tells of. */
		atom_set(word, bit);
}

/*
 * Behind the places that a client has touched, a cache line each: bytes given to it,
 * and of these taken. Relaxed adds (givers, after the tag; it, by the batch), zeroed
 * by slabd. A bound goes by them: a kill before leaves it a bit wider.
 */
#define GIFTS_GIVEN 0u
#define GIFTS_TAKEN 8u
static inline uint64_t *view_gifts_at(const struct view *view, uint32_t id,
                                      uint32_t which)
{
	return view_touched(view, id) + view->geo.gifts_word + which;
}

/* Bytes that it has not taken, as far as is counted; below 0 now and then. */
static inline int64_t view_gifts(const struct view *view, uint32_t id)
{
	return (int64_t)(atom_load(view_gifts_at(view, id, GIFTS_GIVEN)) -
	                 atom_load(view_gifts_at(view, id, GIFTS_TAKEN)));
}

static inline void view_count_gifts(const struct view *view, uint32_t id,
                                    uint32_t which, uint64_t bytes)
{
	atom_add(view_gifts_at(view, id, which), bytes);
}

static inline const struct layout_mark *
view_mark(const struct view *view, uint32_t cache, uint32_t node)
{
	return &view->marks[(uint64_t)(cache - 1) * view->geo.n_nodes + node];
}

#endif
