/* SPDX-License-Identifier: MIT */
#include "daemon/pool/arenas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/pool/clients.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/looks.h"
#include "shm/heir.h"

#define SLICE_NS CLOCK_MS

/* Of one that the log was told of. */
struct said {
	uint64_t off;
	uint32_t client; /* 0: nobody's */
	uint32_t epoch;
	uint64_t bytes;
	int64_t at_ns;
};

struct arenas {
	uint32_t at; /* unit; a look is under way if it is not 0 */
	uint32_t n;  /* found in it that are to be said, the largest first */
	struct arena_seen found[ARENAS_SAY_MAX];
	struct said said[ARENAS_SAID_MAX];
};

/* ---- what clients say ----------------------------------------------------- */

bool arenas_next(const struct pool *pool, const struct usage_slab *slab,
                 uint32_t *at, struct arena_seen *seen)
{
	struct arena_live *live = &seen->live;
	if (!heir_has_parts(&pool->view.caches[slab->cache - 1]))
		return false;
	while (live_next(pool, slab, at, &seen->client, &seen->off)) {
		if (!live_read(pool, seen->off, live, sizeof(*live)) ||
		    live->magic != ARENA_LIVE_MAGIC)
			continue;
		live->name[NAME_BYTES - 1] = '\0';
		return true;
	}
	return false;
}

static uint64_t since_of(const struct arena_live *live)
{
	return live->reset_ns != 0 ? live->reset_ns : live->since_ns;
}

bool arenas_is_overdue(const struct pool *pool, const struct arena_live *live)
{
	const struct config_pool *config = pool->config;
	uint64_t all = pool->view.geo.n_units << UNIT_SHIFT;
	return config->arena_warn_s != 0 && live->bytes <= all &&
	       live->bytes >= config->arena_warn_bytes &&
	       live_age_ns(since_of(live)) >= config->arena_warn_s * CLOCK_S;
}

/* ---- in words ------------------------------------------------------------- */

/* "6 h", "41 min", "12 s": whole ones of the largest that there are two of. */
static const char *span_text(char out[24], int64_t ns)
{
	long long s = ns / CLOCK_S;
	if (s >= 7200)
		snprintf(out, 24, "%lld h", s / 3600);
	else if (s >= 120)
		snprintf(out, 24, "%lld min", s / 60);
	else
		snprintf(out, 24, "%lld s", s);
	return out;
}

void arenas_text(const struct pool *pool, const struct arena_seen *seen,
                 char *out, size_t bytes)
{
	const struct layout_client *row = &pool->view.clients[seen->client];
	const struct arena_live *live = &seen->live;
	uint64_t grown = live->bytes > live->reset_bytes
	                         ? live->bytes - live->reset_bytes
	                         : 0;
	char name[4 * NAME_BYTES], comm[4 * NAME_BYTES], span[24];
	log_escape(name, sizeof(name), live->name);
	log_escape(comm, sizeof(comm), row->comm);
	snprintf(out, bytes,
	         "arena %s of client %u (%s, pid %d): %s %s, %llu KiB, of which "
	         "it grew by %llu since", name, seen->client, comm, row->pid,
	         live->reset_ns != 0 ? "not reset for" : "never reset in",
	         span_text(span, live_age_ns(since_of(live))),
	         (unsigned long long)live->bytes >> 10,
	         (unsigned long long)grown >> 10);
}

const char *arenas_remedy(void)
{
	return "have the program reset or destroy it (slabctl arenas lists all); "
	       "where it is meant to stay, raise arena_warn_bytes in slabd.conf, "
	       "or set arena_warn_age = never";
}

/* ---- what the log is told -------------------------------------------------- */

static void done(struct pool *pool)
{
	free(pool->arenas);
	pool->arenas = NULL;
	pool->arenas_done = NULL;
}

static struct arenas *arenas_of(struct pool *pool)
{
	if (pool->arenas == NULL) {
		pool->arenas = calloc(1, sizeof(*pool->arenas));
		pool->arenas_done = done;
	}
	return pool->arenas;
}

bool arenas_is_watched(const struct pool *pool)
{
	bool any = false;
	if (pool->config->arena_warn_s == 0 || pool->n_clients == 0)
		return false;
	for (uint32_t cache = 1; !any && cache <= pool->n_caches; cache++)
		any = pool_has_cache(pool, cache) &&
		      heir_has_parts(&pool->view.caches[cache - 1]);
	return any;
}

static bool is_of(const struct pool *pool, const struct said *said,
                  const struct arena_seen *seen)
{
	return said->client == seen->client && said->off == seen->off &&
	       said->epoch == clients_epoch(pool, seen->client);
}

/* What was said of it, or the place of what was said the longest ago. */
static struct said *said_of(struct pool *pool, const struct arena_seen *seen)
{
	struct arenas *arenas = pool->arenas;
	struct said *oldest = &arenas->said[0];
	for (uint32_t i = 0; i < ARENAS_SAID_MAX; i++) {
		struct said *said = &arenas->said[i];
		if (is_of(pool, said, seen))
			return said;
		if (said->at_ns < oldest->at_ns)
			oldest = said;
	}
	return oldest;
}

/* It was never said, or an hour ago, and it has another size since. */
static bool is_news(struct pool *pool, const struct arena_seen *seen)
{
	const struct said *said = said_of(pool, seen);
	return !is_of(pool, said, seen) ||
	       (clock_ns() - said->at_ns >= ARENAS_SAY_AGAIN_NS &&
	        said->bytes != seen->live.bytes);
}

/* Among the largest that there is room for. */
static void note(struct arenas *arenas, const struct arena_seen *seen)
{
	uint32_t i = arenas->n;
	while (i > 0 && arenas->found[i - 1].live.bytes < seen->live.bytes)
		i--;
	if (i == ARENAS_SAY_MAX)
		return;
	arenas->n += arenas->n < ARENAS_SAY_MAX;
	memmove(&arenas->found[i + 1], &arenas->found[i],
	        (arenas->n - 1 - i) * sizeof(*seen));
	arenas->found[i] = *seen;
}

static void say(struct pool *pool, const struct arena_seen *seen)
{
	struct said *said = said_of(pool, seen);
	char text[480];
	arenas_text(pool, seen, text, sizeof(text));
	log_warn("pool %s: %s; %s", pool->name, text, arenas_remedy());
	*said = (struct said){
		.off = seen->off,
		.client = seen->client,
		.epoch = clients_epoch(pool, seen->client),
		.bytes = seen->live.bytes,
		.at_ns = clock_ns(),
	};
}

static void look_in(struct pool *pool, const struct usage_slab *slab)
{
	struct arena_seen seen;
	uint32_t at = 0;
	while (arenas_next(pool, slab, &at, &seen))
		if (arenas_is_overdue(pool, &seen.live) && is_news(pool, &seen))
			note(pool->arenas, &seen);
}

bool arenas_look(struct pool *pool)
{
	struct arenas *arenas = arenas_of(pool);
	int64_t began_ns = clock_ns();
	struct usage_slab slab;
	if (arenas == NULL)
		return false;
	if (!looks_may() || !holes_guard(pool))
		return true;
	while (usage_next(pool, arenas->at, &slab)) {
		look_in(pool, &slab);
		arenas->at = slab.head +
		             (1u << pool->view.caches[slab.cache - 1].order);
		if (clock_ns() - began_ns >= SLICE_NS) {
			looks_pay(began_ns);
			return true;
		}
	}
	looks_pay(began_ns);
	for (uint32_t i = 0; i < arenas->n; i++)
		say(pool, &arenas->found[i]);
	arenas->at = 0;
	arenas->n = 0;
	return false;
}
