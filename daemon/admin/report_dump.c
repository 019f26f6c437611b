/* SPDX-License-Identifier: MIT */
/*
 * One slab, a character an object, by the owner tags. They are clients' to write:
 * each is read once, and whatever stands there is one of these characters.
 *
 *   .  free            o  a client's             h  the same, with a handle out
 *   g  given to a client that has not taken it   c  a channel's, under way
 *   r  a root's        d  of a client that died  s  slabd's, on its way back
 *
 * A question mark is an id that nobody has. What lies in a magazine is a client's
 * like what is in use: only that client knows.
 */
#include "daemon/admin/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/slab.h"

#define MAP_MAX 65536u  /* objects shown */
#define OWNERS_MAX 16u  /* named, those with most first */

static const char letters[] = ".ohgcrds?";

struct owner {
	uint32_t id;
	uint32_t objects;
};

struct dump {
	uint32_t n; /* of characters */
	uint64_t count[sizeof(letters) - 1]; /* in the order of letters */
	uint32_t objects[TAG_KNOWN];         /* by id */
	char map[MAP_MAX + 1];
};

static char letter_of_client(const struct view *view, uint32_t id,
                             uint16_t tag, uint16_t gen)
{
	switch (atom_load(&view->clients[id].word) & 0xff) {
	case CLIENT_LIVE:
		if ((tag & TAG_KNOWN) == 0)
			return 'o';
		return (gen & GEN_WAITING) != 0 ? 'g' : 'h';
	case CLIENT_DEAD:
		return 'd';
	case CLIENT_CHANNEL:
		return 'c';
	case CLIENT_ROOT:
		return 'r';
	default:
		return '?';
	}
}

static char letter_of(const struct view *view, uint16_t tag, uint16_t gen)
{
	uint32_t id = TAG_OWNER(tag);
	if (id == 0)
		return '.';
	if (id == TAG_SRV)
		return tag == TAG_NONE ? '?' : 's';
	return letter_of_client(view, id, tag, gen);
}

static void fill(const struct view *view, const struct usage_slab *slab,
                 struct dump *dump)
{
	const uint16_t *tags = slab_tags(view, slab->head);
	const uint16_t *gens = slab_gen_of(view, tags);
	uint32_t n_objs = view->caches[slab->cache - 1].n_objs;
	for (uint32_t i = 0; i < n_objs && i < MAP_MAX; i++) {
		uint16_t tag = atom_load(&tags[i]);
		char letter = letter_of(view, tag, atom_load(&gens[i]));
		dump->map[dump->n++] = letter;
		dump->count[strchr(letters, letter) - letters]++;
		dump->objects[TAG_OWNER(tag)]++;
	}
}

/* ---- the document --------------------------------------------------------- */

static json_t *counts_doc(const struct dump *dump)
{
	json_t *doc = json_object();
	for (size_t i = 0; i < sizeof(dump->count) / sizeof(dump->count[0]);
	     i++) {
		char key[2] = {letters[i], '\0'};
		json_object_set_new(doc, key,
		                    json_integer(report_count(dump->count[i])));
	}
	return doc;
}

static json_t *owner_doc(const struct pool *pool, const struct owner *owner)
{
	const struct layout_client *row = &pool->view.clients[owner->id];
	return json_pack("{s:i, s:i, s:o, s:i}", "id", owner->id, "pid",
	                 row->pid, "name", report_text(row->comm), "objects",
	                 owner->objects);
}

/* Sorted into a short list, the last of which falls out. */
static void insert(struct owner *top, uint32_t id, uint32_t objects)
{
	unsigned at = OWNERS_MAX;
	if (objects <= top[OWNERS_MAX - 1].objects)
		return;
	while (at > 0 && objects > top[at - 1].objects)
		at--;
	memmove(top + at + 1, top + at,
	        (OWNERS_MAX - 1 - at) * sizeof(*top));
	top[at] = (struct owner){id, objects};
}

static json_t *owners_doc(const struct pool *pool, const struct dump *dump)
{
	struct owner top[OWNERS_MAX] = {{0, 0}};
	json_t *list = json_array();
	for (uint32_t id = 1; id <= pool->head->top_id; id++)
		insert(top, id, dump->objects[id]);
	for (unsigned i = 0; i < OWNERS_MAX && top[i].objects > 0; i++)
		report_append(&list, owner_doc(pool, &top[i]));
	return list;
}

static json_t *slab_doc(const struct pool *pool, const struct usage_slab *slab,
                        const struct dump *dump)
{
	const struct layout_cache *row = &pool->view.caches[slab->cache - 1];
	return json_pack(
	        "{s:o, s:I, s:o, s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:o, s:o, s:s}",
	        "pool", report_text(pool->name), "offset",
	        report_count((uint64_t)slab->head << UNIT_SHIFT), "cache",
	        report_text(row->name), "size", row->size, "node",
	        pool->view.nodes[slab->home].os_id, "list",
	        pool->view.nodes[slab->list].os_id, "objects", row->n_objs,
	        "shown", dump->n, "listed", slab->listed, "lease",
	        report_count(slab->lease), "counts", counts_doc(dump),
	        "owners", owners_doc(pool, dump), "map", dump->map);
}

/* The slab in which an offset lies. */
static bool find(const struct pool *pool, uint64_t off,
                 struct usage_slab *slab)
{
	uint64_t unit = off >> UNIT_SHIFT;
	uint64_t back;
	if (unit >= pool->view.geo.n_units)
		return false;
	back = WORD_BACK(pool->view.words[unit]);
	unit = back <= unit ? unit - back : 0;
	return usage_next(pool, (uint32_t)unit, slab) && slab->head == unit;
}

json_t *report_dump(struct report *r)
{
	struct pool *pool = report_param_pool(r);
	uint64_t off = report_param_count(r, "slab", 0, INT64_MAX, UINT64_MAX);
	struct usage_slab slab;
	struct dump *dump;
	json_t *doc;
	char what[64];
	if (report_good(r) && off == UINT64_MAX)
		report_fail(r, HTTP_BADREQUEST, "no slab is given",
		            "slab, an offset that slabctl slabs shows");
	if (!report_good(r))
		return r->error;
	snprintf(what, sizeof(what), "no slab at 0x%llx",
	         (unsigned long long)off);
	if (!find(pool, off, &slab)) {
		report_fail(r, HTTP_NOTFOUND, what,
		            "slabctl slabs lists them with their offsets");
		return r->error;
	}
	dump = calloc(1, sizeof(*dump));
	if (dump == NULL)
		return NULL;
	fill(&pool->view, &slab, dump);
	doc = slab_doc(pool, &slab, dump);
	free(dump);
	return doc;
}
