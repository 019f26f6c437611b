/* SPDX-License-Identifier: MIT */
#include "daemon/pool/caches.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/pool/marks.h"
#include "daemon/pool/lists.h"

static const struct layout_cache *row_of(const struct pool *pool,
                                         uint32_t cache)
{
	return &pool->view.caches[cache - 1];
}

/* ---- found -------------------------------------------------------------- */

uint32_t caches_find(const struct pool *pool, const char *name)
{
	uint32_t newest = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		if (pool_has_cache(pool, cache) &&
		    strcmp(row_of(pool, cache)->name, name) == 0 &&
		    (newest == 0 || row_of(pool, cache)->version >
		                            row_of(pool, newest)->version))
			newest = cache;
	return newest;
}

static bool is_alike(const struct layout_cache *a, const struct layout_cache *b)
{
	return a->size == b->size && a->align == b->align &&
	       a->flags == b->flags && strcmp(a->name, b->name) == 0;
}

static uint32_t find_alike(const struct pool *pool,
                           const struct layout_cache *want)
{
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		if (pool_has_cache(pool, cache) &&
		    is_alike(row_of(pool, cache), want))
			return cache;
	return 0;
}

uint32_t caches_count(const struct pool *pool)
{
	uint32_t n = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		n += pool_has_cache(pool, cache);
	return n;
}

/* ---- checked ------------------------------------------------------------ */

static int check_name(const char *name, struct remedy *why)
{
	size_t len = strnlen(name, NAME_BYTES);
	if (len == 0 || len == NAME_BYTES)
		return remedy_set(why, -EINVAL, "",
		                  "a cache's name has 1 to %u bytes",
		                  NAME_BYTES - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return remedy_set(why, -EINVAL, "",
			                  "a cache's name has no control "
			                  "characters");
	return 0;
}

static int check_flags(uint32_t flags, struct remedy *why)
{
	const uint32_t known =
		CACHE_STRICT | CACHE_FIND | CACHE_NEW | CACHE_BESIDE;
	const uint32_t how = flags & (CACHE_FIND | CACHE_NEW | CACHE_BESIDE);
	if ((flags & ~known) != 0)
		return remedy_set(why, -EINVAL, "", "unknown cache flags 0x%x",
		                  flags);
	if ((how & CACHE_FIND) != 0 && how != CACHE_FIND)
		return remedy_set(why, -EINVAL, "give one of them",
		                  "a cache that is to be found is not to be "
		                  "made: flags 0x%x", flags);
	return 0;
}

static int fit(const struct pool *pool, uint64_t size, uint64_t align,
               struct layout_cache *row, struct remedy *why)
{
	uint32_t shift = pool->view.geo.page_shift;
	char todo[120];
	if (layout_fit_cache(shift, size, align, row) == 0)
		return 0;
	snprintf(todo, sizeof(todo),
	         "the size is 1 to %llu bytes, the alignment 0 or a power of "
	         "two up to %u",
	         1ull << shift, ALIGN_MAX);
	return remedy_set(why, -EINVAL, todo, "size %llu, alignment %llu",
	                  (unsigned long long)size, (unsigned long long)align);
}

/* ---- made --------------------------------------------------------------- */

/* A row for a cache: one that was never used, or that has been free for the
 * longest time; else that of the unused cache that nobody has asked for since
 * longest. *row: 0, there is none. 0 or CACHES_E_LATER. */
static int pick_row(struct pool *pool, struct caches_job *job,
                    int64_t until_ns, uint32_t *row)
{
	bool is_room = caches_count(pool) < pool->config->max_caches;
	uint32_t best = 0;
	*row = pool->n_caches + 1;
	if (pool->n_caches < pool->view.geo.n_caches && is_room)
		return 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		if (is_room && !pool_has_cache(pool, cache) &&
		    (best == 0 || row_of(pool, cache)->used_ns <
		                          row_of(pool, best)->used_ns))
			best = cache;
	*row = best;
	return best != 0 ? 0 : ends_search(pool, &job->search, until_ns, row);
}

static int add(struct pool *pool, struct layout_cache *want,
               struct caches_job *job, int64_t until_ns, struct remedy *why)
{
	uint32_t older = caches_find(pool, want->name);
	struct layout_cache *row;
	uint32_t cache;
	int r;
	if (pick_row(pool, job, until_ns, &cache) != 0)
		return CACHES_E_LATER;
	if (cache == 0)
		return remedy_set(why, -ENOSPC,
		                  pool->config->max_caches >
		                                  pool->view.geo.n_caches
		                          ? "close some: a higher max_caches "
		                            "waits for a pool made anew"
		                          : "raise max_caches in slabd.conf, or "
		                            "close some",
		                  "pool %s has all of its %u caches, and all are "
		                  "open or have objects in use",
		                  pool->name, caches_count(pool));
	r = lists_need(pool, cache, until_ns);
	if (r > 0 || r == -EAGAIN)
		return CACHES_E_LATER;
	if (r < 0)
		return remedy_set(why, -ENOMEM,
		                  "free memory, or raise slabd's limit of it",
		                  "there is no memory for the lists of a cache");
	row = pool_cache(pool, cache);
	want->version = older == 0 ? 1 : row_of(pool, older)->version + 1;
	want->state = row->state;
	want->used_ns = clock_ns();
	*row = *want;
	if (cache > pool->n_caches)
		pool->n_caches = cache;
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		atom_store(&pool_mark(pool, cache, node)->denied, 0u);
		marks_set_low(pool, cache, node, 0);
	}
	/* pairs: view_cache */
	atom_store_release(&row->state, (uint32_t)CACHE_LIVE);
	pool->new_cache = cache;
	pool->superseded |= older != 0;
	log_info("pool %s: cache %s: size %u, stride %u, %u object%s in a slab "
	         "of %u KiB%s",
	         pool->name, row->name, row->size, row->stride, row->n_objs,
	         row->n_objs == 1 ? "" : "s", 64u << row->order,
	         older != 0 ? "; beside the one of another size or shape" : "");
	job->cache = cache;
	return 0;
}

