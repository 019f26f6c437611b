/* SPDX-License-Identifier: MIT */
/* What slabd alone does to slabs: carve, reclaim, sweep. */
#include <errno.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"
#include "shm/tags.h"

static void put_words(const struct view *view, uint32_t head, uint32_t n_units,
                      uint64_t word)
{
	uint64_t *words = (uint64_t *)(uintptr_t)view->words;
	/* The head last: with it the slab is there as a whole. */
	for (uint32_t back = n_units; back-- > 0;) {
		uint64_t unit_word = word;
		if (word != 0)
			unit_word |= (uint64_t)back << 32;
		/* pairs: slab_locate */
		atom_store_release(&words[head + back], unit_word);
	}
}

/* Breaks a lease that nobody alive holds. That of a client which lives stays:
 * it took it when another slab began here, and will look again and drop it. */
static void free_lease(const struct view *view, uint32_t head)
{
	uint32_t *lease = &view->leases[head];
	uint32_t seen = atom_load(lease);
	/* pairs: lease_take_any; put_words orders what the carve made. */
	if (seen != 0 && !view_client_live(view, LEASE_ID(seen)))
		atom_cas(lease, &seen, 0u);
}

void slab_carve_srv(const struct view *view, uint32_t head, uint32_t cache,
                    uint32_t home, uint32_t list, uint32_t tag_line)
{
	const struct layout_cache *row = &view->caches[cache - 1];
	uint32_t *lines = (uint32_t *)(uintptr_t)view->lines;
	uint32_t *carves = (uint32_t *)(uintptr_t)&view->head->carves;
	struct partial to = partial_of(view, cache, list);
	atom_store(&lines[head], tag_line);
	tags_init_srv(slab_tags(view, head), row->n_objs, slab_lines(row));
	tags_start_srv(slab_gen_of(view, slab_tags(view, head)), row->n_objs,
	               ++*carves);
	free_lease(view, head);
	put_words(view, head, 1u << row->order,
	          WORD_MAKE(cache, home, 0, list));
	/* pairs: claim_from; whoever clears a stale bit of this unit looks at
	 * its word after that, and here the word comes before the bit. */
	atom_fence();
	partial_set_any(&to, head);
}

int slab_reclaim_srv(const struct view *view, uint32_t head)
{
	uint64_t word = atom_load(&view->words[head]);
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	uint32_t *lease = &view->leases[head];
	struct partial list;
	if (row == NULL || WORD_BACK(word) != 0)
		return -EINVAL;
	if (!lease_take_any(lease, LEASE_SRV, 0))
		return -EBUSY;
	if (tags_count_free(slab_tags(view, head), row->n_objs) !=
	    row->n_objs) {
		lease_drop_own(lease);
		return -EBUSY;
	}
	/* pairs: tags_free_own; the last owners' writes to the objects come
	 * before the next use. */
	atom_fence();
	put_words(view, head, 1u << row->order, 0);
	list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	partial_clear_any(&list, head);
	lease_drop_own(lease);
	return 0;
}

/* Puts a slab on a list, at home on a node, and sets the bit that it is due
 * there. Whoever frees an object either sees the new word or has stored its tag
 * before the fence, so that the look at the tags sees it. */
static void place(const struct view *view, uint32_t head, uint64_t word,
                  uint32_t home, uint32_t list)
{
	uint32_t cache = WORD_CACHE(word);
	struct partial old = partial_of(view, cache, WORD_LIST(word));
	put_words(view, head, 1u << view->caches[cache - 1].order,
	          WORD_MAKE(cache, home, 0, list));
	/* pairs: slab_release_any */
	atom_fence();
	if (list != WORD_LIST(word))
		partial_clear_any(&old, head);
	slab_relist_any(view, head);
}

int slab_lend_srv(const struct view *view, uint32_t head, uint32_t list)
{
	uint64_t word = atom_load(&view->words[head]);
	uint32_t *lease = &view->leases[head];
	if (view_cache(view, WORD_CACHE(word)) == NULL || WORD_BACK(word) != 0)
		return -EINVAL;
	if (!lease_take_any(lease, LEASE_SRV, 0))
		return -EBUSY;
	place(view, head, word, WORD_HOME(word), list);
	lease_drop_own(lease);
	return 0;
}

