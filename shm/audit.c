/* SPDX-License-Identifier: MIT */
#include "shm/audit.h"

#include <time.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"
#include "shm/tags.h"

static const char *const names[AUDIT_CLAUSES] = {
        "word-shape", "unit-twice",   "page-ready",   "page-home",   "tag-run",
        "tag-pad",    "tag-owner",    "list-due",     "list-summary",
        "lease-holder", "cache-count", "file-held",    "cache-open",
};

static const char *const texts[AUDIT_CLAUSES] = {
        "the slab table has a word that no carve writes: restart slabd",
        "two slabs lie over the same unit: restart slabd",
        "a slab lies on memory that is not faulted in: restart slabd",
        "a slab's home is not the node on which its page lies: restart slabd",
        "two slabs share tag lines, or a run is out of range: restart slabd",
        "a client wrote over a slab's tags: see who may join the pool",
        "an object is owned by no living client: it is lost until a restart",
        "a slab has free objects that its list does not show",
        "a list's summary hides a slab that has free objects",
        "a lease is held by nobody alive: its slab is not used for refills",
        "slabd counts other slabs for the cache than the slab table has",
        "a client added memory to a file or took some away: slabd's log says more",
        "slabd counts other clients that have the cache open than are noted",
};

const char *audit_clause_name(enum audit_clause clause)
{
	return clause < AUDIT_CLAUSES ? names[clause] : "unknown";
}

const char *audit_clause_text(enum audit_clause clause)
{
	return clause < AUDIT_CLAUSES ? texts[clause] : "";
}

void audit_fault(struct audit *audit, enum audit_clause clause, uint32_t unit,
                 uint64_t got, uint64_t want)
{
	if (audit->n_faults++ >= AUDIT_FAULTS_MAX)
		return;
	audit->faults[audit->n_faults - 1] = (struct audit_fault){
	        .clause = clause, .unit = unit, .got = got, .want = want};
}

/* False once the run's patience is over: a client that writes noise must not
 * hold slabd up slab by slab. */
static bool pause_briefly(struct audit *audit)
{
	struct timespec ts = {.tv_nsec = 100000};
	if (audit->patience == 0)
		return false;
	audit->patience--;
	nanosleep(&ts, NULL);
	return true;
}

/* Words of a slab as carve writes them. Returns how many are, from head on. */
static uint32_t check_words(struct audit *audit, uint32_t head, uint64_t word,
                            const struct layout_cache *row)
{
	const struct view *view = audit->view;
	uint32_t n_units = 1u << row->order;
	uint32_t page_units = 1u << (view->geo.page_shift - UNIT_SHIFT);
	uint32_t page;
	if (WORD_HOME(word) >= view->geo.n_nodes ||
	    WORD_LIST(word) >= view->geo.n_nodes || word >> 56 != 0 ||
	    (word >> 24 & 0xff) != 0 || head % n_units != 0) {
		audit_fault(audit, AUDIT_WORD_SHAPE, head, word, 0);
		return 0;
	}
	for (uint32_t back = 1; back < n_units; back++) {
		uint64_t want = word | (uint64_t)back << 32;
		uint64_t got = atom_load(&view->words[head + back]);
		if (got == want)
			continue;
		audit_fault(audit, AUDIT_UNIT_TWICE, head + back, got, want);
		audit->twice += row->n_objs;
		return back;
	}
	page = atom_load(&view->pages[head / page_units]);
	if (page == 0)
		audit_fault(audit, AUDIT_PAGE_READY, head, 0, 1);
	else if (page != 1 + WORD_HOME(word))
		audit_fault(audit, AUDIT_PAGE_HOME, head, WORD_HOME(word),
		            page - 1u);
	return n_units;
}

/* False when the slab's tags can't be looked at. */
static bool check_run(struct audit *audit, uint32_t head,
                      const struct layout_cache *row)
{
	uint64_t line = atom_load(&audit->view->lines[head]);
	bool twice = false;
	if (line + slab_lines(row) > audit->n_lines) {
		audit_fault(audit, AUDIT_TAG_RUN, head, line, audit->n_lines);
		return false;
	}
	for (uint64_t i = line; i < line + slab_lines(row); i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);
		twice |= (audit->seen_lines[i / 64] & bit) != 0;
		audit->seen_lines[i / 64] |= bit;
	}
	if (twice) {
		audit_fault(audit, AUDIT_TAG_RUN, head, line, 0);
		audit->twice += row->n_objs;
	}
	return true;
}