/* Others of its name are there, and none is alike: the ways out of it. */
static int refuse_shape(const struct pool *pool, const struct layout_cache *want,
                        uint32_t cache, const char *who, struct remedy *why)
{
	const struct layout_cache *have = row_of(pool, cache);
	return remedy_set(why, -EEXIST,
	                  "open it so, or give SLABD_CACHE_BESIDE",
	                  "cache %s exists with size %u, alignment %u, flags "
	                  "%u, not %u, %u, %u; %s",
	                  have->name, have->size, have->align, have->flags,
	                  want->size, want->align, want->flags, who);
}

/* Makes room for a shape of a name that is taken: by ending what is unused. */
static int replace(struct pool *pool, const struct layout_cache *want,
                   struct caches_job *job, int64_t until_ns,
                   struct remedy *why)
{
	struct remedy held;
	uint32_t cache = caches_find(pool, want->name);
	while (cache != 0) {
		int r = ends_some(pool, &job->ends, cache, until_ns, &held);
		if (r > 0)
			return CACHES_E_LATER;
		if (r < 0)
			return refuse_shape(pool, want, cache, held.what, why);
		cache = caches_find(pool, want->name);
	}
	return 0;
}

static int find(const struct pool *pool, const struct layout_cache *want,
                bool any, struct remedy *why)
{
	uint32_t cache = any ? caches_find(pool, want->name)
	                     : find_alike(pool, want);
	if (cache != 0)
		return (int)cache;
	return remedy_set(why, -ENOENT, "create it",
	                  any ? "there is no cache %s"
	                      : "there is no cache %s of that size, alignment "
	                        "and flags",
	                  want->name);
}

