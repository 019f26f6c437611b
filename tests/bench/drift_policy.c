/* SPDX-License-Identifier: MIT */
/*
 * The library is linked with slab_release_any wrapped, so all policies run the
 * same code but for what is here: once the tags are stored, a slab that was
 * full goes to the list of the node that freed, in the way slabd lends one.
 */
#include <string.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/tags.h"
#include "tests/bench/drift.h"

/* s->cpu_partial_slabs of SLUB for objects of 256 bytes: 52 objects, twice
 * over as slabs are taken to be half full, by 32 objects a slab, rounded up. */
#define SLUB_KEEP 4u
#define KEEP_MAX 16u

static const struct drift_policy policies[] = {
	{"home", 0, false},
	{"slub", SLUB_KEEP, false},
	{"stay", DRIFT_ALL, true},
	{"stay-all", DRIFT_ALL, false},
};

static const struct drift_policy *policy = &policies[0];
static uint32_t here;
static uint64_t *words;
static uint32_t kept[KEEP_MAX];
static uint32_t n_kept;

const struct drift_policy *drift_policy_of(const char *name)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i].name, name) == 0)
			return &policies[i];
	return NULL;
}

void drift_policy_use(const struct drift_policy *use, uint32_t node,
                      uint64_t *writable)
{
	policy = use;
	here = node;
	words = writable;
}

/* Under the slab's lease. Who frees into it meanwhile either sees the new word,
 * or is seen here. */
static void stand_on(const struct view *view, uint32_t head, uint64_t word,
                     uint32_t node)
{
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	struct partial from =
		partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	for (uint32_t back = 1u << row->order; back-- > 0;)
		/* pairs: slab_locate, claim_from */
		atom_store_release(&words[head + back],
		                   WORD_MAKE(WORD_CACHE(word), WORD_HOME(word),
		                             back, node));
	partial_clear_any(&from, head);
	slab_relist_any(view, head);
}

/* Whether the slab came to stand on a list: not if it did already, is no more,
 * or is being claimed from. As slab_lend_srv, which slabd alone may call: here
 * there are many, so all is looked at under the lease. */
static bool move(const struct slab_user *user, uint32_t head, uint32_t to)
{
	uint32_t *lease = &user->view->leases[head];
	uint64_t word;
	bool moved;
	if (!lease_take_any(lease, user->id, user->epoch))
		return false;
	word = atom_load(&words[head]);
	moved = WORD_CACHE(word) != 0 && WORD_BACK(word) == 0 &&
	        WORD_LIST(word) != to;
	if (moved)
		stand_on(user->view, head, word, to);
	lease_drop_own(lease);
	return moved;
}

/* Sends a slab of another node home that stands here. False when it still
 * does. */
static bool send_home(const struct slab_user *user, uint32_t head)
{
	uint64_t word = atom_load(&words[head]);
	if (WORD_CACHE(word) == 0 || WORD_LIST(word) != here ||
	    WORD_HOME(word) == here)
		return true;
	return move(user, head, WORD_HOME(word));
}

/* All that is kept goes to the node where it lies, but for a slab that is being
 * claimed from just now. */
static void give_up_kept(const struct slab_user *user)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < n_kept; i++)
		if (!send_home(user, kept[i]))
			kept[left++] = kept[i];
	n_kept = left;
}

/* One more of a CPU's own slabs; when it has all that it may, these go. */
static void keep(const struct slab_user *user, uint32_t head)
{
	if (!move(user, head, here) || policy->keep > KEEP_MAX)
		return;
	if (n_kept >= policy->keep)
		give_up_kept(user);
	if (n_kept < KEEP_MAX)
		kept[n_kept++] = head;
}

static bool is_empty(const struct view *view, uint32_t head,
                     const struct layout_cache *row)
{
	const uint16_t *tags = slab_tags(view, head);
	for (uint32_t i = 0; i < row->n_objs; i++)
		if (atom_load(&tags[i]) != TAG_FREE)
			return false;
	return true;
}

/* The head of an object's slab and its word, or PARTIAL_NONE. */
static uint32_t head_of(const struct slab_user *user, const void *object,
                        uint64_t *word)
{
	uint64_t off = (uint64_t)((const char *)object - user->data);
	uint32_t unit = (uint32_t)(off >> UNIT_SHIFT);
	*word = atom_load(&user->view->words[unit]);
	return WORD_CACHE(*word) == 0 ? PARTIAL_NONE : unit - WORD_BACK(*word);
}

/* The slabs of objects that are on no list: nothing in them is free. */
static uint32_t find_full(const struct slab_user *user, uint32_t n,
                          void *const *objects, uint32_t *heads)
{
	uint32_t n_heads = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t word;
		uint32_t head = head_of(user, objects[i], &word);
		struct partial list;
		if (head == PARTIAL_NONE)
			continue;
		list = partial_of(user->view, WORD_CACHE(word),
		                  WORD_LIST(word));
		if (!partial_has(&list, head))
			heads[n_heads++] = head;
	}
	return n_heads;
}

/* Sends slabs of other nodes home that are free as a whole: SLUB gives their
 * pages back. */
static void drop_empties(const struct slab_user *user, uint32_t n,
                         void *const *objects)
{
	uint32_t last = PARTIAL_NONE;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t word;
		uint32_t head = head_of(user, objects[i], &word);
		if (head == last || head == PARTIAL_NONE)
			continue;
		last = head;
		if (WORD_LIST(word) == here && WORD_HOME(word) != here &&
		    is_empty(user->view, head,
		             view_cache(user->view, WORD_CACHE(word))))
			send_home(user, head);
	}
}

uint32_t __real_slab_release_any(const struct slab_user *user, uint32_t n,
                                 void *const *objects);
uint32_t __wrap_slab_release_any(const struct slab_user *user, uint32_t n,
                                 void *const *objects);

uint32_t __wrap_slab_release_any(const struct slab_user *user, uint32_t n,
                                 void *const *objects)
{
	uint32_t heads[SLAB_RUN_MAX];
	uint32_t n_heads = 0;
	uint32_t refused;
	if (policy->keep > 0)
		n_heads = find_full(user, n, objects, heads);
	refused = __real_slab_release_any(user, n, objects);
	for (uint32_t i = 0; i < n_heads; i++)
		keep(user, heads[i]);
	if (policy->empties_home)
		drop_empties(user, n, objects);
	return refused;
}
