/* SPDX-License-Identifier: MIT */
#include "daemon/serve/sampling.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/looks.h"
#include "daemon/pool/past.h"
#include "daemon/watch/wake.h"

#define SAMPLE_NS CLOCK_S
#define COUNT_NS (5 * CLOCK_S) /* between two counts */
#define COST_FACTOR 100 /* of that long again for each ns of a count */

static uint64_t mixed(uint64_t mark, uint64_t with)
{
	return (mark ^ with) * UINT64_C(0x100000001b3);
}

static uint64_t carved_bytes(const struct pool *pool, uint32_t node)
{
	uint64_t sum = 0;
	for (uint32_t cache = 1; cache <= pool->n_caches; cache++)
		sum += *pool_slabs(pool, cache, node) *
		       (UNIT_BYTES << pool->view.caches[cache - 1].order);
	return sum;
}

static void add_own(struct past *past, const struct pool *pool)
{
	const struct pool_counts *counts = &pool->counts;
	const struct balance_counts *balance = balance_counts(pool);
	uint64_t steps = 0;
	for (unsigned kind = 0; kind < PLAN_KINDS; kind++)
		steps += balance->steps[kind];
	past_add(past, PAST_RUNG, counts->rings);
	past_add(past, PAST_GROWN, counts->grown_slabs);
	past_add(past, PAST_TAKEN, counts->taken_slabs);
	past_add(past, PAST_DENIED, counts->denied);
	past_add(past, PAST_DEATHS, counts->deaths);
	past_add(past, PAST_SWEPT, counts->swept_objects);
	past_add(past, PAST_STEPS, steps);
	past_add(past, PAST_MOVED_BYTES, balance->moved_bytes);
}

/* The sum of what all clients counted: any numbers may stand there. */
static void add_clients(struct past *past, const struct pool *pool)
{
	static const struct {
		enum past_count count;
		enum stats_word word;
	} of[] = {
		{PAST_REFILLS, STAT_REFILLS},
		{PAST_REFILLED, STAT_REFILLED},
		{PAST_FLUSHED, STAT_FLUSHED},
		{PAST_REMOTE_ALLOCS, STAT_REMOTE_ALLOCS},
		{PAST_REMOTE_FREES, STAT_REMOTE_FREES},
		{PAST_WAITS, STAT_WAITS},
		{PAST_FAILURES, STAT_FAILURES},
	};
	uint64_t sum[sizeof(of) / sizeof(of[0])] = {0};
	for (uint32_t id = 1; id <= pool->view.head->top_id; id++) {
		const uint64_t *stats =
			&pool->view.stats[(uint64_t)id * STATS_WORDS];
		if (atom_load(&pool->view.clients[id].word) == 0)
			continue;
		for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
			sum[i] += atom_load(&stats[of[i].word]);
	}
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		past_add(past, of[i].count, sum[i]);
}

/* What is known without a look at tags, as one number. */
static uint64_t fill(struct past *past, struct pool *pool)
{
	struct past_sample *now = past_now(past);
	uint64_t mark = mixed(pool->n_clients, caches_count(pool));
	now->clients = pool->n_clients;
	now->caches = caches_count(pool);
	for (uint32_t node = 0; node < pool->view.geo.n_nodes; node++) {
		now->node[node].ready = pool->view.nodes[node].resident_pages
		                        << pool->view.geo.page_shift;
		now->node[node].carved = carved_bytes(pool, node);
		mark = mixed(mark, now->node[node].ready);
		mark = mixed(mark, now->node[node].carved);
	}
	add_own(past, pool);
	if (holes_guard(pool))
		add_clients(past, pool);
	for (unsigned i = 0; i < PAST_COUNTS; i++)
		mark = mixed(mark, now->count[i]);
	return mark;
}

/* Whether it is to be looked at again. */
static bool take(struct server *server, unsigned ix)
{
	struct sampling *s = &server->samples[ix];
	uint64_t mark;
	bool changed;
	if (s->past == NULL)
		return false;
	mark = fill(s->past, &server->pools[ix]);
	changed = mark != s->mark;
	s->mark = mark;
	s->uncounted |= changed;
	past_keep(s->past, clock_ns());
	if (s->uncounted && s->asked_ns == 0 && clock_ns() >= s->next_ns) {
		s->uncounted = false;
		s->asked_ns = clock_ns();
		s->cost_ns = 0;
		wake_start(server->tally, 0);
	}
	return changed || s->uncounted;
}

void sampling_take(struct server *server)
{
	bool again = false;
	for (unsigned i = 0; i < server->n_pools; i++)
		again |= take(server, i);
	if (again)
		sampling_soon(server);
}

void sampling_soon(struct server *server)
{
	if (server->sample != NULL)
		wake_start(server->sample, SAMPLE_NS);
}

static void on_sample(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	sampling_take(arg);
}

struct past *sampling_past(const struct server *server,
                           const struct pool *pool)
{
	return server->samples[pool - server->pools].past;
}