static int make(struct pool *pool, struct layout_cache *want, uint32_t flags,
                struct caches_job *job, int64_t until_ns, struct remedy *why)
{
	int r = 0;
	job->cache = find_alike(pool, want);
	if (job->cache != 0 && (flags & CACHE_NEW) == 0)
		return 0;
	if (job->cache != 0)
		r = ends_some(pool, &job->ends, job->cache, until_ns, why);
	if (r < 0)
		return remedy_set(why, -EEXIST,
		                  "open it without SLABD_CACHE_NEW",
		                  "cache %s is there already", want->name);
	if (r == 0 && (flags & CACHE_BESIDE) == 0)
		r = replace(pool, want, job, until_ns, why);
	return r == 0 ? add(pool, want, job, until_ns, why) : r;
}

int caches_create_some(struct pool *pool, const struct caches_want *ask,
                       struct caches_job *job, int64_t until_ns,
                       struct remedy *why)
{
	struct layout_cache want = {.flags = ask->flags & CACHE_STRICT};
	bool any = (ask->flags & CACHE_FIND) != 0 && ask->size == 0;
	int r = check_name(ask->name, why);
	if (r == 0)
		r = check_flags(ask->flags, why);
	if (r == 0 && !any)
		r = fit(pool, ask->size, ask->align, &want, why);
	if (r < 0)
		return r;
	strcpy(want.name, ask->name);
	if ((ask->flags & CACHE_FIND) == 0)
		return make(pool, &want, ask->flags, job, until_ns, why);
	r = find(pool, &want, any, why);
	job->cache = r < 0 ? 0 : (uint32_t)r;
	return r < 0 ? r : 0;
}

int caches_create(struct pool *pool, const char name[NAME_BYTES], uint64_t size,
                  uint64_t align, uint32_t flags, struct remedy *why)
{
	const struct caches_want want = {name, size, align, flags};
	struct caches_job job = {.cache = 0};
	int r;
	do
		r = caches_create_some(pool, &want, &job, INT64_MAX, why);
	while (r > 0);
	return r < 0 ? r : (int)job.cache;
}

/* ---- open, and no longer ------------------------------------------------ */

static uint64_t *word_of(struct pool *pool, uint32_t id, uint32_t cache)
{
	return pool_opens(pool, id) + (cache - 1) / 64;
}

static uint64_t bit_of(uint32_t cache)
{
	return UINT64_C(1) << ((cache - 1) % 64);
}

void caches_open(struct pool *pool, uint32_t id, uint32_t cache)
{
	uint64_t *word = word_of(pool, id, cache);
	pool_cache(pool, cache)->used_ns = clock_ns();
	if ((*word & bit_of(cache)) != 0)
		return;
	atom_store(word, *word | bit_of(cache));
	pool->openers[cache - 1]++;
}

bool caches_close(struct pool *pool, uint32_t id, uint32_t cache)
{
	uint64_t *word;
	if (!pool_has_cache(pool, cache))
		return false;
	word = word_of(pool, id, cache);
	if ((*word & bit_of(cache)) == 0)
		return false;
	atom_store(word, *word & ~bit_of(cache));
	pool->openers[cache - 1]--;
	pool_cache(pool, cache)->used_ns = clock_ns();
	return true;
}

void caches_leave(struct pool *pool, uint32_t id)
{
	const uint64_t *words = pool_opens(pool, id);
	for (uint64_t at = 0; at < pool->view.geo.open_words; at++)
		for (uint64_t bits = words[at]; bits != 0; bits &= bits - 1)
			caches_close(pool, id,
			             (uint32_t)(at * 64 + 1 +
			                        (uint64_t)__builtin_ctzll(bits)));
}

