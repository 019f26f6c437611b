/* SPDX-License-Identifier: MIT */
#include "tests/lib/pool_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/balance/balance.h"
#include "daemon/base/log.h"
#include "daemon/pool/caches.h"
#include "daemon/pool/create.h"
#include "daemon/pool/usage.h"
#include "tests/lib/swept.h"

void pool_fixture_start(struct pool_fixture *fixture, const char *synthetic,
                        uint64_t start_mib, uint64_t max_mib)
{
	log_setup(LOG_LEVEL_ERROR, LOG_FORM_PLAIN);
	cr_assert_eq(topo_load(&fixture->topo, synthetic), 0);
	config_default_pool(&fixture->config, "fixture");
	fixture->config.page = CONFIG_PAGE_4K;
	fixture->config.start_bytes = start_mib * FIXTURE_MIB;
	fixture->config.max_bytes = max_mib * FIXTURE_MIB;
	fixture->config.max_caches = 8;
	fixture->config.max_clients = 4;
	cr_assert_eq(create_pool(&fixture->pool, &fixture->config,
	                         &fixture->topo, false, 0),
	             0);
	cr_assert_eq(balance_make(&fixture->pool), 0);
	fixture->data = (char *)(uintptr_t)fixture->pool.head->data_hint;
}

void pool_fixture_stop(struct pool_fixture *fixture)
{
	balance_done(&fixture->pool);
	pool_destroy(&fixture->pool);
}

int pool_fixture_cache(struct pool_fixture *fixture, const char *name,
                       uint64_t size, uint64_t align, uint32_t flags)
{
	char padded[NAME_BYTES] = "";
	struct remedy why = {.what = ""};
	int r;
	memcpy(padded, name, strnlen(name, NAME_BYTES));
	r = caches_create(&fixture->pool, padded, size, align, flags, &why);
	/* Who is refused is told why. */
	cr_assert_eq(r < 0, why.what[0] != '\0', "%d: %s", r, why.what);
	return r;
}

void pool_fixture_want(struct pool_fixture *fixture, uint32_t cache,
                       uint32_t node)
{
	cr_assert(view_want_any(&fixture->pool.view, cache, node));
}

enum wants_outcome pool_fixture_serve(struct pool_fixture *fixture)
{
	enum wants_outcome all = WANTS_NOTHING;
	bool more = true;
	wants_rung(&fixture->pool);
	while (more) {
		enum wants_outcome one =
			wants_serve(&fixture->pool, INT64_MAX, &more);
		all = one > all ? one : all;
	}
	return all;
}

uint64_t pool_fixture_claim_all(struct pool_fixture *fixture, uint32_t id,
                                uint32_t cache, uint32_t node)
{
	struct slab_user user = {.view = &fixture->pool.view,
	                         .data = fixture->data,
	                         .id = id,
	                         .epoch = 1};
	void *out[SLAB_RUN_MAX];
	bool ring;
	uint64_t sum = 0;
	uint32_t n;
	while ((n = slab_claim_any(&user, cache, node, SLAB_RUN_MAX, out,
	                           &ring)) > 0)
		sum += n;
	return sum;
}

uint64_t pool_fixture_use_up(struct pool_fixture *fixture, uint32_t cache,
                             uint32_t node)
{
	uint64_t sum = 0;
	while (wants_relieve(&fixture->pool, cache, node) == 0)
		sum += pool_fixture_claim_all(fixture, 1, cache, node);
	return sum;
}

void pool_fixture_free_all(struct pool_fixture *fixture)
{
	static struct slab_swept swept;
	swept_of(&fixture->pool.view, 1, &swept);
}

uint32_t pool_fixture_standing(const struct pool_fixture *fixture,
                               uint32_t cache, uint32_t home, uint32_t list)
{
	const struct view *view = &fixture->pool.view;
	uint32_t n = 0;
	for (uint32_t unit = 0; unit < view->geo.n_units; unit++)
		n += view->words[unit] == WORD_MAKE(cache, home, 0, list);
	return n;
}

uint64_t pool_fixture_free(const struct pool_fixture *fixture, uint32_t cache,
                           uint32_t node)
{
	struct usage usage;
	uint64_t n;
	cr_assert_eq(usage_take(&usage, &fixture->pool), 0);
	n = usage_cell(&usage, cache, node)->free;
	usage_done(&usage);
	return n;
}

/* Units and tag lines of the slab table against slabd's maps of them. */
static void check_maps(const struct pool *pool)
{
	const struct view *view = &pool->view;
	struct usage_slab slab;
	uint64_t lines = 0;
	uint64_t units = 0;
	for (uint32_t at = 0; usage_next(pool, at, &slab); at = slab.head + 1) {
		units += 1u << view->caches[slab.cache - 1].order;
		lines += slab_lines(&view->caches[slab.cache - 1]);
	}
	cr_assert_eq(pages_used_units(&pool->pages), units);
	cr_assert_eq(pool->lines.n_taken, lines);
}

/* What stands on a list, and what is lent. */
static void check_lists(const struct pool *pool)
{
	const struct view *view = &pool->view;
	uint32_t n_nodes = view->geo.n_nodes;
	uint32_t standing[8 * NODES_MAX] = {0};
	struct usage_slab slab;
	uint32_t lent = 0;
	for (uint32_t at = 0; usage_next(pool, at, &slab); at = slab.head + 1) {
		standing[(slab.cache - 1) * n_nodes + slab.list]++;
		lent += slab.list != slab.home;
		cr_assert_eq(pool->loans.place[slab.head] != 0,
		             slab.list != slab.home);
	}
	cr_assert_eq(pool->loans.n, lent);
	for (uint32_t i = 0; i < pool->n_caches * n_nodes; i++)
		cr_assert_eq(pool->standing[i], standing[i]);
}

void pool_fixture_agrees(struct pool_fixture *fixture)
{
	struct audit audit;
	cr_assert_eq(usage_audit(&fixture->pool, &audit), 0);
	cr_assert_eq(audit.n_faults, 0, "%s at %u",
	             audit_clause_name(audit.faults[0].clause),
	             audit.faults[0].unit);
	check_maps(&fixture->pool);
	check_lists(&fixture->pool);
}