/* ---- what takes a look at tags ------------------------------------------- */

static void note(struct past *past, const struct pool *pool,
                 const struct usage *usage, bool held)
{
	struct past_sample *now = past_now(past);
	now->counted_ns = clock_ns();
	if (held)
		now->held_ns = now->counted_ns;
	for (uint32_t n = 0; n < pool->view.geo.n_nodes; n++) {
		struct past_node *node = &now->node[n];
		node->owned = node->free = node->lent = 0;
		node->held = held ? 0 : node->held;
		for (uint32_t cache = 1; cache <= pool->n_caches; cache++) {
			const struct layout_cache *row =
				&pool->view.caches[cache - 1];
			const struct usage_cell *cell =
				usage_cell(usage, cache, n);
			node->owned +=
				(cell->objects - cell->free) * row->stride;
			node->free += cell->free * row->stride;
			node->lent += cell->lent * (UNIT_BYTES << row->order);
			node->held += held ? cell->held * row->stride : 0;
		}
	}
}

void sampling_note(struct server *server, const struct pool *pool,
                   const struct usage *usage)
{
	struct past *past = sampling_past(server, pool);
	if (past == NULL)
		return;
	note(past, pool, usage, true);
	past_keep(past, clock_ns());
}

static void end_count(struct server *server, unsigned ix)
{
	struct sampling *s = &server->samples[ix];
	int64_t rest_ns = COST_FACTOR * s->cost_ns;
	looks_leave(&server->pools[ix], s->joined);
	s->joined = 0;
	s->asked_ns = 0;
	s->next_ns = clock_ns() + (rest_ns > COUNT_NS ? rest_ns : COUNT_NS);
}

/* A slice of it. Whether there is more. */
static bool count(struct server *server, unsigned ix)
{
	struct sampling *s = &server->samples[ix];
	struct pool *pool = &server->pools[ix];
	struct usage *usage;
	int64_t began_ns = clock_ns();
	int r;
	if (!holes_guard(pool)) {
		end_count(server, ix);
		return false;
	}
	s->joined = looks_join(pool, s->joined);
	r = s->joined == 0 ? -ENOMEM : looks_usage(pool, s->asked_ns, &usage);
	s->cost_ns += clock_ns() - began_ns;
	if (r == LOOKS_E_LATER)
		return true;
	if (r == 0) {
		note(s->past, pool, usage, usage->held_for != 0);
		past_keep(s->past, clock_ns());
	}
	end_count(server, ix);
	return false;
}

static void on_tally(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct server *server = arg;
	bool more = false;
	for (unsigned i = 0; i < server->n_pools; i++)
		if (server->samples[i].asked_ns != 0)
			more |= count(server, i);
	if (more)
		wake_start(server->tally, looks_pause_ms() * CLOCK_MS);
}

/* ---- open, close --------------------------------------------------------- */

/* Of a pool that was kept it may not have been, and the other way round. */
static int open_past(struct sampling *s, const struct pool *pool, bool *kept)
{
	uint32_t os_id[NODES_MAX];
	uint32_t n = pool->view.geo.n_nodes;
	int r;
	for (uint32_t node = 0; node < n; node++)
		os_id[node] = pool->view.nodes[node].os_id;
	s->fd = keep_take(pool, KEEP_PAST);
	r = s->fd < 0 ? s->fd : past_open(&s->past, s->fd, n, os_id, kept);
	if (r == 0)
		return 0;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = past_make(pool->name);
	if (s->fd < 0)
		return s->fd;
	return past_open(&s->past, s->fd, n, os_id, kept);
}

int sampling_open(struct server *server)
{
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++)
		server->samples[i] = (struct sampling){.fd = -1};
	for (unsigned i = 0; i < server->n_pools; i++) {
		struct pool *pool = &server->pools[i];
		bool kept = false;
		int r = open_past(&server->samples[i], pool, &kept);
		if (r < 0)
			log_warn("pool %s: its history is not kept: %s",
			         pool->name, strerror(-r));
		else
			balance_keep_log(pool, past_log(server->samples[i].past),
			                 kept && pool->adopted);
	}
	if (wake_timer(&server->sample, server->base, on_sample, server) < 0)
		return -ENOMEM;
	return wake_timer(&server->tally, server->base, on_tally, server);
}

void sampling_close(struct server *server)
{
	wake_free(&server->sample);
	wake_free(&server->tally);
	for (unsigned i = 0; i < CONFIG_POOLS_MAX; i++) {
		struct sampling *s = &server->samples[i];
		if (s->past == NULL)
			continue;
		past_close(s->past);
		close(s->fd);
		s->past = NULL;
	}
}

void sampling_keep(struct server *server, bool again)
{
	for (unsigned i = 0; i < server->n_pools; i++)
		if (server->samples[i].past != NULL)
			keep_past(&server->pools[i], server->samples[i].fd,
			          again);
}