static void check_owner(struct audit *audit, uint32_t head, uint32_t owner)
{
	const struct view *view = audit->view;
	if (owner < CLIENT_IDS &&
	    (atom_load(&view->clients[owner].word) & 0xff) == CLIENT_DEAD) {
		audit->orphans++;
		return;
	}
	/* An owner who freed the object and left meanwhile is no fault, so
	 * this is looked at by the caller with the tag read once more. */
	audit->lost++;
	audit_fault(audit, AUDIT_TAG_OWNER, head, owner, 0);
}

static void check_tags(struct audit *audit, uint32_t head,
                       const struct layout_cache *row)
{
	const uint16_t *tags = slab_tags(audit->view, head);
	uint32_t all = slab_lines(row) * TAGS_PER_LINE;
	for (uint32_t i = 0; i < all; i++) {
		uint16_t tag = atom_load(&tags[i]);
		if ((i < row->n_objs) == (tag == TAG_NONE)) {
			audit_fault(audit, AUDIT_TAG_PAD, head, tag, i);
			audit->lost += i < row->n_objs;
			continue;
		}
		if (i >= row->n_objs)
			continue;
		audit->objects++;
		audit->free += tag == TAG_FREE;
		audit->owned += tag != TAG_FREE;
		if (tag != TAG_FREE && !view_client_live(audit->view, tag) &&
		    atom_load(&tags[i]) == tag)
			check_owner(audit, head, tag);
	}
}

/* Free objects must be on the list, at the latest when whoever freed them has
 * had time to say so. */
static void check_listed(struct audit *audit, uint32_t head, uint64_t word,
                         const struct layout_cache *row)
{
	const struct view *view = audit->view;
	struct partial list =
	        partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	do
		if (partial_has(&list, head) ||
		    !tags_any_free(slab_tags(view, head), row->n_objs))
			return;
	while (pause_briefly(audit));
	audit->wrong_hints++;
	audit_fault(audit, AUDIT_LIST_DUE, head, 0, 1);
}

static void check_lease(struct audit *audit, uint32_t head)
{
	const uint32_t *lease = &audit->view->leases[head];
	uint32_t seen = atom_load(lease);
	if (seen == 0 || view_client_live(audit->view, LEASE_ID(seen)))
		return;
	if (atom_load(lease) != seen)
		return;
	audit->wrong_hints++;
	audit_fault(audit, AUDIT_LEASE_HOLDER, head, seen, 0);
}

static void check_summaries(struct audit *audit)
{
	const struct view *view = audit->view;
	for (uint32_t cache = 1; cache <= view->geo.n_caches; cache++) {
		if (view_cache(view, cache) == NULL)
			continue;
		for (uint32_t node = 0; node < view->geo.n_nodes; node++) {
			struct partial list = partial_of(view, cache, node);
			while (partial_check(&list) != PARTIAL_NONE &&
			       pause_briefly(audit))
				continue;
			if (partial_check(&list) == PARTIAL_NONE)
				continue;
			audit->wrong_hints++;
			audit_fault(audit, AUDIT_LIST_SUMMARY, cache, node, 0);
		}
	}
}

static uint32_t check_slab(struct audit *audit, uint32_t head, uint64_t word,
                           const struct layout_cache *row)
{
	uint32_t n_units = check_words(audit, head, word, row);
	if (n_units != 1u << row->order || !check_run(audit, head, row))
		return n_units > 0 ? n_units : 1;
	audit->slabs++;
	check_tags(audit, head, row);
	check_listed(audit, head, word, row);
	check_lease(audit, head);
	return n_units;
}

void audit_run_srv(struct audit *audit)
{
	const struct view *view = audit->view;
	for (uint32_t unit = 0; unit < view->geo.n_units;) {
		uint64_t word = atom_load(&view->words[unit]);
		const struct layout_cache *row =
		        view_cache(view, WORD_CACHE(word));
		if (word == 0) {
			unit++;
		} else if (row == NULL || WORD_BACK(word) != 0) {
			audit_fault(audit, AUDIT_WORD_SHAPE, unit, word, 0);
			unit++;
		} else {
			unit += check_slab(audit, unit, word, row);
		}
	}
	check_summaries(audit);
}