int slab_rehome_srv(const struct view *view, uint32_t head, uint32_t home,
                    uint32_t list)
{
	uint64_t word = atom_load(&view->words[head]);
	if (view_cache(view, WORD_CACHE(word)) == NULL || WORD_BACK(word) != 0)
		return -EINVAL;
	place(view, head, word, home, list);
	return 0;
}

static bool is_shaped(const struct view *view, uint32_t head, uint64_t word,
                      uint32_t n_units, uint32_t end)
{
	return head % n_units == 0 && head + n_units <= end &&
	       WORD_HOME(word) < view->geo.n_nodes &&
	       WORD_LIST(word) < view->geo.n_nodes && word >> 56 == 0 &&
	       (word >> 24 & 0xff) == 0;
}

int slab_repair_srv(const struct view *view, uint32_t unit, uint32_t end)
{
	uint64_t *words = (uint64_t *)(uintptr_t)view->words;
	uint64_t word = words[unit];
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	if (word == 0)
		return SLAB_REPAIR_NONE;
	if (row == NULL)
		return -EINVAL;
	if (WORD_BACK(word) != 0) {
		/* pairs: slab_locate */
		atom_store_release(&words[unit], UINT64_C(0));
		return SLAB_REPAIR_NONE;
	}
	if (!is_shaped(view, unit, word, 1u << row->order, end))
		return -EINVAL;
	for (uint32_t back = 1; back < 1u << row->order; back++) {
		uint64_t due = word | (uint64_t)back << 32;
		uint64_t is = words[unit + back];
		/* Home and list may be those of before, or of what was
		 * meant. */
		if (is != 0 && (WORD_CACHE(is) != WORD_CACHE(word) ||
		                WORD_BACK(is) != back))
			return -EINVAL;
		/* pairs: slab_locate */
		atom_store_release(&words[unit + back], due);
	}
	return SLAB_REPAIR_SLAB;
}

/* Sets the list bit that a slab is due. */
static void relist(const struct view *view, uint32_t head, uint64_t word,
                   const struct layout_cache *row, struct slab_swept *swept)
{
	struct partial list =
	        partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	if (partial_has(&list, head))
		return;
	if (!tags_any_free(slab_tags(view, head), row->n_objs))
		return;
	partial_set_any(&list, head);
	swept->bits++;
}

/* Sweeps the slab at head, if one starts there. Returns its units, or 1. */
static uint32_t sweep_at(const struct view *view, uint32_t head,
                         const struct tags_living *living,
                         struct slab_swept *swept)
{
	uint64_t word = atom_load(&view->words[head]);
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	if (row == NULL || WORD_BACK(word) != 0)
		return 1;
	swept->looks += row->n_objs;
	(void)tags_pad_srv(slab_tags(view, head), row->n_objs, slab_lines(row));
	swept->objects += tags_sweep_srv(
		slab_tags(view, head),
		slab_gen_of(view, slab_tags(view, head)), row->n_objs, living,
		swept->by_id);
	/* pairs: partial_clear_any; the tags are free before the look at the
	 * bit. lease_break_srv counts on it, too. */
	atom_fence();
	relist(view, head, word, row, swept);
	return 1u << row->order;
}

void slab_sweep_srv(const struct view *view, uint32_t first, uint32_t end,
                    const struct tags_living *living, struct slab_swept *swept)
{
	for (uint32_t unit = first; unit < end;)
		unit += sweep_at(view, unit, living, swept);
	/* Of all units: it may have died where a slab was emptied. */
	for (uint32_t unit = first; unit < end; unit++) {
		uint32_t id = LEASE_ID(atom_load(&view->leases[unit]));
		if (id == 0 || !tags_lives(living, id))
			swept->leases +=
			        lease_break_srv(&view->leases[unit], id);
	}
}