void caches_adopt(struct pool *pool)
{
	uint64_t n_words = pool->view.geo.open_words;
	for (uint32_t id = 1; id < CLIENT_IDS; id++) {
		uint64_t *words = pool_opens(pool, id);
		if ((atom_load(&pool->view.clients[id].word) & 0xff) ==
		    CLIENT_FREE)
			continue;
		for (uint64_t at = 0; at < n_words; at++) {
			for (uint64_t bits = words[at]; bits != 0;
			     bits &= bits - 1) {
				uint64_t ix = at * 64 +
				              (uint64_t)__builtin_ctzll(bits);
				if (ix < pool->n_caches)
					pool->openers[ix]++;
			}
		}
	}
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		pool->superseded |= pool_has_cache(pool, cache) &&
		                    row_of(pool, cache)->version > 1;
}

/* ---- ended -------------------------------------------------------------- */

int caches_remove_some(struct pool *pool, const char *name,
                       struct caches_job *job, int64_t until_ns,
                       struct remedy *why)
{
	for (; job->at < pool->n_caches; job->at++) {
		struct remedy held;
		uint32_t cache = job->at + 1;
		int r;
		if (!pool_has_cache(pool, cache) ||
		    strcmp(row_of(pool, cache)->name, name) != 0)
			continue;
		r = ends_some(pool, &job->ends, cache, until_ns, &held);
		if (r > 0)
			return CACHES_E_LATER;
		job->removed += r == 0;
		if (r < 0 && job->left++ == 0)
			remedy_set(&job->why, -EBUSY, held.todo, "cache %s: %s",
			           name, held.what);
	}
	*why = job->why;
	if (job->left > 0)
		return -EBUSY;
	if (job->removed == 0)
		return remedy_set(why, -ENOENT, "", "there is no cache %s",
		                  name);
	return 0;
}

int caches_remove(struct pool *pool, const char *name, struct remedy *why)
{
	struct caches_job job = {.cache = 0};
	int r;
	do
		r = caches_remove_some(pool, name, &job, INT64_MAX, why);
	while (r > 0);
	return r < 0 ? r : (int)job.removed;
}

#define NAMES (2 * CACHES_MAX)

/* Where a name's cache is noted, or would be. */
static uint16_t *place_of(const struct pool *pool, uint16_t *newest,
                          const char *name)
{
	uint32_t at = 0;
	for (const char *c = name; *c != '\0'; c++)
		at = at * 31 + (unsigned char)*c;
	while (newest[at % NAMES] != 0 &&
	       strcmp(row_of(pool, newest[at % NAMES])->name, name) != 0)
		at++;
	return &newest[at % NAMES];
}

/* The newest cache of each name. */
static void note_newest(const struct pool *pool, uint16_t newest[NAMES])
{
	memset(newest, 0, NAMES * sizeof(*newest));
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
		const struct layout_cache *row = row_of(pool, cache);
		uint16_t *place;
		if (!pool_has_cache(pool, cache))
			continue;
		place = place_of(pool, newest, row->name);
		if (*place == 0 || row->version > row_of(pool, *place)->version)
			*place = (uint16_t)cache;
	}
}

bool caches_tidy_some(struct pool *pool, struct caches_job *job,
                      int64_t until_ns)
{
	static uint16_t newest[NAMES];
	struct remedy held;
	if (!pool->superseded && !job->began)
		return true;
	/* What comes meanwhile has another round follow. */
	if (!job->began)
		pool->superseded = false;
	job->began = true;
	note_newest(pool, newest);
	for (; job->at < pool->n_caches; job->at++) {
		uint32_t cache = job->at + 1;
		int r;
		if (!pool_has_cache(pool, cache) ||
		    *place_of(pool, newest, row_of(pool, cache)->name) == cache)
			continue;
		r = ends_some(pool, &job->ends, cache, until_ns, &held);
		if (r > 0)
			return false;
		job->left += r < 0;
	}
	pool->superseded |= job->left > 0;
	*job = (struct caches_job){.cache = 0};
	return true;
}

bool caches_tidy(struct pool *pool)
{
	struct caches_job job = {.cache = 0};
	while (!caches_tidy_some(pool, &job, INT64_MAX))
		continue;
	return pool->superseded;
}
