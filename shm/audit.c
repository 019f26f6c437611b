/* SPDX-License-Identifier: MIT */
#include "shm/audit.h"

#include <time.h>
#include <unistd.h>

#include "shm/lease.h"
#include "shm/partial.h"
#include "shm/slab.h"
#include "shm/tags.h"

static const char *const names[AUDIT_CLAUSES] = {
        "word-shape", "unit-twice",   "page-ready",   "page-home",   "tag-run",
        "tag-pad",    "tag-owner",    "list-due",     "list-summary",
        "lease-holder", "cache-count", "file-held",    "cache-open",
        "root-object", "root-id",
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
        "a root names an object that is not its: a client wrote over the tag",
        "an id owns objects for no root, or a root has none: restart slabd",
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

static void convict(struct audit *audit, const struct audit_suspect *one)
{
	uint32_t n_nodes = audit->view->geo.n_nodes;
	audit->wrong_hints++;
	if (one->clause == AUDIT_LIST_DUE)
		audit_fault(audit, one->clause, one->unit, 0, 1);
	else if (one->clause == AUDIT_LIST_SUMMARY)
		audit_fault(audit, one->clause, one->unit / n_nodes + 1,
		            one->unit % n_nodes, 0);
	else
		audit_fault(audit, one->clause, one->unit, one->word, 0);
}

/* A fault, unless it passes. Those beyond the room for suspects are faults at
 * once: that many are not all in the middle of something. */
static void suspect(struct audit *audit, enum audit_clause clause,
                    uint32_t unit, uint64_t word)
{
	struct audit_suspect one = {clause, unit, word};
	if (audit->n_suspects < AUDIT_SUSPECTS_MAX)
		audit->suspects[audit->n_suspects++] = one;
	else
		convict(audit, &one);
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

static void check_owner(struct audit *audit, uint32_t head, uint32_t tag)
{
	const struct view *view = audit->view;
	uint32_t owner = TAG_OWNER(tag);
	if (owner < CLIENT_IDS &&
	    (atom_load(&view->clients[owner].word) & 0xff) == CLIENT_DEAD) {
		audit->orphans++;
		return;
	}
	/* An owner who freed the object and left meanwhile is no fault, so
	 * this is looked at by the caller with the tag read once more. */
	audit->lost++;
	audit_fault(audit, AUDIT_TAG_OWNER, head, tag, 0);
}

/* A run of objects with the same tag. */
static void check_tag_run(struct audit *audit, uint32_t head,
                          const uint16_t *tags, uint32_t from, uint32_t n)
{
	uint16_t tag = atom_load(&tags[from]);
	if (tag != TAG_NONE) {
		audit->objects += n;
		audit->free += tag == TAG_FREE ? n : 0;
		audit->owned += tag != TAG_FREE ? n : 0;
		audit->rooted +=
			root_row_word(audit->view, TAG_OWNER(tag)) != 0 ? n : 0;
		if (tag == TAG_FREE ||
		    view_owner_lives(audit->view, TAG_OWNER(tag)))
			return;
	}
	for (uint32_t i = from; i < from + n; i++) {
		if (tag == TAG_NONE) {
			audit_fault(audit, AUDIT_TAG_PAD, head, tag, i);
			audit->lost++;
		} else if (atom_load(&tags[i]) == tag) {
			check_owner(audit, head, tag);
		}
	}
}

static void check_tags(struct audit *audit, uint32_t head,
                       const struct layout_cache *row)
{
	const uint16_t *tags = slab_tags(audit->view, head);
	uint32_t all = slab_lines(row) * TAGS_PER_LINE;
	uint32_t run;
	for (uint32_t i = 0; i < row->n_objs; i += run) {
		run = tags_run(tags, i, row->n_objs);
		check_tag_run(audit, head, tags, i, run);
	}
	for (uint32_t i = row->n_objs; i < all; i++) {
		uint16_t tag = atom_load(&tags[i]);
		if (tag != TAG_NONE)
			audit_fault(audit, AUDIT_TAG_PAD, head, tag, i);
	}
}

/* Free objects must be on the list, at the latest when whoever freed them has
 * had time to say so. */
static bool is_due(const struct view *view, uint32_t head, uint64_t word)
{
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	struct partial list;
	if (row == NULL)
		return false;
	list = partial_of(view, WORD_CACHE(word), WORD_LIST(word));
	return !partial_has(&list, head) &&
	       tags_any_free(slab_tags(view, head), row->n_objs);
}

/* A lease that the audit's clause is about. */
static bool is_nobodys(const struct view *view, uint32_t seen)
{
	return seen != 0 && !view_client_live(view, LEASE_ID(seen));
}

static void check_lease(struct audit *audit, uint32_t head)
{
	uint32_t seen = atom_load(&audit->view->leases[head]);
	if (is_nobodys(audit->view, seen))
		suspect(audit, AUDIT_LEASE_HOLDER, head, seen);
}

/* ---- lists --------------------------------------------------------------- */

/* The words of a list from *from on, and before end, that hold memory; false if
 * none does. */
static bool next_words(const struct audit *audit, const struct partial *list,
                       uint64_t *from, uint64_t *end)
{
	const struct view *view = audit->view;
	off_t at = (off_t)(view->geo.lists_off +
	                   (uint64_t)((const char *)list->bits - view->lists));
	off_t data;
	uint64_t to;
	if (*from >= *end || audit->shared_fd < 0)
		return *from < *end;
	data = lseek(audit->shared_fd, at + (off_t)(*from * 8), SEEK_DATA);
	if (data < 0 || data >= at + (off_t)(*end * 8))
		return false;
	/* To the end of that small page: where the hole after it begins the
	 * kernel finds page by page, too, and without end. */
	*from = (uint64_t)(data - at + 7) / 8;
	to = (uint64_t)((data | 4095) + 1 - at) / 8;
	*end = to < *end ? to : *end;
	return *from < *end;
}

/* Whether a list's summary hides a bit of units before end. */
static bool hides_in(const struct audit *audit, const struct partial *list,
                     uint32_t unit, uint32_t end)
{
	uint64_t from = unit / 64;
	uint64_t last = ((uint64_t)end + 63) / 64;
	uint64_t to = last;
	for (; next_words(audit, list, &from, &to); from = to, to = last)
		if (partial_check_part(list, from, to) != PARTIAL_NONE)
			return true;
	return false;
}

static bool hides(const struct audit *audit, uint64_t ix)
{
	const struct view *view = audit->view;
	uint32_t cache = (uint32_t)(ix / view->geo.n_nodes) + 1;
	struct partial list;
	uint32_t unit = 0;
	uint32_t end;
	if (view_cache(view, cache) == NULL)
		return false;
	list = partial_of(view, cache, (uint32_t)(ix % view->geo.n_nodes));
	while ((unit = view_next_unit(view, unit, &end)) < view->geo.n_units) {
		if (hides_in(audit, &list, unit, end))
			return true;
		unit = end;
	}
	return false;
}

static uint32_t check_slab(struct audit *audit, uint32_t head, uint64_t word,
                           const struct layout_cache *row)
{
	uint32_t n_nodes = audit->view->geo.n_nodes;
	uint32_t n_units = check_words(audit, head, word, row);
	/* As slabd's books do, whatever else is wrong with it. */
	if (audit->seen_slabs != NULL && WORD_HOME(word) < n_nodes)
		audit->seen_slabs[(WORD_CACHE(word) - 1) * n_nodes +
		                  WORD_HOME(word)]++;
	if (n_units != 1u << row->order || !check_run(audit, head, row))
		return n_units > 0 ? n_units : 1;
	audit->slabs++;
	check_tags(audit, head, row);
	if (is_due(audit->view, head, word))
		suspect(audit, AUDIT_LIST_DUE, head, word);
	check_lease(audit, head);
	return n_units;
}

static uint32_t check_unit(struct audit *audit, uint32_t unit)
{
	const struct view *view = audit->view;
	uint64_t word = atom_load(&view->words[unit]);
	const struct layout_cache *row = view_cache(view, WORD_CACHE(word));
	if (word == 0)
		return 1;
	if (row != NULL && WORD_BACK(word) == 0)
		return check_slab(audit, unit, word, row);
	audit_fault(audit, AUDIT_WORD_SHAPE, unit, word, 0);
	return 1;
}

bool audit_piece_srv(struct audit *audit)
{
	const struct layout_geometry *geo = &audit->view->geo;
	uint32_t unit = view_next_unit(audit->view, audit->unit, NULL);
	uint64_t end = ((uint64_t)unit | ((1u << GRANULE_SHIFT) - 1)) + 1;
	end = end < geo->n_units ? end : geo->n_units;
	if (unit < geo->n_units) {
		while (unit < end)
			unit += check_unit(audit, unit);
		audit->unit = unit;
		return true;
	}
	audit->unit = (uint32_t)geo->n_units;
	if (audit->list >= (uint64_t)geo->n_caches * geo->n_nodes)
		return false;
	if (hides(audit, audit->list))
		suspect(audit, AUDIT_LIST_SUMMARY, (uint32_t)audit->list, 0);
	audit->list++;
	return true;
}

static bool still(const struct audit *audit, const struct audit_suspect *one)
{
	const struct view *view = audit->view;
	if (one->clause == AUDIT_LIST_SUMMARY)
		return hides(audit, one->unit);
	if (one->clause == AUDIT_LEASE_HOLDER)
		return atom_load(&view->leases[one->unit]) == one->word &&
		       is_nobodys(view, (uint32_t)one->word);
	return atom_load(&view->words[one->unit]) == one->word &&
	       is_due(view, one->unit, one->word);
}

bool audit_again_srv(struct audit *audit)
{
	if (audit->again < audit->n_suspects) {
		const struct audit_suspect *one =
			&audit->suspects[audit->again++];
		if (still(audit, one))
			audit->suspects[audit->kept++] = *one;
		return true;
	}
	audit->n_suspects = audit->kept;
	audit->again = 0;
	audit->kept = 0;
	return false;
}

void audit_end_srv(struct audit *audit)
{
	for (uint32_t i = 0; i < audit->n_suspects; i++)
		convict(audit, &audit->suspects[i]);
	audit->n_suspects = 0;
}

void audit_run_srv(struct audit *audit)
{
	const struct timespec ts = {.tv_nsec = 100000};
	while (audit_piece_srv(audit))
		continue;
	for (;; audit->patience--) {
		while (audit_again_srv(audit))
			continue;
		if (audit->n_suspects == 0 || audit->patience == 0)
			break;
		nanosleep(&ts, NULL);
	}
	audit_end_srv(audit);
}

void audit_forget_lines(struct audit *audit, uint64_t line, uint64_t n)
{
	for (uint64_t i = line; i < line + n && i < audit->n_lines; i++)
		audit->seen_lines[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
